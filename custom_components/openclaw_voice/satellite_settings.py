"""What people chose for a voice satellite: the pipeline, and how soon somebody has finished."""

from dataclasses import dataclass
from typing import Final

from homeassistant.components.assist_pipeline.select import (
    get_chosen_pipeline,
    get_vad_sensitivity,
)
from homeassistant.components.assist_pipeline.vad import VadSensitivity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .voice_satellites import VoiceSatellite

PIPELINE: Final = "pipeline"
FINISHED_SPEAKING: Final = "vad_sensitivity"
"""The selects end their unique ids with these: Home Assistant's own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteSettings:
    """What was chosen for a satellite. None: nothing in particular."""

    pipeline_id: str | None = None
    silence: float | None = None
    """Seconds that end an utterance."""


@callback
def async_satellite_settings(hass: HomeAssistant, satellite: VoiceSatellite) -> SatelliteSettings:
    """Return what was chosen for a satellite."""
    prefix = satellite.unique_id()
    return SatelliteSettings(
        pipeline_id=get_chosen_pipeline(hass, DOMAIN, prefix), silence=_silence(hass, prefix)
    )


@callback
def async_select_id(hass: HomeAssistant, satellite: VoiceSatellite, kind: str) -> str | None:
    """Return the entity id of a select of a satellite: `PIPELINE` or `FINISHED_SPEAKING`."""
    return er.async_get(hass).async_get_entity_id(
        Platform.SELECT, DOMAIN, f"{satellite.unique_id()}-{kind}"
    )


def _silence(hass: HomeAssistant, prefix: str) -> float | None:
    try:
        sensitivity = get_vad_sensitivity(hass, DOMAIN, prefix)
    except ValueError:
        # The select is not there yet: its state is not one of its own.
        return None
    is_chosen = sensitivity is not VadSensitivity.DEFAULT
    return VadSensitivity.to_seconds(sensitivity) if is_chosen else None
