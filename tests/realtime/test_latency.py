"""How long people waited."""

import pytest

from custom_components.openclaw_voice.realtime.latency import (
    Latency,
    LatencyClock,
    LatencySummary,
)
from custom_components.openclaw_voice.realtime.summary import SessionSummary


def test_a_turn_is_measured_once() -> None:
    """From the end of what was said to the first word and the first sound."""
    clock = LatencyClock(0.5)
    clock.said(10)
    clock.text(10.25)
    clock.text(11)
    assert not clock.is_heard
    clock.audio(10.5)
    clock.audio(12)
    assert clock.is_heard
    expected = Latency(endpoint=0.5, first_output=0.25, first_text=0.25, first_audio=0.5)
    assert clock.take() == expected
    assert clock.take() is None
    assert LatencySummary.of(clock) == LatencySummary(last=expected, mean_first_audio=0.5)


def test_only_answered_turns_count() -> None:
    """An interrupted turn, or one that has not begun, tells nothing."""
    clock = LatencyClock()
    clock.text(1)
    clock.audio(1)
    assert clock.take() is None
    clock.said(2)
    assert clock.take() is None
    clock.audio(3)
    clock.drop()
    assert clock.take() is None
    assert clock.last is None
    assert clock.mean_first_audio is None
    clock.said(4)
    clock.text(5)
    taken = clock.take()
    assert taken is not None
    assert taken.first_output == taken.first_text == 1
    assert clock.mean_first_audio is None


@pytest.mark.parametrize("first_audio", [None, 0.51234])
def test_a_session_is_told_in_numbers(first_audio: float | None) -> None:
    """What the event of a session's end holds."""
    summary = SessionSummary(
        session_id="s",
        reason="idle",
        seconds=61.23456,
        turns=2,
        backend="assist",
        tokens={"total": 7},
        latency=LatencySummary(last=Latency(first_audio=first_audio), mean_first_audio=first_audio),
        dropped=0.1,
    )
    rounded = None if first_audio is None else 0.512
    assert summary.as_data() == {
        "session_id": "s",
        "reason": "idle",
        "backend": "assist",
        "seconds": 61.235,
        "turns": 2,
        "tokens": {"total": 7},
        "first_audio": rounded,
        "mean_first_audio": rounded,
        "dropped": 0.1,
    }
