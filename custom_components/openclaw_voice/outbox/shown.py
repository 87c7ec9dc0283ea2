"""What of an entry is shown in Home Assistant itself, as persistent notifications."""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from homeassistant.components import persistent_notification
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

MAX_SHOWN: Final = 50
"""So many of an entry are shown; for one more the oldest goes."""


class Shown:
    """The persistent notifications of one entry. Home Assistant forgets them when it stops."""

    def __init__(self, hass: HomeAssistant, prefix: str) -> None:
        """Show nothing yet; `prefix` begins their ids and is that of no other entry."""
        self._hass = hass
        self._prefix = prefix
        self._stop_timers: OrderedDict[str, CALLBACK_TYPE | None] = OrderedDict()
        """By what is shown, the oldest first; None without an end."""

    @callback
    def async_show(self, name: str, title: str, text: str, *, until: datetime | None) -> None:
        """Show something under a name, instead of what was there; not after `until` (UTC)."""
        self.async_hide(name)
        if until is not None and until <= dt_util.utcnow():
            return
        while len(self._stop_timers) >= MAX_SHOWN:
            self.async_hide(next(iter(self._stop_timers)))
        persistent_notification.async_create(self._hass, text, title, self._id_of(name))
        self._stop_timers[name] = None if until is None else self._hide_at(name, until)

    @callback
    def async_hide(self, name: str) -> None:
        """Show something no more; also what was shown before the entry was loaded anew."""
        stop_timer = self._stop_timers.pop(name, None)
        if stop_timer is not None:
            stop_timer()
        persistent_notification.async_dismiss(self._hass, self._id_of(name))

    @callback
    def async_stop(self) -> None:
        """Leave what is shown as it is. Idempotent."""
        for stop_timer in self._stop_timers.values():
            if stop_timer is not None:
                stop_timer()
        self._stop_timers.clear()

    def _hide_at(self, name: str, until: datetime) -> CALLBACK_TYPE:
        @callback
        def hide(_: datetime) -> None:
            self.async_hide(name)

        job = HassJob(hide, cancel_on_shutdown=True)
        return async_track_point_in_utc_time(self._hass, job, until)

    def _id_of(self, name: str) -> str:
        return f"{self._prefix}_{name}"
