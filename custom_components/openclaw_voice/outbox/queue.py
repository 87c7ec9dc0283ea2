"""Things to say, and who says them when: decisions only (pure)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .quiet_hours import QuietHours

LIFETIME: Final = timedelta(hours=1)
"""How long a message waits for the satellite it is for."""

FALLBACK_LIFETIME: Final = timedelta(minutes=5)
"""How long a message waits for each satellite it falls back to."""

IDLE_TIME: Final = timedelta(seconds=2)
"""How long a satellite must have been idle: a question may follow an answer at once."""

CUT_OFF_TIME: Final = timedelta(seconds=15)
"""The same after a turn that was not answered: the longest command a pipeline listens to.

When somebody speaks right after an answer, Home Assistant calls a Wyoming satellite idle in the
middle of the new turn: only then the time is over that the answer before may take to play.
"""

RETRY_WAIT: Final = timedelta(seconds=10)
"""Between two tries on the same satellite."""

MAX_TRIES: Final = 3
"""So often a satellite may fail before a message goes elsewhere."""

MAX_WAITING: Final = 50
"""So many messages wait for one satellite; the oldest goes elsewhere for a new one.

What nobody has asked for goes before what was promised.
"""

MAX_MERGED: Final = 2_000
"""Characters that are said in one announcement, unless a single message is longer."""

MIN_ANNOUNCE_LIMIT: Final = 60.0
CHARACTERS_PER_SECOND: Final = 8.0
"""A slow voice; people speak 12 to 15."""


ANSWER_LIMIT: Final = 60.0
"""Seconds more when somebody is asked something and may answer."""

type Ask = Callable[[str, str], Awaitable[None]]
"""Takes the entity id of a satellite and what it is to say; has it asked, and takes the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to say to people."""

    id: str
    spoken: str = field(repr=False)
    """Fit for speech."""

    introduction: str = field(default="", repr=False)
    """Said before it."""

    next_introduction: str = field(default="", repr=False)
    """Said before it instead when it follows another message."""

    written: str = field(repr=False)
    """For those who read it."""

    title: str = field(default="", repr=False)
    """Above what is written."""

    satellite_id: str | None
    """Entity id of the satellite that says it, if it can."""

    fallback: tuple[str, ...] = ()
    """Entity ids of satellites and notify entities that get what it cannot say."""

    expires: datetime
    """When the fallback gets it (UTC)."""

    quiet: QuietHours | None = None
    """When it must not be said aloud: then it waits."""

    listens: bool = False
    """The satellite listens for a reply once it has said it, if it can."""

    ask: Ask | None = None
    """Says it and takes the answer, instead of starting a conversation. Only where it `listens`."""

    is_owed: bool = True
    """Somebody has asked for it."""


class Progress(StrEnum):
    """What becomes of a message."""

    SPEAKING = "speaking"
    """It is about to be said."""

    WAITING = "waiting"
    """It was not said after all, and waits again."""

    HEARD = "heard"
    ASKED = "asked"
    """It was heard, and the satellite listens for a reply."""

    UNHEARD = "unheard"


ENDS: Final = frozenset({Progress.HEARD, Progress.ASKED, Progress.UNHEARD})
"""Nothing comes after these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message in the queue of one satellite."""

    message: Message
    until: datetime
    """When it is given up here (UTC)."""

    tries: int = 0
    """How often the satellite has failed to say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Satellite:
    """A satellite as it is now."""

    is_there: bool
    can_announce: bool = True
    can_listen: bool = False
    """Whether it can listen after an announcement."""

    idle_since: datetime | None = None
    """None while it is busy or not there (UTC)."""

    is_cut_off: bool = False
    """It became idle before it answered: its turn may go on all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with the queue of a satellite."""

    given_up: tuple[Waiting, ...] = ()
    """Somebody else has to say these."""

    say: tuple[Waiting, ...] = ()
    """To be said now, together."""

    listens: bool = False
    """It listens afterwards."""

    wake_at: datetime | None = None
    """When to decide again, unless the satellite changes before (UTC)."""


