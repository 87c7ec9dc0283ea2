"""A value of the gateway that is asked for because nobody pushes it, and only while it is shown."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN, LOGGER
from .gateway.errors import GatewayError, RequestError

SETTLING: Final = 5.0
"""Seconds after something has changed: more often follows at once."""

AGAIN: Final = 45.0
"""Seconds until what the gateway is still computing is asked for again; it keeps answers for 30."""

MAX_AGAIN: Final = 10
"""How often in a row; after that as if it had answered."""


class Reading:
    """Asks at every connection, after changes, and at intervals; never twice at the same time.

    It rests while nobody watches or there is no connection: no timer is left then.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        name: str,
        read: Callable[[], Awaitable[bool]],
        *,
        spacing: float,
        every: float | None = None,
    ) -> None:
        """Nothing happens before somebody watches.

        Args:
            hass: Home Assistant.
            entry: Owns the task that reads.
            name: For the name of that task.
            read: Asks, and keeps the answer; False when it is not complete. Raises GatewayError.
            spacing: At least so many seconds from one answer to the next question.
            every: Seconds after which it is asked for without a change; None: never.
        """
        self._hass = hass
        self._entry = entry
        self._name = name
        self._read = read
        self._spacing = spacing
        self._every = every
        self._watchers = 0
        self._is_connected = False
        self._is_reading = False
        self._is_resting = False
        """It was asked a moment ago."""

        self._is_wanted = False
        """It has changed since it was asked."""

        self._is_urgent = False
        """There is another connection than the one it was asked over."""

        self._again = 0
        self._is_settling = False
        self._stop_timer: CALLBACK_TYPE | None = None

    @property
    def is_watched(self) -> bool:
        """Whether somebody shows the value."""
        return self._watchers > 0

    @callback
    def async_watch(self) -> CALLBACK_TYPE:
        """Keep the value up to date until the returned function is called."""
        self._watchers += 1
        if self._watchers == 1 and self._is_connected:
            self.async_read()

        @callback
        def stop() -> None:
            self._watchers -= 1
            if not self._watchers:
                self._cancel()

        return stop

    @callback
    def async_connected(self) -> None:
        """There is a connection: read, if anybody watches."""
        self._is_connected = True
        self.async_read()

    @callback
    def async_disconnected(self) -> None:
        """Rest until the next connection."""
        self._is_connected = False
        self._cancel()

    @callback
    def async_changed(self) -> None:
        """The value may be another one by now: read soon, or when it has rested."""
        if self._is_reading or self._is_resting:
            self._is_wanted = True
        elif self._is_connected and self._watchers and not (self._again or self._is_settling):
            self._later(SETTLING, self._on_time)
            self._is_settling = True

    @callback
    def async_read(self) -> None:
        """Read now."""
        self._cancel_timer()
        self._is_resting = False
        if self._is_reading:
            self._is_urgent = True
        elif self._is_connected and self._watchers:
            self._entry.async_create_background_task(
                self._hass, self._async_read(), f"{DOMAIN} {self._name} {self._entry.entry_id}"
            )

    async def _async_read(self) -> None:
        self._is_reading = True
        self._is_wanted = self._is_urgent = False
        is_complete = False
        try:
            is_complete = await self._read()
        except GatewayError as err:
            LOGGER.debug("%s of %s: %s", self._name, self._entry.title, err.category)
            is_complete = isinstance(err, RequestError)  # Asking again would not change that.
        finally:
            self._is_reading = False
        if not self._is_connected or not self._watchers:
            return
        if self._is_urgent:
            self.async_read()
            return
        self._again = 0 if is_complete or self._again >= MAX_AGAIN else self._again + 1
        if self._again:
            self._later(AGAIN, self._on_time)
        else:
            self._is_resting = True
            self._later(self._spacing, self._on_rested)

    @callback
    def _on_time(self, _: datetime) -> None:
        self._stop_timer = None
        self.async_read()

    @callback
    def _on_rested(self, _: datetime) -> None:
        self._stop_timer = None
        self._is_resting = False
        rest = None if self._every is None else self._every - self._spacing
        if self._is_wanted or rest == 0:
            self.async_read()
        elif rest is not None:
            self._later(rest, self._on_time)

    def _later(self, seconds: float, target: Callable[[datetime], None]) -> None:
        self._cancel_timer()
        job = HassJob(target, cancel_on_shutdown=True)
        self._stop_timer = async_call_later(self._hass, seconds, job)

    def _cancel(self) -> None:
        self._is_resting = self._is_wanted = self._is_urgent = False
        self._again = 0
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        self._is_settling = False
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None
