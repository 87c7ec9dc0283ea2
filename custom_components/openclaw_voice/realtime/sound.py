"""Sound on its way to the gateway, and what is heard of its answers.

Linear PCM: signed 16 bits, little endian, mono, `TALK_RATE` samples a second.
"""

import asyncio
from collections.abc import Callable
import contextlib
from typing import Final

from ..gateway.talk_items import TALK_RATE

PIECE: Final = 0.06
"""Seconds of sound sent at a time. Source: measured; 40 to 100 ms are all fine."""

LEAST: Final = 0.05
"""Seconds that are sent when no more is there: less than a satellite's 60 ms, of which resampling holds
some back. Waiting for a whole piece would keep everything for one message more."""

MAX_KEPT: Final = 2.0
"""Seconds of sound kept while there is no session on the gateway; the oldest is dropped."""

PLAYED_GRACE: Final = 1.5
"""Seconds after which an answer counts as heard when the satellite does not say so."""

_BYTES_PER_SECOND: Final = 2 * TALK_RATE
_PIECE_BYTES: Final = round(PIECE * TALK_RATE) * 2
_LEAST_BYTES: Final = round(LEAST * TALK_RATE) * 2
_KEPT_BYTES: Final = round(MAX_KEPT * TALK_RATE) * 2

type Clock = Callable[[], float]
type Send = Callable[[bytes, float], None]
"""Takes sound, and when its first sample was heard."""


class Microphone:
    """Cuts sound into pieces and stamps them with a clock that only runs."""

    def __init__(self, clock: Clock) -> None:
        """`clock` returns seconds."""
        self.dropped = 0.0
        """Seconds of sound nobody got."""

        self._clock = clock
        self._start = clock()
        self._end = 0.0
        self._last = clock()
        self._sound = bytearray()
        self._send: Send | None = None

    def connect(self, send: Send | None) -> None:
        """Send to somebody else from now on; None: keep what comes."""
        self._send = send
        if send is not None:
            self._start, self._end = self._clock(), 0.0
            self._flush(send)

    def append(self, pcm: bytes) -> None:
        """Take what is heard, in pieces of any size."""
        self._last = self._clock()
        self._sound += pcm
        if self._send is not None:
            self._flush(self._send)
        elif (surplus := len(self._sound) - _KEPT_BYTES) > 0:
            surplus += surplus % 2
            del self._sound[:surplus]
            self.dropped += surplus / _BYTES_PER_SECOND

    def end_utterance(self, seconds: float) -> None:
        """Follow what was said with so much silence."""
        self._sound += bytes(len(self._sound) % 2)
        self.append(bytes(round(seconds * TALK_RATE) * 2))

    async def fill(self, speaker: Loudspeaker) -> None:
        """Send silence while an answer is heard and the microphone is still, until cancelled.

        The gateway measures by what it is sent how much of an answer has been heard.
        """
        while True:
            await speaker.wait_playing()
            await asyncio.sleep(PIECE)
            is_still = self._clock() - self._last >= 2 * PIECE
            if is_still and speaker.is_playing and self._send is not None:
                self._sound += bytes(_PIECE_BYTES)
                self._flush(self._send)

    def _flush(self, send: Send) -> None:
        while (there := len(self._sound)) >= _LEAST_BYTES:
            size = _PIECE_BYTES if there >= _PIECE_BYTES + _LEAST_BYTES else there - there % 2
            piece = bytes(self._sound[:size])
            del self._sound[:size]
            seconds = size / _BYTES_PER_SECOND
            # What comes in a burst was not heard at once.
            at = max(self._end, self._clock() - self._start - seconds)
            self._end = at + seconds
            send(piece, at)


class Loudspeaker:
    """Knows whether an answer is being heard, also when nobody says so."""

    def __init__(self, clock: Clock) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._until = 0.0
        self._is_silent = asyncio.Event()
        self._is_silent.set()
        self._speaks = asyncio.Event()
        self._marks: dict[str, None] = {}

    @property
    def is_playing(self) -> bool:
        """Whether something was handed out that was not heard yet."""
        return not self._is_silent.is_set() and self._left > 0

    def play(self, pcm: bytes, mark: str | None) -> None:
        """Hand out sound, or the mark that follows some."""
        if mark is not None:
            self._marks[mark] = None
        if pcm:
            self._until = max(self._clock(), self._until) + len(pcm) / _BYTES_PER_SECOND
            self._is_silent.clear()
            self._speaks.set()

    def heard(self, mark: str) -> bool:
        """Note that the sound before a mark was heard; return whether that was not known."""
        return self._marks.pop(mark, self) is None

    def drain(self) -> tuple[str, ...]:
        """Note that everything was heard; return the marks of which that was not known."""
        marks = tuple(self._marks)
        self.clear()
        return marks

    def clear(self) -> None:
        """Note that nothing more will be heard."""
        self._marks.clear()
        self._until = 0.0
        self._is_silent.set()
        self._speaks.clear()

    async def wait_silent(self) -> None:
        """Wait until everything has been heard, or must have been."""
        while self.is_playing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._left):
                    await self._is_silent.wait()

    async def wait_playing(self) -> None:
        """Wait until there is something to hear."""
        await self._speaks.wait()

    @property
    def _left(self) -> float:
        return self._until + PLAYED_GRACE - self._clock()
