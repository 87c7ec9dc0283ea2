"""An answer that comes after its turn has ended: what it is, how it is kept and told (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

MAX_TEXT: Final = 60_000
"""Characters of an answer that are kept; a longer one is cut."""

MAX_QUESTION: Final = 2_000
"""Characters of a question that are kept."""

MAX_EVENT_TEXT: Final = 8_000
"""Characters of an answer in the event; a longer one is cut and marked."""

MAX_LINKS: Final = 20
"""Addresses of media that are kept with an answer."""

EVENT_VERSION: Final = 1
"""Of the data of the event; a field that changes its meaning raises it."""

_CUT: Final = "…"


class LateStatus(StrEnum):
    """Where a late answer stands."""

    RUNNING = "running"
    """The agent still works on it."""

    WAITING = "waiting"
    """It is there and waits until somebody can hear it."""

    DELIVERED = "delivered"
    """Somebody was told, or nobody but the event was to be told."""

    UNHEARD = "unheard"
    """Nobody could hear it in time; the next turn of its session is told."""

    SILENT = "silent"
    """The agent decided that nothing needs to be said."""

    CANCELLED = "cancelled"
    """Somebody stopped it."""


OPEN: Final = frozenset({LateStatus.RUNNING, LateStatus.WAITING})
"""What is still owed to people."""


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

    is_consult: bool = False
    """It was asked for a voice session, whose end stops it: that is a failure, nobody's wish."""

    question: str = field(repr=False)
    language: str
    satellite_id: str | None = None
    """Entity id of the satellite that asked."""

    is_announced: bool = True
    """Whether people are to hear of it; else there is only the event."""

    said: str = field(default="", repr=False)
    """What the turn had passed on of the answer before it ended, as the agent wrote it."""

    created: datetime
    """UTC."""

    ended: datetime | None = None
    """When the answer came (UTC)."""

    status: LateStatus = LateStatus.RUNNING
    text: str = field(default="", repr=False)
    """The whole answer; after a failure the sentence about it."""

    rest: str = field(default="", repr=False)
    """What of the text was not said by the turn, while it waits to be said."""

    links: tuple[str, ...] = field(default=(), repr=False)
    error: str | None = None
    """Category of the error, when the run failed."""

    is_speaking: bool = False
    """It is being said right now; found true after a crash, it is said again."""

    @property
    def is_open(self) -> bool:
        """Whether it is still owed to people."""
        return self.status in OPEN

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_data` made.

        Raises:
            KeyError, TypeError, ValueError: It was not made by `as_data`.
        """
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        values["created"] = _as_time(data["created"])
        values["ended"] = None if data.get("ended") is None else _as_time(data["ended"])
        values["status"] = LateStatus(data["status"])
        values["links"] = tuple(str(link) for link in data.get("links", ()))
        return cls(**values)

    def as_data(self) -> dict[str, Any]:
        """Return what is stored: simple types only."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {
            "created": self.created.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "status": self.status.value,
            "links": list(self.links),
        }


def promised(answer: LateAnswer) -> LateAnswer:
    """Return an answer as it is kept from now on: within its bounds, in UTC."""
    return replace(
        answer,
        question=cut(answer.question, MAX_QUESTION),
        said=cut(answer.said, MAX_TEXT),
        created=answer.created.astimezone(UTC),
        status=LateStatus.RUNNING,
    )


def answered(
    answer: LateAnswer, *, text: str, rest: str, links: tuple[str, ...], now: datetime
) -> LateAnswer:
    """Return the answer that has come: it waits to be said, if people are to hear of it."""
    return _ended(
        answer,
        status=LateStatus.WAITING if answer.is_announced else LateStatus.DELIVERED,
        text=text,
        rest=rest,
        links=links,
        now=now,
    )


def failed(answer: LateAnswer, *, sentence: str, error: str, now: datetime) -> LateAnswer:
    """Return the answer that will not come: the sentence about it takes its place."""
    return replace(
        answered(answer, text=sentence, rest=sentence, links=(), now=now),
        error=error,
    )


def silenced(answer: LateAnswer, *, now: datetime) -> LateAnswer:
    """Return the answer whose agent decided that nothing needs to be said."""
    return _ended(answer, status=LateStatus.SILENT, now=now)


def cancelled(
    answer: LateAnswer, *, now: datetime, text: str = "", links: tuple[str, ...] = ()
) -> LateAnswer:
    """Return the answer that somebody stopped, with what there was of it."""
    return _ended(
        answer,
        status=LateStatus.CANCELLED,
        text=text or answer.text,
        links=links or answer.links,
        now=answer.ended or now,
    )


def settled(answer: LateAnswer, status: LateStatus) -> LateAnswer:
    """Return an answer that was said, or that nobody could hear."""
    return replace(answer, status=status, is_speaking=False, said="", rest="")


def event_data(answer: LateAnswer, *, entry_id: str) -> dict[str, Any]:
    """Return the data of the event about an answer that has ended. The question is not in it."""
    return {
        "version": EVENT_VERSION,
        "id": answer.id,
        "entry_id": entry_id,
        "agent": answer.agent_id,
        "session": answer.session_key,
        "status": _event_status(answer),
        "text": answer.text[:MAX_EVENT_TEXT],
        "is_cut": len(answer.text) > MAX_EVENT_TEXT,
        "links": list(answer.links),
        "language": answer.language,
        "satellite": answer.satellite_id,
        "error": answer.error,
        "created": answer.created.isoformat(),
        "ended": answer.ended.isoformat() if answer.ended else None,
    }


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; a mark shows that something is missing."""
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _ended(
    answer: LateAnswer,
    *,
    status: LateStatus,
    now: datetime,
    text: str = "",
    rest: str = "",
    links: tuple[str, ...] = (),
) -> LateAnswer:
    return replace(
        answer,
        status=status,
        ended=now,
        text=cut(text, MAX_TEXT),
        rest=cut(rest, MAX_TEXT) if status is LateStatus.WAITING else "",
        said="",
        links=links[:MAX_LINKS],
        is_speaking=False,
    )


def _event_status(answer: LateAnswer) -> str:
    if answer.error is not None:
        return "failed"
    if answer.status in {LateStatus.SILENT, LateStatus.CANCELLED}:
        return answer.status.value
    return "answered"


def _as_time(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)
