"""How often an agent may be asked by automations (pure)."""

from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

MAX_RUNS: Final = 30
WINDOW: Final = 60.0
"""Seconds within which `MAX_RUNS` are allowed."""


class RunLimit:
    """Counts the runs of one agent in a sliding window."""

    def __init__(self, runs: int = MAX_RUNS, window: float = WINDOW) -> None:
        """Allow `runs` within any `window` seconds."""
        self._window = window
        self._times: deque[float] = deque(maxlen=runs)
        """When the last runs were started, the oldest first."""

    def take(self, now: float) -> float:
        """Count a run, and return 0; when there were too many, the seconds until one is allowed."""
        if len(self._times) == self._times.maxlen:
            wait = self._times[0] + self._window - now
            if wait > 0:
                return wait
        self._times.append(now)
        return 0.0


_LIMITS: Final[WeakKeyDictionary[object, RunLimit]] = WeakKeyDictionary()


def take_run(agent: object, now: float) -> float:
    """Count a run that a program asks an agent for: an automation, or another agent.

    Returns 0; when there were too many, the seconds until one is allowed.
    """
    return _LIMITS.setdefault(agent, RunLimit()).take(now)
