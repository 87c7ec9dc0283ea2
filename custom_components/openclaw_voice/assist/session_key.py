"""Which session of the gateway a turn belongs to: from scope to session key (pure).

    agent:<agent>:homeassistant:<home>:<kind>:<value>[:<generation>][:aside]

The form is final: a gateway keeps its sessions by these keys. A gateway may serve several homes,
and everybody who may read it sees every key, so the home is part of it and names of people or
rooms are not.
"""

from dataclasses import dataclass
from enum import StrEnum
import hashlib
import re
from typing import Final

MAX_LENGTH: Final = 128
"""Characters of a key, for agent ids of up to 64 characters (the gateway allows no longer ones)."""

MAX_PLAIN_VALUE: Final = 40
"""A longer value is hashed."""

_HOME_DIGITS: Final = 8
_HASH_DIGITS: Final = 16
_HASHED: Final = "h-"
"""Starts a hashed value, and no other."""

_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ASIDE: Final = "aside"
_PREFIX_PARTS: Final = 5
"""Of a key: `agent`, agent, `homeassistant`, home and kind."""


class SessionKind(StrEnum):
    """What turns must have in common to share a session."""

    CONVERSATION = "conversation"
    """The conversation of Home Assistant; the default."""

    SATELLITE = "satellite"
    PERSON = "person"
    AREA = "area"
    SHARED = "shared"


_ALWAYS_HASHED: Final = frozenset({SessionKind.PERSON, SessionKind.AREA})
"""Their ids contain names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionScope:
    """What a session is shared by."""

    kind: SessionKind
    value: str
    """Id within the kind, for instance the conversation's."""

    generation: int = 0
    """How often the session was started afresh."""

    is_aside: bool = False
    """A side session, used while a run of the session itself goes on without its turn."""


def session_key(agent_id: str, instance_id: str, scope: SessionScope) -> str:
    """Return the session key for turns of `scope` with an agent.

    Different scopes have different keys, although the gateway folds upper case. `instance_id` is
    the id of this Home Assistant; it does not leave the home in clear.
    """
    prefix = f"agent:{agent_id}:homeassistant:{home_of(instance_id)}:{scope.kind}:".lower()
    value = scope.value
    if scope.kind in _ALWAYS_HASHED or not _is_plain(value):
        value = _hashed(instance_id, scope.kind, value)
    tail = value.lower()
    if scope.generation:
        tail += f":{scope.generation}"
    if scope.is_aside:
        tail += f":{_ASIDE}"
    if len(prefix) + len(tail) > MAX_LENGTH:
        tail = _hashed(instance_id, f"{scope.kind}+", tail)
    return prefix + tail


def aside_of(key: str, instance_id: str) -> str:
    """Return the key of the side session of a session of this home, whichever scope made its key."""
    aside = f"{key}:{_ASIDE}"
    if len(aside) <= MAX_LENGTH:
        return aside
    *prefix, tail = key.split(":", _PREFIX_PARTS)
    return ":".join((*prefix, _hashed(instance_id, f"{_ASIDE}+", tail)))


def without_aside(key: str, instance_id: str) -> str:
    """Return the key of the session that a side session of this home belongs to, else the key.

    Of a key that was too long for its end this cannot be told.
    """
    return key.removesuffix(f":{_ASIDE}") if is_ours(key, instance_id) else key


def home_of(instance_id: str) -> str:
    """Return the part of our keys that stands for this home."""
    return hashlib.sha256(instance_id.encode()).hexdigest()[:_HOME_DIGITS]


def is_ours(key: str, instance_id: str) -> bool:
    """Return whether a session belongs to this home, whichever agent and scope it is of."""
    parts = key.split(":")
    return (
        len(parts) > 4
        and parts[0] == "agent"
        and parts[2] == "homeassistant"
        and parts[3] == home_of(instance_id)
    )


def _is_plain(value: str) -> bool:
    """Tell whether a value may stand in a key as it is, lower-cased, and stay unique."""
    # Home Assistant's own ids are ULIDs, always in upper case; in lower case they are not its own.
    if _ULID.fullmatch(value):
        return True
    return (
        len(value) <= MAX_PLAIN_VALUE
        and _PLAIN.fullmatch(value) is not None
        and not value.startswith(_HASHED)
        and not _ULID.fullmatch(value.upper())
    )


def _hashed(instance_id: str, kind: str, value: str) -> str:
    """Hash a value together with the instance id, so that nobody can guess names from it."""
    digest = hashlib.sha256("\0".join((instance_id, kind, value)).encode())
    return _HASHED + digest.hexdigest()[:_HASH_DIGITS]
