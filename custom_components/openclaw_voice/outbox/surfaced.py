"""Remembers what was surfaced, over restarts, so that nothing is told twice and nothing is lost."""

from collections.abc import Mapping
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .notification import Notification, NotificationKind
from .notifications import HEARTBEAT_ID, UPDATE_ID
from .unsaid import Unsaid, stored_time

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1

MAX_IDS: Final = 2_000
"""So many are remembered; what is older than one that was forgotten is not surfaced any more."""

SAVE_DELAY: Final = 1.0
"""Seconds until something new is written. What Home Assistant loses by a crash is told again."""

MARK_INTERVAL: Final = timedelta(minutes=15)
"""How often is written that there was nothing new."""

OVERLAP: Final = timedelta(minutes=5)
"""What was missed is looked for from so long before the last moment that nothing was missing."""

FIRST_MARK: Final = timedelta(minutes=1)
"""How long after the begin of an entry such a moment is known at the latest."""

FOUND_AGAIN: Final = frozenset(
    {
        NotificationKind.JOB_FINISHED,
        NotificationKind.HEARTBEAT,
        NotificationKind.MESSAGE,
        NotificationKind.APPROVAL_REQUESTED,
        NotificationKind.QUESTION_ASKED,
    }
)
"""Kinds that the gateway can be asked for afterwards; their times are of its clock."""


class Surfaced:
    """What an entry has surfaced."""

    def __init__(self, hass: HomeAssistant, domain: str, entry_id: str) -> None:
        """Nothing is read before `async_load`."""
        self.unsaid: Final = Unsaid(self._save_soon)
        """In the same store, so that none is written as surfaced and not as unsaid."""

        self._store = Store[dict[str, Any]](
            hass,
            STORAGE_VERSION,
            f"{domain}.notifications.{entry_id}",
            private=True,
            atomic_writes=True,
        )
        self._ids: dict[str, datetime | None] = {}
        """The oldest first; with the time of those that can be found again."""

        self._floor = dt_util.utcnow()
        """What is not younger is never surfaced afterwards: from before the entry, or forgotten."""

        self._complete_until: datetime | None = None
        """By the gateway's clock: until then nothing is missing."""

        self._written_mark: datetime | None = None
        self._is_unwritten = False
        self._is_loaded = False

    async def async_load(self) -> bool:
        """Read what was kept, and return whether there was nothing: the entry is new here.

        What cannot be read counts as nothing: rather is something lost than all that is old told.
        """
        kept = await self._store.async_load()
        self._is_loaded = True
        if kept is not None:
            try:
                self._read(kept)
            except KeyError, TypeError, ValueError:
                _LOGGER.warning("What was surfaced before cannot be read; it begins anew")
            else:
                return False
        # Now, so that the moment this began is known after a crash, too.
        self._floor = dt_util.utcnow()
        await self.async_save()
        return True

    async def async_save(self) -> None:
        """Write what is remembered; while Home Assistant stops, that is its last step instead."""
        if not self._is_loaded:
            return  # What an earlier start has written is not known.
        await self._store.async_save(self._data())

    async def async_remove(self) -> None:
        """Delete what was kept."""
        await self._store.async_remove()

    @property
    def floor(self) -> datetime:
        """What happened until then (UTC) is not surfaced afterwards."""
        return self._floor

    @property
    def since(self) -> datetime:
        """From when on (UTC) something can be missing."""
        if self._complete_until is None:
            return self._floor
        return max(self._floor, self._complete_until - OVERLAP)

    @property
    def heartbeats(self) -> tuple[datetime, ...]:
        """When the heartbeats ended (UTC) that are remembered."""
        return tuple(
            time
            for name, time in self._ids.items()
            if time is not None and name.startswith(HEARTBEAT_ID)
        )

    def __contains__(self, notification_id: str) -> bool:
        """Return whether this was surfaced."""
        return notification_id in self._ids

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._ids)

    @callback
    def note(self, notification: Notification) -> None:
        """Remember one that was surfaced; it is written soon."""
        is_found_again = notification.kind in FOUND_AGAIN
        self._ids[notification.id] = notification.time if is_found_again else None
        while len(self._ids) > MAX_IDS:
            self._forget(next(iter(self._ids)))
        self._save_soon()

    def _forget(self, notification_id: str) -> None:
        time = self._ids.pop(notification_id)
        if time is not None:
            self._floor = max(self._floor, time)
        elif notification_id.startswith(UPDATE_ID) and not any(
            other.startswith(UPDATE_ID) for other in self._ids
        ):
            # The gateway tells of the last one at every connect, for as long as nobody installs it.
            self._ids[notification_id] = None

    @callback
    def mark(self, time: datetime) -> None:
        """Note that nothing is missing until a time of the gateway's clock (UTC)."""
        if self._complete_until is None:
            # The gateway's clock may be any hours away from ours.
            self._floor = max(time - FIRST_MARK, self._floor)
        # That clock may have been set back.
        self._floor, self._complete_until = min(self._floor, time), time
        if self._written_mark is None or abs(time - self._written_mark) >= MARK_INTERVAL:
            self._written_mark = time
            self._save_soon()

    def _save_soon(self) -> None:
        # Asked for once only: each further time would put it off.
        if not self._is_unwritten:
            self._is_unwritten = True
            self._store.async_delay_save(self._data, SAVE_DELAY)

    def _data(self) -> dict[str, Any]:
        self._is_unwritten = False
        self._written_mark = self._complete_until
        return {
            "floor": self._floor.isoformat(),
            "complete_until": self._complete_until and self._complete_until.isoformat(),
            "ids": [[name, time and time.isoformat()] for name, time in self._ids.items()],
            "unsaid": self.unsaid.as_data(),
        }

    def _read(self, kept: Mapping[str, Any]) -> None:
        floor, ids = stored_time(kept["floor"]), {}
        for name, time in kept["ids"][-MAX_IDS:]:
            ids[str(name)] = None if time is None else stored_time(time)
        mark = kept["complete_until"]
        complete_until = None if mark is None else stored_time(mark)
        self.unsaid.read(kept.get("unsaid", []))
        self._complete_until = complete_until
        self._floor, self._ids, self._written_mark = floor, ids, self._complete_until
