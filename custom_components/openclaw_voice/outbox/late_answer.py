"""An answer that comes after its turn has ended (pure)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

MAX_EVENT_TEXT: Final = 8_000
"""Characters of an answer in the event; a longer one is cut and marked."""


class LateStatus(StrEnum):
    """Where a late answer stands."""

    RUNNING = "running"
    """The agent still works on it."""

    WAITING = "waiting"
    """It is there and waits until somebody can hear it."""

    DELIVERED = "delivered"
    UNHEARD = "unheard"
    """Nobody could hear it in time; the next turn of its session is told."""

    SILENT = "silent"
    """The agent decided that nothing needs to be said."""

    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAnswer:
    """A promise to answer later, and the answer once it is there."""

    id: str
    """The id of the run when it was started; stable."""

    agent_id: str
    """Of the gateway."""

    subentry_id: str
    session_key: str
    run_id: str
    """The id the gateway runs it under now."""

    is_chat_send: bool = False
    """How the run was started: by `chat.send` instead of `agent`."""

    question: str = field(repr=False)
    language: str
    satellite_id: str | None = None
    """Entity id of the satellite that asked."""

    is_announced: bool = True
    """Whether people are to hear of it; else there is only the event."""

    created: datetime
    """UTC."""

    ended: datetime | None = None
    """When the answer came (UTC)."""

    status: LateStatus = LateStatus.RUNNING
    text: str = field(default="", repr=False)
    """The whole answer; after a failure the sentence about it."""

    links: tuple[str, ...] = field(default=(), repr=False)
    error: str | None = None
    """Category of the error, when the run failed."""

    is_speaking: bool = False
    """It is being said right now; found true after a crash, it is said again."""
