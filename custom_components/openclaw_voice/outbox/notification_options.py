"""How people are told what the gateway says on its own, without an automation (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import time, tzinfo
import math
import re
from typing import Any, Final, Self

from .notification import NotificationKind
from .quiet_hours import QuietHours

DEFAULT_KINDS: Final = frozenset(
    {
        NotificationKind.JOB_FINISHED,
        NotificationKind.HEARTBEAT,
        NotificationKind.MESSAGE,
        NotificationKind.APPROVAL_REQUESTED,
        NotificationKind.QUESTION_ASKED,
    }
)
"""What somebody said, or waits for an answer to."""

REPLY_KINDS: Final = frozenset(
    {NotificationKind.JOB_FINISHED, NotificationKind.HEARTBEAT, NotificationKind.MESSAGE}
)
"""What an agent can be answered in words; approvals and questions take decisions."""

DEFAULT_EXPIRES: Final = 60
EXPIRES_BOUNDS: Final = (1, 1_440)
"""Minutes."""

MAX_TARGETS: Final = 20
"""So many satellites, and as many notify entities."""

SATELLITE_DOMAIN: Final = "assist_satellite"
NOTIFY_DOMAIN: Final = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationOptions:
    """What people are told of, where and when. Every field is stored under its own name."""

    kinds: frozenset[NotificationKind] = DEFAULT_KINDS
    """What they are told of, wherever that is."""

    satellites: tuple[str, ...] = ()
    """Entity ids; every one of them says it."""

    notify: tuple[str, ...] = ()
    """Entity ids; every one of them is sent it at once."""

    persistent: bool = False
    """It is shown in Home Assistant itself."""

    quiet_from: time | None = None
    """Satellites say nothing from then on, by the local clock; None: they may at any time."""

    quiet_to: time | None = None
    expires: int = DEFAULT_EXPIRES
    """Minutes after which a satellite does not say it any more."""

    listens: bool = False
    """A satellite that has said something of `REPLY_KINDS` listens for a reply."""

    asks_approvals: bool = False
    """Satellites ask for approvals aloud, and take a yes or no."""

    @property
    def is_on(self) -> bool:
        """Whether anybody is told anything."""
        return bool(self.kinds) and (bool(self.satellites or self.notify) or self.persistent)

    def quiet_hours(self, zone: tzinfo) -> QuietHours | None:
        """Return the quiet hours in a time zone, if there are any."""
        if self.quiet_from is None or self.quiet_to is None or self.quiet_from == self.quiet_to:
            return None
        return QuietHours(begin=self.quiet_from, end=self.quiet_to, zone=zone)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read the options of an entry; what is missing or odd gets its default."""
        return cls(
            kinds=_kinds(data.get("kinds")),
            satellites=_entities(data.get("satellites"), SATELLITE_DOMAIN),
            notify=_entities(data.get("notify"), NOTIFY_DOMAIN),
            persistent=data.get("persistent") is True,
            quiet_from=_time(data.get("quiet_from")),
            quiet_to=_time(data.get("quiet_to")),
            expires=_minutes(data.get("expires")),
            listens=data.get("listens") is True,
            asks_approvals=data.get("asks_approvals") is True,
        )

    def as_data(self) -> dict[str, Any]:
        """Return what an entry stores: plain values, which `from_data` reads back as they are."""
        return {name: _stored(getattr(self, name)) for name in NOTIFICATION_OPTION_NAMES}


NOTIFICATION_OPTION_NAMES: Final = tuple(item.name for item in fields(NotificationOptions))
"""Names under which they are stored; what else the options of an entry hold is not ours."""


def _stored(value: object) -> object:
    match value:
        case frozenset():
            return [kind.value for kind in NotificationKind if kind in value]
        case tuple():
            return list(value)
        case time():
            return value.isoformat()
    return value


def _kinds(value: object) -> frozenset[NotificationKind]:
    if not isinstance(value, list | tuple | set | frozenset):
        return DEFAULT_KINDS
    return frozenset(kind for kind in NotificationKind if kind in value)


def _entities(value: object, domain: str) -> tuple[str, ...]:
    """Read entity ids of a domain, each once."""
    if not isinstance(value, list | tuple):
        return ()
    is_entity = re.compile(rf"{domain}\.[a-z0-9_]+").fullmatch
    known = (text for text in value if isinstance(text, str) and is_entity(text))
    return tuple(dict.fromkeys(known))[:MAX_TARGETS]


def _time(value: object) -> time | None:
    """Read a time of the day; one that has a zone of its own is none."""
    if not isinstance(value, str):
        return None
    try:
        read = time.fromisoformat(value)
    except ValueError:
        return None
    return read.replace(microsecond=0) if read.tzinfo is None else None


def _minutes(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return DEFAULT_EXPIRES
    return int(min(max(value, EXPIRES_BOUNDS[0]), EXPIRES_BOUNDS[1]))
