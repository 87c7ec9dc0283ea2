"""What somebody answers when Home Assistant itself has asked: one utterance, and no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from .audio import Resampler
from .backend import TurnDetection, TurnMode
from .end_of_speech import FORMAT, Detector, EndOfSpeech, SpeechKind

SILENCE: Final = 0.5
"""Seconds after which somebody has ended."""

PREROLL: Final = 0.3
"""Seconds before somebody began to speak that belong to it: beginnings are soft."""

KEPT: Final = 2.0
"""Seconds of what was heard that are kept: one is sure of a beginning only later."""

STILL: Final = 5.0
"""Seconds without any audio after which nobody speaks any more."""


class AnswerListener:
    """Listens once, from the moment it is made. It ends by itself, whether it is read or not."""

    def __init__(
        self,
        rate: int,
        detector: Callable[[], Detector],
        detection: TurnDetection,
        *,
        start_limit: float,
        limit: float,
        on_end: Callable[[], None],
    ) -> None:
        """Wait `start_limit` seconds for a beginning, then take `limit` seconds at most.

        `rate` is that of what is heard; `on_end` is called once.
        """
        self._loop = asyncio.get_running_loop()
        self._resampler = Resampler(rate, FORMAT.rate)
        self._speech = EndOfSpeech(
            detector,
            silence=SILENCE if detection.silence is None else detection.silence,
            threshold=0.5 if detection.threshold is None else detection.threshold,
            limit=limit,
            is_manual=detection.mode is TurnMode.MANUAL,
        )
        self._limit = limit
        self._on_end = on_end
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._before = b""
        self._position = 0.0
        self._has_begun = False
        self._is_over = False
        self._last = self._loop.time()
        self._ends = self._last + start_limit
        self._timer = self._loop.call_at(self._ends, self._look)

    async def utterance(self) -> AsyncIterator[bytes]:
        """Return what is said, as it comes; nothing when nobody speaks."""
        while (pcm := await self._pieces.get()) is not None:
            yield pcm

    def hear(self, pcm: bytes) -> None:
        """Take audio, cut anywhere."""
        heard = self._resampler.process(pcm)
        self._last = self._loop.time()
        self._position += FORMAT.seconds(heard)
        self._before = (self._before + heard)[-max(FORMAT.size(KEPT), len(heard)) :]
        if self._has_begun:
            self._pieces.put_nowait(heard)
        for event in self._speech.feed(heard):
            if event.kind is SpeechKind.ENDED:
                self.end()
                return
            since = self._position - event.position + PREROLL
            self._begin(self._before[-FORMAT.size(since) :])

    def end(self) -> None:
        """Whoever speaks has ended, or nobody is there any more. Idempotent."""
        if self._is_over:
            return
        self._is_over = True
        self._timer.cancel()
        self._pieces.put_nowait(None)
        self._on_end()

    def _begin(self, pcm: bytes) -> None:
        self._has_begun = True
        self._pieces.put_nowait(pcm)
        self._ends = self._last + self._limit + STILL
        self._timer.cancel()
        self._timer = self._loop.call_at(self._last + STILL, self._look)

    def _look(self) -> None:
        """End when time is up, or when the microphone has fallen still."""
        ends = min(self._ends, self._last + STILL) if self._has_begun else self._ends
        if self._loop.time() >= ends:
            self.end()
        else:
            self._timer = self._loop.call_at(ends, self._look)
