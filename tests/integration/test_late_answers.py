"""Answers that come after their turn: promised, followed, told; over restarts, too."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import CoreState, Event, HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.openclaw_voice.gateway.errors import (
    ConnectionLostError,
    GatewayError,
    NotConnectedError,
    RunFailedError,
    RunLostError,
)
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunOutcome,
)
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.outbox import (
    answer_store,
    late_answers,
    watch as watch_module,
)
from custom_components.openclaw_voice.outbox.answer_store import LIFETIME as KEPT_FOR
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer, LateStatus
from custom_components.openclaw_voice.outbox.late_answers import START_GRACE, Outbox
from custom_components.openclaw_voice.outbox.queue import LIFETIME
from tests.outbox.late import make_answer
from tests.outbox.runs import HandClient, HandRun

from .satellite import Phone, Satellite, add_phone, add_satellite, add_voice
from .support import WAIT_LIMIT

EVENT = "openclaw_voice_late_answer"
SESSION = make_answer().session_key
PAUSE = timedelta(seconds=2)
WORDS = {
    "late_ready": "About your question:",
    "late_more": "And:",
    "late_title": "Answer from {agent}",
    "late_done": "Done.",
    "late_failed": "Sorry.",
}


class Desk:
    """One entry with its outbox, stopped and started like Home Assistant does it."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Nothing is started yet."""
        self.hass = hass
        self.entry = MockConfigEntry(domain="openclaw_voice", entry_id="entry-1")
        self.entry.add_to_hass(hass)
        self.client = HandClient()
        self.fallback: tuple[str, ...] = ()
        self.name = "Molty"
        self.events: list[Event] = async_capture_events(hass, EVENT)
        self.outbox = self._make()
        self._freezer = freezer

    def _make(self) -> Outbox:
        return Outbox(
            self.hass,
            self.entry,
            self.client,
            speak=self._speak,
            sentence=self._sentence,
            explain=self._explain,
            fallback_of=lambda _: self.fallback,
            agent_name=lambda _: self.name,
        )

    async def _speak(self, text: str, _: str) -> str:
        return text.replace("*", "")

    async def _sentence(self, _: str, key: str) -> str:
        return WORDS[key]

    async def _explain(self, error: GatewayError, _: str) -> str:
        return f"It is about {error.category}."

    async def restart(self, *found: HandRun) -> None:
        """Stop and start again; the gateway goes on with these runs."""
        await self.outbox.async_stop()
        self.client = HandClient(*found)
        self.outbox = self._make()
        await self.outbox.async_start()

    async def promise(self, **fields: object) -> HandRun:
        """Hand over a run, and return it."""
        answer = make_answer(created=dt_util.utcnow(), **fields)
        run = HandRun(answer.id)
        await self.outbox.async_hand_over(run, aiter(run), answer)
        return run

    def now(self, answer_id: str = "run-1") -> LateAnswer:
        """Return how an answer stands."""
        answer = self.outbox.get(answer_id)
        assert answer is not None
        return answer

    async def becomes(self, status: LateStatus, answer_id: str = "run-1") -> LateAnswer:
        """Wait until an answer stands like this."""
        async with asyncio.timeout(WAIT_LIMIT):
            while self.now(answer_id).status is not status:
                await self.hass.async_add_executor_job(_nothing)
        return self.now(answer_id)

    def told(self) -> list[tuple[str, str]]:
        """Return status and text of each event."""
        return [(event.data["status"], event.data["text"]) for event in self.events]

    def let_pass(self, duration: timedelta) -> None:
        """Let time pass while something is being said: Home Assistant has not done everything."""
        self._freezer.tick(duration)
        async_fire_time_changed(self.hass)

    async def wait(self, duration: timedelta) -> None:
        """Let time pass."""
        self.let_pass(duration)
        await self.hass.async_block_till_done()


def _nothing() -> None:
    """Let the loop do what it has to do meanwhile."""


@pytest.fixture
async def desk(
    home: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Desk]:
    """Return an entry whose outbox has started."""
    monkeypatch.setattr(watch_module, "RESUME_WAIT", 0)
    desk = Desk(home, freezer)
    await desk.outbox.async_start()
    yield desk
    await desk.outbox.async_stop()


