"""What a gateway or an agent says on its own: told in order, once, and never lost."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any, Final
from unittest.mock import DEFAULT, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CALLBACK_TYPE, CoreState, HomeAssistant
from homeassistant.helpers import instance_id
from homeassistant.helpers.event import async_call_later
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.outbox import (
    asked,
    missed,
    notifier as notifier_module,
    surfaced,
)
from custom_components.openclaw_voice.outbox.notification import (
    Notification,
    NotificationKind,
    event_data,
)
from custom_components.openclaw_voice.outbox.notifier import (
    START_GRACE,
    Notifier,
)
from tests.fakes.frames import event, hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway, respond, skip_seq
from tests.fakes.refusals import Refusal
from tests.outbox import told

from .connection import in_state, lose, try_now
from .hearing import (
    Ear,
    event_of_injection,
    event_of_job,
    our_session,
    row_of_injection,
    row_of_job,
    soon,
    tell,
    tells_of_jobs,
    tells_of_sessions,
    wire,
)
from .support import WAIT_LIMIT, add_entry, introduce, make_entry, state_change

OTHER_HOME: Final = "agent:main:homeassistant:99999999:conversation:one"


def notifier_of(entry: MockConfigEntry) -> Notifier:
    """Return the notifier of an entry."""
    found: Notifier = entry.runtime_data.notifier
    return found


async def again(hass: HomeAssistant, gateway: ScriptedGateway, entry: MockConfigEntry) -> None:
    """Cut the connection and wait for the next one."""
    async with state_change(hass, in_state("retry_wait")):
        await gateway.drop()
    await try_now(hass, entry, "ready")


async def in_order(gateway: ScriptedGateway, ear: Ear) -> None:
    """Wait until all that was told so far has been dealt with: what comes last is heard last."""
    await tell(gateway, "cron", event_of_job("Marker", soon(-3600)))
    await ear.hears_of("Marker")


async def until(hass: HomeAssistant, is_true: Callable[[], bool]) -> None:
    """Wait for something that happens in the background."""
    async with asyncio.timeout(WAIT_LIMIT):
        while not is_true():
            await hass.async_add_executor_job(_nothing)


def _nothing() -> None:
    """Let the loop do what it has to do meanwhile."""


# as it happens


async def test_each_kind_is_told_in_the_order_it_came(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Each by its own event of the gateway; a payload that automations can rely on."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    ours = our_session(await instance_id.async_get(home))
    friendly.anytime(Expect("chat.history", reply={"messages": []}))
    for name, payload in (
        ("cron", told.JOB_FINISHED),
        ("heartbeat", told.HEARTBEAT),
        ("chat", event_of_injection(ours, 1, soon())),
        ("exec.approval.requested", told.at(told.APPROVAL, ours)),
        ("exec.approval.resolved", told.at(told.APPROVAL_RESOLVED, ours)),
        ("question.requested", told.at(told.QUESTION, ours)),
        ("question.resolved", told.QUESTION_RESOLVED),
        ("update.available", told.UPDATE),
        ("shutdown", told.STOPPING),
    ):
        count = len(ear.heard)
        await tell(friendly, name, payload)
        await ear.hears(count + 1)
    assert [told["kind"] for told in ear.heard] == [kind.value for kind in NotificationKind]
    assert ear.heard[0] == {
        "version": 1,
        "kind": "job_finished",
        "id": f"job:{told.JOB_ID}:1795168927034",
        "title": "Trash",
        "message": "The trash goes out today.",
        "is_cut": False,
        "agent": "main",
        "session": told.JOB_RUN,
        "time": "2026-11-20T10:02:11.060000+00:00",
        "entry_id": entry.entry_id,
        "data": {"job_id": told.JOB_ID, "status": "ok", "error": None, "duration": 4.026},
    }
    assert ear.heard[6]["title"] == "Room"
    assert ear.heard[6]["session"] == ours
    assert notifier_of(entry).counts["message"] == 1
    last = notifier_of(entry).last
    assert last is not None
    assert last.kind is NotificationKind.GATEWAY_STOPPING


async def test_nothing_of_others_is_told(home: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Neither other people's chats, nor a second Home Assistant, nor what is none."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    for key in (OTHER_HOME, told.OTHER_CHAT, "agent:main:main"):
        await tell(friendly, "chat", event_of_injection(key, 1, soon()))
        await tell(friendly, "question.requested", told.at(told.QUESTION, key))
    await tell(friendly, "question.resolved", told.QUESTION_RESOLVED)
    await tell(friendly, "exec.approval.requested", told.at(told.APPROVAL, OTHER_HOME))
    await tell(friendly, "exec.approval.resolved", told.at(told.APPROVAL_RESOLVED, OTHER_HOME))
    await tell(friendly, "health", {"ok": True, "ts": 1})
    await tell(friendly, "heartbeat", told.BUSY_HEARTBEAT)
    await in_order(friendly, ear)
    assert ear.heard == []
    assert notifier_of(entry).counts["not_ours"] == 6


async def test_listeners_hear_each_in_order(home: HomeAssistant, friendly: ScriptedGateway) -> None:
    """One that fails harms neither the others nor what comes next; one that has left hears no more."""
    entry = await add_entry(home, friendly)
    heard: list[Notification] = []

    def fail(_: Notification) -> None:
        raise ValueError("made up")

    leave = notifier_of(entry).async_subscribe(fail)
    notifier_of(entry).async_subscribe(heard.append)
    ear = Ear(home)
    await tell(friendly, "cron", event_of_job("One", soon()), event_of_job("Two", soon()))
    await ear.hears(2)
    assert [notification.title for notification in heard] == ["One", "Two"]
    leave()
    await tell(friendly, "cron", event_of_job("Three", soon()))
    await ear.hears(3)
    assert len(heard) == 3


async def test_a_fault_of_ours_costs_one_notification(
    home: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The next is told all the same; the log has nothing of what was said."""
    await add_entry(home, friendly)
    ear = Ear(home)

    def fail_once(notification: Notification, *, entry_id: str) -> dict[str, Any]:
        if notification.title == "One":
            raise ValueError(notification.message)
        return event_data(notification, entry_id=entry_id)

    with patch.object(notifier_module, "event_data", fail_once):
        await tell(friendly, "cron", event_of_job("One", soon()), event_of_job("Two", soon()))
        await ear.hears(1)
    assert ear.messages == ["Two is done."]
    assert "A notification failed with ValueError" in caplog.text
    assert "is done" not in caplog.text


