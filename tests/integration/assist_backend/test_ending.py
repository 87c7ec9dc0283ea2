"""Whatever goes on when a session ends, nothing of it stays; see the fixture."""

import asyncio
from collections.abc import Callable

import pytest

from custom_components.openclaw_voice.realtime import assist_turn
from custom_components.openclaw_voice.realtime.backend import (
    OutputAudio,
    TurnEnded,
    TurnStarted,
)

from ..support import WAIT_LIMIT
from .engines import (
    PAUSE,
    Ear,
    FlowingMouth,
    Mind,
    WholeMouth,
)
from .talk import Talk, flowing, quiet, says, whole


async def test_ending_while_somebody_speaks_lets_the_engine_end(
    talk: Talk, ear: Ear, mind: Mind
) -> None:
    """It is told that the audio has ended, and not cancelled; the agent is not asked."""
    talk.hear(quiet(0.2), says(0.6))
    await asyncio.wait_for(ear.listening.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert ear.heard
    assert not ear.was_cancelled
    assert not mind.asked
    assert isinstance(talk.events[-1], TurnStarted | TurnEnded)


async def test_ending_cancels_an_engine_that_does_not_end(
    talk: Talk, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment."""
    monkeypatch.setattr(assist_turn, "STOP_GRACE", 0.01)
    ear.ends.clear()
    talk.ask()
    await asyncio.wait_for(ear.listening.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert ear.was_cancelled


async def test_ending_while_the_agent_thinks_cancels_it(talk: Talk, mind: Mind) -> None:
    """It has to stop what it does on the gateway."""
    mind.deltas = [PAUSE]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert mind.was_cancelled.is_set()


@flowing
async def test_ending_while_an_answer_is_spoken_ends_the_engines_text(
    talk: Talk, mind: Mind, mouth: FlowingMouth
) -> None:
    """It waits for the rest of it otherwise."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    await talk.backend.close()
    await asyncio.wait_for(mouth.ended.wait(), WAIT_LIMIT)


@whole
async def test_ending_while_sentences_wait_to_be_spoken(
    talk: Talk, mind: Mind, mouth: WholeMouth
) -> None:
    """None of them is spoken any more."""
    mouth.goes_on.clear()
    mind.deltas = [
        {"role": "assistant"},
        {"content": "Erstens dies. Und zweitens. Und drittens. "},
        PAUSE,
    ]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    await talk.backend.close()
    mouth.goes_on.set()
    await talk.hass.async_block_till_done(wait_background_tasks=True)
    assert len(mouth.said) < 3


async def test_ending_before_the_turn_has_begun(talk: Talk, ear: Ear) -> None:
    """Nobody has listened yet."""
    talk.ask()
    await talk.backend.close()
    assert not ear.listening.is_set()
    talk.ask()
    assert not talk.all_of(OutputAudio)


async def test_ending_what_has_not_started(make: Callable[..., Talk]) -> None:
    """There is nothing to end."""
    talk = make()
    await talk.backend.close()
    assert [event async for event in talk.backend.events()] == []


async def test_what_runs_the_turns_may_be_cancelled(talk: Talk, mind: Mind) -> None:
    """Home Assistant does so when it stops."""
    mind.deltas = [PAUSE]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    assert talk.backend._server is not None
    talk.backend._server.cancel()
    assert await talk.ended() is None
    assert mind.was_cancelled.is_set()
