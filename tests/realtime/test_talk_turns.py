"""Turns of the gateway, and what they are to a satellite."""

from collections.abc import Iterable

import pytest

from custom_components.openclaw_voice.gateway.talk_items import (
    ASSISTANT,
    BARGE_IN,
    CONTINUITY_RESET,
    USER,
    TalkAudio,
    TalkAudioDone,
    TalkClear,
    TalkItem,
    TalkMark,
    TalkProblem,
    TalkResponseStarted,
    TalkToolCancelled,
    TalkTranscript,
    TalkTurn,
    TalkUnavailability,
)
from custom_components.openclaw_voice.realtime.backend import (
    BackendEvent,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.talk_turns import TalkTurns

PCM = bytes(960)


class Reader:
    """Reads items, with a loudspeaker that is as the test wants it."""

    def __init__(self) -> None:
        """Nothing is heard."""
        self.is_playing = False
        self.turns = TalkTurns(lambda: self.is_playing)

    def read(self, *items: TalkItem) -> list[BackendEvent]:
        """Return what items are told as."""
        return [event for item in items for event in self.turns.read(item)]

    def kinds(self, *items: TalkItem) -> list[type]:
        """Return the kinds of that."""
        return kinds(self.read(*items))


@pytest.fixture
def reader() -> Reader:
    """Return one at the beginning."""
    return Reader()


def kinds(events: Iterable[BackendEvent]) -> list[type]:
    """Return the kinds of events."""
    return [type(event) for event in events]


def user(text: str, turn: str | None = "t1", *, is_final: bool = True) -> TalkTranscript:
    """Return words of the user."""
    return TalkTranscript(role=USER, text=text, is_final=is_final, turn_id=turn)


def response(turn: str | None = "t1") -> TalkResponseStarted:
    """Return the beginning of an answer."""
    return TalkResponseStarted(turn_id=turn)


def audio(turn: str | None = "t1") -> TalkAudio:
    """Return some of an answer."""
    return TalkAudio(pcm=PCM, turn_id=turn)


def done(reason: str = "completed", turn: str = "t1") -> TalkAudioDone:
    """Return the end of an answer."""
    return TalkAudioDone(reason=reason, turn_id=turn)


def test_a_turn_begins_with_the_first_word(reader: Reader) -> None:
    """And is waited for from the last one on."""
    assert reader.read(TalkTurn(turn_id="t1")) == []
    assert reader.kinds(user("What ", is_final=False)) == [TurnStarted, Transcript]
    assert (reader.turns.is_idle, reader.turns.is_waiting) == (False, False)
    assert reader.kinds(user("time? ", is_final=False)) == [Transcript]
    assert reader.kinds(user("What time?")) == [SpeechEnded, Transcript]
    assert reader.turns.is_waiting
    assert reader.turns.last_words == "What time?"


def test_words_that_come_after_the_answer_has_begun(reader: Reader) -> None:
    """The answer begins the turn; the words belong to it, and nothing is dropped for them."""
    assert reader.kinds(TalkTurn(turn_id="t1"), response(), audio()) == [
        TurnStarted,
        SpeechEnded,
        ResponseStarted,
        OutputAudio,
    ]
    assert reader.kinds(user("What time?")) == [Transcript]
    assert reader.kinds(done()) == [OutputEnded, TurnEnded]
    assert reader.turns.is_idle


def test_a_gateway_that_names_no_turns(reader: Reader) -> None:
    """They begin and end all the same."""
    first = (user("One.", None), response(None), audio(None), done())
    assert reader.kinds(*first) == [
        TurnStarted,
        SpeechEnded,
        Transcript,
        ResponseStarted,
        OutputAudio,
        OutputEnded,
        TurnEnded,
    ]
    again = reader.read(user("Two.", None))
    assert again[0] == TurnStarted(turn_id="turn-2")


def test_an_answer_without_sound(reader: Reader) -> None:
    """There is nothing to be heard to its end."""
    assert reader.kinds(user("One."), response(), done())[-1] is TurnEnded
    assert OutputEnded not in reader.kinds(user("Two.", "t2"), response("t2"), done())


def test_a_second_answer_in_the_same_turn(reader: Reader) -> None:
    """The model says more, unasked: nobody has begun to speak."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response(), done())

    assert reader.kinds(response(), audio(), done()) == [
        ResponseStarted,
        OutputAudio,
        OutputEnded,
        TurnEnded,
    ]


def test_a_tool_keeps_the_turn_open(reader: Reader) -> None:
    """Also over turns of the gateway; the answer to it belongs to the question."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response())
    reader.turns.open_call("call-1")
    assert reader.read(done()) == []
    assert (reader.turns.is_idle, reader.turns.has_calls) == (False, True)

    assert list(reader.turns.close_call("call-1", is_answered=True)) == []
    answer = reader.read(TalkTurn(turn_id="t2"), response("t2"), audio("t2"), done(turn="t2"))

    assert kinds(answer) == [ResponseStarted, OutputAudio, OutputEnded, TurnEnded]
    assert answer[-1] == TurnEnded(turn_id="turn-1")


def test_tools_that_are_not_answered(reader: Reader) -> None:
    """The turn ends with the last of them, unless the model still speaks."""
    reader.read(user("One."), response())
    for call_id in ("call-1", "call-2", "call-3"):
        reader.turns.open_call(call_id)
    assert list(reader.turns.close_call("call-1", is_answered=False)) == []
    assert reader.read(done()) == []
    assert list(reader.turns.close_call("call-2", is_answered=False)) == []
    assert kinds(reader.turns.close_call("call-3", is_answered=False)) == [TurnEnded]

    reader.read(user("Two.", "t2"), response("t2"))
    reader.turns.open_call("call-4")
    assert list(reader.turns.close_call("call-4", is_answered=False)) == []
    assert reader.kinds(done()) == [TurnEnded]


def test_speech_over_an_answer(reader: Reader) -> None:
    """The next turn interrupts, as soon as the gateway names it."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response(), audio())
    reader.is_playing = True

    assert reader.read(TalkClear(reason=BARGE_IN, turn_id="t1")) == [
        OutputCleared(reason="turn_detected")
    ]
    reader.is_playing = False
    assert reader.read(done("cancelled")) == []
    begun = reader.read(TalkTurn(turn_id="t2"))

    assert begun == [TurnStarted(turn_id="turn-2", interrupts=True)]
    assert reader.kinds(user("Stop.", "t2")) == [SpeechEnded, Transcript]


def test_speech_over_an_answer_that_is_complete(reader: Reader) -> None:
    """It is heard long after it was made, in another turn of the gateway."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response(), audio(), done())
    reader.is_playing = True
    reader.read(TalkTurn(turn_id="t2"))

    told = reader.read(TalkClear(reason=BARGE_IN, turn_id="t2"))

    assert told == [
        OutputCleared(reason="turn_detected"),
        TurnStarted(turn_id="turn-2", interrupts=True),
    ]


def test_speech_while_nothing_is_heard(reader: Reader) -> None:
    """There is nothing to drop; but somebody speaks."""
    assert reader.turns.is_idle
    assert reader.read(TalkClear(reason=BARGE_IN)) == [SpeechNoticed()]
    assert not reader.turns.is_idle
    reader.read(user("One."), response(), done())
    assert reader.turns.is_idle


def test_an_answer_that_the_gateway_cuts_off(reader: Reader) -> None:
    """For reasons of its own: nobody is to wait for its end."""
    reader.read(user("One."), response(), audio())
    reader.is_playing = True

    assert reader.read(TalkClear()) == [OutputCleared(reason="cancelled")]
    assert reader.kinds(done("cancelled")) == [TurnEnded]


def test_an_answer_that_is_cut_off_by_us(reader: Reader) -> None:
    """Nothing of it is told any more; the next one is."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response(), audio())

    assert reader.turns.interrupt() == "t1"
    late = (
        audio(),
        TalkMark(name="audio-1"),
        TalkTranscript(role=ASSISTANT, text="It", is_final=True),
        TalkClear(reason="interrupted"),
        done("cancelled"),
    )
    assert reader.read(*late) == []
    assert reader.turns.is_idle
    assert reader.kinds(user("Two.", "t2"), response("t2"), audio("t2")) == [
        TurnStarted,
        SpeechEnded,
        Transcript,
        ResponseStarted,
        OutputAudio,
    ]


def test_marks_follow_their_sound(reader: Reader) -> None:
    """They bring none."""
    mark = TalkMark(name="audio-1")

    assert reader.read(mark) == [OutputAudio(turn_id="turn-0", pcm=b"", mark="audio-1")]


def test_a_provider_that_hangs_up(reader: Reader) -> None:
    """The turn is lost, which matters only if there is one."""
    lost = TalkClear(reason=CONTINUITY_RESET)
    assert reader.read(lost) == []

    reader.read(user("One."))

    assert reader.kinds(lost) == [Problem, TurnEnded]
    assert reader.turns.is_idle


def test_problems(reader: Reader) -> None:
    """They end a turn that has no answer yet; with one, its own end does."""
    problem = TalkProblem(phase="stream", kind=TalkUnavailability.AUTH)
    reader.read(user("One."))
    (told, _) = reader.read(problem)
    assert isinstance(told, Problem)
    assert (told.error.reason, told.error.is_recoverable) == ("provider_auth", True)

    reader.read(user("Two.", "t2"), response("t2"))
    assert reader.kinds(problem) == [Problem]
    assert reader.kinds(done("failed")) == [TurnEnded]
    other = TalkProblem(phase="response", kind=TalkUnavailability.UNREACHABLE)
    assert [each.error.reason for each in reader.read(other) if isinstance(each, Problem)] == [
        "provider_unavailable"
    ]


def test_what_is_not_about_turns(reader: Reader) -> None:
    """Somebody else reads it."""
    connect = TalkProblem(phase="connect", kind=TalkUnavailability.AUTH)

    assert reader.read(TalkToolCancelled(call_id="call-1"), connect) == []


def test_another_session_of_the_gateway(reader: Reader) -> None:
    """It counts its turns anew; ours go on."""
    reader.read(TalkTurn(turn_id="t1"), user("One."), response())
    reader.turns.open_call("call-1")
    assert kinds(reader.turns.fail("gateway_lost")) == [Problem, TurnEnded]
    reader.turns.forget()

    assert reader.turns.is_idle
    assert list(reader.turns.fail("gateway_lost")) == []
    begun = reader.read(TalkTurn(turn_id="t1"), user("Two."))
    assert begun[0] == TurnStarted(turn_id="turn-2")
