"""What can be done with the gateway at once: connect, and stop everything."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import GatewayEntity
from .exceptions import action_error
from .gateway.errors import GatewayError
from .status_source import HasSource, Source

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class GatewayButtonDescription(ButtonEntityDescription, HasSource):
    """A button of the gateway, and what it does."""

    press: Callable[[GatewayCoordinator], Awaitable[None]]


BUTTONS: Final = (
    GatewayButtonDescription(
        key="reconnect",
        source=Source.ACTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        # A connection there is stays: turns run on it.
        press=lambda gateway: gateway.async_try_now(),
        tells_when_away=True,
    ),
    GatewayButtonDescription(
        key="stop_runs",
        source=Source.ACTION,
        press=lambda gateway: gateway.household.async_stop_runs(),
    ),
)
"""A row here is a row in `docs/status.md`."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of the gateway."""
    async_add_entities(GatewayButton(entry.runtime_data, description) for description in BUTTONS)


class GatewayButton(GatewayEntity, ButtonEntity):
    """Does one thing."""

    entity_description: GatewayButtonDescription

    def __init__(
        self, coordinator: GatewayCoordinator, description: GatewayButtonDescription
    ) -> None:
        """Do what `description` says."""
        super().__init__(coordinator, description.key, tells_when_away=description.tells_when_away)
        self._attr_entity_category = description.entity_category
        self.entity_description = description

    @override
    async def async_press(self) -> None:
        """Do it.

        Raises:
            HomeAssistantError: It did not work, with the reason in a sentence.
        """
        try:
            await self.entity_description.press(self.coordinator)
        except GatewayError as err:
            raise action_error(err) from err
