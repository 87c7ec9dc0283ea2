"""Tries to connect at once, instead of waiting for the next attempt."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OpenClawConfigEntry
from .entity import GatewayEntity
from .exceptions import action_error
from .gateway.errors import GatewayError

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the button of the gateway."""
    async_add_entities([ReconnectButton(entry.runtime_data, "reconnect", tells_when_away=True)])


class ReconnectButton(GatewayEntity, ButtonEntity):
    """Ends every wait for the next attempt. A connection there is stays: turns run on it."""

    @override
    async def async_press(self) -> None:
        """Try now.

        Raises:
            HomeAssistantError: There is still no connection, with the reason in a sentence.
        """
        try:
            await self.coordinator.async_try_now()
        except GatewayError as err:
            raise action_error(err) from err