async def test_the_same_is_told_once(home: HomeAssistant, friendly: ScriptedGateway) -> None:
    """However often the gateway tells it."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    job = event_of_job("One", soon())
    await tell(friendly, "cron", job, job)
    await in_order(friendly, ear)
    assert len(ear.heard) == 1
    assert notifier_of(entry).counts["known"] == 1


async def test_a_thousand_at_once_lose_none(home: HomeAssistant, friendly: ScriptedGateway) -> None:
    """They keep their order."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    at = soon()
    take = notifier_of(entry)._on_event
    for number in range(1000):
        job = event_of_job(f"Job {number}", at + timedelta(seconds=number))
        take(GatewayEvent(name="cron", payload=job))
    await ear.hears(1000)
    assert [heard["title"] for heard in ear.heard] == [f"Job {number}" for number in range(1000)]


# heartbeats


async def test_a_heartbeat_is_told_whole_and_in_its_place(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What comes while its text is read waits behind it."""
    await add_entry(home, friendly)
    ear = Ear(home)
    text = told.HEARTBEAT["preview"] + " All of them, and soon."
    friendly.anytime(
        Expect(
            "chat.history",
            reply={
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "text", "text": text}],
                        "timestamp": told.HEARTBEAT["ts"] - 300,
                        "__openclaw": {"id": "row-1", "runId": "run-1", "seq": 1},
                    }
                ]
            },
        )
    )
    preview = text[:200]
    await tell(friendly, "heartbeat", told.HEARTBEAT | {"preview": preview})
    await tell(friendly, "cron", event_of_job("One", soon()))
    await ear.hears(2)
    assert ear.messages == [text, "One is done."]
    assert (ear.heard[0]["agent"], ear.heard[0]["session"]) == ("main", "agent:main:main")


async def test_a_heartbeat_whose_text_cannot_be_read_is_told_with_its_beginning(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds up the others no longer than its limit."""
    monkeypatch.setattr(missed, "HEARTBEAT_LIMIT", 0.05)
    await add_entry(home, friendly)
    ear = Ear(home)
    friendly.anytime(Expect("chat.history"))
    long = told.HEARTBEAT | {"preview": "x" * 200}
    await tell(friendly, "heartbeat", long)
    await tell(friendly, "cron", event_of_job("One", soon()))
    await ear.hears(2)
    assert ear.messages == ["x" * 200, "One is done."]
    # Known now, so nobody asks for its text.
    asked = len(friendly.received("chat.history"))
    await tell(friendly, "heartbeat", long)
    await in_order(friendly, ear)
    assert len(friendly.received("chat.history")) == asked


# what was there before


async def test_what_was_before_the_entry_is_not_told(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nothing is even asked for; the update that is known already is not told later either."""
    hello = hello_ok()
    hello["snapshot"] |= {"updateAvailable": told.UPDATE["updateAvailable"]}
    friendly.hello = hello
    tells_of_jobs(friendly, row_of_job("Old", soon(-3600)))
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    await tell(friendly, "update.available", told.UPDATE)
    await in_order(friendly, ear)
    assert friendly.received("cron.runs") == []
    assert ear.heard == []
    await again(home, friendly, entry)
    await friendly.wait_for_request("question.list", number=2)
    await in_order(friendly, ear)
    assert ear.heard == []


async def test_what_was_missed_is_told_once_and_in_order(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Jobs, messages, approvals, questions, the last heartbeat and an update; by their times."""
    known = soon(10)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    ours = our_session(await instance_id.async_get(home))
    await tell(friendly, "cron", event_of_job("Known", known))
    await ear.hears(1)
    await lose(home, friendly)

    tells_of_jobs(
        friendly,
        row_of_job("Known", known),
        row_of_job("First", soon(20)),
        row_of_job("Fifth", soon(60)),
    )
    tells_of_sessions(
        friendly,
        [ours, OTHER_HOME, told.OTHER_CHAT],
        soon(40),
        row_of_injection(2, soon(30)),
    )
    approval = told.at(told.APPROVAL, ours)
    approval |= {"createdAtMs": wire(soon(40)), "expiresAtMs": wire(soon(400))}
    question = told.at(told.QUESTION, ours)
    question |= {"createdAtMs": wire(soon(50)), "expiresAtMs": wire(soon(500))}
    other = told.at(question, told.OTHER_CHAT) | {"id": "ask_other"}
    friendly.anytime(
        Expect("exec.approval.list", reply=[approval]),
        Expect("question.list", reply={"questions": [question, other]}),
        Expect("last-heartbeat", reply=told.HEARTBEAT | {"ts": wire(soon(70))}),
    )
    hello = hello_ok()
    hello["snapshot"] |= {"updateAvailable": told.UPDATE["updateAvailable"]}
    friendly.hello = hello
    await friendly.start()
    await try_now(home, entry, "ready")
    await ear.hears(8)
    assert [heard["kind"] for heard in ear.heard[1:]] == [
        "job_finished",
        "message",
        "approval_requested",
        "question_asked",
        "job_finished",
        "heartbeat",
        "update_available",
    ]
    assert [heard["message"] for heard in ear.heard[1:3]] == ["First is done.", "Message 2"]

    searches = notifier_of(entry).counts["searches"]
    await again(home, friendly, entry)
    await until(home, lambda: notifier_of(entry).counts["searches"] == searches + 1)
    await in_order(friendly, ear)
    assert len(ear.heard) == 8
    # Nothing of others was read.
    asked = {request.params["sessionKey"] for request in friendly.received("chat.history")}
    assert not asked & {OTHER_HOME, told.OTHER_CHAT}


async def test_what_comes_while_is_looked_for_the_missed_is_told_after_it(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway tells of something new before it answers."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    new = event("cron", event_of_job("New", soon(20)))
    friendly.anytime(Expect("last-heartbeat", emit=[new, respond({})]))
    async with state_change(home, in_state("retry_wait")):
        await friendly.drop()
    await try_now(home, entry, "ready")
    await ear.hears(2)
    assert ear.messages == ["Missed is done.", "New is done."]


async def test_a_session_that_was_woken_is_told_by_its_heartbeat_only(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Its history does not say why the agent spoke."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    ours = our_session(await instance_id.async_get(home))
    ended = soon(30)
    row = row_of_injection(1, ended - timedelta(milliseconds=300))
    row |= {"model": "demo-1", "__openclaw": {"id": "row-1", "runId": "run-1", "seq": 1}}
    tells_of_sessions(friendly, [ours], ended, row)
    await tell(friendly, "heartbeat", told.HEARTBEAT | {"ts": wire(ended), "preview": "Message 1"})
    await ear.hears(1)
    await again(home, friendly, entry)
    await friendly.wait_for_request("question.list", number=2)
    await in_order(friendly, ear)
    assert [heard["kind"] for heard in ear.heard] == ["heartbeat"]


async def test_a_search_that_ends_with_its_connection_is_made_again(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What it has found until then is told, the rest by the next one."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    tells_of_jobs(friendly, row_of_job("First", soon(10)))
    friendly.anytime(Expect("sessions.list"))
    await again(home, friendly, entry)
    await friendly.wait_for_request("sessions.list", number=1)
    await until(home, lambda: len(friendly.received("sessions.list")) >= 1)
    async with state_change(home, in_state("retry_wait")):
        await friendly.drop()
    ours = our_session(await instance_id.async_get(home))
    tells_of_sessions(friendly, [ours], soon(40), row_of_injection(2, soon(30)))
    await try_now(home, entry, "ready")
    await ear.hears(2)
    assert ear.messages == ["First is done.", "Message 2"]


async def test_what_could_not_be_asked_for_is_asked_for_later(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same connection, while the gateway is busy; until then no moment counts as complete."""
    monkeypatch.setattr(notifier_module, "SEARCH_AGAIN", 0.1)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    busy = Refusal(code="UNAVAILABLE", message="busy", retry_after_ms=10)
    friendly.anytime(Expect("cron.runs", reply=busy))
    await again(home, friendly, entry)
    counts = notifier_of(entry).counts
    await until(home, lambda: counts["incomplete_searches"] == 1)
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    await ear.hears(1)
    assert ear.messages == ["Missed is done."]
    assert counts["searches"] == 2


async def test_what_the_gateway_refuses_for_good_is_left_out(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An old pairing may lack a right; the rest is told, and nobody asks again."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    friendly.anytime(
        Expect("exec.approval.list", reply=Refusal(message="missing scope: operator.approvals"))
    )
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    await again(home, friendly, entry)
    await ear.hears(1)
    assert notifier_of(entry).counts["incomplete_searches"] == 0


async def test_a_conversation_that_cannot_be_read_keeps_back_no_other(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read later: the gateway does not say whether that would help."""
    monkeypatch.setattr(notifier_module, "SEARCH_AGAIN", 0.1)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    instance = await instance_id.async_get(home)
    broken, whole = our_session(instance, "broken"), our_session(instance, "whole")
    tells_of_sessions(friendly, [broken, whole], soon(40), row_of_injection(2, soon(30)))
    locked = Refusal(code="UNAVAILABLE", message="database is locked")
    friendly.script(
        Expect("chat.history", params={"sessionKey": broken}, reply=locked),
    )
    await again(home, friendly, entry)
    await ear.hears(1)
    assert ear.heard[0]["session"] == whole
    counts = notifier_of(entry).counts
    await until(home, lambda: counts["searches"] == 2)
    await in_order(friendly, ear)
    assert counts["incomplete_searches"] == 1
    asked = [request.params["sessionKey"] for request in friendly.received("chat.history")]
    assert asked == [broken, whole, broken, whole]


async def test_every_conversation_is_looked_at(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Also when many were used meanwhile."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    instance = await instance_id.async_get(home)
    ours = [our_session(instance, f"room{number}") for number in range(30)]
    tells_of_sessions(friendly, ours, soon(40), row_of_injection(2, soon(30)))
    await again(home, friendly, entry)
    await ear.hears(1)
    await in_order(friendly, ear)
    asked = {request.params["sessionKey"] for request in friendly.received("chat.history")}
    assert asked == set(ours)


async def test_a_search_that_fails_is_made_again(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours must not lose what was missed."""
    monkeypatch.setattr(notifier_module, "SEARCH_AGAIN", 0.1)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    fails_once = chain([ValueError("made up")], repeat(DEFAULT))
    with patch.object(
        notifier_module, "async_missed", wraps=missed.async_missed, side_effect=fails_once
    ):
        await again(home, friendly, entry)
        await ear.hears(1)
    assert ear.messages == ["Missed is done."]


async def test_a_search_that_stays_in_vain_becomes_rare(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes after twice the time of the one before, up to an end, until one succeeds."""
    waits: list[float] = []

    def at_once(
        hass: HomeAssistant, delay: float, action: Callable[[datetime], None]
    ) -> CALLBACK_TYPE:
        waits.append(delay)
        return async_call_later(hass, 0, action)

    monkeypatch.setattr(notifier_module, "async_call_later", at_once)
    entry = await add_entry(home, friendly)
    locked = Refusal(code="UNAVAILABLE", message="database is locked")
    friendly.anytime(Expect("cron.runs", reply=locked))
    await again(home, friendly, entry)
    await until(home, lambda: len(waits) >= 8)
    assert waits[:8] == [60, 120, 240, 480, 960, 1920, 1920, 1920]
    tells_of_jobs(friendly)
    await until(home, lambda: notifier_of(entry).facts()["is_complete"])
    friendly.anytime(Expect("cron.runs", reply=locked))
    count = len(waits)
    await again(home, friendly, entry)
    await until(home, lambda: len(waits) > count)
    assert waits[count] == 60


async def test_a_search_has_a_limit(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that does not answer delays what is new no longer than that."""
    monkeypatch.setattr(missed, "SEARCH_LIMIT", 0.05)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    friendly.anytime(Expect("cron.runs"))
    await again(home, friendly, entry)
    await tell(friendly, "cron", event_of_job("New", soon(20)))
    await ear.hears(1)
    assert notifier_of(entry).counts["incomplete_searches"] == 1


async def test_a_gap_in_what_the_gateway_sends_is_looked_into(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves out what a slow client does not take; one look for all gaps of a while."""
    monkeypatch.setattr(notifier_module, "SEARCH_AGAIN", 0.1)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    await tell(friendly, "cron", event_of_job("One", soon(5)))
    await friendly.emit(skip_seq(1))
    await tell(friendly, "cron", event_of_job("Three", soon(15)))
    await friendly.emit(skip_seq(1))
    await tell(friendly, "cron", event_of_job("Five", soon(16)))
    await ear.hears(3)
    assert notifier_of(entry).counts["gaps"] == 2
    await ear.hears(4)
    assert ear.messages[3] == "Missed is done."
    assert notifier_of(entry).counts["searches"] == 1


async def test_what_does_not_fit_in_the_queue_is_asked_for(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst that is larger than the queue loses nothing and keeps its order."""
    monkeypatch.setattr(notifier_module, "MAX_WAITING", 5)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    at = [soon(10 + number) for number in range(20)]
    tells_of_jobs(friendly, *(row_of_job(f"Job {n}", at[n]) for n in range(20)))
    take = notifier_of(entry)._on_event
    for number in range(20):
        take(GatewayEvent(name="cron", payload=event_of_job(f"Job {number}", at[number])))
        take(GatewayEvent(name="tick", payload={"ts": wire(at[number])}))
    await ear.hears(20)
    assert [heard["title"] for heard in ear.heard] == [f"Job {number}" for number in range(20)]
    assert notifier_of(entry).counts["put_off"] > 0


async def test_what_cannot_be_asked_for_has_more_room(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not without an end."""
    monkeypatch.setattr(notifier_module, "MAX_WAITING", 5)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    take = notifier_of(entry)._on_event
    for number in range(20):
        resolved = told.APPROVAL_RESOLVED | {"id": f"approval-{number}"}
        resolved = told.at(resolved, None)
        take(GatewayEvent(name="exec.approval.resolved", payload=resolved))
    await ear.hears(10)
    assert notifier_of(entry).counts["dropped"] == 10


# over restarts


async def test_a_reload_tells_nothing_twice_and_loses_nothing(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What has happened meanwhile comes after it."""
    at = soon(10)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    await tell(friendly, "cron", event_of_job("One", at))
    await ear.hears(1)
    tells_of_jobs(friendly, row_of_job("One", at), row_of_job("Two", soon(20)))
    assert await home.config_entries.async_reload(entry.entry_id)
    await ear.hears(2)
    await in_order(friendly, ear)
    assert ear.messages == ["One is done.", "Two is done."]


async def test_a_crash_may_repeat_but_not_lose(
    home: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """Nothing was written after the notification."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    key = f"openclaw_voice.notifications.{entry.entry_id}"
    before = hass_storage[key]
    await tell(friendly, "cron", event_of_job("One", soon(10)))
    await ear.hears(1)
    tells_of_jobs(friendly, row_of_job("One", soon(10)))
    assert await home.config_entries.async_unload(entry.entry_id)
    hass_storage[key] = before
    assert await home.config_entries.async_setup(entry.entry_id)
    await ear.hears(2)
    assert ear.messages == ["One is done.", "One is done."]


async def test_what_was_told_is_written_soon(
    home: HomeAssistant,
    friendly: ScriptedGateway,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """A stream of them does not put it off; a moment at which nothing was missing counts, too."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    key = f"openclaw_voice.notifications.{entry.entry_id}"
    await tell(friendly, "cron", event_of_job("One", soon(10)))
    await ear.hears(1)
    freezer.tick(surfaced.SAVE_DELAY * 0.6)
    async_fire_time_changed(home)
    await tell(friendly, "cron", event_of_job("Two", soon(20)))
    await ear.hears(2)
    freezer.tick(surfaced.SAVE_DELAY * 0.6)
    async_fire_time_changed(home)
    await home.async_block_till_done()
    assert [name for name, _ in hass_storage[key]["data"]["ids"]] == ear.ids

    mark = soon(3600)
    await tell(friendly, "tick", {"ts": wire(mark)})
    await in_order(friendly, ear)
    freezer.tick(surfaced.SAVE_DELAY * 1.1)
    async_fire_time_changed(home)
    await home.async_block_till_done()
    assert hass_storage[key]["data"]["complete_until"].startswith(mark.isoformat()[:19])


async def test_a_search_begins_where_the_last_tick_was(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What is older than that, and some minutes, was told or was not to be told."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    await tell(friendly, "tick", {"ts": wire(soon(3600))})
    await in_order(friendly, ear)
    tells_of_jobs(friendly, row_of_job("Old", soon(60)), row_of_job("New", soon(3590)))
    await again(home, friendly, entry)
    await ear.hears(1)
    await in_order(friendly, ear)
    assert ear.messages == ["New is done."]


@pytest.mark.parametrize("hours", [-5, 5])
async def test_the_clock_of_the_gateway_may_be_wrong(
    home: HomeAssistant, friendly: ScriptedGateway, hours: int
) -> None:
    """What was before the entry, and what was missed, is told apart by that clock."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    begin = soon(hours * 3600)
    await tell(friendly, "tick", {"ts": wire(begin + timedelta(seconds=30))})
    await in_order(friendly, ear)
    tells_of_jobs(
        friendly,
        row_of_job("Old", begin - timedelta(minutes=3)),
        row_of_job("New", begin + timedelta(minutes=1)),
    )
    await again(home, friendly, entry)
    await ear.hears(1)
    await in_order(friendly, ear)
    assert ear.messages == ["New is done."]


async def test_the_clock_of_the_gateway_may_be_set_back(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nothing is lost until it shows again what it has shown before."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    begin = soon(0)
    await tell(friendly, "tick", {"ts": wire(begin + timedelta(hours=9))})
    await tell(friendly, "tick", {"ts": wire(begin + timedelta(minutes=10))})
    await in_order(friendly, ear)
    tells_of_jobs(
        friendly,
        row_of_job("Old", begin + timedelta(minutes=4)),
        row_of_job("New", begin + timedelta(minutes=11)),
    )
    await again(home, friendly, entry)
    await ear.hears(1)
    await in_order(friendly, ear)
    assert ear.messages == ["New is done."]


async def test_what_was_forgotten_before_a_clock_was_set_back_hides_nothing(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was forgotten has times that are yet to come."""
    monkeypatch.setattr(surfaced, "MAX_IDS", 1)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    begin = soon(0)
    await tell(friendly, "tick", {"ts": wire(begin + timedelta(hours=9))})
    for number in range(2):
        job = event_of_job(f"Ahead {number}", begin + timedelta(hours=9, minutes=number))
        await tell(friendly, "cron", job)
    await tell(friendly, "tick", {"ts": wire(begin + timedelta(minutes=1))})
    await ear.hears(2)
    tells_of_jobs(friendly, row_of_job("New", begin + timedelta(minutes=2)))
    await again(home, friendly, entry)
    await ear.hears(3)
    assert ear.messages[2] == "New is done."


async def test_a_store_that_cannot_be_read_begins_anew(
    home: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """Rather than telling all that is old."""
    entry = make_entry(home, friendly)
    key = f"openclaw_voice.notifications.{entry.entry_id}"
    stored: tuple[dict[str, Any], ...] = (
        {"ids": []},
        {"ids": [], "floor": "2026-01-01", "complete_until": None},
        {"ids": [["job:1", 7]], "floor": "2026-01-01T00:00:00+00:00", "complete_until": None},
    )
    for broken in stored:
        hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": broken}
        tells_of_jobs(friendly, row_of_job("Old", soon(-3600)))
        ear = Ear(home)
        assert await home.config_entries.async_setup(entry.entry_id)
        await in_order(friendly, ear)
        assert ear.heard == []
        assert await home.config_entries.async_unload(entry.entry_id)


async def test_what_was_forgotten_is_not_told_again(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many are remembered; what is older than the forgotten ones counts as told."""
    monkeypatch.setattr(surfaced, "MAX_IDS", 3)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    names = [f"Job {number}" for number in range(6)]
    at = [soon(10 + number) for number in range(7)]
    await tell(friendly, "shutdown", told.STOPPING)
    for number, name in enumerate(names):
        await tell(friendly, "cron", event_of_job(name, at[number]))
    await ear.hears(7)
    tells_of_jobs(
        friendly,
        *(row_of_job(name, at[number]) for number, name in enumerate(names)),
        row_of_job("Missed", at[6]),
    )
    await again(home, friendly, entry)
    await ear.hears(8)
    await in_order(friendly, ear)
    assert ear.messages[1:] == [f"{name} is done." for name in [*names, "Missed"]]


async def test_an_update_is_told_once_however_long_it_waits(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway tells of it at every connect; meanwhile much else is forgotten."""
    monkeypatch.setattr(surfaced, "MAX_IDS", 2)
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    hello = hello_ok()
    hello["snapshot"] |= {"updateAvailable": told.UPDATE["updateAvailable"]}
    friendly.hello = hello
    await again(home, friendly, entry)
    await ear.hears(1)
    for number in range(5):
        await tell(friendly, "cron", event_of_job(f"Job {number}", soon(10 + number)))
    await ear.hears(6)
    await again(home, friendly, entry)
    await until(home, lambda: notifier_of(entry).counts["searches"] == 2)
    await in_order(friendly, ear)
    assert [heard["kind"] for heard in ear.heard] == ["update_available", *["job_finished"] * 5]
    assert len(notifier_of(entry)._surfaced) == 2


async def test_nothing_is_told_before_automations_listen(
    home: HomeAssistant,
    friendly: ScriptedGateway,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """While Home Assistant starts, what was missed waits."""
    entry = await add_entry(home, friendly)
    assert await home.config_entries.async_unload(entry.entry_id)
    tells_of_jobs(friendly, row_of_job("Missed", soon(10)))
    ear = Ear(home)
    home.set_state(CoreState.not_running)
    assert await home.config_entries.async_setup(entry.entry_id)
    await tell(friendly, "cron", event_of_job("New", soon(20)))
    await home.async_block_till_done()
    assert friendly.received("cron.runs") == []
    home.set_state(CoreState.running)
    home.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await home.async_block_till_done()
    assert ear.heard == []
    freezer.tick(START_GRACE + 1)
    async_fire_time_changed(home)
    await ear.hears(2)
    assert ear.messages == ["Missed is done.", "New is done."]


async def test_what_cannot_be_found_again_is_told_before_the_end(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What waits when an entry is unloaded is asked for by the next start, if that is possible."""
    entry = await add_entry(home, friendly)
    ear = Ear(home)
    notifier = notifier_of(entry)
    notifier._on_event(GatewayEvent(name="cron", payload=event_of_job("One", soon(10))))
    notifier._on_event(GatewayEvent(name="shutdown", payload=told.STOPPING))
    await notifier.async_stop()
    await notifier.async_stop()
    await home.async_block_till_done()
    assert [heard["kind"] for heard in ear.heard] == ["gateway_stopping"]
    tells_of_jobs(friendly, row_of_job("One", soon(10)))
    assert await home.config_entries.async_reload(entry.entry_id)
    await ear.hears(2)
    assert ear.messages[1] == "One is done."


async def test_an_entry_that_is_removed_leaves_nothing(
    home: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """What was surfaced is forgotten with it."""
    entry = await add_entry(home, friendly)
    key = f"openclaw_voice.notifications.{entry.entry_id}"
    assert key in hass_storage
    await home.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


async def test_two_gateways_do_not_know_of_each_other(
    home: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The same id from both is told for both."""
    first = await add_entry(home, friendly)
    async with ScriptedGateway() as other:
        introduce(other, gateway_id="cd" * 32)
        second = make_entry(home, other, gateway_id="cd" * 32)
        assert await home.config_entries.async_setup(second.entry_id)
        ears = Ear(home, first.entry_id), Ear(home, second.entry_id)
        job = event_of_job("One", soon(10))
        await tell(friendly, "cron", job)
        await ears[0].hears(1)
        await tell(other, "cron", job)
        await ears[1].hears(1)
        assert await home.config_entries.async_unload(second.entry_id)
    assert ears[0].ids == ears[1].ids


async def test_only_so_many_questions_are_remembered(
    home: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to one that was forgotten is told without where it was asked."""
    monkeypatch.setattr(asked, "MAX_ASKED", 1)
    await add_entry(home, friendly)
    ear = Ear(home)
    ours = our_session(await instance_id.async_get(home))
    for number in (1, 2):
        question = told.at(told.QUESTION, ours) | {"id": f"ask_{number}"}
        await tell(friendly, "question.requested", question)
    for number in (1, 2):
        resolved = told.QUESTION_RESOLVED | {"id": f"ask_{number}"}
        await tell(friendly, "question.resolved", resolved)
    await ear.hears(4)
    assert [heard["session"] for heard in ear.heard[2:]] == [None, ours]
