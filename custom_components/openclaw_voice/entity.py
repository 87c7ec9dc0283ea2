"""Base of the entities: the device they belong to, and whether they are available."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity

from .const import CONF_AGENT_ID, DOMAIN
from .coordinator import GatewayCoordinator


class AgentEntity(Entity):
    """An entity of one agent: one subentry, one device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: GatewayCoordinator, subentry: ConfigSubentry) -> None:
        """The device is made with the entity and goes with the subentry."""
        self.coordinator = coordinator
        self.agent_id: str = subentry.data[CONF_AGENT_ID]
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            manufacturer="OpenClaw",
            model="Agent",
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=coordinator.device_id,
        )

    @property
    @override
    def available(self) -> bool:
        """Whether the gateway is connected."""
        return self.coordinator.is_connected

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the connection."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_subscribe(self.async_write_ha_state))

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; nothing is kept under the old one."""