@pytest.fixture
async def kitchen(
    home: HomeAssistant, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Satellite:
    """Return the satellite that asks; it has been idle for some seconds."""
    await add_voice(home, tmp_path, monkeypatch)
    satellite = await add_satellite(home, "kitchen")
    await desk.wait(PAUSE * 2)
    return satellite


@pytest.fixture
async def phone(home: HomeAssistant, desk: Desk) -> Phone:
    """Return who is sent what nobody could hear."""
    desk.fallback = ("notify.phone",)
    return await add_phone(home, "phone")


def stored(hass_storage: dict[str, Any]) -> dict[str, Any]:
    """Return what is on the disk about the one answer."""
    [answer] = hass_storage["openclaw_voice.late_answers.entry-1"]["data"]["answers"]
    found: dict[str, Any] = answer
    return found


# transitions


async def test_promised_to_running(desk: Desk, hass_storage: dict[str, Any]) -> None:
    """It is on the disk when the turn may end."""
    await desk.promise(said="Let me look.")
    assert stored(hass_storage)["status"] == "running"
    assert desk.outbox.open_in(SESSION) == desk.now()
    assert desk.outbox.open_in("agent:main:another") is None
    assert desk.events == []


async def test_running_to_waiting_to_delivered(
    desk: Desk, kitchen: Satellite, hass_storage: dict[str, Any]
) -> None:
    """The satellite that asked says what came after the hand-over; the event tells all of it."""
    kitchen.hears()
    run = await desk.promise(said="Let me *look*.")
    run.say(MessageStarted(), ChatDelta("It is *42*."))
    run.answer("Let me *look*.\n\nIt is *42*.")
    await desk.becomes(LateStatus.WAITING)
    assert desk.outbox.open_in(SESSION) is None
    await desk.wait(timedelta(0))
    assert desk.told() == [("answered", "Let me *look*.\n\nIt is *42*.")]
    kitchen.may_end.clear()
    kitchen.answers()
    kitchen.falls_silent()
    desk.let_pass(PAUSE)
    assert await kitchen.begins() == "About your question: It is 42."
    assert stored(hass_storage)["is_speaking"] is True
    kitchen.may_end.set()
    answer = await desk.becomes(LateStatus.DELIVERED)
    assert answer.text == "Let me *look*.\n\nIt is *42*."
    assert stored(hass_storage)["status"] == "delivered"
    assert stored(hass_storage)["is_speaking"] is False
    assert len(desk.events) == 1


async def test_running_to_silent(desk: Desk, kitchen: Satellite) -> None:
    """Nothing is said; automations learn that it is over."""
    run = await desk.promise()
    run.say(ChatFinal(outcome=RunOutcome.SILENT))
    await desk.becomes(LateStatus.SILENT)
    await desk.wait(PAUSE)
    assert kitchen.begun.empty()
    assert desk.told() == [("silent", "")]


async def test_running_to_cancelled_by_us(desk: Desk, kitchen: Satellite) -> None:
    """The run is stopped on the gateway, and nobody hears of it."""
    run = await desk.promise()
    answer = await desk.outbox.async_cancel("run-1")
    assert answer.status is LateStatus.CANCELLED
    assert run.is_aborted
    await desk.wait(PAUSE)
    assert desk.now().status is LateStatus.CANCELLED
    assert desk.told() == [("cancelled", "")]
    assert kitchen.begun.empty()


async def test_running_to_cancelled_on_the_gateway(desk: Desk, kitchen: Satellite) -> None:
    """Somebody stopped the run there; what there was of it is kept."""
    run = await desk.promise()
    run.say(ChatFinal(outcome=RunOutcome.ABORTED, text="It is"))
    answer = await desk.becomes(LateStatus.CANCELLED)
    assert answer.text == "It is"
    await desk.wait(PAUSE)
    assert desk.told() == [("cancelled", "It is")]
    assert kitchen.begun.empty()


async def test_running_to_failed(desk: Desk, kitchen: Satellite) -> None:
    """A failure is announced in one sentence."""
    run = await desk.promise(said="Let me look.")
    run.fail(RunFailedError("secret details"))
    assert await kitchen.begins() == "About your question: It is about run_failed."
    answer = await desk.becomes(LateStatus.DELIVERED)
    assert answer.error == "run_failed"
    assert desk.events[0].data["error"] == "run_failed"
    assert desk.told() == [("failed", "It is about run_failed.")]


async def test_a_run_that_is_lost_is_a_failure(desk: Desk, kitchen: Satellite) -> None:
    """Recovery has given up."""
    run = await desk.promise()
    run.fail(RunLostError("gone"))
    assert await kitchen.begins() == "About your question: It is about run_lost."
    await desk.becomes(LateStatus.DELIVERED)


async def test_running_to_delivered_when_nobody_is_to_hear_it(
    desk: Desk, kitchen: Satellite
) -> None:
    """The event alone was asked for."""
    run = await desk.promise(is_announced=False)
    run.answer("It is 42.")
    await desk.becomes(LateStatus.DELIVERED)
    await desk.wait(PAUSE)
    assert desk.told() == [("answered", "It is 42.")]
    assert kitchen.begun.empty()


async def test_waiting_to_unheard_to_delivered(desk: Desk, kitchen: Satellite) -> None:
    """Nobody could hear it within an hour, so the next turn of the session is told."""
    kitchen.leave()
    run = await desk.promise()
    run.answer("It is 42.")
    await desk.becomes(LateStatus.WAITING)
    await desk.wait(LIFETIME)
    answer = await desk.becomes(LateStatus.UNHEARD)
    assert desk.outbox.unheard(SESSION) == (answer,)
    assert desk.outbox.unheard("agent:main:another") == ()
    await desk.outbox.async_mark_told(("run-1", "unknown"))
    assert desk.outbox.unheard(SESSION) == ()
    assert desk.now().status is LateStatus.DELIVERED


async def test_waiting_to_delivered_by_the_fallback(
    desk: Desk, kitchen: Satellite, phone: Phone
) -> None:
    """It is sent as it was written, all of it."""
    kitchen.leave()
    run = await desk.promise(said="Let me look.")
    run.answer("Let me look.\n\nIt is *42*.")
    await desk.becomes(LateStatus.WAITING)
    await desk.wait(LIFETIME)
    await desk.becomes(LateStatus.DELIVERED)
    assert phone.sent == [("Answer from Molty", "Let me look.\n\nIt is *42*.")]


async def test_waiting_to_cancelled(desk: Desk, kitchen: Satellite) -> None:
    """It is taken back before anybody could hear it."""
    kitchen.hears()
    run = await desk.promise()
    run.answer("It is 42.")
    await desk.becomes(LateStatus.WAITING)
    await desk.wait(timedelta(0))
    answer = await desk.outbox.async_cancel("run-1")
    assert (answer.status, answer.text) == (LateStatus.CANCELLED, "It is 42.")
    kitchen.answers()
    kitchen.falls_silent()
    await desk.wait(PAUSE)
    assert kitchen.begun.empty()


async def test_what_is_being_said_is_not_cancelled(desk: Desk, kitchen: Satellite) -> None:
    """Whoever hears it should hear its end."""
    kitchen.may_end.clear()
    run = await desk.promise()
    run.answer("It is 42.")
    await kitchen.begins()
    assert (await desk.outbox.async_cancel("run-1")).status is LateStatus.WAITING
    kitchen.may_end.set()
    await desk.becomes(LateStatus.DELIVERED)


async def test_an_answer_that_has_ended_is_not_cancelled(desk: Desk) -> None:
    """It stays as it is."""
    run = await desk.promise()
    run.say(ChatFinal(outcome=RunOutcome.SILENT))
    await desk.becomes(LateStatus.SILENT)
    assert (await desk.outbox.async_cancel("run-1")).status is LateStatus.SILENT


async def test_an_unknown_answer_cannot_be_cancelled(desk: Desk) -> None:
    """The caller has the words for it."""
    with pytest.raises(KeyError):
        await desk.outbox.async_cancel("unknown")


async def test_a_cancelled_task_that_cannot_be_stopped(desk: Desk, kitchen: Satellite) -> None:
    """The caller learns that it may go on there; people hear nothing of it."""
    run = await desk.promise()
    run.abort_error = NotConnectedError("not now")
    with pytest.raises(NotConnectedError):
        await desk.outbox.async_cancel("run-1")
    assert desk.now().status is LateStatus.CANCELLED
    run.answer("It is 42.")
    await desk.wait(PAUSE)
    assert kitchen.begun.empty()


@pytest.mark.parametrize("end", ["answer", "failure"])
async def test_an_end_that_comes_while_a_task_is_cancelled(desk: Desk, end: str) -> None:
    """It was too late for both: cancelled it stays."""
    run = await desk.promise()
    may_abort = asyncio.Event()

    async def abort() -> None:
        if end == "answer":
            run.answer("It is 42.")
        else:
            run.fail(RunFailedError("no"))
        await may_abort.wait()

    run.abort = abort  # type: ignore[method-assign]  # the gateway is slow in this test
    cancelling = desk.hass.async_create_task(desk.outbox.async_cancel("run-1"))
    await desk.hass.async_add_executor_job(_nothing)
    may_abort.set()
    await cancelling
    assert desk.now().status is LateStatus.CANCELLED
    assert desk.told() == [("cancelled", "")]


async def test_a_failure_that_is_explained_while_a_task_is_cancelled(
    desk: Desk, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled it stays; nobody hears of the failure."""
    may_explain = asyncio.Event()

    async def explain(error: GatewayError, _: str) -> str:
        await may_explain.wait()
        return "It failed."

    monkeypatch.setattr(desk.outbox, "_explain", explain)
    run = await desk.promise()
    run.fail(RunFailedError("no"))
    await desk.wait(timedelta(0))
    await desk.outbox.async_cancel("run-1")
    may_explain.set()
    await desk.wait(PAUSE)
    assert desk.now().status is LateStatus.CANCELLED
    assert kitchen.begun.empty()


# what is said


async def test_the_whole_answer_is_said_when_the_turn_said_nothing(
    desk: Desk, kitchen: Satellite
) -> None:
    """Also what came before the tool."""
    run = await desk.promise()
    run.answer("Let me look.\n\nIt is 42.")
    assert await kitchen.begins() == "About your question: Let me look.\n\nIt is 42."
    await desk.becomes(LateStatus.DELIVERED)


@pytest.mark.parametrize(
    ("said", "whole"), [("It is 42.", "It is 42."), ("", "***"), ("", "")], ids=str
)
async def test_a_promise_is_kept_when_nothing_is_left_to_say(
    desk: Desk, kitchen: Satellite, said: str, whole: str
) -> None:
    """People were told that they would hear again."""
    run = await desk.promise(said=said)
    run.answer(whole)
    assert await kitchen.begins() == "About your question: Done."
    await desk.becomes(LateStatus.DELIVERED)


async def test_an_answer_is_said_even_if_it_cannot_be_made_fit_for_speech(
    desk: Desk, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours does not lose it."""

    async def fail(*_: str) -> str:
        raise ValueError

    monkeypatch.setattr(desk.outbox, "_speak", fail)
    run = await desk.promise()
    run.answer("It is *42*.")
    assert await kitchen.begins() == "About your question: It is *42*."
    await desk.becomes(LateStatus.DELIVERED)


async def test_answers_that_wait_are_said_together(desk: Desk, kitchen: Satellite) -> None:
    """In one announcement, once the satellite is idle."""
    kitchen.hears()
    for number in (1, 2):
        run = await desk.promise(id=f"run-{number}", run_id=f"run-{number}")
        run.answer(f"Answer {number}.")
        await desk.becomes(LateStatus.WAITING, f"run-{number}")
    await desk.wait(timedelta(0))
    kitchen.answers()
    kitchen.falls_silent()
    await desk.wait(PAUSE)
    assert await kitchen.begins() == "About your question: Answer 1. And: Answer 2."
    await desk.becomes(LateStatus.DELIVERED, "run-1")
    await desk.becomes(LateStatus.DELIVERED, "run-2")


async def test_an_agent_that_was_removed_meanwhile(desk: Desk, phone: Phone) -> None:
    """Its answer is told under the id the gateway has for it."""
    run = await desk.promise(satellite_id=None)
    desk.name = ""
    run.answer("It is 42.")
    await desk.becomes(LateStatus.DELIVERED)
    assert phone.sent == [("Answer from main", "It is 42.")]


async def test_an_announcement_that_fails_waits_again(
    desk: Desk, kitchen: Satellite, hass_storage: dict[str, Any]
) -> None:
    """It is not taken for one that was interrupted by a crash."""
    kitchen.failures = [ConnectionError()]
    run = await desk.promise()
    run.answer("It is 42.")
    await kitchen.begins()
    await desk.wait(timedelta(0))
    assert stored(hass_storage)["is_speaking"] is False
    assert desk.now().status is LateStatus.WAITING


# restarts


async def test_a_running_task_is_found_again_after_a_restart(
    desk: Desk, kitchen: Satellite
) -> None:
    """Only what was not said before is said."""
    await desk.promise(said="Let me look.", is_chat_send=True)
    found = HandRun()
    found.answer("Let me look.\n\nIt is 42.")
    await desk.restart(found)
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)
    assert desk.client.asked == [(SESSION, "run-1", RunMethod.CHAT_SEND)]
    assert desk.told() == [("answered", "Let me look.\n\nIt is 42.")]


async def test_a_run_is_found_under_its_last_id(desk: Desk) -> None:
    """The gateway continued it under another one."""
    run = await desk.promise()
    run.run_id = "run-2"
    run.say(ChatDelta("It"))
    await desk.wait(timedelta(0))
    found = HandRun()
    found.run_id = "run-3"
    await desk.restart(found)
    assert desk.client.asked == [(SESSION, "run-2", RunMethod.AGENT)]
    assert desk.now().id == "run-1"
    again = HandRun()
    await desk.restart(again)
    # That one was noted without an item of the run: by stopping.
    assert desk.client.asked == [(SESSION, "run-3", RunMethod.AGENT)]


async def test_a_new_id_is_stored_at_once(desk: Desk, hass_storage: dict[str, Any]) -> None:
    """A crash does not wait for us to stop."""
    run = await desk.promise()
    run.run_id = "run-2"
    run.say(ChatDelta("It"))
    await desk.wait(timedelta(0))
    assert stored(hass_storage)["run_id"] == "run-2"


@pytest.mark.parametrize(
    "error",
    [RunLostError("closed"), NotConnectedError("stopped"), ConnectionLostError(1000)],
    ids=lambda error: type(error).__name__,
)
async def test_stopping_the_client_does_not_end_a_task(desk: Desk, error: GatewayError) -> None:
    """It goes on at the gateway, and is followed again after the next start."""
    run = await desk.promise()
    desk.client.is_stopped = True
    run.fail(error)
    await desk.wait(timedelta(0))
    assert desk.now().status is LateStatus.RUNNING
    assert desk.events == []


async def test_an_outage_does_not_end_a_task(desk: Desk, kitchen: Satellite) -> None:
    """The run is looked for again."""
    found = HandRun()
    desk.client.found.append(found)
    run = await desk.promise()
    run.fail(ConnectionLostError(1006))
    found.answer("It is 42.")
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)


