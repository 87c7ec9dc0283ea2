"""Which session goes on where: generations, continued sessions, and the agent of a satellite.

Kept over restarts, in one file for each entry. The keys in it are those the gateway has, too; no
names and nothing that was said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import logging
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, instance_id
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .session_key import MAX_LENGTH, SessionKind, SessionScope, aside_of, is_ours, session_key

MAX_SCOPES: Final = 200
"""So many scopes of each kind are remembered, once one was started afresh or continued."""

MAX_SATELLITES: Final = 200
SAVE_DELAY: Final = 1.0
"""Seconds until a change is written."""

STORAGE_VERSION: Final = 1
_STORAGE_KEY: Final = "openclaw_voice.memory.{}"

_UNREADABLE: Final = (
    HomeAssistantError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)
_KINDS: Final = "|".join(SessionKind)
_OUR_KEY: Final = re.compile(rf"agent:[a-z0-9_-]+:homeassistant:[0-9a-f]+:({_KINDS}):[a-z0-9:._-]+")

_LOGGER: Final = logging.getLogger(__name__)


class SessionRefusedError(Exception):
    """A session cannot be continued."""


class NotOurSessionError(SessionRefusedError):
    """It does not belong to this Home Assistant."""


class OtherAgentsSessionError(SessionRefusedError):
    """It is a session with another agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """What is remembered of a scope with an agent."""

    generation: int
    continued: str | None = None
    """Key of the session that goes on here instead of its own."""


