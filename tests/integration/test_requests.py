"""Approvals and questions, from the gateway's frames to the actions that answer them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from homeassistant.const import MATCH_ALL
from homeassistant.core import Context, Event, HomeAssistant, State, callback
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
    UnknownUser,
)
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_fire_time_changed,
)
import voluptuous as vol

from custom_components.openclaw_voice.assist.session_key import home_of
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox import open_requests
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Action, Expect, ScriptedGateway, raw, respond, wait_for
from tests.fakes.refusals import Refusal, missing_scope

from .connection import NAME, lose, reconnect
from .support import add_entry, introduce, make_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

WAITING = f"sensor.{NAME}_waiting_for_an_answer"
MINUTE_MS = 60_000


def approval(request_id: str = "e-1", *, age: int = 0, **request: object) -> dict[str, Any]:
    """Return an approval as the gateway lists it, asked so many minutes ago."""
    now = int(dt_util.utcnow().timestamp() * 1000) - age * MINUTE_MS
    facts: dict[str, Any] = {
        "command": "rm -r build",
        "allowedDecisions": ["allow-once", "deny"],
        "resolvedPath": "/usr/bin/rm",
        "agentId": "main",
    }
    return {
        "id": request_id,
        "request": facts | request,
        "createdAtMs": now,
        "expiresAtMs": now + 30 * MINUTE_MS,
    }


def question(
    session_key: str | None, request_id: str = "ask_1", *more: dict[str, Any]
) -> dict[str, Any]:
    """Return a question as the gateway lists it: one part, and more."""
    now = int(dt_util.utcnow().timestamp() * 1000)
    room = {
        "questionId": "room",
        "header": "Room",
        "question": "Which room?",
        "options": [{"label": "Kitchen"}, {"label": "Bath"}],
    }
    return {
        "id": request_id,
        "questions": [room, *more],
        "agentId": "main",
        "createdAtMs": now + 1,
        "expiresAtMs": now + 15 * MINUTE_MS,
        "status": "pending",
    } | ({} if session_key is None else {"sessionKey": session_key})


def key_of(entry: MockConfigEntry) -> str:
    """Return the key of a session of this home."""
    return f"agent:main:homeassistant:{home_of(entry.runtime_data.instance_id)}:conversation:x"


def event(name: str, payload: dict[str, Any]) -> Action:
    """Return a frame of the gateway."""
    return raw({"type": "event", "event": name, "payload": payload})


def numbered(seq: int, name: str, payload: dict[str, Any]) -> Action:
    """Return a frame of the gateway with its number on the connection."""
    return raw({"type": "event", "event": name, "payload": payload, "seq": seq})


def waiting(count: int) -> Callable[[HomeAssistant], bool]:
    """Return what tells whether so many wait, as the sensor shows it."""

    def check(hass: HomeAssistant) -> bool:
        state = hass.states.get(WAITING)
        return state is not None and state.state == str(count)

    return check


def sensor(hass: HomeAssistant) -> State:
    """Return the state of the sensor."""
    state = hass.states.get(WAITING)
    assert state is not None
    return state


async def told(hass: HomeAssistant, gateway: ScriptedGateway, count: int, *events: Action) -> None:
    """Have the gateway tell something, until so many wait."""
    async with state_change(hass, waiting(count)):
        await gateway.emit(*events)


async def call(
    hass: HomeAssistant, action: str, *, caller: Context | None = None, **data: object
) -> dict[str, Any]:
    """Call an action of the integration and return its response."""
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True, context=caller
    )
    return cast("dict[str, Any]", response)


def error_key(caught: pytest.ExceptionInfo[HomeAssistantError]) -> str | None:
    """Return which sentence an error says, after checking that there is one."""
    assert not str(caught.value).startswith("component."), str(caught.value)
    return caught.value.translation_key


# what waits


async def test_the_sensor_counts_what_waits(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """It names ids and kinds, and nothing that is asked."""
    entry = await add_entry(hass, friendly)
    assert sensor(hass).state == "0"

    await told(
        hass,
        friendly,
        3,
        event("exec.approval.requested", approval()),
        event("question.requested", question(key_of(entry))),
        event("plugin.approval.requested", approval("plugin:p", title="Unlock")),
    )

    attributes = sensor(hass).attributes
    assert sorted(zip(attributes["ids"], attributes["kinds"], strict=True)) == [
        ("ask_1", "question"),
        ("e-1", "exec"),
        ("plugin:p", "plugin"),
    ]
    assert "build" not in str(attributes)
    assert "room" not in str(attributes)


async def test_what_others_answer_waits_no_longer(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """At once; what is not known, or told without an id, changes nothing."""
    entry = await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        2,
        event("exec.approval.requested", approval()),
        event("question.requested", question(key_of(entry))),
    )
    await told(
        hass,
        friendly,
        1,
        event("exec.approval.resolved", {}),
        event("exec.approval.resolved", {"id": "x", "decision": "deny"}),
        event("exec.approval.resolved", {"id": "e-1", "decision": "deny"}),
    )
    await told(hass, friendly, 0, event("question.resolved", {"id": "ask_1", "status": "answered"}))


async def test_what_is_asked_elsewhere_is_not_for_us(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Every client is told every question. Those of scheduled jobs are for everybody."""
    elsewhere = "agent:main:homeassistant:00000000:shared:x"
    await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        2,
        event("question.requested", question("agent:main:main", "a")),
        event("question.requested", question(elsewhere, "b")),
        event("exec.approval.requested", approval("e", sessionKey=elsewhere)),
        event("question.requested", question("agent:main:cron:j-1:run:s-1", "c")),
        event("question.requested", {"id": "broken"}),
        event("exec.approval.requested", {"id": "broken"}),
        event("question.requested", question(None, "d")),
    )
    assert sorted(sensor(hass).attributes["ids"]) == ["c", "d"]