async def test_an_answer_that_waits_survives_a_restart(
    home: HomeAssistant, desk: Desk, kitchen: Satellite
) -> None:
    """It is said once Home Assistant has started and the satellite is there and idle."""
    kitchen.hears()
    run = await desk.promise(said="Let me look.")
    run.say(MessageStarted(), ChatDelta("It is 42."))
    run.answer("Let me look.\n\nIt is 42.")
    await desk.becomes(LateStatus.WAITING)
    await desk.wait(timedelta(0))
    kitchen.leave()
    kitchen.answers()
    kitchen.falls_silent()
    home.set_state(CoreState.starting)
    await desk.restart()
    kitchen.leave(is_available=True)
    await desk.wait(PAUSE)
    assert kitchen.begun.empty()
    home.set_state(CoreState.running)
    home.bus.async_fire("homeassistant_started")
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)
    assert len(desk.events) == 1


async def test_an_old_answer_gives_its_satellite_time_to_start(
    desk: Desk, kitchen: Satellite, phone: Phone
) -> None:
    """Home Assistant was away for hours; the fallback gets it some minutes later."""
    kitchen.leave()
    run = await desk.promise()
    run.answer("It is 42.")
    await desk.becomes(LateStatus.WAITING)
    await desk.wait(timedelta(0))
    await desk.outbox.async_stop()
    await desk.wait(LIFETIME * 3)
    await desk.restart()
    await desk.wait(START_GRACE - PAUSE)
    assert phone.sent == []
    await desk.wait(PAUSE)
    await desk.becomes(LateStatus.DELIVERED)
    assert len(phone.sent) == 1


