"""What the entities of a voice satellite's controls have in common."""

from typing import override

from homeassistant.core import callback

from .entity import VoiceSatelliteEntity
from .realtime.client_events import SatelliteState
from .realtime.hub import HubEvent
from .realtime.session import RealtimeSession


class SatelliteControl(VoiceSatelliteEntity):
    """Shows what the satellite has told last, also in an earlier session.

    A satellite has another session whenever it hears its wake word; its volume stays.
    """

    _told = SatelliteState()

    @property
    def controls(self) -> SatelliteState:
        """The controls as they are, as far as the satellite has told."""
        now = self.session.satellite_state if self.session else SatelliteState()
        return SatelliteState(
            volume=self._told.volume if now.volume is None else now.volume,
            muted=self._told.muted if now.muted is None else now.muted,
        )

    @callback
    @override
    def _on_session(self, event: HubEvent[RealtimeSession]) -> None:
        self._told = self.controls
        super()._on_session(event)