async def test_what_waits_expires(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Each at its time, without a word of the gateway."""
    entry = await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        2,
        event("exec.approval.requested", approval()),
        event("question.requested", question(key_of(entry))),
    )
    async with state_change(hass, waiting(1)):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=16))
    async with state_change(hass, waiting(0)):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))


async def test_what_waited_before_is_found_after_every_connect(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """And what ended meanwhile is gone."""
    friendly.anytime(Expect("exec.approval.list", reply=[approval()]))
    entry = await add_entry(hass, friendly)
    assert len((await call(hass, "list_requests"))["requests"]) == 1
    assert sensor(hass).state == "1"
    friendly.anytime(
        Expect("exec.approval.list", reply=[]),
        Expect("plugin.approval.list", reply=[approval("plugin:p")]),
        Expect(
            "question.list",
            reply={"questions": [question(key_of(entry)), question("agent:main:main", "x")]},
        ),
    )
    async with state_change(hass, waiting(2)):
        await reconnect(hass, friendly, entry, hello_ok(), "ready")
    assert sensor(hass).attributes["ids"] == ["plugin:p", "ask_1"]


async def test_what_was_dropped_on_the_way_is_asked_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A gateway drops events for a client that is slow; their numbers tell."""
    await add_entry(hass, friendly)
    assert await call(hass, "list_requests") == {"requests": []}
    await told(hass, friendly, 1, numbered(1, "plugin.approval.requested", approval("plugin:p")))
    friendly.anytime(Expect("exec.approval.list", reply=[approval()]))

    async with state_change(hass, lambda now: sensor(now).attributes.get("ids") == ["e-1"]):
        await friendly.emit(
            numbered(2, "tick", {"ts": 1}),
            numbered(4, "tick", {"ts": 1}),
            numbered(5, "tick", {"ts": 1}),
        )
    assert len(friendly.received("exec.approval.list")) == 2


@pytest.mark.parametrize(
    ("scopes", "state", "keys"),
    [
        ((), "unknown", ("missing_rights", "missing_rights")),
        (("operator.approvals",), "0", ("approval_gone", "missing_rights")),
        (("operator.questions",), "0", ("missing_rights", "question_gone")),
    ],
    ids=["none", "approvals", "questions"],
)
async def test_without_the_rights_nothing_is_told(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    scopes: tuple[str, ...],
    state: str,
    keys: tuple[str, str],
) -> None:
    """An owner may give less: who wants to answer is told what is missing, nobody else."""
    refused = {
        "operator.approvals": ("exec.approval.list", "plugin.approval.list"),
        "operator.questions": ("question.list",),
    }
    for scope in refused.keys() - set(scopes):
        friendly.anytime(*(Expect(method, reply=missing_scope(scope)) for method in refused[scope]))
    hello = hello_ok(scopes=("operator.read", "operator.write", *scopes))
    friendly.script(Expect("connect", reply=hello))
    entry = await add_entry(hass, friendly)

    assert sensor(hass).state == state
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("resolve_approval", {"approval_id": "e-1", "decision": "deny"}),
        ("answer_question", {"question_id": "ask_1", "answer": "Bath"}),
    )
    for (action, data), key in zip(calls, keys, strict=True):
        with pytest.raises(HomeAssistantError) as caught:
            await call(hass, action, **data)
        assert error_key(caught) == key
        assert ("operator." in str(caught.value)) is (key == "missing_rights")
    assert await call(hass, "list_requests") == {"requests": []}
    if not scopes:
        with pytest.raises(HomeAssistantError) as caught:
            await call(hass, "list_requests", gateway=entry.entry_id)
        assert error_key(caught) == "missing_rights"


