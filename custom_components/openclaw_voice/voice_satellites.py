"""The satellites that talk through this Home Assistant: devices of their entry, with entities.

The device registry remembers them. What a satellite offers is known from the entities it got for that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.typing import UNDEFINED

from .const import DOMAIN
from .realtime.protocol import ProtocolProblem, Reason
from .realtime.session_config import Feature, SatelliteInfo, SessionConfig

MAX_SATELLITES: Final = 64
"""Of one entry: whoever may connect could name any number of them."""

CONTROLS: Final[dict[Feature, Platform]] = {
    Feature.VOLUME: Platform.NUMBER,
    Feature.MUTE: Platform.SWITCH,
}
"""What of a satellite has an entity only where it is offered, and which; its key is the feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSatellite:
    """A satellite that has named itself."""

    entry_id: str
    """Of the gateway's config entry."""

    satellite_id: str
    """As it names itself."""

    device_id: str
    name: str
    """What people call its device."""

    features: frozenset[Feature]
    """What it offers, as far as that is told by its session or its entities."""

    @property
    def identifier(self) -> tuple[str, str]:
        """What its device is known by."""
        return identifier_of(self.entry_id, self.satellite_id)

    def unique_id(self, key: str | None = None) -> str:
        """Return the unique id of one of its entities; without a key of its `assist_satellite`."""
        device = self.identifier[1]
        return device if key is None else f"{device}_{key}"

    def entity_id(self, hass: HomeAssistant) -> str | None:
        """Return the entity id of its `assist_satellite`; None when it is removed."""
        registry = er.async_get(hass)
        return registry.async_get_entity_id(Platform.ASSIST_SATELLITE, DOMAIN, self.unique_id())


