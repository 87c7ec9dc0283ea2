"""How loud a voice satellite is, where it lets Home Assistant change that."""

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.number import (
    NumberEntity,
    NumberEntityDescription,
)
from homeassistant.components.number.const import NumberMode
from homeassistant.const import PERCENTAGE, EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .realtime.session_config import Feature
from .satellite_controls import SatelliteControl
from .status_source import HasSource, Source
from .voice_satellites import VoiceSatellite

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SatelliteNumberDescription(NumberEntityDescription, HasSource):
    """A number of a voice satellite."""


VOLUME: Final = SatelliteNumberDescription(
    key="volume",
    source=Source.SATELLITE,
    entity_category=EntityCategory.CONFIG,
    native_min_value=0,
    native_max_value=100,
    native_step=1,
    native_unit_of_measurement=PERCENTAGE,
    mode=NumberMode.SLIDER,
)
"""A row of `docs/status.md`."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a volume for every satellite that offers it."""
    coordinator = entry.runtime_data

    @callback
    def add(satellite: VoiceSatellite) -> None:
        async_add_entities([SatelliteVolume(coordinator, satellite)])

    entry.async_on_unload(coordinator.satellites.async_for_each(add, Feature.VOLUME))


class SatelliteVolume(SatelliteControl, NumberEntity):
    """How loud a satellite is, as it tells."""

    entity_description: SatelliteNumberDescription

    def __init__(self, coordinator: GatewayCoordinator, satellite: VoiceSatellite) -> None:
        """Show what the satellite tells."""
        super().__init__(coordinator, satellite, VOLUME.key)
        self.entity_description = VOLUME

    @property
    @override
    def native_value(self) -> float | None:
        """In percent; None until the satellite has told."""
        volume = self.controls.volume
        return None if volume is None else round(volume * 100)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Have the satellite change it; it tells when it has."""
        self.connected_session().set_controls(volume=value / 100)
