"""When somebody is heard, and how one interrupts an answer."""

import asyncio
from collections.abc import Callable

from homeassistant.helpers import llm
import pytest

from custom_components.openclaw_voice.realtime import assist_backend, assist_turn
from custom_components.openclaw_voice.realtime.assist_backend import speech_detector
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    OutputAudio,
    Problem,
    SpeechEnded,
    TurnDetection,
    TurnEnded,
    TurnMode,
    TurnStarted,
)

from ..support import WAIT_LIMIT
from .engines import (
    PAUSE,
    Ear,
    Mind,
)
from .talk import Talk, quiet, says


async def test_while_an_answer_is_given_nobody_is_heard(talk: Talk, mind: Mind, ear: Ear) -> None:
    """The satellite would hear itself; up to the last word it plays."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.ask()
    mind.goes_on.set()
    mind.deltas = mind.deltas[:2]
    await talk.hears(TurnEnded)
    talk.ask()
    assert len(talk.all_of(TurnStarted)) == 1
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(ear.heard) == 2


async def test_an_answer_that_was_heard_before_it_ended_needs_no_waiting(
    talk: Talk, mind: Mind
) -> None:
    """The satellite was faster than the agent."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.backend.drained()
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    talk.ask()
    await talk.hears(TurnStarted, 2)


