"""The microphone: a device, or questions from files, as pieces of equal length in real time."""

import array
import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Protocol

PIECE: Final = 0.06
"""Seconds of a message."""

WIDTH: Final = 2
"""Bytes of a sample."""

LOUD: Final = 500
"""Of 32 767: a piece that is louder has speech in it."""


class Microphone(Protocol):
    """Something that hears."""

    @property
    def is_saying(self) -> bool:
        """Whether a question goes on; always, where nobody can know."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Return what it hears, as it hears it; ends when there is no more."""

    def next_question(self) -> bool:
        """Say the next thing, if this one can; False when there is none left."""


class Questions:
    """A microphone that hears silence, and the next question when it is told to."""

    def __init__(self, questions: list[bytes], rate: int, *, speed: float = 1.0) -> None:
        """Take questions as samples, so many a second, to be said `speed` times as fast."""
        self._waiting = deque(questions)
        self._size = round(rate * PIECE) * WIDTH
        self._speed = speed
        self._said = b""

    @property
    def is_saying(self) -> bool:
        """Whether there is more of a question."""
        return bool(self._said)

    def next_question(self) -> bool:
        """Say the next one."""
        if not self._waiting:
            return False
        self._said = self._waiting.popleft()
        return True

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return silence and speech, piece by piece, without an end."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            piece, self._said = self._said[: self._size], self._said[self._size :]
            yield piece.ljust(self._size, b"\0")
            due = max(due, clock() - PIECE) + PIECE / self._speed
            await asyncio.sleep(due - clock())


class Program:
    """A microphone that a program such as `arecord` reads."""

    def __init__(self, output: asyncio.StreamReader, rate: int) -> None:
        """Take the program's output."""
        self.is_saying = True
        self._output = output
        self._size = round(rate * PIECE) * WIDTH

    def next_question(self) -> bool:
        """People speak when they like."""
        return True

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return what it hears, until the program ends."""
        while piece := await self._output.read(self._size):
            yield piece


def is_loud(pcm: bytes) -> bool:
    """Tell whether there is speech in a piece. Only for the times that are shown."""
    samples = array.array("h", pcm[: len(pcm) - len(pcm) % WIDTH])
    return any(abs(sample) > LOUD for sample in samples)
