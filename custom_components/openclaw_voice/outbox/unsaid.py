"""What satellites have still to say, over restarts: which notifications, never what is in them (pure).

After a start they are looked for on the gateway, under the same ids. What is not there any more was
decided, or is gone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from .notification import Notification

MAX_UNSAID: Final = 500
"""So many are remembered; for one more the oldest is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A notification that satellites have still to say."""

    id: str
    time: datetime
    """When it happened, by the gateway's clock (UTC)."""

    satellites: tuple[str, ...]
    """Entity ids of those that have not said it yet."""

    expires: datetime
    """From when on nobody is to say it any more (UTC)."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read one that was stored.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        return cls(
            id=str(data["id"]),
            time=stored_time(data["time"]),
            satellites=tuple(map(str, data["satellites"])),
            expires=stored_time(data["expires"]),
        )

    def as_data(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "id": self.id,
            "time": self.time.isoformat(),
            "satellites": list(self.satellites),
            "expires": self.expires.isoformat(),
        }


class Unsaid:
    """The notifications of an entry that satellites have still to say."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Remember nothing yet; call `on_change` whenever there is something else to store."""
        self._on_change = on_change
        self._reminders: dict[str, Reminder] = {}
        """The oldest first."""

        self._lost: set[str] = set()
        """Those of an earlier start that nobody has handed on in this one, by id."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._reminders)

    def note(
        self, notification: Notification, satellites: Collection[str], expires: datetime
    ) -> None:
        """Remember who has still to say a notification, and until when; with nobody it is done."""
        before = self._reminders.get(notification.id)
        if not satellites:
            self._forget({notification.id})
            return
        now = Reminder(
            id=notification.id,
            time=notification.time,
            satellites=tuple(satellites),
            expires=expires,
        )
        if now == before:
            return
        self._reminders[notification.id] = now
        while len(self._reminders) > MAX_UNSAID:
            self._forget({next(iter(self._reminders))})
        self._on_change()

    # after a start

    def look_for(self, now: datetime) -> Mapping[str, datetime]:
        """Return what is to be looked for at `now` (UTC): the times it happened, by id."""
        self._forget({each for each in self._lost if self._reminders[each].expires <= now})
        return {each: self._reminders[each].time for each in self._lost}

    def take(self, notification_id: str) -> Reminder | None:
        """Return what is known of one that was looked for and found, once; None for any other."""
        if notification_id not in self._lost:
            return None
        self._lost.remove(notification_id)
        return self._reminders[notification_id]

    def give_up(self) -> None:
        """Forget what was looked for and is not there."""
        self._forget(set(self._lost))

    # stored

    def read(self, stored: Sequence[Mapping[str, Any]]) -> None:
        """Take what an earlier start has left.

        Raises:
            KeyError, TypeError, ValueError: It is not what was stored.
        """
        reminders = [Reminder.from_data(each) for each in stored[-MAX_UNSAID:]]
        self._reminders = {each.id: each for each in reminders}
        self._lost = set(self._reminders)

    def as_data(self) -> list[dict[str, Any]]:
        """Return what is to be stored; no texts."""
        return [each.as_data() for each in self._reminders.values()]

    def _forget(self, notification_ids: Collection[str]) -> None:
        self._lost.difference_update(notification_ids)
        known = [each for each in notification_ids if each in self._reminders]
        for each in known:
            del self._reminders[each]
        if known:
            self._on_change()


def stored_time(text: str) -> datetime:
    """Return a time that was stored.

    Raises:
        TypeError, ValueError: It is none, or has no zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time
