"""Whether the gateway is connected and well, and whether somebody talks at a voice satellite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import GatewayEntity, VoiceSatelliteEntity
from .status_source import HasSource, Source
from .voice_satellites import VoiceSatellite

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class GatewayBinarySensorDescription(BinarySensorEntityDescription, HasSource):
    """A binary sensor of the gateway, and where its value comes from."""

    value: Callable[[GatewayCoordinator], bool | None]
    attributes: Callable[[GatewayCoordinator], dict[str, Any]] | None = None


def _has_problem(gateway: GatewayCoordinator) -> bool | None:
    health = gateway.board.status.health
    return None if health is None else not health.is_ok


def _problems(gateway: GatewayCoordinator) -> dict[str, Any]:
    health = gateway.board.status.health
    return {"problems": [*health.problems] if health is not None else []}


BINARY_SENSORS: Final = (
    GatewayBinarySensorDescription(
        key="connected",
        source=Source.CONNECTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        value=lambda gateway: gateway.is_connected,
        tells_when_away=True,
    ),
    GatewayBinarySensorDescription(
        key="health",
        source=Source.HEALTH,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=BinarySensorDeviceClass.PROBLEM,
        value=_has_problem,
        attributes=_problems,
    ),
)
"""A row here is a row in `docs/status.md`."""


@dataclass(frozen=True, kw_only=True)
class SatelliteBinarySensorDescription(BinarySensorEntityDescription, HasSource):
    """A binary sensor of a voice satellite."""


SESSION_ACTIVE: Final = SatelliteBinarySensorDescription(
    key="session_active",
    source=Source.VOICE,
    tells_when_away=True,
)
"""A row of the same page."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the gateway, and of each voice satellite."""
    coordinator = entry.runtime_data
    async_add_entities(
        GatewayBinarySensor(coordinator, description) for description in BINARY_SENSORS
    )

    @callback
    def add(satellite: VoiceSatellite) -> None:
        async_add_entities([SessionActive(coordinator, satellite)])

    entry.async_on_unload(coordinator.satellites.async_for_each(add))


class GatewayBinarySensor(GatewayEntity, BinarySensorEntity):
    """One thing about the gateway that is so or not."""

    entity_description: GatewayBinarySensorDescription
    # Being busy comes and goes.
    _unrecorded_attributes = frozenset({"problems"})

    def __init__(
        self, coordinator: GatewayCoordinator, description: GatewayBinarySensorDescription
    ) -> None:
        """Show what `description` reads."""
        super().__init__(coordinator, description.key, tells_when_away=description.tells_when_away)
        self.entity_description = description

    @callback
    @override
    def _follow(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        return self.coordinator.board.async_subscribe(listener)

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether it is so."""
        return self.entity_description.value(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """What goes with it, for those that have something."""
        attributes = self.entity_description.attributes
        return attributes and attributes(self.coordinator)


class SessionActive(VoiceSatelliteEntity, BinarySensorEntity):
    """Whether somebody talks at a satellite: a session that is no standby."""

    entity_description: SatelliteBinarySensorDescription

    def __init__(self, coordinator: GatewayCoordinator, satellite: VoiceSatellite) -> None:
        """Show it from now on."""
        super().__init__(coordinator, satellite, SESSION_ACTIVE.key)
        self.entity_description = SESSION_ACTIVE

    @property
    @override
    def available(self) -> bool:
        """Always: without a connection nobody talks."""
        return True

    @property
    @override
    def is_on(self) -> bool:
        """Whether it is so."""
        return self.session is not None and not self.session.is_standby
