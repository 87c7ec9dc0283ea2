"""What is known about the gateway, its agents and satellites. The tables are beside this file."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .agent_sensors import AGENT_SENSORS, AgentSensorDescription
from .const import DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import AgentEntity, GatewayEntity, VoiceSatelliteEntity, async_add_to_agents
from .gateway_sensors import REALTIME_COST, SENSORS, UNRECORDED, GatewaySensorDescription
from .realtime.hub import HubEvent
from .realtime.session import RealtimeSession
from .satellite_sensors import SATELLITE_SENSORS, SatelliteSensorDescription
from .voice_satellites import VoiceSatellite

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the gateway, of each agent, and of each voice satellite."""
    coordinator = entry.runtime_data
    async_add_entities(GatewaySensor(coordinator, description) for description in SENSORS)
    _follow_price(hass, entry, async_add_entities)
    for description in AGENT_SENSORS:
        make = partial(AgentSensor, description)
        async_add_to_agents(entry, async_add_entities, make)

    @callback
    def add(satellite: VoiceSatellite) -> None:
        async_add_entities(
            SatelliteSensor(coordinator, satellite, description)
            for description in SATELLITE_SENSORS
        )

    entry.async_on_unload(coordinator.satellites.async_for_each(add))


@callback
def _follow_price(
    hass: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have a sensor of the cost while people have said what a minute costs, and none without."""
    coordinator = entry.runtime_data
    is_there = False

    @callback
    def look() -> None:
        nonlocal is_there
        if (has_price := coordinator.realtime_usage.price is not None) == is_there:
            return
        is_there = has_price
        if has_price:
            async_add_entities([RealtimeCostSensor(coordinator, REALTIME_COST)])
        else:
            _remove(hass, f"{coordinator.entry_id}_{REALTIME_COST.key}")

    look()
    if not is_there:
        # The price may have gone while the entry was not loaded.
        _remove(hass, f"{coordinator.entry_id}_{REALTIME_COST.key}")
    entry.async_on_unload(coordinator.async_subscribe(look))


@callback
def _remove(hass: HomeAssistant, unique_id: str) -> None:
    registry = er.async_get(hass)
    if entity_id := registry.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
        registry.async_remove(entity_id)


class GatewaySensor(GatewayEntity, SensorEntity):
    """One fact about the gateway."""

    entity_description: GatewaySensorDescription
    # They say nothing about the past, or nothing that belongs into a database.
    _unrecorded_attributes = UNRECORDED

    def __init__(
        self, coordinator: GatewayCoordinator, description: GatewaySensorDescription
    ) -> None:
        """Show what `description` reads."""
        super().__init__(coordinator, description.key, tells_when_away=description.tells_when_away)
        self._attr_entity_category = description.entity_category
        self.entity_description = description

    @callback
    @override
    def _follow(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        follow = self.entity_description.follow
        return super()._follow(listener) if follow is None else follow(self.coordinator, listener)

    @property
    @override
    def native_value(self) -> str | int | float | datetime | None:
        """The value now."""
        return self.entity_description.value(self.coordinator)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Since when it counts, for those that begin anew."""
        return dt_util.start_of_local_day() if self.entity_description.is_of_today else None

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """What goes with it, for the sensors that have something."""
        attributes = self.entity_description.attributes
        return attributes and attributes(self.coordinator)


class RealtimeCostSensor(GatewaySensor):
    """What the gateway's speech model may have cost today."""

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        """The currency of Home Assistant, which is that of the price."""
        return self.hass.config.currency


class AgentSensor(AgentEntity, SensorEntity):
    """One fact about an agent."""

    entity_description: AgentSensorDescription

    def __init__(
        self,
        description: AgentSensorDescription,
        coordinator: GatewayCoordinator,
        subentry: ConfigSubentry,
    ) -> None:
        """Show what `description` reads."""
        super().__init__(coordinator, subentry)
        self._attr_unique_id = f"{subentry.subentry_id}_{description.key}"
        self._attr_translation_key = description.key
        self.entity_description = description

    @callback
    @override
    def _follow(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        return self.entity_description.follow(self.coordinator, self.agent, listener)

    @property
    @override
    def available(self) -> bool:
        """Whether the gateway is connected, or the sensor is about what we did ourselves."""
        return self.entity_description.tells_when_away or super().available

    @property
    @override
    def native_value(self) -> str | int | float | datetime | None:
        """The value now."""
        return self.entity_description.value(self.coordinator, self.agent)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Since when it counts, for those that begin anew."""
        return dt_util.start_of_local_day() if self.entity_description.is_of_today else None


class SatelliteSensor(VoiceSatelliteEntity, SensorEntity):
    """One fact about a voice satellite; it stays until there is a newer one."""

    entity_description: SatelliteSensorDescription

    def __init__(
        self,
        coordinator: GatewayCoordinator,
        satellite: VoiceSatellite,
        description: SatelliteSensorDescription,
    ) -> None:
        """Show what `description` reads."""
        super().__init__(coordinator, satellite, description.key)
        self.entity_description = description

    @property
    @override
    def available(self) -> bool:
        """Whether the satellite is connected, or the sensor is about what was."""
        return self.entity_description.tells_when_away or super().available

    @callback
    @override
    def _on_session(self, event: HubEvent[RealtimeSession]) -> None:
        value = self.entity_description.value(event.session)
        if value is not None:
            self._attr_native_value = value
        super()._on_session(event)