def decide(
    waiting: Sequence[Waiting],
    satellite: Satellite,
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> Decision:
    """Decide what a satellite says now.

    Args:
        waiting: Its queue, in order.
        satellite: How it is now.
        now: UTC.
        not_before: It failed a moment ago, and is left alone until then (UTC).
    """
    cannot = satellite.is_there and not satellite.can_announce
    given_up = tuple(
        each for each in waiting if cannot or each.until <= now or each.tries >= MAX_TRIES
    )
    left = without(waiting, given_up)
    pushed_out = surplus(left)
    given_up, left = (*given_up, *pushed_out), without(left, pushed_out)
    if not left:
        return Decision(given_up=given_up)
    ready_at = _ready_at(satellite, not_before)
    quiet = {each.message.id: _quiet_until(each, now) for each in left}
    loud = [each for each in left if quiet[each.message.id] is None]
    if loud and ready_at is not None and ready_at <= now:
        said = _said_together(loud)
        listens = said[0].message.listens and satellite.can_listen
        return Decision(given_up=given_up, say=said, listens=listens)
    changes = [each.until for each in left] + [end for end in quiet.values() if end is not None]
    if loud and ready_at is not None:
        changes.append(ready_at)
    return Decision(given_up=given_up, wake_at=min(changes))


def surplus(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """Return those of a queue there is no room for."""
    count = max(len(waiting) - MAX_WAITING, 0)
    return tuple(sorted(waiting, key=lambda each: each.message.is_owed)[:count])


def without(waiting: Sequence[Waiting], others: Sequence[Waiting]) -> list[Waiting]:
    """Return a queue less others of it."""
    gone = {each.message.id for each in others}
    return [each for each in waiting if each.message.id not in gone]


def is_ready(satellite: Satellite, now: datetime) -> bool:
    """Tell whether nobody uses a satellite at `now` (UTC)."""
    ready_at = _ready_at(satellite, None)
    return ready_at is not None and ready_at <= now


def route(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return who can say a message, in order, and where it is sent if nobody can."""
    satellites = [message.satellite_id] if message.satellite_id is not None else []
    for entity_id in message.fallback:
        if entity_id.startswith("assist_satellite.") and entity_id not in satellites:
            satellites.append(entity_id)
    notify = (each for each in message.fallback if each.startswith("notify."))
    return tuple(satellites), tuple(dict.fromkeys(notify))


def announcement(messages: Sequence[Message]) -> str:
    """Return what is said when messages are said together."""
    first, *others = messages
    parts = [first.introduction, first.spoken]
    for other in others:
        parts += [other.next_introduction, other.spoken]
    return " ".join(part for part in parts if part)


def announce_limit(text: str) -> float:
    """Return how many seconds saying a text may take."""
    return MIN_ANNOUNCE_LIMIT + len(text) / CHARACTERS_PER_SECOND


def failed_to_say(said: Sequence[Waiting], *, is_final: bool = False) -> tuple[Waiting, ...]:
    """Return what was tried in vain; `is_final` when it must not be tried here again."""
    return tuple(replace(each, tries=MAX_TRIES if is_final else each.tries + 1) for each in said)


def _ready_at(satellite: Satellite, not_before: datetime | None) -> datetime | None:
    if satellite.idle_since is None:
        return None
    ready_at = satellite.idle_since + (CUT_OFF_TIME if satellite.is_cut_off else IDLE_TIME)
    return ready_at if not_before is None else max(ready_at, not_before)


def _are_alike(one: Message, other: Message) -> bool:
    """Return whether what is said after one answers the other as well."""
    return one.listens == other.listens and one.ask is other.ask is None


def _quiet_until(waiting: Waiting, now: datetime) -> datetime | None:
    quiet = waiting.message.quiet
    return None if quiet is None else quiet.end_after(now)


def _said_together(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """Return as many from the front as fit into one announcement; at least one.

    Nobody is listened to after a message that wants no reply because of one that does.
    """
    length = 0
    for index, each in enumerate(waiting):
        length += len(each.message.spoken)
        if index and (length > MAX_MERGED or not _are_alike(waiting[0].message, each.message)):
            return tuple(waiting[:index])
    return tuple(waiting)
