"""The loudspeaker: a buffer that can be emptied at once, played in real time."""

import array
import asyncio
from collections import deque
from collections.abc import Callable
import sys
from typing import Final, Protocol

PIECE: Final = 0.02
"""Seconds that are handed to the device at a time."""

LEAD: Final = 0.06
"""Seconds the device holds, so that it does not run dry. So long it still sounds after `clear`."""

WIDTH: Final = 2
"""Bytes of a sample."""


class Sink(Protocol):
    """A device that plays samples, or a file that keeps them."""

    async def write(self, pcm: bytes) -> None:
        """Play them after all that came before."""


class Recording:
    """A sink that keeps what was heard."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.samples = bytearray()

    async def write(self, pcm: bytes) -> None:
        """Keep them."""
        self.samples += pcm


class Speaker:
    """Plays what it is given. `run` is to be a task."""

    def __init__(
        self, sink: Sink, rate: int, on_drained: Callable[[str], None], *, speed: float = 1.0
    ) -> None:
        """Play so many samples a second, `speed` times as fast; tell which turns were heard."""
        self._sink = sink
        self._rate = rate
        self._on_drained = on_drained
        self._speed = speed
        self._piece = round(rate * PIECE) * WIDTH
        self._queue = deque[bytes | str]()
        """Audio, and the ids of turns whose audio ends there."""

        self._odd = b""
        self._wake = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._clears = 0
        self.volume = 1.0
        self.played = 0.0
        """Seconds since the last `clear`, or drain."""

    @property
    def is_playing(self) -> bool:
        """Whether something is to be heard, or was just now."""
        return bool(self._queue) or self.played > 0

    def play(self, pcm: bytes) -> None:
        """Queue audio; half a sample waits for its other half."""
        self._silent.clear()
        pcm = self._odd + pcm
        whole = len(pcm) - len(pcm) % WIDTH
        self._odd = pcm[whole:]
        for start in range(0, whole, self._piece):
            self._queue.append(pcm[start : min(start + self._piece, whole)])
        self._wake.set()

    def finish(self, turn_id: str) -> None:
        """Tell `on_drained` when all that was queued so far has been heard."""
        self._queue.append(turn_id)
        self._wake.set()

    def clear(self) -> float:
        """Drop what is queued, and return how many seconds of the turn were heard."""
        self._queue.clear()
        self._odd = b""
        self._clears += 1
        heard, self.played = self.played, 0.0
        self._silent.set()
        return heard

    async def wait_until_silent(self) -> None:
        """Wait until what was to be played up to its `finish` has been heard."""
        await self._silent.wait()

    async def run(self) -> None:
        """Play, until cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            item = self._queue.popleft()
            if isinstance(item, str):
                await self._drain(item, due - clock())
                continue
            seconds = len(item) / (self._rate * WIDTH)
            self.played += seconds
            due = max(due, clock()) + seconds / self._speed
            await self._sink.write(scaled(item, self.volume))
            await asyncio.sleep(due - clock() - LEAD / self._speed)

    async def _drain(self, turn_id: str, wait: float) -> None:
        """Tell that a turn was heard, when the device has played it; unless it is cleared."""
        clears = self._clears
        await asyncio.sleep(wait)
        if clears == self._clears:
            self.played = 0.0
            self._silent.set()
            self._on_drained(turn_id)


def scaled(pcm: bytes, volume: float) -> bytes:
    """Return samples at another volume, from 0 to 1."""
    if volume == 1:
        return pcm
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    samples = array.array("h", [round(sample * volume) for sample in samples])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