async def test_a_gateway_without_such_requests_is_asked_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An older one, or one that has another form: that is known at once, not after a while."""
    friendly.anytime(
        Expect("plugin.approval.list", reply=missing_scope("operator.admin")),
        Expect("question.list", reply=Refusal(message="invalid question.list params")),
        Expect("exec.approval.list", reply=[approval()]),
    )
    await add_entry(hass, friendly)
    [listed] = (await call(hass, "list_requests"))["requests"]
    assert listed["data"]["approval_id"] == "e-1"
    assert len(friendly.received("question.list")) == 1


async def test_what_waits_expires_by_the_clock_of_the_gateway(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Ours is an hour ahead: every approval would be over when it comes."""
    friendly.tick_interval_ms = 1_000_000_000
    await add_entry(hass, friendly)
    an_hour_ago = dt_util.utcnow() - timedelta(hours=1)
    await told(
        hass,
        friendly,
        1,
        event("tick", {"ts": "soon"}),
        event("tick", {"ts": int(an_hour_ago.timestamp() * 1000)}),
        event("exec.approval.requested", approval(age=60)),
    )
    assert len((await call(hass, "list_requests"))["requests"]) == 1
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=29))
    assert len((await call(hass, "list_requests"))["requests"]) == 1
    async with state_change(hass, waiting(0)):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))


async def test_a_gateway_that_drops_a_lot_is_not_asked_for_each_of_it(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is busy: what is under way ends first, then it is asked once more."""
    may_answer = asyncio.Event()
    friendly.script(
        Expect("exec.approval.list", emit=[wait_for(may_answer), respond({"rows": []})])
    )
    await add_entry(hass, friendly)
    await friendly.wait_for_request("exec.approval.list")
    friendly.anytime(Expect("exec.approval.list", reply=[approval()]))
    await friendly.emit(*(numbered(2 * number, "tick", {}) for number in range(1, 6)))
    async with state_change(hass, waiting(1)):
        may_answer.set()
    assert len((await call(hass, "list_requests"))["requests"]) == 1
    assert len(friendly.received("exec.approval.list")) == 2


async def test_an_id_that_comes_again_cannot_be_allowed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """People were told of another command, and may tap on that any time."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    other = approval(command="rm -r /")
    await told(hass, friendly, 0, event("exec.approval.requested", other))
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="allow-once")
    assert error_key(caught) == "approval_gone"


