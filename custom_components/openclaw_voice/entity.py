"""Bases of the entities: the device they belong to, and whether they are available."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, HassJob, callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .exceptions import SatelliteProblem, satellite_error
from .realtime.hub import HubEvent, HubEventKind
from .realtime.session import RealtimeSession
from .realtime.session_state import SessionState
from .voice_satellites import VoiceSatellite
from .voice_sessions import async_voice_sessions

RETURN_LIMIT: Final = 3.0
"""Seconds a satellite may take to connect again, as for standby after a session, until it counts as away."""


class _ConnectionEntity(Entity):
    """An entity that changes with the connection."""

    _attr_has_entity_name = True
    _attr_should_poll = False
    coordinator: GatewayCoordinator

    @property
    @override
    def available(self) -> bool:
        """Whether the gateway is connected."""
        return self.coordinator.is_connected

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the connection, and what else it shows."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_subscribe(self.async_write_ha_state))
        self.async_on_remove(self._follow(self.async_write_ha_state))

    @callback
    def _follow(self, _: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Have a listener called when what is shown may have changed; return what ends that."""
        return lambda: None

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; nothing is kept under the old one."""


@callback
def async_add_to_agents(
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[GatewayCoordinator, ConfigSubentry], Entity],
) -> None:
    """Add an entity for every agent of the entry, now and when one is added later."""
    coordinator = entry.runtime_data

    @callback
    def add(subentry: ConfigSubentry) -> None:
        async_add_entities([make(coordinator, subentry)], config_subentry_id=subentry.subentry_id)

    entry.async_on_unload(coordinator.async_for_each_agent(add))


class AgentEntity(_ConnectionEntity):
    """An entity of one agent: one subentry, one device."""

    def __init__(self, coordinator: GatewayCoordinator, subentry: ConfigSubentry) -> None:
        """The device is made with the entity and goes with the subentry."""
        self.coordinator = coordinator
        self.agent = coordinator.agents[subentry.subentry_id]
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            manufacturer="OpenClaw",
            model="Agent",
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=coordinator.device_id,
        )


class GatewayEntity(_ConnectionEntity):
    """An entity of the gateway's own device."""

    _attr_entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: GatewayCoordinator, key: str, *, tells_when_away: bool) -> None:
        """`key` is a part of the unique id and names the texts and the icon.

        Args:
            coordinator: The connection to the gateway.
            key: What the entity shows.
            tells_when_away: Whether it stays available without a connection.
        """
        self.coordinator = coordinator
        self._tells_when_away = tells_when_away
        self._attr_translation_key = key
        self._attr_unique_id = f"{coordinator.entry_id}_{key}"
        # The coordinator has registered the device, with all there is to say about it.
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, coordinator.entry_id)})

    @property
    @override
    def available(self) -> bool:
        """Whether the gateway is connected, or the entity is about just that."""
        return self._tells_when_away or super().available


class VoiceSatelliteEntity(Entity):
    """An entity of a satellite that talks through this Home Assistant: of the satellite's device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self, coordinator: GatewayCoordinator, satellite: VoiceSatellite, key: str | None = None
    ) -> None:
        """`key` is a part of the unique id and names the texts and the icon.

        Without one the entity is called like its device.
        """
        self.coordinator = coordinator
        self.satellite_id = satellite.satellite_id
        self._device_id = satellite.device_id
        self._stop_waiting: CALLBACK_TYPE | None = None
        self._is_settled = asyncio.Event()
        """It is connected, or is not expected."""

        self._is_settled.set()
        self._attr_unique_id = satellite.unique_id(key)
        self._attr_device_info = DeviceInfo(identifiers={satellite.identifier})
        if key is None:
            self._attr_name = None
        else:
            self._attr_translation_key = key

    @property
    def session(self) -> RealtimeSession | None:
        """What the satellite is connected by, to talk or in standby; None when it is not."""
        session = async_voice_sessions(self.hass).hub.session_of(self.satellite_id)
        # It may be one with another gateway, where it is another device.
        is_ours = session is not None and session.info.device_id == self._device_id
        return session if is_ours else None

    @property
    @override
    def available(self) -> bool:
        """Whether the satellite is connected, or was until just now."""
        return self.session is not None or self._stop_waiting is not None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the sessions of the satellite."""
        await super().async_added_to_hass()
        self.async_on_remove(async_voice_sessions(self.hass).hub.subscribe(self._on_hub))
        self.async_on_remove(self._settle)

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; nothing is kept under the old one."""

    async def async_returned_session(self) -> RealtimeSession:
        """Return what the satellite is connected by, once it is when it has been so until just now.

        Raises:
            HomeAssistantError: It is not connected.
        """
        await self._is_settled.wait()
        return self.connected_session()

    def connected_session(self) -> RealtimeSession:
        """Return what the satellite is connected by.

        Raises:
            HomeAssistantError: It is not connected.
        """
        session = self.session
        if session is None or session.state is SessionState.CLOSED:
            raise satellite_error(SatelliteProblem.AWAY)
        return session

    @callback
    def _on_hub(self, event: HubEvent[RealtimeSession]) -> None:
        if event.session.info.device_id == self._device_id:
            self._settle()
            if event.kind is HubEventKind.ENDED and self.session is None:
                self._wait_for_return()
            self._on_session(event)

    @callback
    def _wait_for_return(self) -> None:
        """Call the satellite away only when it does not connect again soon."""
        self._is_settled.clear()
        job = HassJob(self._on_away, cancel_on_shutdown=True)
        self._stop_waiting = async_call_later(self.hass, RETURN_LIMIT, job)

    @callback
    def _on_away(self, _: datetime) -> None:
        self._settle()
        self.async_write_ha_state()

    @callback
    def _settle(self) -> None:
        """Wait no longer."""
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None
        self._is_settled.set()

    @callback
    def _on_session(self, _: HubEvent[RealtimeSession]) -> None:
        """Show what has happened to a session of the satellite."""
        self.async_write_ha_state()