class VoiceSatellites:
    """The satellites of one entry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Nothing is known before `async_start`."""
        self._hass = hass
        self._entry = entry
        self._satellites: dict[str, VoiceSatellite] = {}
        self._adders: list[_Adder] = []

    @callback
    def async_start(self) -> None:
        """Know those that have connected before, until the entry is unloaded."""
        for device in dr.async_entries_for_config_entry(
            dr.async_get(self._hass), self._entry.entry_id
        ):
            if (satellite_id := satellite_id_of(self._entry.entry_id, device)) is not None:
                self._note(satellite_id, device, self._remembered(satellite_id))
        self._entry.async_on_unload(
            self._hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._on_device)
        )

    def get(self, satellite_id: str) -> VoiceSatellite | None:
        """Return a satellite by the name it gives itself."""
        return self._satellites.get(satellite_id)

    @property
    def all(self) -> tuple[VoiceSatellite, ...]:
        """All of them."""
        return tuple(self._satellites.values())

    @callback
    def async_admit(self, config: SessionConfig) -> VoiceSatellite:
        """Create or update what Home Assistant has of a satellite: device, entities.

        It has an entity id afterwards.

        Raises:
            ProtocolProblem: There are too many.
            ValueError: The satellite does not name itself.
        """
        satellite_id = config.satellite_id
        if satellite_id is None:
            raise ValueError("a satellite without a name")
        if satellite_id not in self._satellites and len(self._satellites) >= MAX_SATELLITES:
            raise ProtocolProblem(Reason.TOO_MANY_SESSIONS, "too many satellites")
        known = self._satellites.get(satellite_id)
        if known is not None and known.entity_id(self._hass) is None:
            # Somebody has removed the entity alone: only this brings it back.
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)
        device = self._register(satellite_id, config.satellite)
        features = config.satellite.features
        if not features and known is not None:
            # It may tell of itself only when it talks, or only in standby.
            features = known.features
        satellite = self._note(satellite_id, device, features)
        self._register_entity(satellite)
        self._remove_controls(satellite)
        return satellite

    @callback
    def async_for_each(
        self, add: Callable[[VoiceSatellite], object], feature: Feature | None = None
    ) -> CALLBACK_TYPE:
        """Call `add` once for every satellite, now and when one comes later.

        With a feature only for those that offer it, from when they do. The entities of `CONTROLS`
        are removed when they do no longer. Returns what ends that.
        """
        adder = _Adder(add, feature)
        self._adders.append(adder)
        for satellite in self.all:
            adder.look(satellite)
        return lambda: self._adders.remove(adder)

    def _register(self, satellite_id: str, info: SatelliteInfo) -> dr.DeviceEntry:
        registry = dr.async_get(self._hass)
        identifier = identifier_of(self._entry.entry_id, satellite_id)
        is_known = registry.async_get_device_by_identifier(identifier, self._entry.entry_id)
        return registry.async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={identifier},
            name=info.name or (UNDEFINED if is_known else satellite_id),
            manufacturer=info.manufacturer or UNDEFINED,
            model=info.model or UNDEFINED,
            sw_version=info.software_version or UNDEFINED,
            suggested_area=UNDEFINED if is_known else self._area(info.area),
        )

    def _area(self, area: str | None) -> str | None:
        """Return the name of an area that is told by its name or its id."""
        known = ar.async_get(self._hass).async_get_area(area) if area else None
        return known.name if known else area

    def _register_entity(self, satellite: VoiceSatellite) -> None:
        er.async_get(self._hass).async_get_or_create(
            Platform.ASSIST_SATELLITE,
            DOMAIN,
            satellite.unique_id(),
            config_entry=self._entry,
            device_id=satellite.device_id,
            has_entity_name=True,
            original_name=None,
        )

    def _note(
        self, satellite_id: str, device: dr.DeviceEntry, features: frozenset[Feature]
    ) -> VoiceSatellite:
        satellite = VoiceSatellite(
            entry_id=self._entry.entry_id,
            satellite_id=satellite_id,
            device_id=device.id,
            name=device.name_by_user or device.name or satellite_id,
            features=features,
        )
        self._satellites[satellite_id] = satellite
        for adder in self._adders:
            adder.look(satellite)
        return satellite

    def _control(self, satellite_id: str, feature: Feature) -> str | None:
        """Return the entity id of what controls a feature."""
        unique_id = f"{_prefix(self._entry.entry_id)}{satellite_id}_{feature}"
        return er.async_get(self._hass).async_get_entity_id(CONTROLS[feature], DOMAIN, unique_id)

    def _remembered(self, satellite_id: str) -> frozenset[Feature]:
        return frozenset(each for each in CONTROLS if self._control(satellite_id, each))

    def _remove_controls(self, satellite: VoiceSatellite) -> None:
        """Remove the entities of what a satellite does not offer any more."""
        for feature in CONTROLS.keys() - satellite.features:
            if entity_id := self._control(satellite.satellite_id, feature):
                er.async_get(self._hass).async_remove(entity_id)

    @callback
    def _on_device(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        """Forget a satellite whose device is gone, and follow a new name."""
        device_id = event.data["device_id"]
        satellite = next((each for each in self.all if each.device_id == device_id), None)
        if satellite is None:
            return
        device = dr.async_get(self._hass).async_get_device_by_identifier(
            satellite.identifier, self._entry.entry_id
        )
        if device is not None:
            self._note(satellite.satellite_id, device, satellite.features)
            return
        del self._satellites[satellite.satellite_id]
        for adder in self._adders:
            adder.forget(satellite.satellite_id)


class _Adder:
    """Adds the entities of one kind, once for each satellite that is to have them."""

    def __init__(self, add: Callable[[VoiceSatellite], object], feature: Feature | None) -> None:
        """None was added."""
        self._add = add
        self._feature = feature
        self._added: set[str] = set()

    def look(self, satellite: VoiceSatellite) -> None:
        """Add what a satellite has now, and had not before."""
        if self._feature is not None and self._feature not in satellite.features:
            self.forget(satellite.satellite_id)
        elif satellite.satellite_id not in self._added:
            self._added.add(satellite.satellite_id)
            self._add(satellite)

    def forget(self, satellite_id: str) -> None:
        """What was added is removed."""
        self._added.discard(satellite_id)


def identifier_of(entry_id: str, satellite_id: str) -> tuple[str, str]:
    """Return what the device of an entry's satellite is known by."""
    return (DOMAIN, _prefix(entry_id) + satellite_id)


def satellite_id_of(entry_id: str, device: dr.DeviceEntry) -> str | None:
    """Return how the satellite of a device names itself; None when it is none of the entry's."""
    prefix = _prefix(entry_id)
    for domain, identifier in device.identifiers:
        if domain == DOMAIN and identifier.startswith(prefix):
            return identifier.removeprefix(prefix)
    return None


def _prefix(entry_id: str) -> str:
    return f"{entry_id}_satellite_"
