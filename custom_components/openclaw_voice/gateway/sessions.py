"""The sessions capability: which conversations the gateway keeps, and what was said in them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from .frames import (
    JsonObject,
    as_list,
    as_number,
    as_object,
    as_text,
    moment,
)
from .models import model_reference
from .run_media import split_media
from .status import Requester

MAX_SESSIONS: Final = 200
"""Sessions asked for at once."""

MAX_LISTED: Final = 2_000
"""Sessions looked through for those that were used since a moment."""

MAX_ROWS: Final = 1_000
"""Rows of a history asked for at once. Source: gateway protocol 4, `chat.history`."""

USER_KEY: Final = ":user"
"""After the id of a run: the key of the row with what the user said."""

INTERNAL: Final = "internal_system"
"""Where a row comes from that the gateway wrote in the user's place, as after a crash."""

ROWS_PER_MESSAGE: Final = 4
"""Rows of a history for each message wanted: a turn with tools has rows that are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """One conversation the gateway keeps."""

    key: str
    agent_id: str | None
    label: str | None = None
    """What somebody called it; may hold words of the conversation."""

    updated: datetime | None = None
    """When it was last used or changed (UTC)."""

    is_active: bool = False
    """A run goes on in it."""

    model: str | None = None
    """As `provider/id`: what the next run uses."""

    total_tokens: int | None = None
    """Tokens its context has now."""

    @classmethod
    def from_payload(cls, row: JsonObject) -> Self | None:
        """Read a row of `sessions.list`, None when it has no key."""
        if (key := as_text(row.get("key"))) is None:
            return None
        tokens = as_number(row.get("totalTokens"))
        return cls(
            key=key,
            agent_id=as_text(row.get("agentId")) or agent_of(key),
            label=as_text(row.get("label")),
            updated=moment(row.get("updatedAt")),
            is_active=_is_active(row),
            model=model_reference(row.get("modelProvider"), row.get("model")),
            total_tokens=None if tokens is None else int(tokens),
        )


class MessageRole(StrEnum):
    """Who said a message."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMessage:
    """Something said in a session."""

    role: MessageRole
    text: str = field(repr=False)
    at: datetime | None = None
    """UTC."""

    run_id: str | None = None

    @classmethod
    def from_payload(cls, row: JsonObject) -> Self | None:
        """Read a row of `chat.history`.

        None for what nobody said: tools, media alone, and what the gateway tells its agent.
        """
        try:
            role = MessageRole(as_text(row.get("role")) or "")
        except ValueError:
            return None
        if as_object(row.get("provenance")).get("kind") == INTERNAL:
            return None
        text, _ = split_media(text_of(row.get("content")))
        if not text.strip():
            return None
        return cls(role=role, text=text, at=moment(row.get("timestamp")), run_id=_run_of(row))


class Sessions:
    """Reads and changes the sessions of the gateway. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def list(
        self, agent_id: str | None = None, limit: int = MAX_SESSIONS
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions, of one agent or of all, the one used last first."""
        params: JsonObject = {"limit": limit}
        if agent_id is not None:
            params["agentId"] = agent_id
        return _infos(await self._requester.request("sessions.list", params))

    async def used_since(self, since: datetime) -> tuple[SessionInfo, ...]:
        """Return the sessions that were used or changed since a moment, the one used last first.

        Those whose time is unknown are among them. At most `MAX_LISTED` are looked through.
        """
        found: list[SessionInfo] = []
        offset = 0
        while offset < MAX_LISTED:
            params: JsonObject = {"limit": MAX_SESSIONS}
            if offset:
                params["offset"] = offset
            payload = await self._requester.request("sessions.list", params)
            page = _infos(payload)
            found += [info for info in page if info.updated is None or info.updated >= since]
            offset += len(as_list(payload.get("sessions")))
            oldest = page[-1].updated if page else None
            is_last = payload.get("hasMore") is not True or not page
            if is_last or (oldest is not None and oldest < since):
                break
        return tuple(found)

    async def use_model(self, key: str, model: str | None) -> None:
        """Let a session use a model (`provider/id`) from its next run on; None: the agent's own.

        The session need not exist yet.
        """
        await self._requester.request("sessions.patch", {"key": key, "model": model})

    async def messages(self, key: str, limit: int) -> tuple[SessionMessage, ...]:
        """Return the last messages of a session, oldest first; none of one that does not exist.

        Fewer than `limit` may come where tools fill the history.
        """
        rows = min(limit * ROWS_PER_MESSAGE, MAX_ROWS)
        payload = await self._requester.request("chat.history", {"sessionKey": key, "limit": rows})
        found = map(SessionMessage.from_payload, map(as_object, as_list(payload.get("messages"))))
        messages = tuple(message for message in found if message is not None)
        return messages[-limit:] if limit > 0 else ()


def _infos(payload: JsonObject) -> tuple[SessionInfo, ...]:
    rows = map(as_object, as_list(payload.get("sessions")))
    return tuple(info for row in rows if (info := SessionInfo.from_payload(row)) is not None)


def _is_active(row: JsonObject) -> bool:
    # A row says it either way, depending on what made the session run.
    told = row.get("hasActiveRun")
    return told if isinstance(told, bool) else row.get("status") == "running"


def agent_of(key: str) -> str | None:
    """Return the agent in a key of the form `agent:<id>:…`."""
    prefix, _, rest = key.partition(":")
    return rest.partition(":")[0] or None if prefix == "agent" else None


def text_of(content: object) -> str:
    """Return the text of a message: a string, or that of its blocks."""
    if (text := as_text(content)) is not None:
        return text
    blocks = map(as_object, as_list(content))
    return "".join(as_text(block.get("text")) or "" for block in blocks)


def _run_of(row: JsonObject) -> str | None:
    key = as_text(row.get("idempotencyKey")) or ""
    if key.endswith(USER_KEY):
        return key.removesuffix(USER_KEY) or None
    return as_text(as_object(row.get("__openclaw")).get("runId"))
