"""Whether a voice satellite is muted, where it lets Home Assistant change that."""

from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .realtime.session_config import Feature
from .satellite_controls import SatelliteControl
from .status_source import HasSource, Source
from .voice_satellites import VoiceSatellite

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SatelliteSwitchDescription(SwitchEntityDescription, HasSource):
    """A switch of a voice satellite."""


MUTE: Final = SatelliteSwitchDescription(
    key="mute", source=Source.SATELLITE, entity_category=EntityCategory.CONFIG
)
"""A row of `docs/status.md`."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a switch for every satellite that can be muted."""
    coordinator = entry.runtime_data

    @callback
    def add(satellite: VoiceSatellite) -> None:
        async_add_entities([SatelliteMute(coordinator, satellite)])

    entry.async_on_unload(coordinator.satellites.async_for_each(add, Feature.MUTE))


class SatelliteMute(SatelliteControl, SwitchEntity):
    """Whether the microphone of a satellite is muted, as it tells."""

    entity_description: SatelliteSwitchDescription

    def __init__(self, coordinator: GatewayCoordinator, satellite: VoiceSatellite) -> None:
        """Show what the satellite tells."""
        super().__init__(coordinator, satellite, MUTE.key)
        self.entity_description = MUTE

    @property
    @override
    def is_on(self) -> bool | None:
        """None until the satellite has told."""
        return self.controls.muted

    @override
    async def async_turn_on(self, **_: Any) -> None:
        """Mute it; it tells when it is."""
        self._set(True)

    @override
    async def async_turn_off(self, **_: Any) -> None:
        """Let it hear again; it tells when it does."""
        self._set(False)

    def _set(self, is_muted: bool) -> None:
        self.connected_session().set_controls(muted=is_muted)
