"""Tells Home Assistant what the gateway or an agent says on its own: in order, once, nothing lost."""

from collections import Counter
from collections.abc import Callable
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..gateway.client import GatewayClient
from .notification import Notification

_LOGGER = logging.getLogger(__name__)


class Notifier:
    """The notifications of one entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: GatewayClient,
        *,
        is_ours: Callable[[str], bool],
    ) -> None:
        """Nothing happens before `async_start`.

        Args:
            hass: Home Assistant.
            entry: Owns the worker.
            client: The client of the entry.
            is_ours: Whether a session, by its key, belongs to this Home Assistant.
        """
        self.event_type: Final = f"{entry.domain}_notification"
        self.last: Notification | None = None
        """What was surfaced last since the start."""

        self.counts: Counter[str] = Counter()
        """How much was surfaced, by kind, and what was passed over, since the start."""

        self._hass = hass
        self._entry = entry
        self._client = client
        self._is_ours = is_ours
        self._listeners: list[Callable[[Notification], None]] = []

    async def async_start(self) -> None:
        """Surface from now on what happens, and what was missed since the last time."""

    async def async_stop(self) -> None:
        """Surface no more, and write what was surfaced. Idempotent."""

    @callback
    def async_subscribe(self, listener: Callable[[Notification], None]) -> CALLBACK_TYPE:
        """Call `listener` with every notification, in order; return what ends that."""
        self._listeners.append(listener)

        @callback
        def unsubscribe() -> None:
            self._listeners.remove(listener)

        return unsubscribe

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Delete what is kept: the entry is removed, and has been unloaded."""
