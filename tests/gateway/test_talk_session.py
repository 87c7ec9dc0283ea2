"""A voice session when things go as they should not; the rest is in `tests/contract/test_talk.py`."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway import talk_session
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    ConnectionLostError,
    GatewayError,
    NotConnectedError,
    ProtocolError,
    RequestError,
    RequestTimeoutError,
    TalkUnavailableError,
)
from custom_components.openclaw_voice.gateway.models import ConnectionSettings
from custom_components.openclaw_voice.gateway.talk_items import (
    CONSULT_TOOL,
    CancelStatus,
    ConsultEnded,
    SteerMode,
    TalkClosed,
    TalkItem,
    TalkMark,
    TalkRequest,
    TalkTurn,
    TalkUnavailability,
)
from custom_components.openclaw_voice.gateway.talk_outgoing import (
    MAX_MARKS,
    MAX_REFUSED,
    MAX_UNANSWERED,
    MAX_WAITING,
)
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from tests.fakes.frames import Piece
from tests.fakes.gateway import Expect, ScriptedGateway, drop, raw, respond, wait_for
from tests.fakes.refusals import Refusal

type JsonObject = dict[str, Any]

KEY = "agent:main:homeassistant:1a2b3c4d:satellite:kitchen"
RUN_ID = "talk-call-1-e053dbfc"
CREATED = {
    "sessionId": "session-1",
    "provider": "openai",
    "model": "gpt-realtime-2.1",
    "mode": "realtime",
    "transport": "gateway-relay",
    "brain": "agent-consult",
    "expiresAt": 1_795_171_174,
}
CONSULTED = {
    "runId": RUN_ID,
    "idempotencyKey": RUN_ID,
    "agentId": "main",
    "agentSessionKey": "agent:main:other",
}
OK = {"ok": True}
LIMIT = 5.0
PIECE = bytes(2880)
"""60 ms."""


def told(**payload: object) -> Piece:
    """Tell something of the session."""
    payload = {"relaySessionId": "session-1"} | payload
    frame = {"type": "event", "event": "talk.event", "payload": payload}
    return lambda _: [frame]


def answered(text: str, run_id: str = RUN_ID) -> Piece:
    """Tell the end of a run."""
    message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    payload = {"runId": run_id, "sessionKey": KEY, "seq": 1, "state": "final", "message": message}
    return lambda _: [{"type": "event", "event": "chat", "payload": payload}]


READY = told(type="ready")
CREATE = Expect("talk.session.create", reply=CREATED, emit=[READY])
CLOSE = Expect("talk.session.close", params={"sessionId": "session-1"}, reply=OK)


@pytest.fixture
def session(settings: ConnectionSettings) -> TalkSession:
    """Return a session that was not entered yet."""
    return TalkSession(settings, TalkRequest(session_key=KEY))


@pytest.fixture
async def open_session(
    gateway: ScriptedGateway, session: TalkSession
) -> AsyncGenerator[TalkSession]:
    """Return a session that has begun."""
    gateway.script(CREATE)
    gateway.anytime(CLOSE)
    async with session:
        yield session


async def fetched(session: TalkSession) -> list[TalkItem]:
    """Return everything until the end."""
    async with asyncio.timeout(LIMIT):
        return [item async for item in session]


async def refused(session: TalkSession) -> GatewayError:
    """Return why a session does not begin."""
    with pytest.raises(GatewayError) as raised:
        async with session:
            pass
    return raised.value


def is_open(session: TalkSession) -> bool:
    """Tell whether a session is open now."""
    return session.is_open


def consults(session: TalkSession) -> set[str]:
    """Return the runs that answer for a session now."""
    return set(session.open_consults)


def kind_of(error: GatewayError) -> str | None:
    """Return why there is no session, None when that is not what an error says."""
    return error.kind if isinstance(error, TalkUnavailableError) else None


async def test_before_it_is_entered_nothing_can_be_done(session: TalkSession) -> None:
    """And nothing breaks."""
    session.append(PIECE, 0.0)
    session.acknowledge("audio-1")
    assert (session.is_open, session.dropped_input, session.dropped_items) == (False, 0, 0)
    with pytest.raises(NotConnectedError):
        _ = session.info
    with pytest.raises(NotConnectedError):
        await session.cancel_output()
    with pytest.raises(NotConnectedError):
        await session.abort_run("x")
    await session.close()


async def test_it_has_a_connection_of_its_own(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Which ends with it."""
    assert is_open(open_session)
    assert open_session.info.session_id == "session-1"
    assert gateway.connections.open == 1

    await open_session.close()

    await gateway.wait_for_no_client()
    assert not is_open(open_session)
    assert len(gateway.received("talk.session.close")) == 1
    assert await fetched(open_session) == []


