"""What a backend has told and nobody has fetched yet."""

import pytest

from custom_components.openclaw_voice.realtime import event_queue
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    OutputAudio,
    OutputCleared,
    Rotated,
    Rotating,
    TurnEnded,
)
from custom_components.openclaw_voice.realtime.event_queue import EventQueue

AUDIO = OutputAudio(turn_id="turn-1", pcm=bytes(960))
CLEARED = OutputCleared(reason="barge-in")


async def test_events_come_in_order_and_then_the_end() -> None:
    """After which nothing is taken."""
    queue = EventQueue()
    queue.put(Rotating())
    queue.put(AUDIO)
    queue.end(None)
    queue.end(BackendError("gateway_lost"))
    queue.put(Rotated())

    assert [await queue.get() for _ in range(4)] == [Rotating(), AUDIO, None, None]


async def test_the_reason_comes_last() -> None:
    """And stays."""
    queue = EventQueue()
    queue.put(Rotating())
    queue.end(BackendError("gateway_lost"))

    assert await queue.get() == Rotating()
    for _ in range(2):
        with pytest.raises(BackendError) as raised:
            await queue.get()
        assert raised.value.reason == "gateway_lost"


async def test_what_nobody_is_to_hear_is_not_fetched() -> None:
    """Everything else is."""
    queue = EventQueue()
    for event in (AUDIO, TurnEnded(turn_id="turn-1"), AUDIO, CLEARED, AUDIO):
        queue.put(event)
    queue.end(None)

    assert [await queue.get() for _ in range(3)] == [TurnEnded(turn_id="turn-1"), CLEARED, AUDIO]


async def test_it_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that does not fetch is at fault."""
    monkeypatch.setattr(event_queue, "MAX_EVENTS", 2)
    queue = EventQueue()
    for _ in range(4):
        queue.put(Rotating())

    for _ in range(3):
        assert await queue.get() == Rotating()
    with pytest.raises(BackendError) as raised:
        await queue.get()
    assert raised.value.reason == "slow_consumer"
