"""The selects of a voice satellite: its assistant, and how soon somebody has finished speaking.

They are Home Assistant's own, so that its satellites understand what they say.
"""

from typing import override

from homeassistant.components.assist_pipeline.select import (
    AssistPipelineSelect,
    VadSensitivitySelect,
)
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .coordinator import GatewayCoordinator
from .entity import VoiceSatelliteEntity
from .satellite_settings import FINISHED_SPEAKING, PIPELINE
from .voice_satellites import VoiceSatellite


class VoicePipelineSelect(VoiceSatelliteEntity, AssistPipelineSelect):
    """The pipeline whose speech engines are used, and that speaks announcements."""

    def __init__(
        self, hass: HomeAssistant, coordinator: GatewayCoordinator, satellite: VoiceSatellite
    ) -> None:
        """Choose none in particular until somebody does."""
        VoiceSatelliteEntity.__init__(self, coordinator, satellite, PIPELINE)
        AssistPipelineSelect.__init__(self, hass, DOMAIN, satellite.unique_id())

    @property
    @override
    def available(self) -> bool:
        """Always: the choice is ours, not the satellite's."""
        return True


class VoiceFinishedSelect(VoiceSatelliteEntity, VadSensitivitySelect):
    """How much silence ends what somebody says."""

    def __init__(
        self, hass: HomeAssistant, coordinator: GatewayCoordinator, satellite: VoiceSatellite
    ) -> None:
        """Choose nothing in particular until somebody does."""
        VoiceSatelliteEntity.__init__(self, coordinator, satellite, FINISHED_SPEAKING)
        VadSensitivitySelect.__init__(self, hass, satellite.unique_id())

    @property
    @override
    def available(self) -> bool:
        """Always: the choice is ours, not the satellite's."""
        return True
