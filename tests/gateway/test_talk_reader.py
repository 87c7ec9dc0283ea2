"""Events of a voice session, as a real gateway has told them."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.errors import (
    AgentNotFoundError,
    GatewayError,
    ProtocolError,
    RequestError,
    TalkUnavailableError,
)
from custom_components.openclaw_voice.gateway.frames import ErrorShape, GatewayEvent
from custom_components.openclaw_voice.gateway.talk_items import (
    ASSISTANT,
    CONSULT_TOOL,
    CONTROL_TOOL,
    USER,
    CancelStatus,
    ConsultEnded,
    ConsultProgress,
    TalkAudio,
    TalkAudioDone,
    TalkClear,
    TalkClosed,
    TalkInfo,
    TalkItem,
    TalkMark,
    TalkProblem,
    TalkResponseStarted,
    TalkToolCall,
    TalkToolCancelled,
    TalkTranscript,
    TalkTurn,
    TalkUnavailability,
)
from custom_components.openclaw_voice.gateway.talk_reader import (
    ConsultReader,
    is_ready,
    read_cancel,
    read_info,
    read_steer,
    read_talk,
    refusal,
)
from tests.recordings import Recording

from .garbage import JSON_OBJECTS

type JsonObject = dict[str, Any]

KEY = "agent:main:ha-voice-kitchen"


def told(name: str) -> list[JsonObject]:
    """Return the payloads of the `talk.event`s of a recording."""
    frames = (line.frame for line in Recording.load(name).on() if line.direction == "in")
    return [frame["payload"] for frame in frames if frame.get("event") == "talk.event"]


def items(name: str, *kinds: type) -> list[TalkItem]:
    """Return what is read of a recording, of some kinds or of all."""
    found = [item for payload in told(name) if (item := read_talk(payload)) is not None]
    return [item for item in found if not kinds or isinstance(item, kinds)]


def answers(name: str, method: str) -> list[JsonObject]:
    """Return the payloads of all successful responses to a method."""
    received = Recording.load(name).received()
    return [frame["payload"] for frame, asked in received if asked == method and frame["ok"]]


def refusals(name: str) -> list[GatewayError]:
    """Return what the refused sessions of a recording come to."""
    return [
        refusal(ErrorShape.from_payload(frame["error"]).as_request_error())
        for frame, asked in Recording.load(name).received()
        if asked == "talk.session.create" and not frame["ok"]
    ]


def run_events(name: str) -> list[GatewayEvent]:
    """Return the events of runs in a recording."""
    frames = [line.frame for line in Recording.load(name).on() if line.direction == "in"]
    return [
        GatewayEvent(name=frame["event"], payload=frame["payload"])
        for frame in frames
        if frame.get("event") in ("chat", "agent")
    ]


def test_a_question_and_its_answer() -> None:
    """Everything of a turn in its order, without what repeats what we have sent."""
    kinds = list(dict.fromkeys(type(item) for item in items("talk-reply")))
    assert kinds == [
        TalkTurn,
        TalkClear,
        TalkTranscript,
        TalkResponseStarted,
        TalkAudio,
        TalkMark,
        TalkAudioDone,
        TalkClosed,
    ]
    words = items("talk-reply", TalkTranscript)
    finals = [item for item in words if isinstance(item, TalkTranscript) and item.is_final]
    assert finals == [
        TalkTranscript(role=USER, text="What time is it?", is_final=True, turn_id="turn-1"),
        TalkTranscript(
            role=ASSISTANT, text="It is half past nine.", is_final=True, turn_id="turn-1"
        ),
    ]
    assert items("talk-reply", TalkMark)[0] == TalkMark(name="audio-1", turn_id="turn-1")
    assert items("talk-reply", TalkAudioDone) == [
        TalkAudioDone(reason="completed", turn_id="turn-1")
    ]
    assert items("talk-reply", TalkClosed) == [TalkClosed(reason="completed")]


def test_ready_is_told_apart() -> None:
    """It comes once, and is no item."""
    payloads = told("talk-reply")
    assert [payload["type"] for payload in payloads if is_ready(payload)] == ["ready"]
    assert read_talk(payloads[0]) is None


def test_sound_is_whole_samples() -> None:
    """A sample has two bytes; what is no base64 is no sound."""
    audio = {"type": "audio", "turnId": "turn-1"}
    assert read_talk(audio | {"audioBase64": b64encode(b"\1\2\3").decode()}) == TalkAudio(
        pcm=b"\1\2", turn_id="turn-1"
    )
    for broken in ("", "AA", "a-b_", "ü", None, 5):
        assert read_talk(audio | {"audioBase64": broken}) is None


def test_an_answer_that_is_cut_off() -> None:
    """By us, and by somebody who speaks; each with what the gateway says of it."""
    clears = items("talk-bargein", TalkClear)
    assert TalkClear(reason="barge-in") in clears
    assert TalkClear(reason="barge-in", turn_id="turn-1") in clears
    assert TalkClear(reason="barge-in", turn_id="turn-2") in clears
    done = items("talk-bargein", TalkAudioDone)
    assert done[0] == TalkAudioDone(reason="cancelled", turn_id="turn-2")
    cancelled = answers("talk-bargein", "talk.session.cancelOutput")
    assert [read_cancel(each) for each in cancelled] == [
        CancelStatus.IDLE,
        CancelStatus.STALE,
        CancelStatus.APPLIED,
    ]
    assert read_cancel({"ok": True}) is CancelStatus.APPLIED


@pytest.mark.parametrize(
    ("name", "tool", "is_forced"),
    [
        ("talk-consult", CONSULT_TOOL, False),
        ("talk-forced-consult", CONSULT_TOOL, True),
        ("talk-control", CONTROL_TOOL, False),
    ],
)
def test_a_tool_is_called(name: str, tool: str, is_forced: bool) -> None:
    """With its arguments, as the model wrote them."""
    (call,) = items(name, TalkToolCall)
    assert isinstance(call, TalkToolCall)
    assert (call.name, call.is_forced) == (tool, is_forced)
    assert call.call_id
    assert call.arguments.keys() >= ({"question"} if tool == CONSULT_TOOL else {"text", "mode"})


def test_a_call_that_lacks_something_is_none() -> None:
    """It could not be answered."""
    assert read_talk({"type": "toolCall", "name": CONSULT_TOOL}) is None
    assert read_talk({"type": "toolCall", "callId": "1"}) is None
    assert read_talk({"type": "toolCallCancelled"}) is None
    assert read_talk({"type": "toolCallCancelled", "callId": "1"}) == TalkToolCancelled(call_id="1")


def test_what_lacks_something_is_left_out() -> None:
    """A turn without an id, words of nobody, a mark without a name, what we do not know."""
    for payload in (
        {"type": "inputAudio", "talkEvent": {"type": "turn.started"}},
        {"type": "transcript", "role": "system", "text": "x"},
        {"type": "transcript", "role": "user", "text": ""},
        {"type": "mark"},
        {"type": "telepathy"},
        {},
    ):
        assert read_talk(payload) is None


def test_problems_of_the_provider() -> None:
    """A failed answer and an error leave the session open; when it hangs up, the turn is over."""
    problems = items("talk-provider-failures", TalkProblem)
    assert [(each.phase, each.kind) for each in problems if isinstance(each, TalkProblem)] == [
        ("response", TalkUnavailability.UNREACHABLE),
        ("stream", TalkUnavailability.UNREACHABLE),
    ]
    clears = items("talk-provider-failures", TalkClear)
    assert TalkClear(reason="session.continuity.reset", turn_id="turn-1") in clears


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("talk-key-rejected", TalkUnavailability.AUTH),
        ("talk-unreachable", TalkUnavailability.UNREACHABLE),
    ],
)
def test_a_provider_that_cannot_be_connected(name: str, kind: TalkUnavailability) -> None:
    """The session was created all the same, and ends."""
    problem, closed = items(name, TalkProblem, TalkClosed)
    assert isinstance(problem, TalkProblem)
    assert (problem.phase, problem.kind, problem.message[:17]) == (
        "connect",
        kind,
        "Realtime provider",
    )
    assert closed == TalkClosed(reason="error")


def test_a_problem_without_words_and_with_a_secret() -> None:
    """What comes from outside is masked."""
    problem = read_talk({"type": "error", "message": "no: Bearer sk-abcdefghijklmnopqrstuvwxyz"})
    assert isinstance(problem, TalkProblem)
    assert "abcdefghijkl" not in problem.message
    assert read_talk({"type": "error"}) == TalkProblem(
        message="no reason given", kind=TalkUnavailability.UNREACHABLE
    )


def test_what_a_session_is_like() -> None:
    """Its end is in seconds."""
    (answer,) = answers("talk-reply", "talk.session.create")
    assert read_info(answer) == TalkInfo(
        session_id="ec774238-07a1-4c3c-9163-4d38c874a45d",
        provider="openai",
        model="gpt-realtime-2.1",
        voice="cedar",
        expires=datetime(2026, 11, 20, 10, 39, 34, tzinfo=UTC),
    )
    for broken in ({"expiresAt": 1}, {"sessionId": "x"}, {"sessionId": "x", "expiresAt": 1e15}):
        with pytest.raises(ProtocolError):
            read_info(broken)


def test_why_there_is_no_session() -> None:
    """By words, because the gateway has no codes for it."""
    found = refusals("talk-refusals")
    kinds = [each.kind if isinstance(each, TalkUnavailableError) else type(each) for each in found]
    assert kinds == [
        # Another transport, no brain, another mode.
        *[TalkUnavailability.UNSUPPORTED] * 3,
        # Providers that are not configured, or not known.
        *[TalkUnavailability.NOT_CONFIGURED] * 3,
        AgentNotFoundError,
        TalkUnavailability.TOO_MANY,
    ]
    (unconfigured,) = refusals("talk-unconfigured")
    assert isinstance(unconfigured, TalkUnavailableError)
    assert unconfigured.kind is TalkUnavailability.NOT_CONFIGURED
    assert "is not configured" in str(unconfigured)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("FORBIDDEN", TalkUnavailability.FORBIDDEN),
        ("UNAVAILABLE", TalkUnavailability.UNREACHABLE),
        ("INVALID_REQUEST", TalkUnavailability.UNSUPPORTED),
    ],
)
def test_other_refusals(code: str, kind: TalkUnavailability) -> None:
    """An old gateway does not know the method at all."""
    error = refusal(RequestError(code, "no"))
    assert isinstance(error, TalkUnavailableError)
    assert error.kind is kind


def test_what_becomes_of_telling_the_agent_something() -> None:
    """Four ways, and one when nothing goes on."""
    results = [read_steer(each) for each in answers("talk-steer", "talk.session.steer")]
    assert [(each.mode, each.is_queued, each.is_aborted) for each in results[:4]] == [
        ("status", False, False),
        ("steer", True, False),
        ("followup", True, False),
        ("cancel", False, True),
    ]
    assert all(each.is_ok and each.is_active and each.message for each in results[:4])
    (idle,) = (read_steer(each) for each in answers("talk-control", "talk.session.steer"))
    assert (idle.is_ok, idle.is_active, idle.reason) == (True, False, None)
    assert idle.result["speak"] is True


def test_an_agent_answers_a_consult() -> None:
    """Its text comes once, at the end."""
    events = run_events("talk-consult")
    reader = ConsultReader("call", events[0].payload["runId"], KEY)

    found = [item for event in events for item in reader.read(event)]

    assert found == [
        ConsultEnded(call_id="call", run_id=reader.run_id, text="Done. The kitchen light is on.")
    ]
    assert reader.is_over
    assert reader.read(events[-1]) == []


def test_an_agent_that_is_stopped() -> None:
    """Nobody is told what it said until then."""
    first = run_events("talk-steer")[0].payload["runId"]
    events = [event for event in run_events("talk-steer") if event.payload["runId"] == first]
    reader = ConsultReader("call", first, KEY)

    (ended,) = [item for event in events for item in reader.read(event)]

    assert ended == ConsultEnded(call_id="call", run_id=first, text="", is_aborted=True)


def test_an_agent_at_work_shows_its_tools() -> None:
    """Each at its start and its end."""
    recording = Recording.load("send-tool")
    frames = [line.frame for line in recording.on() if line.direction == "in"]
    events = [
        GatewayEvent(name=frame["event"], payload=frame["payload"])
        for frame in frames
        if frame.get("event") in ("chat", "agent")
    ]
    reader = ConsultReader("call", events[0].payload["runId"], KEY)

    found = [item for event in events for item in reader.read(event)]

    *progress, ended = found
    assert [(item.tool, item.is_end) for item in progress if isinstance(item, ConsultProgress)] == [
        ("exec", False),
        ("exec", True),
    ]
    assert isinstance(ended, ConsultEnded)
    assert ended.text


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"state": "error", "errorMessage": "the model is away"}, "the model is away"),
        ({"state": "final"}, "the run ended without a text"),
    ],
)
def test_an_agent_without_an_answer(state: JsonObject, error: str) -> None:
    """The model is to be told something all the same."""
    reader = ConsultReader("call", "run-1", KEY)

    (ended,) = reader.read(GatewayEvent(name="chat", payload={"runId": "run-1"} | state))

    assert ended == ConsultEnded(call_id="call", run_id="run-1", error=error)


@given(JSON_OBJECTS)
def test_no_frame_breaks_the_readers(payload: JsonObject) -> None:
    """Any object may come."""
    for kind in (
        "inputAudio",
        "transcript",
        "audio",
        "mark",
        "clear",
        "audioDone",
        "toolCall",
        "error",
        "close",
    ):
        read_talk(payload | {"type": kind})
    read_talk({"type": "clear", "talkEvent": payload})
    read_cancel(payload)
    read_steer(payload)
    reader = ConsultReader("call", "run-1", KEY)
    reader.read(GatewayEvent(name="chat", payload=payload))
    reader.read(GatewayEvent(name="agent", payload=payload))