async def test_a_list_that_fails_is_asked_for_again(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that has just been started refuses for a moment."""
    monkeypatch.setattr(open_requests, "RETRY_WAIT", 0)
    friendly.script(
        Expect("exec.approval.list", reply=Refusal(code="UNAVAILABLE", message="starting")),
        Expect("exec.approval.list", reply=[approval()]),
    )
    await add_entry(hass, friendly)
    assert len((await call(hass, "list_requests"))["requests"]) == 1


# deciding


async def test_an_approval_is_decided(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """It waits no longer then, before the gateway tells."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    friendly.script(
        Expect(
            "exec.approval.resolve",
            params={"id": "e-1", "decision": "allow-once"},
            reply={"ok": True},
        )
    )
    response = await call(hass, "resolve_approval", approval_id="e-1", decision="allow-once")

    assert response == {"approval_id": "e-1", "decision": "allow-once"}
    assert sensor(hass).state == "0"
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="allow-once")
    assert error_key(caught) == "approval_gone"


async def test_an_approval_that_somebody_else_decided_meanwhile_is_gone(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway knows best."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    refusal = Refusal(message="x", details={"reason": "APPROVAL_ALREADY_RESOLVED"})
    friendly.script(Expect("exec.approval.resolve", reply=refusal))

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="deny")
    assert error_key(caught) == "approval_gone"
    assert sensor(hass).state == "0"


async def test_an_approval_stays_when_its_decision_was_not_offered(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Another one can still be made."""
    await add_entry(hass, friendly)
    asked = approval("plugin:p", allowedDecisions=None)
    await told(hass, friendly, 1, event("plugin.approval.requested", asked))
    refusal = Refusal(message="x", details={"reason": "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"})
    friendly.script(Expect("plugin.approval.resolve", reply=refusal))

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="plugin:p", decision="allow-always")
    assert error_key(caught) == "wrong_decision"
    assert "allow-once, deny" in str(caught.value)
    assert sensor(hass).state == "1"


async def test_an_approval_stays_when_it_is_unknown_whether_it_was_decided(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Somebody can try again."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    friendly.script(Expect("exec.approval.resolve", reply=Refusal(code="UNAVAILABLE", message="x")))
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="deny")
    assert error_key(caught) == "request_refused"
    assert sensor(hass).state == "1"


@pytest.mark.parametrize(
    ("approval_id", "decision", "key"),
    [
        ("e-1", "allow-always", "wrong_decision"),
        ("e-2", "allow-once", "approval_gone"),
        ("ask_1", "allow-once", "approval_gone"),
    ],
)
async def test_nothing_is_sent_for_a_decision_that_cannot_be(
    hass: HomeAssistant, friendly: ScriptedGateway, approval_id: str, decision: str, key: str
) -> None:
    """It is not offered, or there is no such approval."""
    entry = await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        2,
        event("exec.approval.requested", approval()),
        event("question.requested", question(key_of(entry))),
    )
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id=approval_id, decision=decision)
    assert error_key(caught) == key
    assert friendly.received("exec.approval.resolve") == []
    assert sensor(hass).state == "2"


async def test_nothing_is_sent_for_what_has_expired(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Also when it was listed too late."""
    friendly.anytime(Expect("exec.approval.list", reply=[approval(age=31)]))
    await add_entry(hass, friendly)

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="deny")
    assert error_key(caught) == "approval_gone"
    assert friendly.received("exec.approval.resolve") == []


