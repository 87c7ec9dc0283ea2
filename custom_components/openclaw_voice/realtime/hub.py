"""The live realtime sessions of this Home Assistant: how many, whose, and their common end."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from ..assist.run_limit import RunLimit
from ..gateway.callbacks import Listeners
from .protocol import MAX_SESSIONS, MAX_STANDBY
from .session_state import SessionState
from .summary import SessionSummary

MAX_SOCKETS: Final = 64
"""That are open, also before they have said who they are."""

MAX_STRANGERS: Final = 16
"""Of them, so that nobody can shut out those who are known."""

MAX_CLIENTS: Final = 256
"""Whose texts and sessions are counted."""

CLOSE_LIMIT: Final = 10.0
"""Seconds all sessions together may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """Whose session it is."""

    session_id: str
    entry_id: str
    """Of the gateway's config entry."""

    agent_id: str
    """Empty in standby, as its name: there nobody answers."""

    agent_name: str
    satellite_id: str | None = None
    """As the satellite names itself; None when it does not."""

    device_id: str | None = None
    user_id: str | None = None
    details: Mapping[str, Any] | None = None
    """What the satellite says that it offers."""


class Live(Protocol):
    """A session, as the hub and entities see it."""

    @property
    def info(self) -> SessionInfo:
        """Whose it is."""

    @property
    def state(self) -> SessionState:
        """What it does now."""

    @property
    def is_standby(self) -> bool:
        """Whether the satellite only waits for its wake word: that is no conversation."""

    def end(self, reason: str) -> None:
        """End it soon. Idempotent."""


class HubEventKind(StrEnum):
    """What happens to a session."""

    STARTED = "started"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubEvent[S: Live]:
    """Something that happened to a session."""

    kind: HubEventKind
    session: S
    summary: SessionSummary | None = None
    """Of one that has ended."""


class TooManyError(Exception):
    """There are as many sessions, or sockets, as there may be."""


class _ClientLimits:
    """How often each client may do something within a minute; those of the last clients."""

    def __init__(self) -> None:
        """Nobody has done it."""
        self._limits: OrderedDict[str, RunLimit] = OrderedDict()

    def take(self, client: str, now: float) -> float:
        """Count it; return 0, or the seconds until the client may do it."""
        limit = self._limits.pop(client, None) or RunLimit()
        self._limits[client] = limit
        if len(self._limits) > MAX_CLIENTS:
            self._limits.popitem(last=False)
        return limit.take(now)


class Hub[S: Live]:
    """Knows all sessions; one for each satellite, and never too many."""

    def __init__(self, *, replaced: str) -> None:
        """No session yet; `replaced` is the reason that an older one of a satellite is told."""
        self._replaced = replaced
        self._sessions: dict[str, S] = {}
        self._listeners = Listeners[[HubEvent[S]]]()
        self._texts = _ClientLimits()
        self._starts = _ClientLimits()
        self._sockets = 0
        self._strangers = 0
        self.total = 0
        """How many conversations there were since Home Assistant has started."""

    @property
    def sessions(self) -> tuple[S, ...]:
        """Those that go on, the oldest first, also those in standby."""
        return tuple(self._sessions.values())

    @property
    def conversations(self) -> tuple[S, ...]:
        """Those that go on and are no standby."""
        return tuple(each for each in self.sessions if not each.is_standby)

    def session_of(self, satellite_id: str) -> S | None:
        """Return the session of a satellite, the newest if an older one still ends."""
        found = [each for each in self.sessions if each.info.satellite_id == satellite_id]
        return found[-1] if found else None

    def subscribe(self, listener: Callable[[HubEvent[S]], object]) -> Callable[[], None]:
        """Tell `listener` what happens to sessions; return what ends that."""
        return self._listeners.add(listener)

    def open_socket(self, *, is_stranger: bool = False) -> None:
        """Count a socket; a stranger has not said yet who they are.

        Raises:
            TooManyError: There are too many, or too many strangers.
        """
        if self._sockets >= MAX_SOCKETS or (is_stranger and self._strangers >= MAX_STRANGERS):
            raise TooManyError
        self._sockets += 1
        self._strangers += is_stranger

    def meet(self) -> None:
        """Count somebody as a stranger no longer."""
        self._strangers -= 1

    def close_socket(self, *, is_stranger: bool = False) -> None:
        """Count a socket no longer."""
        self._sockets -= 1
        self._strangers -= is_stranger

    def add(self, session: S) -> None:
        """Take a session in; an older one of the same satellite ends.

        Raises:
            TooManyError: There are too many, also without that one.
        """
        satellite_id = session.info.satellite_id
        older = self.session_of(satellite_id) if satellite_id else None
        alike = [
            each
            for each in self.sessions
            if each is not older and each.is_standby == session.is_standby
        ]
        if len(alike) >= (MAX_STANDBY if session.is_standby else MAX_SESSIONS):
            raise TooManyError
        if older is not None:
            older.end(self._replaced)
        self._sessions[session.info.session_id] = session
        self.total += not session.is_standby
        self._listeners.tell(HubEvent(kind=HubEventKind.STARTED, session=session))

    def changed(self, session: S) -> None:
        """Tell that a session that was taken in has another state."""
        if session.info.session_id in self._sessions:
            self._listeners.tell(HubEvent(kind=HubEventKind.CHANGED, session=session))

    def remove(self, session: S, summary: SessionSummary) -> None:
        """Let a session go that has ended."""
        if self._sessions.pop(session.info.session_id, None) is None:
            return
        event = HubEvent(kind=HubEventKind.ENDED, session=session, summary=summary)
        self._listeners.tell(event)

    def take_text(self, client: str, now: float) -> float:
        """Count a text that a client sends; return 0, or the seconds until it may send one."""
        return self._texts.take(client, now)

    def take_start(self, client: str, now: float) -> float:
        """Count a session that a client begins; return 0, or the seconds until it may begin one."""
        return self._starts.take(client, now)

    async def close(self, reason: str, *, entry_id: str | None = None) -> None:
        """End all sessions, or those of one config entry, and wait for it within `CLOSE_LIMIT`."""
        ending = [each for each in self.sessions if entry_id in (None, each.info.entry_id)]
        gone = asyncio.Event()

        def look() -> None:
            if not any(each.info.session_id in self._sessions for each in ending):
                gone.set()

        unsubscribe = self.subscribe(lambda _: look())
        try:
            for session in ending:
                session.end(reason)
            look()
            async with asyncio.timeout(CLOSE_LIMIT):
                await gone.wait()
        except TimeoutError:
            return
        finally:
            unsubscribe()
