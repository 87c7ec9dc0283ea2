"""Tests of the loudspeaker's buffer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import struct

from demo.satellite.speaker import Recording, Speaker, scaled

SPEED = 100
LIMIT = 5.0


class Drains:
    """Collects which turns were heard."""

    def __init__(self) -> None:
        """None so far."""
        self._queue = asyncio.Queue[str]()

    def heard(self, turn_id: str) -> None:
        """Note one."""
        self._queue.put_nowait(turn_id)

    async def next(self) -> str:
        """Wait for one."""
        async with asyncio.timeout(LIMIT):
            return await self._queue.get()


@asynccontextmanager
async def speaker(drains: Drains, sink: Recording, speed: float = SPEED) -> AsyncGenerator[Speaker]:
    """Run a speaker."""
    made = Speaker(sink, 16000, drains.heard, speed=speed)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        yield made
        task.cancel()


async def test_everything_is_played_however_it_is_cut() -> None:
    """A sample that was cut in two is whole again."""
    pcm, sink, drains = bytes(range(256)) * 20, Recording(), Drains()
    async with speaker(drains, sink) as made:
        for start in range(0, len(pcm), 333):
            made.play(pcm[start : start + 333])
        made.finish("turn-1")
        states = [made.is_playing]
        assert await drains.next() == "turn-1"
        states.append(made.is_playing)
    assert states == [True, False]
    assert bytes(sink.samples) == pcm


async def test_a_turn_without_audio_is_heard_at_once() -> None:
    """Its end still has to be told."""
    drains = Drains()
    async with speaker(drains, Recording()) as made:
        made.finish("turn-1")
        assert await drains.next() == "turn-1"


async def test_what_was_cleared_is_neither_played_nor_told() -> None:
    """Only what comes after it is."""
    sink, drains = Recording(), Drains()
    async with speaker(drains, sink) as made:
        made.play(b"\1" + bytes(64000))
        made.finish("turn-1")
        assert made.clear() == 0
        made.play(b"\2\2" * 100)
        made.finish("turn-2")
        assert await drains.next() == "turn-2"
    assert bytes(sink.samples) == b"\2\2" * 100


async def test_a_turn_that_is_cleared_while_its_last_sound_fades_is_not_told() -> None:
    """It was not heard to its end."""
    drains = Drains()

    class Clearing(Recording):
        """A sink whose speaker is cleared while it still sounds."""

        async def write(self, pcm: bytes) -> None:
            """Clear before the piece, which lasts longer, has been heard."""
            await super().write(pcm)
            asyncio.get_running_loop().call_later(0.001, interrupt)

    def interrupt() -> None:
        made.clear()
        made.finish("turn-2")

    sink = Clearing()
    async with speaker(drains, sink, speed=1) as made:
        made.play(bytes(640))
        made.finish("turn-1")
        assert await drains.next() == "turn-2"
    assert sink.samples == bytes(640)


def test_volume_scales_samples() -> None:
    """Full volume leaves them as they are."""
    pcm = struct.pack("<3h", -1000, 0, 1000)
    assert scaled(pcm, 1.0) is pcm
    assert scaled(pcm, 0.25) == struct.pack("<3h", -250, 0, 250)
    assert scaled(pcm, 0) == bytes(6)
