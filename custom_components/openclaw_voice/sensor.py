"""What is known about the connection to the gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import GatewayEntity
from .exceptions import CONNECTION_ERRORS
from .gateway.state import ClientState

PARALLEL_UPDATES = 0

NO_ERROR: Final = "none"
"""State of *last error* as long as there was none."""


@dataclass(frozen=True, kw_only=True)
class GatewaySensorDescription(SensorEntityDescription):
    """A sensor of the gateway, and where its value comes from."""

    value: Callable[[GatewayCoordinator], str | int | datetime | None]
    attributes: Callable[[GatewayCoordinator], dict[str, Any]] | None = None
    tells_when_away: bool = False
    """Whether it has something to tell without a connection."""


SENSORS: Final = (
    GatewaySensorDescription(
        key="connection_state",
        device_class=SensorDeviceClass.ENUM,
        options=[*ClientState],
        value=lambda gateway: gateway.snapshot.state,
        attributes=lambda gateway: {
            "attempts": gateway.snapshot.attempts,
            "next_try": gateway.snapshot.retry_at,
        },
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="gateway_version",
        value=lambda gateway: hello.server_version if (hello := gateway.snapshot.hello) else None,
    ),
    GatewaySensorDescription(
        key="connected_since",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda gateway: gateway.snapshot.connected_since,
    ),
    GatewaySensorDescription(
        key="last_error",
        device_class=SensorDeviceClass.ENUM,
        options=[NO_ERROR, *CONNECTION_ERRORS],
        value=lambda gateway: gateway.last_error or NO_ERROR,
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="reconnects",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value=lambda gateway: gateway.snapshot.reconnects,
        tells_when_away=True,
    ),
)


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the gateway."""
    async_add_entities(GatewaySensor(entry.runtime_data, description) for description in SENSORS)


class GatewaySensor(GatewayEntity, SensorEntity):
    """One fact about the connection."""

    entity_description: GatewaySensorDescription
    # They change with every attempt, and say nothing about the past.
    _unrecorded_attributes = frozenset({"attempts", "next_try"})

    def __init__(
        self, coordinator: GatewayCoordinator, description: GatewaySensorDescription
    ) -> None:
        """Show what `description` reads."""
        super().__init__(coordinator, description.key, tells_when_away=description.tells_when_away)
        self.entity_description = description

    @property
    @override
    def native_value(self) -> str | int | datetime | None:
        """The value now."""
        return self.entity_description.value(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """What goes with it, for the sensors that have something."""
        attributes = self.entity_description.attributes
        return attributes and attributes(self.coordinator)