async def test_a_gateway_that_is_away(settings: ConnectionSettings) -> None:
    """The error is that of connecting."""
    async with ScriptedGateway() as other:
        url = other.url
    session = TalkSession(replace(settings, url=url), TalkRequest(session_key=KEY))

    assert isinstance(await refused(session), CannotConnectError)
    await session.close()


async def test_a_refused_session_leaves_no_connection(
    gateway: ScriptedGateway, session: TalkSession
) -> None:
    """Nor a task."""
    gateway.script(
        Expect("talk.session.create", reply=Refusal(code="UNAVAILABLE", message="Too many active"))
    )

    assert kind_of(await refused(session)) == TalkUnavailability.TOO_MANY
    await gateway.wait_for_no_client()


async def test_a_provider_that_does_not_answer(
    gateway: ScriptedGateway, session: TalkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait has a limit."""
    monkeypatch.setattr(talk_session, "READY_LIMIT", 0.05)
    gateway.script(Expect("talk.session.create", reply=CREATED))

    assert kind_of(await refused(session)) == TalkUnavailability.UNREACHABLE
    await gateway.wait_for_no_client()


async def test_a_session_that_is_closed_before_it_is_ready(
    gateway: ScriptedGateway, session: TalkSession
) -> None:
    """Without a word about the provider; what else comes until then does not matter."""
    early = told(type="mark", markName="audio-1")
    closed = told(type="close", reason="error")
    gateway.script(Expect("talk.session.create", reply=CREATED, emit=[early, closed]))

    assert kind_of(await refused(session)) == TalkUnavailability.UNREACHABLE


async def test_a_connection_that_is_lost_before_the_session_is_ready(
    gateway: ScriptedGateway, session: TalkSession
) -> None:
    """That is another error than a provider that is away."""
    gateway.script(Expect("talk.session.create", reply=CREATED, emit=[drop(1012, "restart")]))

    error = await refused(session)

    assert isinstance(error, ConnectionLostError)
    assert error.code == 1012


async def test_an_answer_that_is_no_session(gateway: ScriptedGateway, session: TalkSession) -> None:
    """Without its end nobody knows when to begin a new one."""
    answer = {name: value for name, value in CREATED.items() if name != "expiresAt"}
    gateway.script(Expect("talk.session.create", reply=answer))

    assert isinstance(await refused(session), ProtocolError)
    await gateway.wait_for_no_client()


async def test_nobody_waits_any_more(gateway: ScriptedGateway, session: TalkSession) -> None:
    """A cancelled beginning leaves nothing behind."""
    gateway.script(Expect("talk.session.create"))
    entering = asyncio.create_task(session.__aenter__())
    await gateway.wait_for_request("talk.session.create")

    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering

    await gateway.wait_for_no_client()


async def test_the_gateway_ends_the_session(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Nothing comes after its last word."""
    await gateway.emit(
        told(type="mark", markName="audio-1"),
        told(type="close", reason="completed"),
        told(type="mark", markName="audio-2"),
    )

    assert await fetched(open_session) == [
        TalkMark(name="audio-1"),
        TalkClosed(reason="completed"),
    ]
    assert not open_session.is_open


async def test_the_gateway_stops(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """It says no word about its sessions; what came before is handed out."""
    turn = {"type": "turn.started", "turnId": "turn-1"}
    await gateway.emit(told(type="inputAudio", talkEvent=turn), drop(1012, "service restart"))

    items = aiter(open_session)
    assert await anext(items) == TalkTurn(turn_id="turn-1")
    with pytest.raises(ConnectionLostError, match="1012"):
        await anext(items)
    open_session.append(PIECE, 0.0)
    with pytest.raises(ConnectionLostError):
        await open_session.steer("x")
    await open_session.close()
    assert gateway.received("talk.session.close") == []


async def test_sound_has_a_clock(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """In milliseconds, as the gateway wants it; nothing is sent for nothing."""
    gateway.anytime(Expect("talk.session.appendAudio", reply=OK))
    open_session.append(b"", 0.0)
    open_session.append(b"\1\2", 1.5)
    open_session.append(PIECE, 1.5604)

    second = await gateway.wait_for_request("talk.session.appendAudio", number=2)

    (first,) = gateway.received("talk.session.appendAudio")[:1]
    assert b64decode(first.params["audioBase64"]) == b"\1\2"
    assert (first.params["timestamp"], second.params["timestamp"]) == (1500, 1560)
    assert first.params["sessionId"] == "session-1"


async def test_sound_does_not_pile_up(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """A gateway that does not answer gets four pieces; then the oldest are dropped and counted."""
    go_on = asyncio.Event()
    held = Expect("talk.session.appendAudio", emit=[wait_for(go_on), respond(OK)])
    gateway.anytime(held)
    for number in range(MAX_UNANSWERED):
        open_session.append(PIECE, number * 0.06)
    await gateway.wait_for_request("talk.session.appendAudio", number=MAX_UNANSWERED)

    waiting = round(MAX_WAITING / 0.06)
    for number in range(waiting + 10):
        open_session.append(PIECE, 1 + number * 0.06)
    # A request after them shows that none of them was sent.
    gateway.script(Expect("talk.session.cancelOutput", reply={"ok": True, "status": "idle"}))
    assert await open_session.cancel_output() is CancelStatus.IDLE
    assert len(gateway.received("talk.session.appendAudio")) == MAX_UNANSWERED
    assert open_session.dropped_input == pytest.approx(10 * 0.06)

    go_on.set()
    last = await gateway.wait_for_request(
        "talk.session.appendAudio", number=MAX_UNANSWERED + waiting
    )
    assert last.params["timestamp"] == round(1000 * (1 + (waiting + 9) * 0.06))
    fifth = gateway.received("talk.session.appendAudio")[MAX_UNANSWERED]
    assert fifth.params["timestamp"] == round(1000 * (1 + 10 * 0.06))


async def test_sound_that_is_refused_ends_the_session(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Once is nothing; but nobody may talk to a session that is gone."""
    gone = Refusal(code="UNAVAILABLE", message="Error: Unknown Talk session")
    gateway.script(
        Expect("talk.session.appendAudio", reply=gone),
        Expect("talk.session.appendAudio", reply=OK),
        *[Expect("talk.session.appendAudio", reply=gone) for _ in range(MAX_REFUSED)],
    )
    for number in range(2 + MAX_REFUSED):
        open_session.append(PIECE, number * 0.06)

    with pytest.raises(RequestError, match="Unknown Talk session"):
        await fetched(open_session)

    assert not open_session.is_open


async def test_marks_are_acknowledged(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """In their order; of too many the newest, which say as much."""
    gateway.anytime(Expect("talk.session.acknowledgeMark", reply=OK))
    for number in range(MAX_MARKS + 1):
        open_session.acknowledge(f"audio-{number}")

    last = await gateway.wait_for_request("talk.session.acknowledgeMark", number=MAX_MARKS)

    first = gateway.received("talk.session.acknowledgeMark")[0]
    assert first.params == {"sessionId": "session-1", "markName": "audio-1"}
    assert last.params["markName"] == f"audio-{MAX_MARKS}"


async def test_what_is_asked_of_the_gateway(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Only what is said; the schema checks the rest."""
    gateway.script(
        Expect(
            "talk.session.cancelOutput",
            params=lambda params: params == {"sessionId": "session-1", "reason": "barge-in"},
            reply={"ok": True, "status": "idle"},
        ),
        Expect(
            "talk.session.cancelOutput",
            params={"turnId": "turn-1", "reason": "tapped"},
            reply={"ok": True, "status": "applied", "turnId": "turn-1"},
        ),
        Expect(
            "talk.session.submitToolResult",
            params=lambda params: "options" not in params and params["result"] == {"result": "x"},
            reply=OK,
        ),
        Expect(
            "talk.session.submitToolResult",
            params={"callId": "call-2", "options": {"willContinue": True}},
            reply=OK,
        ),
        Expect(
            "talk.session.submitToolResult",
            params={"options": {"suppressResponse": True}},
            reply=OK,
        ),
        Expect(
            "talk.session.steer",
            params=lambda params: params == {"sessionId": "session-1", "text": "x"},
            reply={"ok": True, "mode": "status", "sessionKey": KEY, "active": False}
            | {"message": "no", "speak": True, "show": True, "suppress": False},
        ),
        Expect(
            "talk.session.steer",
            params={"mode": "followup"},
            reply={"ok": False, "mode": "followup", "sessionKey": KEY, "active": False}
            | {"message": "no", "speak": True, "show": True, "suppress": False}
            | {"reason": "no_active_run"},
        ),
    )

    assert await open_session.cancel_output() is CancelStatus.IDLE
    assert await open_session.cancel_output("turn-1", "tapped") is CancelStatus.APPLIED
    await open_session.submit_result("call-1", {"result": "x"})
    await open_session.submit_result("call-2", {}, will_continue=True)
    await open_session.submit_result("call-2", {}, suppress=True)
    assert (await open_session.steer("x")).is_ok
    told_later = await open_session.steer("x", SteerMode.FOLLOWUP)
    assert (told_later.is_ok, told_later.reason) == (False, "no_active_run")


async def test_a_consult_is_asked_in_the_session_of_the_agent(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """With what the model wants, and what we know besides."""
    gateway.script(
        Expect(
            "talk.client.toolCall",
            params={
                "sessionKey": KEY,
                "relaySessionId": "session-1",
                "callId": "call-1",
                "name": CONSULT_TOOL,
                "args": {
                    "question": "Open it.",
                    "context": "Room: kitchen.",
                    "responseStyle": "short",
                    "confirmationId": "c-1",
                },
            },
            reply=CONSULTED,
        ),
        Expect(
            "chat.abort",
            params={"sessionKey": "agent:main:other", "runId": RUN_ID},
            reply={"ok": True, "aborted": True, "runIds": [RUN_ID]},
            emit=[answered("Done.", "another-run"), answered("Done.")],
        ),
        Expect(
            "chat.abort",
            params={"sessionKey": KEY, "runId": RUN_ID},
            reply={"ok": True, "aborted": False, "runIds": []},
        ),
    )

    run_id = await open_session.consult(
        "call-1", "Open it.", context="Room: kitchen.", style="short", confirmation_id="c-1"
    )
    assert consults(open_session) == {run_id}
    assert await open_session.abort_run(run_id)
    item = await anext(aiter(open_session))

    assert item == ConsultEnded(call_id="call-1", run_id=RUN_ID, text="Done.")
    assert consults(open_session) == set()
    assert not await open_session.abort_run(run_id)


async def test_a_consult_that_is_answered_at_once(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Even before the gateway has said which run it is."""
    status = {
        "runId": RUN_ID,
        "sessionKey": KEY,
        "seq": 0,
        "state": "status",
        "phase": "preparing_context",
    }
    preparing: Piece = lambda _: [{"type": "event", "event": "chat", "payload": status}]  # noqa: E731 - a word of the script
    gateway.script(
        Expect(
            "talk.client.toolCall",
            params={"args": {"question": "Now."}},
            emit=[
                answered("Other.", "run-9"),
                preparing,
                answered("Done."),
                respond(CONSULTED),
            ],
        )
    )

    run_id = await open_session.consult("call-1", "Now.")

    item = await anext(aiter(open_session))
    assert item == ConsultEnded(call_id="call-1", run_id=run_id, text="Done.")
    assert open_session.open_consults == ()


async def test_two_consults_at_once(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """Each gets its own answer, once, in whatever order."""
    go_on = asyncio.Event()
    other = CONSULTED | {"runId": "talk-2", "idempotencyKey": "talk-2"}
    gateway.script(
        Expect(
            "talk.client.toolCall",
            params={"callId": "call-1"},
            emit=[wait_for(go_on), answered("Two.", "talk-2"), respond(CONSULTED)],
        ),
        Expect("talk.client.toolCall", params={"callId": "call-2"}, reply=other),
    )
    first = asyncio.create_task(open_session.consult("call-1", "One?"))
    await gateway.wait_for_request("talk.client.toolCall")
    await open_session.consult("call-2", "Two?")
    assert consults(open_session) == {"talk-2"}

    go_on.set()
    assert await first == RUN_ID
    await gateway.emit(answered("One."), told(type="close"))

    assert await fetched(open_session) == [
        ConsultEnded(call_id="call-2", run_id="talk-2", text="Two."),
        ConsultEnded(call_id="call-1", run_id=RUN_ID, text="One."),
        TalkClosed(),
    ]


async def test_a_problem_before_the_session_is_ready(
    gateway: ScriptedGateway, session: TalkSession
) -> None:
    """It says why the session is closed then."""
    rejected = told(type="error", phase="connect", message="authentication failed")
    closed = told(type="close", reason="error")
    gateway.script(Expect("talk.session.create", reply=CREATED, emit=[rejected, closed]))

    error = await refused(session)

    assert kind_of(error) == TalkUnavailability.AUTH
    assert "authentication failed" in str(error)


async def test_a_consult_without_a_run(gateway: ScriptedGateway, open_session: TalkSession) -> None:
    """There would be nothing to wait for."""
    answer = {"type": "res", "id": "r2", "ok": True, "payload": {}}
    gateway.script(Expect("talk.client.toolCall", emit=[raw(answer)]))

    with pytest.raises(ProtocolError):
        await open_session.consult("call-1", "Now.")


async def test_a_gateway_that_does_not_let_go(
    gateway: ScriptedGateway, session: TalkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends with its connection anyway."""
    monkeypatch.setattr(talk_session, "CLOSE_LIMIT", 0.05)
    gateway.script(CREATE, Expect("talk.session.close"))

    async with session:
        pass

    await gateway.wait_for_no_client()


async def test_a_request_that_is_not_answered(
    gateway: ScriptedGateway, open_session: TalkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wait has a limit."""
    monkeypatch.setattr(talk_session, "REQUEST_LIMIT", 0.05)
    gateway.script(Expect("talk.session.steer"))

    with pytest.raises(RequestTimeoutError):
        await open_session.steer("x")


async def test_other_events_are_not_of_the_session(
    gateway: ScriptedGateway, open_session: TalkSession
) -> None:
    """Runs of others, and what a newer gateway tells."""
    tick = {"type": "event", "event": "tick", "payload": {"ts": 1}}
    await gateway.emit(
        answered("Of another."),
        lambda _: [tick],
        told(type="telepathy"),
        told(type="ready"),
        told(type="close"),
    )

    assert await fetched(open_session) == [TalkClosed()]
