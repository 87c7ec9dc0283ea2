"""Whether the gateway is connected."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OpenClawConfigEntry
from .entity import GatewayEntity

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensor of the gateway."""
    async_add_entities(
        [ConnectedBinarySensor(entry.runtime_data, "connected", tells_when_away=True)]
    )


class ConnectedBinarySensor(GatewayEntity, BinarySensorEntity):
    """On while turns can be run."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    @property
    @override
    def is_on(self) -> bool:
        """Whether the gateway is connected."""
        return self.coordinator.is_connected