async def test_an_answer_counts_as_heard_some_time_after_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A satellite that never says so is not deaf forever."""
    talk.ask()
    await talk.hears(TurnEnded)
    later = talk.hass.loop.time() + assist_backend.DRAIN_LIMIT + 1
    monkeypatch.setattr(talk.hass.loop, "time", lambda: later)
    talk.ask()
    monkeypatch.undo()
    await talk.hears(TurnEnded, 2)


async def test_the_last_words_of_a_question_do_not_begin_another(
    make: Callable[..., Talk], mind: Mind
) -> None:
    """Whatever was heard before an answer is forgotten with it."""
    talk = make(cancels_echo=True)
    await talk.start()
    mind.deltas = [{"role": "assistant"}, PAUSE, {"content": "Zwölf Uhr."}]
    talk.hear(quiet(0.2), says(0.6))
    talk.backend.commit()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    talk.hear(says(0.1), quiet(0.6))
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.hear(says(0.05), quiet(0.5))
    assert len(talk.all_of(TurnStarted)) == 1


async def test_the_satellite_may_say_that_the_question_is_over(talk: Talk, ear: Ear) -> None:
    """`response.create` says the same."""
    talk.backend.commit()
    talk.hear(quiet(0.2), says(0.6))
    talk.backend.respond()
    await talk.hears(TurnEnded)
    assert len(ear.heard) == 1


async def test_a_message_may_hold_more_than_a_question(talk: Talk, ear: Ear) -> None:
    """What follows it comes while it is being answered."""
    audio = [quiet(0.2), says(0.6), quiet(0.6), says(0.6), quiet(0.6)]
    talk.backend.append_audio(b"".join(audio))
    await talk.hears(TurnEnded)
    assert len(talk.all_of(TurnStarted)) == 1
    assert says(0.6) in ear.heard[0]


async def test_in_manual_mode_the_satellite_says_when(make: Callable[..., Talk], ear: Ear) -> None:
    """Silence ends nothing, and speech interrupts nothing."""
    talk = make(turn_detection=TurnDetection(mode=TurnMode.MANUAL), cancels_echo=True)
    info = await talk.start()
    assert not info.capabilities.barge_in
    talk.hear(quiet(1), says(0.5), quiet(2))
    assert not talk.all_of(SpeechEnded)
    talk.backend.commit()
    await talk.hears(TurnEnded)
    assert ear.heard == [b"".join([quiet(1), says(0.5), quiet(2)])]
    talk.hear(says(1))
    assert len(talk.all_of(TurnStarted)) == 1


async def test_how_long_silence_is_may_be_chosen(make: Callable[..., Talk]) -> None:
    """And how sure one must be of speech."""
    talk = make(turn_detection=TurnDetection(silence=1.5, threshold=0.9))
    await talk.start()
    talk.hear(quiet(0.2), says(0.6), quiet(1.2))
    await talk.hears(TurnStarted)
    assert not talk.all_of(SpeechEnded)
    talk.hear(quiet(0.4))
    await talk.hears(TurnEnded)


async def test_an_engine_that_has_heard_enough_ends_the_question(
    make: Callable[..., Talk], ear: Ear
) -> None:
    """Some have a detector of their own; the rest of the audio is not another question."""
    talk = make()
    await talk.start()
    ear.ends_after = len(says(0.3))
    talk.hear(quiet(0.2), says(0.6))
    await talk.hears(TurnEnded)
    assert len(talk.all_of(SpeechEnded)) == 1


async def test_a_microphone_that_falls_silent_ends_the_question(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, ear: Ear
) -> None:
    """The satellite may have stopped sending."""
    monkeypatch.setattr(assist_turn, "MICROPHONE_LIMIT", 0.01)
    talk.hear(quiet(0.2), says(0.6))
    await talk.hears(TurnEnded)
    assert len(ear.heard) == 1


async def test_nobody_speaks_forever(
    make: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch, ear: Ear
) -> None:
    """What is kept for the engine is bounded."""
    monkeypatch.setattr(assist_turn, "HEARING_LIMIT", 1.0)
    talk = make(turn_detection=TurnDetection(mode=TurnMode.MANUAL))
    await talk.start()
    talk.hear(says(3))
    await talk.hears(TurnEnded)
    assert len(ear.heard[0]) <= len(says(1.1))


def test_home_assistants_detector_takes_silence_for_silence() -> None:
    """It is the one that is used unless told otherwise."""
    detect = speech_detector()
    assert max(detect(quiet(0.01)) for _ in range(50)) < 0.5


async def test_whoever_speaks_over_an_answer_interrupts_it(
    make: Callable[..., Talk], mind: Mind, ear: Ear
) -> None:
    """Where the satellite does not hear itself; the new question is heard from its first word."""
    talk = make(cancels_echo=True)
    info = await talk.start()
    assert info.capabilities.barge_in
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.hear(quiet(0.2), says(0.1), quiet(0.3))
    assert len(talk.all_of(TurnStarted)) == 1
    mind.deltas = [{"role": "assistant"}, {"content": "Halb eins."}]
    talk.hear(says(0.4), quiet(0.6))
    await talk.hears(TurnEnded, 2)
    assert mind.was_cancelled.is_set()
    assert talk.all_of(TurnStarted)[1] == TurnStarted(turn_id="turn-2", interrupts=True)
    ended = talk.events.index(TurnEnded(turn_id="turn-1"))
    assert isinstance(talk.events[ended - 1], TurnStarted)
    assert not [
        event
        for event in talk.events[ended - 1 :]
        if isinstance(event, OutputAudio) and event.turn_id == "turn-1"
    ]
    assert says(0.4) in ear.heard[1]
    assert not talk.all_of(Problem)


@pytest.mark.parametrize("by_hand", [True, False])
async def test_tools_of_an_answer_that_is_interrupted_do_not_end(
    make: Callable[..., Talk], mind: Mind, *, by_hand: bool
) -> None:
    """Nobody is left waiting for them."""
    talk = make(cancels_echo=True)
    await talk.start()
    call = llm.ToolInput(tool_name="clock", tool_args={}, external=True)
    mind.deltas = [{"role": "assistant", "tool_calls": [call]}, PAUSE]
    talk.ask()
    await talk.hears(Activity)
    if by_hand:
        talk.backend.interrupt(0.0)
    else:
        mind.deltas = [{"role": "assistant"}, {"content": "Halb eins."}]
        talk.ask()
    await talk.hears(TurnEnded)
    assert talk.all_of(ActivityCancelled) == [ActivityCancelled(call_ids=(call.id,))]


async def test_what_still_plays_is_interrupted_as_well(make: Callable[..., Talk]) -> None:
    """Long after the agent has ended."""
    talk = make(cancels_echo=True)
    await talk.start()
    talk.ask()
    await talk.hears(TurnEnded)
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert talk.all_of(TurnStarted)[1].interrupts


async def test_a_turn_that_begins_where_the_agent_answers_is_no_part_of_it(
    make: Callable[..., Talk], mind: Mind
) -> None:
    """Its chat log is known by a variable that whatever is started there would inherit."""
    talk = make(cancels_echo=True)
    await talk.start()

    def interrupt() -> None:
        mind.when_asked = lambda: None
        talk.ask()

    mind.when_asked = interrupt
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(mind.asked) == 2
    assert talk.spoken == "Es ist zwölf."
    assert not talk.all_of(Problem)


async def test_interrupting_by_hand_ends_the_answer(talk: Talk, mind: Mind) -> None:
    """And one can ask again at once."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.backend.interrupt(0.0)
    await talk.hears(TurnEnded)
    await asyncio.wait_for(mind.was_cancelled.wait(), WAIT_LIMIT)
    talk.ask()
    await talk.hears(TurnStarted, 2)
    assert not talk.all_of(TurnStarted)[1].interrupts


async def test_interrupting_what_still_plays(talk: Talk) -> None:
    """Nothing more is told of the turn, which has ended."""
    talk.backend.interrupt(0.0)
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.interrupt(0.0)
    talk.ask()
    await talk.hears(TurnEnded, 2)