class Memory:
    """What one entry remembers about sessions and satellites.

    A scope never returns to a session that was ended with `new_conversation`: what is forgotten of
    the scopes used longest ago is remembered as a floor, the least generation of all scopes of the
    kind that are not known. When the floor rises, those begin afresh.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Call `async_load` before anything else."""
        self._hass = hass
        self._store = _store(hass, entry_id)
        self._instance_id: str
        self._sessions: dict[SessionKind, dict[str, _Session]] = {kind: {} for kind in SessionKind}
        """By the key of generation 0; the one used last comes last."""

        self._floors = dict.fromkeys(SessionKind, 0)
        self._agents: dict[str, str] = {}
        """Subentry ids by satellite; the one chosen last comes last."""

        self._listeners: list[Callable[[], None]] = []
        self._is_changed = False
        self._is_stopped = False

    async def async_load(self) -> None:
        """Read what was stored. What cannot be read is given up."""
        self._instance_id = await instance_id.async_get(self._hass)
        has_file = await self._hass.async_add_executor_job(Path(self._store.path).exists)
        try:
            if (stored := await self._store.async_load()) is not None:
                self._read(stored)
            elif has_file:
                # Home Assistant has put the file aside.
                raise ValueError("not JSON")
        except _UNREADABLE as err:
            _LOGGER.warning("Sessions begin afresh, memory is unreadable: %s", type(err).__name__)
            # Seconds since 1970 are more than any generation that may have been used.
            self._floors = dict.fromkeys(SessionKind, int(dt_util.utcnow().timestamp()))
            self._changed()

    async def async_stop(self) -> None:
        """Write what is not written yet. Nothing is written afterwards. Idempotent."""
        self._is_stopped = True
        if self._is_changed:
            self._is_changed = False
            await self._store.async_save(self._as_data())

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry_id: str) -> None:
        """Delete what is stored for an entry that is removed."""
        await _store(hass, entry_id).async_remove()

    @callback
    def key_of(self, agent_id: str, scope: SessionScope) -> str:
        """Return the key of the session that a scope has now with an agent.

        The generation is ours to say, the one in `scope` counts nothing. With `is_aside` it is the
        key of the side session.
        """
        base = self._base(agent_id, scope)
        sessions = self._sessions[scope.kind]
        if (session := sessions.pop(base, None)) is None:
            return self._own_key(agent_id, scope, self._floors[scope.kind])
        sessions[base] = session
        self._is_changed = True
        if session.continued is None:
            return self._own_key(agent_id, scope, session.generation)
        if scope.is_aside:
            return aside_of(session.continued, self._instance_id)
        return session.continued

    @callback
    def new_conversation(self, agent_id: str, scope: SessionScope) -> tuple[str, str]:
        """Start afresh; return the old key and the new one."""
        scope = replace(scope, is_aside=False)
        old = self.key_of(agent_id, scope)
        session = _Session(generation=self._session(agent_id, scope).generation + 1)
        self._remember(agent_id, scope, session)
        return old, self.key_of(agent_id, scope)

    @callback
    def continue_session(self, agent_id: str, scope: SessionScope, key: str) -> None:
        """Let a scope go on with a session there is, until it starts afresh.

        Raises:
            NotOurSessionError, OtherAgentsSessionError: It cannot be continued here.
        """
        key = key.strip().lower()
        if len(key) > MAX_LENGTH or not (
            _OUR_KEY.fullmatch(key) and is_ours(key, self._instance_id)
        ):
            raise NotOurSessionError
        if key.split(":")[1] != agent_id.lower():
            raise OtherAgentsSessionError
        scope = replace(scope, is_aside=False)
        session = self._session(agent_id, scope)
        is_own = key == self._own_key(agent_id, scope, session.generation)
        self._remember(agent_id, scope, replace(session, continued=None if is_own else key))

    @callback
    def agent_for(self, satellite_id: str) -> str | None:
        """Return the subentry id of the agent chosen for a satellite (an entity id).

        The agent may have been removed since.
        """
        known = self._agents.get(self._lasting_id(satellite_id))
        return known or self._agents.get(satellite_id)

    @callback
    def choose_agent(self, satellite_id: str, subentry_id: str | None) -> None:
        """Let an agent answer at a satellite (an entity id); None: whichever its pipeline names."""
        if subentry_id == self.agent_for(satellite_id):
            return
        lasting_id = self._lasting_id(satellite_id)
        self._agents.pop(satellite_id, None)
        self._agents.pop(lasting_id, None)
        if subentry_id is not None:
            self._agents[lasting_id] = subentry_id
        while len(self._agents) > MAX_SATELLITES:
            del self._agents[next(iter(self._agents))]
        self._changed()

    @callback
    def subscribe(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call `listener` after every change; return what ends that."""
        self._listeners.append(listener)

        @callback
        def unsubscribe() -> None:
            self._listeners.remove(listener)

        return unsubscribe

    @callback
    def counts(self) -> dict[str, Any]:
        """Return how much is remembered, and nothing of it."""
        return {
            "sessions": {kind.value: len(known) for kind, known in self._sessions.items()},
            "continued": sum(
                session.continued is not None
                for known in self._sessions.values()
                for session in known.values()
            ),
            "floors": {kind.value: floor for kind, floor in self._floors.items() if floor},
            "satellites": len(self._agents),
        }

    def _base(self, agent_id: str, scope: SessionScope) -> str:
        return self._own_key(agent_id, replace(scope, is_aside=False), 0)

    def _own_key(self, agent_id: str, scope: SessionScope, generation: int) -> str:
        return session_key(agent_id, self._instance_id, replace(scope, generation=generation))

    def _session(self, agent_id: str, scope: SessionScope) -> _Session:
        known = self._sessions[scope.kind].get(self._base(agent_id, scope))
        return known or _Session(generation=self._floors[scope.kind])

    def _remember(self, agent_id: str, scope: SessionScope, session: _Session) -> None:
        sessions = self._sessions[scope.kind]
        base = self._base(agent_id, scope)
        sessions.pop(base, None)
        sessions[base] = session
        while len(sessions) > MAX_SCOPES:
            oldest = sessions.pop(next(iter(sessions)))
            # Its own session may have been left for the continued one: it must not come back.
            least = oldest.generation + (oldest.continued is not None)
            self._floors[scope.kind] = max(self._floors[scope.kind], least)
        self._changed()

    def _lasting_id(self, satellite_id: str) -> str:
        """Return the id that a satellite keeps when it is renamed, if it has one."""
        entry = er.async_get(self._hass).async_get(satellite_id)
        return satellite_id if entry is None else entry.id

    def _changed(self) -> None:
        self._is_changed = True
        if not self._is_stopped:
            self._store.async_delay_save(self._as_data, SAVE_DELAY)
        for listener in tuple(self._listeners):
            listener()

    def _as_data(self) -> dict[str, Any]:
        return {
            "floors": dict(self._floors),
            "sessions": {
                kind: [[base, session.generation, session.continued] for base, session in rows]
                for kind, sessions in self._sessions.items()
                if (rows := sessions.items())
            },
            "agents": [list(pair) for pair in self._agents.items()],
        }

    def _read(self, data: Mapping[str, Any]) -> None:
        """Take over what `_as_data` made; nothing of it when a part is odd."""
        floors = {SessionKind(kind): _number(floor) for kind, floor in data["floors"].items()}
        sessions = {
            SessionKind(kind): dict(map(_session, rows[-MAX_SCOPES:]))
            for kind, rows in data["sessions"].items()
        }
        agents = {_text(satellite): _text(agent) for satellite, agent in data["agents"]}
        self._floors |= floors
        self._sessions |= sessions
        self._agents = agents


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store[dict[str, Any]](
        hass, STORAGE_VERSION, _STORAGE_KEY.format(entry_id), private=True, atomic_writes=True
    )


def _session(row: Sequence[object]) -> tuple[str, _Session]:
    base, generation, continued = row
    continued = None if continued is None else _text(continued)
    return _text(base), _Session(generation=_number(generation), continued=continued)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not a generation")
    return value
