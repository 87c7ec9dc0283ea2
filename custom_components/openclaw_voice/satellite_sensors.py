"""The sensors of a voice satellite's device, in the order of the table in `docs/status.md`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.components.sensor.const import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfTime

from .realtime.session import RealtimeSession
from .status_source import HasSource, Source


@dataclass(frozen=True, kw_only=True)
class SatelliteSensorDescription(SensorEntityDescription, HasSource):
    """A sensor of a voice satellite, and where its value comes from."""

    value: Callable[[RealtimeSession], float | None]
    """None: nothing new; what is known stays."""


def _first_audio(session: RealtimeSession) -> float | None:
    last = session.latency.last
    return None if last is None or last.first_audio is None else round(last.first_audio, 3)


SATELLITE_SENSORS: Final = (
    SatelliteSensorDescription(
        key="time_to_first_audio",
        source=Source.VOICE_TURNS,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        value=_first_audio,
        tells_when_away=True,
    ),
)
"""A row here is a row in `docs/status.md`."""
