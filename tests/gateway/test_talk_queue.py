"""What waits to be fetched is bounded, and nothing that matters is lost."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway.errors import ConnectionLostError
from custom_components.openclaw_voice.gateway.talk_items import (
    TalkAudio,
    TalkClear,
    TalkItem,
    TalkMark,
    TalkTranscript,
)
from custom_components.openclaw_voice.gateway.talk_queue import MAX_WAITING, TalkQueue


def sound(number: int = 0) -> TalkAudio:
    """Return a piece of sound."""
    return TalkAudio(pcm=bytes([number % 256, 0]))


def words(text: str, *, is_final: bool) -> TalkTranscript:
    """Return words of the answer."""
    return TalkTranscript(role="assistant", text=text, is_final=is_final)


async def fetched(queue: TalkQueue) -> list[TalkItem]:
    """Return everything until the end."""
    found: list[TalkItem] = []
    while (item := await queue.get()) is not None:
        found.append(item)
    return found


async def test_items_come_in_their_order() -> None:
    """Also to somebody who waits for the first."""
    queue = TalkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(sound(1))
    assert await waiting == sound(1)

    queue.put(TalkMark(name="a"))
    queue.put(sound(2))
    queue.end(None)
    queue.put(sound(3))

    assert await fetched(queue) == [TalkMark(name="a"), sound(2)]
    assert queue.has_ended
    assert await queue.get() is None


async def test_an_error_comes_after_what_waits() -> None:
    """The first one counts."""
    queue = TalkQueue()
    queue.put(sound(1))
    queue.end(ConnectionLostError(1006))
    queue.end(None)

    assert await queue.get() == sound(1)
    for _ in range(2):
        with pytest.raises(ConnectionLostError, match="1006"):
            await queue.get()


async def test_the_oldest_sound_is_dropped_when_nobody_fetches() -> None:
    """And words that come once more as a whole; never a mark."""
    queue = TalkQueue()
    queue.put(TalkMark(name="first"))
    queue.put(words("Hel", is_final=False))
    for number in range(MAX_WAITING):
        queue.put(sound(number))
    queue.put(words("Hello", is_final=True))
    queue.end(None)

    found = await fetched(queue)

    assert len(found) == MAX_WAITING
    assert queue.dropped == 3
    assert found[0] == TalkMark(name="first")
    assert found[1] == sound(2)
    assert found[-1] == words("Hello", is_final=True)


async def test_a_session_ends_whose_marks_nobody_fetches() -> None:
    """Nothing could be dropped."""
    queue = TalkQueue()
    for number in range(MAX_WAITING + 1):
        queue.put(TalkMark(name=str(number)))

    assert queue.has_ended
    for number in range(MAX_WAITING):
        assert await queue.get() == TalkMark(name=str(number))
    with pytest.raises(ConnectionLostError, match="1008"):
        await queue.get()


async def test_what_is_cut_off_is_not_fetched() -> None:
    """Marks stay: the gateway waits for them."""
    queue = TalkQueue()
    for item in (sound(1), TalkMark(name="a"), sound(2), TalkClear(reason="barge-in"), sound(3)):
        queue.put(item)
    queue.end(None)

    assert await fetched(queue) == [TalkMark(name="a"), TalkClear(reason="barge-in"), sound(3)]
    assert queue.dropped == 0
