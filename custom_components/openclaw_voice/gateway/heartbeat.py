"""The heartbeat capability: what an agent says when it looks around by itself, or is woken.

Source: gateway protocol 4, the `heartbeat` event and `last-heartbeat`; measured on gateway 2026.9.6.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from .frames import JsonObject, as_list, as_object, as_text, moment, seconds
from .redact import redact
from .run_lookup import HISTORY_CHARACTERS
from .sessions import MessageRole, SessionMessage
from .silence import is_silent
from .status import Requester

HEARTBEAT_EVENT: Final = "heartbeat"
"""The event of the gateway that tells of one."""

PREVIEW: Final = 200
"""Characters of the preview; a longer text is cut there."""

ROWS: Final = 10
"""Rows of a main session looked through for the whole text: tools may follow each other."""

TOLERANCE: Final = timedelta(seconds=5)
"""How far apart the gateway's own clocks may be."""

_SENT: Final = "sent"
_SKIPPED: Final = "skipped"
_NOWHERE: Final = frozenset(
    {"no-route", "no-target", "target-none", "unknown-account", "dm-blocked"}
)
"""Why nobody was sent what an agent said. For other reasons it is a repetition, or tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """An agent has looked around."""

    at: datetime
    """When it was over (UTC)."""

    status: str
    """The gateway's word."""

    text: str = field(default="", repr=False)
    """The beginning of what the agent said, at most 200 characters."""

    reason: str | None = None
    """Redacted; why it was skipped or woken."""

    duration: float = 0.0
    """Seconds."""

    agent_id: str | None = None
    """The gateway 2026.9.6 does not tell it; `Heartbeats.full_text` finds it out."""

    @property
    def has_text(self) -> bool:
        """Whether the agent said something that is meant for people."""
        is_told = self.status == _SENT or (self.status == _SKIPPED and self.reason in _NOWHERE)
        return is_told and not is_silent(self.text)

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self | None:
        """Read a `heartbeat` event or the answer of `last-heartbeat`, None when it is none."""
        at, status = moment(payload.get("ts")), as_text(payload.get("status"))
        if at is None or status is None:
            return None
        reason = as_text(payload.get("reason"))
        return cls(
            at=at,
            status=status,
            text=as_text(payload.get("preview")) or "",
            reason=None if reason is None else redact(reason),
            duration=seconds(payload.get("durationMs")) or 0.0,
            agent_id=as_text(payload.get("agentId")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatText:
    """What an agent said in a heartbeat, as its main session has it."""

    agent_id: str
    session_key: str
    text: str = field(repr=False)


class Heartbeats:
    """Reads heartbeats. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def last(self) -> Heartbeat | None:
        """Return the last one of all agents, None when there was none since the gateway started."""
        return Heartbeat.from_payload(await self._requester.request("last-heartbeat"))

    async def full_text(
        self, heartbeat: Heartbeat, agent_ids: Iterable[str]
    ) -> HeartbeatText | None:
        """Find out which of the agents said it, and all of it; None when none of them did."""
        for agent_id in agent_ids:
            key = f"agent:{agent_id}:main"
            params = {"sessionKey": key, "limit": ROWS, "maxChars": HISTORY_CHARACTERS}
            history = await self._requester.request("chat.history", params)
            text = _said_in(history, heartbeat)
            if text is not None:
                return HeartbeatText(agent_id=agent_id, session_key=key, text=text)
        return None


def _said_in(history: JsonObject, heartbeat: Heartbeat) -> str | None:
    """Return the text of the last message that begins like a heartbeat, at its time."""
    earliest = heartbeat.at - timedelta(seconds=heartbeat.duration) - TOLERANCE
    latest = heartbeat.at + TOLERANCE
    rows = map(as_object, reversed(as_list(history.get("messages"))))
    for message in map(SessionMessage.from_payload, rows):
        if message is None or message.role is not MessageRole.ASSISTANT or message.at is None:
            continue
        is_then = earliest <= message.at <= latest
        if is_then and _begins_with(message.text, heartbeat.text):
            return message.text
    return None


def _begins_with(text: str, preview: str) -> bool:
    # The gateway may join lines in a preview, and end it with a sign that it is cut.
    wanted = " ".join(preview.rstrip("\u2026. ").split())
    return " ".join(text.split()).startswith(wanted)