async def test_without_a_connection_nothing_is_answered(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nor later: an answer that comes late may be wrong by then."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    await lose(hass, friendly)

    for approval_id in ("e-1", "e-2"):
        with pytest.raises(HomeAssistantError) as caught:
            await call(hass, "resolve_approval", approval_id=approval_id, decision="deny")
        assert error_key(caught) == "not_connected"
    assert sensor(hass).state == "unavailable"
    assert await call(hass, "list_requests") == {"requests": []}


async def test_an_answer_waits_for_the_list_but_not_for_ever(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has come nobody knows whether there is such an approval."""
    monkeypatch.setattr(open_requests, "LIST_LIMIT", 0.05)
    friendly.anytime(Expect("exec.approval.list"))
    await add_entry(hass, friendly)

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="deny")
    assert error_key(caught) == "request_timeout"


# answering


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        ({"answer": "kitchen"}, {"room": ["Kitchen"]}),
        ({"answer": ["Bath"]}, {"room": ["Bath"]}),
        ({"answers": {"room": "Bath"}}, {"room": ["Bath"]}),
    ],
    ids=str,
)
async def test_a_question_is_answered(
    hass: HomeAssistant, friendly: ScriptedGateway, answer: dict[str, Any], sent: dict[str, Any]
) -> None:
    """By its only part, or by parts."""
    entry = await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("question.requested", question(key_of(entry))))
    friendly.script(
        Expect(
            "question.resolve",
            params={"id": "ask_1", "answers": {"answers": sent}},
            reply={"status": "answered", "answers": {"answers": sent}},
        )
    )
    response = await call(hass, "answer_question", question_id="ask_1", **answer)

    assert response == {"question_id": "ask_1", "status": "answered"}
    assert sensor(hass).state == "0"


async def test_other_parts_of_the_integration_answer_with_words(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A text is one answer, not as many as it has letters."""
    entry = await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("question.requested", question(key_of(entry))))
    sent = {"answers": {"room": ["Bath"]}}
    friendly.script(
        Expect(
            "question.resolve",
            params={"id": "ask_1", "answers": sent},
            reply={"status": "answered", "answers": sent},
        )
    )
    asked = await entry.runtime_data.requests.async_answer("ask_1", "bath")
    assert asked.id == "ask_1"


async def test_a_question_is_left_unanswered(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent goes on."""
    entry = await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("question.requested", question(key_of(entry))))
    friendly.script(
        Expect(
            "question.resolve",
            params={"id": "ask_1", "cancel": True},
            reply={"status": "cancelled"},
        )
    )
    response = await call(hass, "answer_question", question_id="ask_1", cancel=True)
    assert response == {"question_id": "ask_1", "status": "cancelled"}
    assert sensor(hass).state == "0"


DAYS = {
    "questionId": "days",
    "header": "Days",
    "question": "Which days?",
    "options": [{"label": "Mon"}, {"label": "Tue"}],
    "multiSelect": True,
    "isOther": True,
}
SECRET = {"questionId": "pin", "header": "", "question": "PIN?", "options": [], "isSecret": True}


@pytest.mark.parametrize(
    ("data", "key", "part"),
    [
        ({"answer": "Kitchen"}, "wrong_answer_missing", "days"),
        ({"answers": {"room": "Attic", "days": "Mon"}}, "wrong_answer_not_offered", "room"),
        (
            {"answers": {"room": ["Bath", "Kitchen"], "days": "Mon"}},
            "wrong_answer_only_one",
            "room",
        ),
        ({"answers": {"room": "Bath", "hall": "x"}}, "wrong_answer_no_such_part", "hall"),
    ],
    ids=str,
)
async def test_nothing_is_sent_for_an_answer_that_does_not_fit(
    hass: HomeAssistant, friendly: ScriptedGateway, data: dict[str, Any], key: str, part: str
) -> None:
    """The error names the part, and not what was answered."""
    entry = await add_entry(hass, friendly)
    asked = question(key_of(entry), "ask_1", DAYS)
    await told(hass, friendly, 1, event("question.requested", asked))

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "answer_question", question_id="ask_1", **data)
    assert error_key(caught) == key
    assert part in str(caught.value)
    assert "Attic" not in str(caught.value)
    assert friendly.received("question.resolve") == []
    assert sensor(hass).state == "1"


async def test_secrets_are_not_answered_from_here(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """They would be in the trace of the automation."""
    entry = await add_entry(hass, friendly)
    asked = question(key_of(entry)) | {"questions": [SECRET]}
    await told(hass, friendly, 1, event("question.requested", asked))

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "answer_question", question_id="ask_1", answer="hunter22")
    assert error_key(caught) == "wrong_answer_confidential"
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("question_id", ["ask_9", "e-1"])
@pytest.mark.parametrize("how", [{"answer": "x"}, {"cancel": True}], ids=str)
async def test_a_question_that_does_not_wait_is_gone(
    hass: HomeAssistant, friendly: ScriptedGateway, question_id: str, how: dict[str, Any]
) -> None:
    """It is unknown, or no question."""
    await add_entry(hass, friendly)
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "answer_question", question_id=question_id, **how)
    assert error_key(caught) == "question_gone"


@pytest.mark.parametrize(
    "how", [{}, {"answer": "x", "cancel": True}, {"cancel": False}, {"answers": "x"}], ids=str
)
async def test_there_is_one_way_to_answer(
    hass: HomeAssistant, friendly: ScriptedGateway, how: dict[str, Any]
) -> None:
    """Not none, and not two."""
    await add_entry(hass, friendly)
    with pytest.raises(vol.Invalid):
        await call(hass, "answer_question", question_id="ask_1", **how)


# listing


async def test_what_waits_is_listed_as_it_was_told(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The fields are those of the event, the oldest comes first."""
    entry = await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        2,
        event("question.requested", question(key_of(entry))),
        event("exec.approval.requested", approval(age=1)),
    )
    for data in ({}, {"gateway": entry.entry_id}, {"gateway": entry.runtime_data.device_id}):
        [first, second] = (await call(hass, "list_requests", **data))["requests"]

        assert (first["kind"], second["kind"]) == ("approval_requested", "question_asked")
        assert first["entry_id"] == second["entry_id"] == entry.entry_id
        assert first["data"]["approval_id"] == "e-1"
        assert first["data"]["command"] == "rm -r build"
        assert first["data"]["decisions"] == ["allow-once", "deny"]
        assert second["data"]["question_id"] == "ask_1"
        assert second["session"] == key_of(entry)


async def test_secrets_of_a_command_go_nowhere(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither into states nor into lists, logs or errors."""
    await add_entry(hass, friendly)
    fired: list[Event[Any]] = []

    @callback
    def note(each: Event[Any]) -> None:
        fired.append(each)

    hass.bus.async_listen(MATCH_ALL, note)
    asked = approval(
        command="curl -H 'Authorization: Bearer hunter22' x", warningText="pwd=hunter22"
    )
    await told(hass, friendly, 1, event("exec.approval.requested", asked))
    listed = await call(hass, "list_requests")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resolve_approval", approval_id="e-1", decision="allow-always")
    await hass.async_block_till_done()

    assert "Authorization: ***" in str(listed)
    states = [state.as_dict() for state in hass.states.async_all()]
    events = [each.as_dict() for each in fired]
    assert "hunter22" not in f"{listed} {states} {events} {caught.value} {caplog.text}"


async def test_only_gateways_are_asked(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Each wrong name has its sentence."""
    with pytest.raises(ServiceValidationError) as caught:
        await setup_actions(hass, friendly, approval_id="e-1", decision="deny")
    assert error_key(caught) == "no_gateway"

    entry = make_entry(hass, friendly)
    for gateway, key in (("nothing", "no_such_gateway"), (entry.entry_id, "gateway_not_loaded")):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "list_requests", gateway=gateway)
        assert error_key(caught) == key

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await lose(hass, friendly)
    with pytest.raises(HomeAssistantError) as caught_away:
        await call(hass, "list_requests", gateway=entry.entry_id)
    assert error_key(caught_away) == "not_connected"


async def setup_actions(hass: HomeAssistant, gateway: ScriptedGateway, **data: object) -> None:
    """Decide an approval while no gateway is set up: its entry is removed again."""
    entry = await add_entry(hass, gateway)
    assert await hass.config_entries.async_remove(entry.entry_id)
    await call(hass, "resolve_approval", **data)


async def test_the_gateway_a_request_waits_on_is_found(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """With several of them its id is enough."""
    async with ScriptedGateway() as other:
        introduce(other, gateway_id="cd" * 32)
        other.anytime(Expect("exec.approval.list", reply=[approval("theirs")]))
        await add_entry(hass, friendly)
        second = make_entry(hass, other, gateway_id="cd" * 32)
        assert await hass.config_entries.async_setup(second.entry_id)
        await hass.async_block_till_done()
        assert len((await call(hass, "list_requests"))["requests"]) == 1
        other.script(Expect("exec.approval.resolve", params={"id": "theirs"}, reply={"ok": True}))

        await call(hass, "resolve_approval", approval_id="theirs", decision="deny")
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "resolve_approval", approval_id="theirs", decision="deny")
        assert error_key(caught) == "approval_gone"
        await lose(hass, friendly)
        with pytest.raises(HomeAssistantError) as caught_away:
            await call(hass, "resolve_approval", approval_id="unknown", decision="deny")
        assert error_key(caught_away) == "not_connected"
        assert await hass.config_entries.async_unload(second.entry_id)


async def test_an_id_of_two_gateways_can_only_be_denied(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """People have seen the harmless one of the two, maybe."""
    async with ScriptedGateway() as other:
        introduce(other, gateway_id="cd" * 32)
        friendly.anytime(Expect("exec.approval.list", reply=[approval(command="rm -r /")]))
        other.anytime(Expect("exec.approval.list", reply=[approval(command="ls")]))
        await add_entry(hass, friendly)
        second = make_entry(hass, other, gateway_id="cd" * 32)
        assert await hass.config_entries.async_setup(second.entry_id)
        await hass.async_block_till_done()
        assert len((await call(hass, "list_requests"))["requests"]) == 2

        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "resolve_approval", approval_id="e-1", decision="allow-once")
        assert error_key(caught) == "wrong_decision"
        for gateway in (friendly, other):
            assert gateway.received("exec.approval.resolve") == []
            gateway.script(Expect("exec.approval.resolve", reply={"ok": True}))
            await call(hass, "resolve_approval", approval_id="e-1", decision="deny")
        assert await hass.config_entries.async_unload(second.entry_id)


# rights


async def test_only_administrators_let_agents_do_something(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_admin_user: MockUser
) -> None:
    """Whoever controls the sensor may deny; what no user has started may do everything."""
    await add_entry(hass, friendly)
    await told(
        hass,
        friendly,
        3,
        *(event("exec.approval.requested", approval(each)) for each in ("a", "b", "c")),
    )
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": True})
    caller = Context(user_id=user.id)

    with pytest.raises(Unauthorized):
        await call(hass, "resolve_approval", caller=caller, approval_id="a", decision="allow-once")
    assert friendly.received("exec.approval.resolve") == []
    friendly.script(*(Expect("exec.approval.resolve", reply={"ok": True}) for _ in range(3)))
    await call(hass, "resolve_approval", caller=caller, approval_id="a", decision="deny")
    admin = Context(user_id=hass_admin_user.id)
    await call(hass, "resolve_approval", caller=admin, approval_id="b", decision="allow-once")
    await call(hass, "resolve_approval", approval_id="c", decision="allow-once")


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("resolve_approval", {"approval_id": "e-1", "decision": "deny"}),
        ("answer_question", {"question_id": "ask_1", "answer": "Bath"}),
        ("list_requests", {}),
    ],
)
async def test_who_may_not_control_the_sensor_may_not_answer(
    hass: HomeAssistant, friendly: ScriptedGateway, action: str, data: dict[str, Any]
) -> None:
    """Nor see what is asked; nor may a user who is not there any more."""
    await add_entry(hass, friendly)
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": {"entity_ids": {WAITING: {"read": True}}}})

    with pytest.raises(Unauthorized):
        await call(hass, action, caller=Context(user_id=user.id), **data)
    with pytest.raises(UnknownUser):
        await call(hass, action, caller=Context(user_id="nobody"), **data)


async def test_unloading_leaves_nothing_behind(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """No timer, no task, no listener."""
    entry = await add_entry(hass, friendly)
    requests = entry.runtime_data.requests
    await told(hass, friendly, 1, event("exec.approval.requested", approval()))
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()

    requests.async_stop()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    assert len(requests.pending) == 1