async def test_what_was_said_during_a_crash_is_said_again(
    desk: Desk, kitchen: Satellite, hass_storage: dict[str, Any]
) -> None:
    """Nobody knows how much of it was heard."""
    kitchen.hears()
    run = await desk.promise()
    run.answer("It is 42.")
    await desk.becomes(LateStatus.WAITING)
    await desk.outbox.async_stop()
    stored(hass_storage)["is_speaking"] = True
    await desk.restart()
    kitchen.answers()
    kitchen.falls_silent()
    await desk.wait(PAUSE)
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)


async def test_what_is_said_while_the_entry_is_reloaded_is_said_once(
    desk: Desk, kitchen: Satellite
) -> None:
    """The announcement does not belong to the entry; its end does."""
    kitchen.may_end.clear()
    run = await desk.promise()
    run.answer("It is 42.")
    await kitchen.begins()
    await desk.restart()
    kitchen.may_end.set()
    await desk.becomes(LateStatus.DELIVERED)
    assert kitchen.said == ["About your question: It is 42."]


async def test_an_end_is_noted_while_we_stop(
    desk: Desk, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is fired, and the answer is said after the next start."""
    may_explain = asyncio.Event()

    async def explain(error: GatewayError, _: str) -> str:
        await may_explain.wait()
        return "It failed."

    monkeypatch.setattr(desk.outbox, "_explain", explain)
    run = await desk.promise()
    run.fail(RunFailedError("no"))
    await desk.wait(timedelta(0))
    stopping = desk.hass.async_create_task(desk.outbox.async_stop())
    await desk.hass.async_add_executor_job(_nothing)
    may_explain.set()
    await stopping
    assert desk.told() == [("failed", "It failed.")]
    assert kitchen.begun.empty()
    await desk.restart()
    assert await kitchen.begins() == "About your question: It failed."
    await desk.becomes(LateStatus.DELIVERED)


async def test_a_promise_given_while_we_stop_is_kept(desk: Desk, kitchen: Satellite) -> None:
    """A turn that ends because of it hands over, too."""
    await desk.outbox.async_stop()
    await desk.promise(said="Let me look.")
    found = HandRun()
    found.answer("Let me look. It is 42.")
    await desk.restart(found)
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)


async def test_what_is_found_after_a_restart_can_be_cancelled(desk: Desk) -> None:
    """Also before it was found."""
    await desk.promise()
    refused, found = HandRun(), HandRun()
    refused.refusal = NotConnectedError("not now")
    await desk.restart(refused, found)
    await refused.is_entered.wait()
    await desk.outbox.async_cancel("run-1")
    assert desk.now().status is LateStatus.CANCELLED


# bounds and secrets


async def test_an_id_is_promised_once(desk: Desk) -> None:
    """Two runs with one id would be mixed up."""
    await desk.promise()
    with pytest.raises(ValueError, match="already"):
        await desk.promise()


async def test_the_newest_task_of_a_session_is_the_open_one(desk: Desk) -> None:
    """That is what "stop" means."""
    await desk.promise()
    await desk.promise(id="run-2", run_id="run-2")
    assert desk.outbox.open_in(SESSION) == desk.now("run-2")
    assert [answer.id for answer in desk.outbox.all()] == ["run-2", "run-1"]


async def test_a_fault_of_ours_ends_a_task(
    desk: Desk,
    kitchen: Satellite,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Else its session would wait for it until the next start. People are told."""

    async def fail(*_: object) -> str:
        raise ValueError("secret words")

    monkeypatch.setattr(desk.outbox, "_explain", fail)
    run = await desk.promise()
    run.fail(RunLostError("gone"))
    assert await kitchen.begins() == "Sorry."
    answer = await desk.becomes(LateStatus.DELIVERED)
    assert answer.error == "unexpected"
    assert desk.told() == [("failed", "Sorry.")]
    assert desk.outbox.open_in(SESSION) is None
    assert "ValueError" in caplog.text
    assert "secret words" not in caplog.text


async def test_too_many_tasks_push_out_the_oldest(
    desk: Desk, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped, and people are told."""
    monkeypatch.setattr(late_answers, "MAX_RUNNING", 5)
    first = await desk.promise()
    first.abort_error = NotConnectedError("not now")
    for number in (2, 3, 4, 5):
        await desk.promise(id=f"run-{number}", run_id=f"run-{number}")
    assert desk.now().status is LateStatus.RUNNING
    await desk.promise(id="run-6", run_id="run-6")
    assert await kitchen.begins() == "Sorry."
    answer = await desk.becomes(LateStatus.DELIVERED)
    assert first.is_aborted
    assert answer.error == "too_many"
    assert desk.told() == [("failed", "Sorry.")]
    for number in (2, 3, 4, 5, 6):
        assert desk.now(f"run-{number}").status is LateStatus.RUNNING


async def test_a_full_disk_keeps_no_answer_from_people(
    desk: Desk,
    kitchen: Satellite,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only a restart would lose it; the log says so without its words."""
    run = await desk.promise()

    async def fail(*_: object) -> None:
        raise OSError("It is 42.")

    monkeypatch.setattr(Store, "async_save", fail)
    run.answer("It is 42.")
    assert await kitchen.begins() == "About your question: It is 42."
    await desk.becomes(LateStatus.DELIVERED)
    assert "A late answer was not stored: OSError" in caplog.text
    monkeypatch.undo()


async def test_what_has_ended_is_kept_within_bounds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest goes first; what is still owed stays."""
    monkeypatch.setattr(answer_store, "MAX_ENDED", 2)
    await desk.promise()
    for number in (2, 3, 4):
        run = await desk.promise(id=f"run-{number}", run_id=f"run-{number}", is_announced=False)
        run.answer("42")
        await desk.becomes(LateStatus.DELIVERED, f"run-{number}")
    assert [answer.id for answer in desk.outbox.all()] == ["run-4", "run-3", "run-1"]


async def test_what_has_ended_is_forgotten_after_a_week(desk: Desk) -> None:
    """An answer is not an archive."""
    run = await desk.promise(is_announced=False)
    run.answer("42")
    await desk.becomes(LateStatus.DELIVERED)
    await desk.outbox.async_stop()
    await desk.wait(KEPT_FOR + PAUSE)
    await desk.restart()
    assert desk.outbox.all() == ()


async def test_what_cannot_be_read_is_left_out(
    desk: Desk, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """One broken answer does not keep an entry from starting."""
    await desk.promise()
    await desk.outbox.async_stop()
    answers = hass_storage["openclaw_voice.late_answers.entry-1"]["data"]["answers"]
    answers.append({"id": "broken", "text": "s3cret"})
    await desk.restart(HandRun())
    assert [answer.id for answer in desk.outbox.all()] == ["run-1"]
    ours = [each.getMessage() for each in caplog.records if "openclaw_voice" in each.name]
    assert "A late answer that was stored cannot be read" in ours
    assert not any("s3cret" in line for line in ours)


async def test_nothing_is_left_of_an_entry_that_is_removed(
    desk: Desk, kitchen: Satellite, hass_storage: dict[str, Any]
) -> None:
    """Questions and answers are private, also when one is being said at that moment."""
    kitchen.may_end.clear()
    run = await desk.promise()
    run.answer("It is 42.")
    await kitchen.begins()
    await desk.outbox.async_stop()
    await desk.hass.config_entries.async_remove("entry-1")
    await Outbox.async_remove(desk.hass, desk.entry)
    kitchen.may_end.set()
    await desk.wait(timedelta(0))
    assert kitchen.said == ["About your question: It is 42."]
    assert "openclaw_voice.late_answers.entry-1" not in hass_storage


async def test_what_is_said_while_the_entry_is_unloaded_is_noted(
    desk: Desk, kitchen: Satellite, hass_storage: dict[str, Any]
) -> None:
    """It is not said again when the entry is set up some other time."""
    kitchen.may_end.clear()
    run = await desk.promise()
    run.answer("It is 42.")
    await kitchen.begins()
    await desk.outbox.async_stop()
    kitchen.may_end.set()
    await desk.wait(timedelta(0))
    assert stored(hass_storage)["status"] == "delivered"


async def test_no_speech_in_the_log(
    desk: Desk, kitchen: Satellite, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of an answer."""
    caplog.set_level("DEBUG", logger="custom_components.openclaw_voice")
    kitchen.failures = [ConnectionError("s3cret")]
    found = HandRun()
    desk.client.found.append(found)
    run = await desk.promise(question="s3cret?", said="s3cret")
    run.fail(ConnectionLostError(1006))
    found.answer("s3cret s3cret")
    await kitchen.begins()
    await desk.wait(timedelta(seconds=30))
    await desk.becomes(LateStatus.DELIVERED)
    ours = [each for each in caplog.records if "openclaw_voice" in each.name]
    assert ours
    assert not any("s3cret" in each.getMessage() for each in ours)


async def test_the_event_can_be_sent_as_json(desk: Desk) -> None:
    """The WebSocket API and recorders do that; the question is not in it."""
    run = await desk.promise(is_announced=False)
    run.answer("42")
    await desk.becomes(LateStatus.DELIVERED)
    await desk.wait(timedelta(0))
    [event] = desk.events
    assert "meaning of life" not in json.dumps(event.data)
    assert event.data["entry_id"] == "entry-1"
