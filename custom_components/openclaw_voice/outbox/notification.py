"""What the gateway or an agent says on its own, as Home Assistant is told of it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

EVENT_VERSION: Final = 1
"""Of the data of the bus event; it changes when a field changes its meaning or goes."""

MAX_EVENT_TEXT: Final = 8_000
"""Characters of a message in the bus event."""


class NotificationKind(StrEnum):
    """What happened. The values are the types of our events, and part of what automations name."""

    JOB_FINISHED = "job_finished"
    """A scheduled job ended and has something to say."""

    HEARTBEAT = "heartbeat"
    """An agent looked around by itself, or was woken, and has something to say."""

    MESSAGE = "message"
    """An agent says something in a session of ours that no turn asked for."""

    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_RESOLVED = "approval_resolved"
    QUESTION_ASKED = "question_asked"
    QUESTION_ANSWERED = "question_answered"
    UPDATE_AVAILABLE = "update_available"
    GATEWAY_STOPPING = "gateway_stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing that happened on the gateway and that people, or their automations, may want to know."""

    id: str
    """The same however it was learnt, live or afterwards; unique within the entry."""

    kind: NotificationKind
    title: str = field(default="", repr=False)
    message: str = field(default="", repr=False)
    """As it was written; not made fit for speech."""

    agent_id: str | None = None
    """The gateway's id of the agent it belongs to."""

    session_key: str | None = None
    time: datetime
    """When it happened (UTC)."""

    data: Mapping[str, Any] = field(default=MappingProxyType({}), repr=False)
    """What only this kind has; fit for JSON, by the names documented for automations."""


def event_data(notification: Notification, *, entry_id: str) -> dict[str, Any]:
    """Return the data of the bus event."""
    message = notification.message
    return {
        "version": EVENT_VERSION,
        "kind": notification.kind.value,
        "id": notification.id,
        "title": notification.title,
        "message": message[:MAX_EVENT_TEXT],
        "is_cut": len(message) > MAX_EVENT_TEXT,
        "agent": notification.agent_id,
        "session": notification.session_key,
        "time": notification.time.isoformat(),
        "entry_id": entry_id,
        "data": dict(notification.data),
    }
