"""How long sessions talk in a day, by what answers in them (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any, Final

from .backend import BackendName
from .protocol import Reason

WANTED_ENDS: Final = frozenset(
    {
        Reason.AGENT_UNREACHABLE,
        Reason.CLIENT_ENDED,
        Reason.COMPLETED,
        Reason.DISCONNECTED,
        Reason.IDLE,
        Reason.REMOVED,
        Reason.REPLACED,
        Reason.STOPPED,
        Reason.UNLOADED,
    }
)
"""Reasons to end that are no failure."""

COUNTED: Final = (BackendName.GATEWAY, BackendName.ASSIST)
"""Backends that people talk with."""

MAX_SECONDS: Final = 86_400.0 * 64
"""Of a day: nobody has more sessions at once."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A session that goes on."""

    backend: str
    since: float


class UsageMeter:
    """Adds up the seconds of a day. Times are seconds since 1970; `day` is when the day began."""

    def __init__(self) -> None:
        """Nobody has talked yet."""
        self._day = -math.inf
        self._seconds: dict[str, float] = {}
        """Of sessions that have ended, by backend."""

        self._open: dict[str, _Open] = {}

    @property
    def is_running(self) -> bool:
        """Whether somebody talks."""
        return bool(self._open)

    def open(self, session_id: str, backend: str, now: float) -> bool:
        """Count a session from now on; return whether that is news."""
        if session_id in self._open or backend not in COUNTED:
            return False
        self._open[session_id] = _Open(backend, now)
        return True

    def close(self, session_id: str, now: float, day: float) -> None:
        """Count a session no longer."""
        self._begin(day)
        if (ended := self._open.pop(session_id, None)) is not None:
            known = self._seconds.get(ended.backend, 0.0)
            self._seconds[ended.backend] = known + _since(ended, now, day)

    def seconds(self, now: float, day: float, backend: str | None = None) -> float:
        """Return the seconds of the day, of all backends or of one."""
        self._begin(day)
        names = COUNTED if backend is None else (backend,)
        going_on = sum(
            _since(each, now, day) for each in self._open.values() if each.backend in names
        )
        return going_on + sum(self._seconds.get(name, 0.0) for name in names)

    def as_data(self) -> dict[str, Any]:
        """Return what is to be kept; sessions that go on are not part of it."""
        return {"day": self._day, "seconds": dict(self._seconds)} if self._seconds else {}

    def read(self, data: Mapping[str, Any]) -> None:
        """Take what was kept; what is odd counts as nothing."""
        day, seconds = data.get("day"), data.get("seconds")
        if not isinstance(day, int | float) or not isinstance(seconds, Mapping):
            return
        self._day = day
        self._seconds = {
            name: float(value)
            for name in COUNTED
            if isinstance(value := seconds.get(name), int | float) and 0 <= value <= MAX_SECONDS
        }

    def _begin(self, day: float) -> None:
        """Forget the day before."""
        if day != self._day:
            self._day, self._seconds = day, {}


def _since(session: _Open, now: float, day: float) -> float:
    return max(0.0, now - max(session.since, day))
