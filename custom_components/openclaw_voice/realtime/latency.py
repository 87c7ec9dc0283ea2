"""How long people waited for an answer in a realtime session (pure)."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds from the end of what was said, as far as they are known."""

    endpoint: float | None = None
    """That it took to be sure of the end; the others begin after it."""

    first_output: float | None = None
    first_text: float | None = None
    first_audio: float | None = None


class LatencyClock:
    """Measures one turn after the other; the time is passed in."""

    def __init__(self, endpoint: float | None = None) -> None:
        """Know how much silence ends an utterance."""
        self.endpoint = endpoint
        """Seconds of that."""

        self._start: float | None = None
        self._text: float | None = None
        self._audio: float | None = None
        self._count = 0
        self._total = 0.0
        self.last: Latency | None = None
        """Of the last turn that was answered."""

    @property
    def mean_first_audio(self) -> float | None:
        """Seconds to the first audio, on average of the turns that were taken."""
        return self._total / self._count if self._count else None

    @property
    def is_heard(self) -> bool:
        """Whether audio of the answer has gone out in this turn."""
        return self._start is not None and self._audio is not None

    def said(self, now: float) -> None:
        """Somebody has stopped speaking."""
        self._start, self._text, self._audio = now, None, None

    def text(self, now: float) -> None:
        """There are words of the answer."""
        if self._start is not None and self._text is None:
            self._text = now - self._start

    def audio(self, now: float) -> None:
        """Audio of the answer goes out."""
        if self._start is not None and self._audio is None:
            self._audio = now - self._start

    def drop(self) -> None:
        """The turn was interrupted: it does not count."""
        self._start = None

    def take(self) -> Latency | None:
        """Return what was measured of a turn, once; None when there is nothing to tell."""
        known = [each for each in (self._text, self._audio) if each is not None]
        if self._start is None or not known:
            return None
        self._start = None
        if self._audio is not None:
            self._count += 1
            self._total += self._audio
        self.last = Latency(
            endpoint=self.endpoint,
            first_output=min(known),
            first_text=self._text,
            first_audio=self._audio,
        )
        return self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The same of a whole session."""

    last: Latency | None = None
    mean_first_audio: float | None = None

    @classmethod
    def of(cls, clock: LatencyClock) -> Self:
        """Return what a clock has measured."""
        return cls(last=clock.last, mean_first_audio=clock.mean_first_audio)
