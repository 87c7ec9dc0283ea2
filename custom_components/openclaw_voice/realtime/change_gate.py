"""Lets changes of a session through: real ones, and never too many of them.

Each becomes states of entities, which end up in a database. The last one is always told.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from .backend import BackendInfo
from .client_events import SatelliteState
from .session_state import SessionState

CONTROLS_PAUSE: Final = 1.0
"""Seconds between two changes of the controls of a satellite."""

MAX_STATES: Final = 20
STATES_TIME: Final = 10.0
"""So many states of a session are told in so many seconds: no conversation has more."""


class Changing(Protocol):
    """What of a session counts as a change."""

    @property
    def state(self) -> SessionState:
        """What it does now."""

    @property
    def backend_info(self) -> BackendInfo | None:
        """What answers, once it has begun."""

    @property
    def satellite_state(self) -> SatelliteState:
        """The controls of the satellite."""


class ChangeGate[S: Changing]:
    """See the module; for one session."""

    def __init__(self, tell: Callable[[S], object], clock: Callable[[], float]) -> None:
        """Nothing was told yet."""
        self._tell = tell
        self._clock = clock
        self._state: tuple[SessionState, BackendInfo | None] | None = None
        self._controls = SatelliteState()
        self._controls_at = -CONTROLS_PAUSE
        self._states_at: deque[float] = deque(maxlen=MAX_STATES)
        self._timer: asyncio.TimerHandle | None = None

    def look(self, session: S) -> None:
        """Tell how a session is now, if that is news, at once or a little later."""
        state, now = (session.state, session.backend_info), self._clock()
        is_state = state != self._state
        if not is_state and session.satellite_state == self._controls:
            return
        wait = self._state_wait(now) if is_state else self._controls_at + CONTROLS_PAUSE - now
        if wait > 0:
            self._look_later(session, wait)
            return
        self.close()
        if is_state:
            self._states_at.append(now)
        if session.satellite_state != self._controls:
            self._controls_at = now
        self._state, self._controls = state, session.satellite_state
        self._tell(session)

    def close(self) -> None:
        """Tell nothing later. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _state_wait(self, now: float) -> float:
        if len(self._states_at) < MAX_STATES:
            return 0.0
        return self._states_at[0] + STATES_TIME - now

    def _look_later(self, session: S, wait: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._look_now, session)

    def _look_now(self, session: S) -> None:
        self._timer = None
        self.look(session)
