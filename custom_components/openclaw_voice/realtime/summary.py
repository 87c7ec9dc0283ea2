"""What is told of a realtime session that has ended (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .latency import LatencySummary


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """A session, in numbers; nothing that was said."""

    session_id: str
    reason: str
    seconds: float
    turns: int
    """Of the user."""

    backend: str | None = None
    """None when it never started."""

    tokens: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    latency: LatencySummary = field(default_factory=LatencySummary)
    dropped: float = 0.0
    """Seconds of audio that nobody heard because there was too much of it."""

    def as_data(self) -> dict[str, Any]:
        """Return it as the data of an event: seconds rounded to milliseconds."""
        last = self.latency.last
        return {
            "session_id": self.session_id,
            "reason": self.reason,
            "backend": self.backend,
            "seconds": round(self.seconds, 3),
            "turns": self.turns,
            "tokens": dict(self.tokens),
            "first_audio": _rounded(last.first_audio if last else None),
            "mean_first_audio": _rounded(self.latency.mean_first_audio),
            "dropped": round(self.dropped, 3),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
