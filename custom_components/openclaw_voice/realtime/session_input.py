"""What a satellite hears, on its way to the backend: kept until it is ready, then resampled."""

from collections.abc import Callable
from typing import Final

from .audio import AudioFormat, Resampler

KEPT: Final = 2.0
"""Seconds that are kept while the backend starts: the beginning of what is said."""


class SessionInput:
    """The microphone of one session."""

    def __init__(self, rate: int) -> None:
        """Take so many samples a second."""
        self._format = AudioFormat(rate)
        self._kept = bytearray()
        self._resampler = Resampler(rate, rate)
        self._append: Callable[[bytes], None] | None = None
        self.dropped = 0.0
        """Seconds that came before anybody could listen, and were too many."""

    def open(self, rate: int, append: Callable[[bytes], None]) -> None:
        """Hand out what was kept, and all that comes, at so many samples a second."""
        self._resampler = Resampler(self._format.rate, rate)
        self._append = append
        kept, self._kept = bytes(self._kept), bytearray()
        self.hear(kept)

    def hear(self, pcm: bytes) -> None:
        """Take audio, cut anywhere."""
        if self._append is not None:
            if out := self._resampler.process(pcm):
                self._append(out)
            return
        self._kept += pcm
        # Whole samples go, or all that follows would be noise.
        surplus = len(self._kept) - self._format.size(KEPT)
        if surplus > 0:
            surplus += surplus % 2
            self.dropped += self._format.seconds(bytes(self._kept[:surplus]))
            del self._kept[:surplus]
