"""How the gateway and its machine are, and whether there is a newer one: frozen models (pure).

Facts: gateway protocol 4, `health`, `presence`, `system.info`, `update.available`, 2026.9.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from .frames import JsonObject, as_list, as_number, as_object, as_text, moment
from .redact import redact

MAX_VERSION: Final = 60
"""Characters of a version or a channel; a longer one is cut."""

_AWAY: Final = "disconnect"
_ITSELF: Final = "gateway"


class Problem(StrEnum):
    """What is wrong with a gateway that answers."""

    GATEWAY = "gateway"
    """It says so itself, without a reason."""

    BUSY = "busy"
    """It cannot keep up with what it has to do."""

    PLUGINS = "plugins"
    """Some could not be loaded."""

    MODELS = "models"
    """Those that run its models do not work as they should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the gateway is."""

    problems: tuple[Problem, ...] = ()
    """What is wrong with it; being busy comes and goes."""

    sessions: int | None = None
    """Conversations it keeps, of all its agents."""

    last_used: Mapping[str, datetime] = field(default=MappingProxyType({}))
    """By agent: when a session of it was last used or changed (UTC)."""

    @property
    def is_ok(self) -> bool:
        """Whether all is well; a gateway that has a lot to do is."""
        return not set(self.problems) - {Problem.BUSY}

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self | None:
        """Read the event or the answer `health`; None when it tells nothing, as while starting."""
        if not isinstance(payload.get("ok"), bool):
            return None
        agents = [as_object(agent) for agent in as_list(payload.get("agents"))]
        return cls(
            problems=tuple(_problems(payload)),
            sessions=_sessions(agents, as_object(payload.get("sessions"))),
            last_used={
                agent_id: used
                for agent in agents
                if (agent_id := as_text(agent.get("agentId"))) and (used := _last_used(agent))
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemInfo:
    """What the process of the gateway takes of its machine."""

    memory: int | None = None
    """Bytes of memory the process has."""

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read the answer of `system.info`."""
        memory = as_number(as_object(payload.get("processMemory")).get("rssBytes"))
        return cls(memory=None if memory is None else int(memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateInfo:
    """A newer gateway than the one that runs."""

    installed: str
    latest: str
    channel: str | None = None

    @classmethod
    def from_payload(cls, payload: object) -> Self | None:
        """Read `updateAvailable` of the hello or the event; None when there is no update."""
        update = as_object(payload)
        latest = version_text(update.get("latestVersion"))
        installed = version_text(update.get("currentVersion"))
        if latest is None or installed is None or latest == installed:
            return None
        return cls(installed=installed, latest=latest, channel=version_text(update.get("channel")))


def connected_clients(presence: object) -> int | None:
    """Return how many clients are connected, ourselves too, from the list `presence`."""
    if not isinstance(presence, list):
        return None
    rows = [as_object(row) for row in presence]
    return sum(
        as_text(row.get("reason")) != _AWAY and as_text(row.get("mode")) != _ITSELF for row in rows
    )


def version_text(value: object) -> str | None:
    """Return a version or a channel as it may be shown, None when there is none."""
    return redact(as_text(value) or "")[:MAX_VERSION] or None


def _problems(payload: JsonObject) -> list[Problem]:
    problems = {
        Problem.GATEWAY: payload.get("ok") is False,
        Problem.BUSY: as_object(payload.get("eventLoop")).get("degraded") is True,
        Problem.PLUGINS: bool(as_list(as_object(payload.get("plugins")).get("errors"))),
        Problem.MODELS: as_object(payload.get("modelRuntime")).get("degraded") is True,
    }
    return [problem for problem, is_there in problems.items() if is_there]


def _sessions(agents: list[JsonObject], of_default: JsonObject) -> int | None:
    # The number beside the agents is that of the default one alone.
    counts = [as_number(as_object(agent.get("sessions")).get("count")) for agent in agents]
    told = [count for count in counts if count is not None]
    total = sum(told) if told else as_number(of_default.get("count"))
    return None if total is None else int(total)


def _last_used(agent: JsonObject) -> datetime | None:
    recent = as_list(as_object(agent.get("sessions")).get("recent"))
    times = [moment(as_object(row).get("updatedAt")) for row in recent]
    return max((time for time in times if time is not None), default=None)
