"""Satellites that talk through this Home Assistant, as satellites of Assist.

What they are told goes over the connection they have: that of a conversation, or their standby.
"""

from typing import Any, Final, override

from homeassistant.components.assist_pipeline import PipelineEvent
from homeassistant.components.assist_satellite import (
    AssistSatelliteAnnouncement,
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
    AssistSatelliteEntityFeature,
    SatelliteBusyError,
)
from homeassistant.components.assist_satellite.entity import (
    AssistSatelliteAnswer,
    AssistSatelliteState,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .announcement_audio import TTS_OPTIONS, async_announcement
from .const import DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import VoiceSatelliteEntity
from .exceptions import SatelliteProblem, satellite_error
from .realtime.backend import BackendError
from .realtime.hub import HubEvent
from .realtime.pipelines import async_choose_pipeline
from .realtime.session import RealtimeSession
from .realtime.session_state import SessionState
from .satellite_settings import (
    FINISHED_SPEAKING,
    PIPELINE,
    async_satellite_settings,
    async_select_id,
)
from .voice_satellites import VoiceSatellite
from .voice_sessions import async_voice_sessions

PARALLEL_UPDATES = 0

STATES: Final = {
    SessionState.IDLE: AssistSatelliteState.IDLE,
    SessionState.LISTENING: AssistSatelliteState.LISTENING,
    SessionState.THINKING: AssistSatelliteState.PROCESSING,
    SessionState.SPEAKING: AssistSatelliteState.RESPONDING,
    SessionState.CLOSED: AssistSatelliteState.IDLE,
}
"""What a session does, in the words of Assist."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add every satellite, now and when one connects for the first time."""
    coordinator = entry.runtime_data

    @callback
    def add(satellite: VoiceSatellite) -> None:
        async_add_entities([RealtimeSatellite(coordinator, satellite)])

    entry.async_on_unload(coordinator.satellites.async_for_each(add))


class RealtimeSatellite(VoiceSatelliteEntity, AssistSatelliteEntity):
    """A satellite, as long as it is connected."""

    _attr_supported_features = (
        AssistSatelliteEntityFeature.ANNOUNCE | AssistSatelliteEntityFeature.START_CONVERSATION
    )
    _attr_tts_options = TTS_OPTIONS

    def __init__(self, coordinator: GatewayCoordinator, satellite: VoiceSatellite) -> None:
        """Have the name of the device."""
        super().__init__(coordinator, satellite)
        self._satellite = satellite

    @property
    @override
    def pipeline_entity_id(self) -> str | None:
        """The select of the pipeline, once it is there."""
        return self._select(PIPELINE)

    @property
    @override
    def vad_sensitivity_entity_id(self) -> str | None:
        """The select of how soon somebody has finished, once it is there."""
        return self._select(FINISHED_SPEAKING)

    @override
    async def async_added_to_hass(self) -> None:
        """Show what the satellite does already."""
        await super().async_added_to_hass()
        self._show()

    @override
    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place: the connection is that of the satellite."""

    @override
    @callback
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        """Wake words are the satellite's own business."""
        return AssistSatelliteConfiguration([], [], 0)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        """There is nothing to configure."""

    @override
    @callback
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        """Only questions run a pipeline here, and they need only its words."""

    @override
    async def async_internal_announce(self, *args: Any, **kwargs: Any) -> None:
        """Show what the session does when it is over."""
        try:
            await super().async_internal_announce(*args, **kwargs)
        finally:
            self._show()

    @override
    async def async_internal_start_conversation(self, *args: Any, **kwargs: Any) -> None:
        """Show what the session does when it is over."""
        try:
            await super().async_internal_start_conversation(*args, **kwargs)
        finally:
            self._show()

    @override
    async def async_internal_ask_question(
        self,
        *args: Any,
        **kwargs: Any,
    ) -> AssistSatelliteAnswer | None:
        """Show what the session does when it is over."""
        try:
            return await super().async_internal_ask_question(*args, **kwargs)
        finally:
            self._show()

    @override
    async def async_announce(self, announcement: AssistSatelliteAnnouncement) -> None:
        """Say something, to its end."""
        await self._async_say(announcement)

    @override
    async def async_start_conversation(
        self, start_announcement: AssistSatelliteAnnouncement
    ) -> None:
        """Say something, and have the satellite listen: for the agent, or for whoever asks."""
        session = await self._async_say(start_announcement)
        if self._ask_question_future is not None:
            silence = async_satellite_settings(self.hass, self._satellite).silence
            try:
                await self.async_accept_pipeline_from_satellite(
                    session.hear_answer(silence=silence)
                )
            finally:
                # An engine may have failed, or have heard enough.
                session.stop_listening()
            if session.was_answer_cut:
                # "Yes" may be the beginning of "yes, but not now".
                raise satellite_error(SatelliteProblem.AWAY)
            return
        prompt, self._extra_system_prompt = self._extra_system_prompt, None
        opening = dict.fromkeys(filter(None, (start_announcement.message, prompt)))
        sessions = async_voice_sessions(self.hass)
        sessions.async_note_opening(self.satellite_id, "\n".join(opening))
        session.ask_to_listen()

    async def _async_say(self, announcement: AssistSatelliteAnnouncement) -> RealtimeSession:
        """Say something over the connection there is, and return that.

        Raises:
            HomeAssistantError: It was not said, or not to its end.
        """
        rate = (await self.async_returned_session()).config.audio.sample_rate
        pcm, rate = await async_announcement(self.hass, announcement, rate)
        session = await self.async_returned_session()
        try:
            was_heard = await session.announce(announcement.message, pcm, rate)
        except TimeoutError as err:
            raise satellite_error(SatelliteProblem.BUSY, SatelliteBusyError) from err
        if not was_heard and session.state is SessionState.CLOSED:
            if self.session in (None, session):
                raise satellite_error(SatelliteProblem.AWAY)
            # Somebody has just begun to talk: standby ends for that.
            raise satellite_error(SatelliteProblem.BUSY, SatelliteBusyError)
        return session

    @override
    @callback
    def _resolve_pipeline(self) -> str | None:
        """Return the pipeline that was chosen, else the one of the agent that answers here."""
        if (chosen := super()._resolve_pipeline()) is not None:
            return chosen
        if (agent := self._agent()) is None:
            return None
        try:
            return async_choose_pipeline(self.hass, agent).pipeline.id
        except BackendError:
            return None

    def _agent(self) -> str | None:
        """Return the conversation entity of the agent that answers here, if that is known."""
        household = self.coordinator.household
        agents = list(household.agents.values())
        agent = household.agent_at(self.entity_id) or (agents[0] if len(agents) == 1 else None)
        if agent is None:
            return None
        registry = er.async_get(self.hass)
        return registry.async_get_entity_id(Platform.CONVERSATION, DOMAIN, agent.subentry_id)

    def _select(self, kind: str) -> str | None:
        entity_id = async_select_id(self.hass, self._satellite, kind)
        return entity_id if entity_id and self.hass.states.get(entity_id) else None

    @override
    @callback
    def _on_session(self, event: HubEvent[RealtimeSession]) -> None:
        self._show()

    @callback
    def _show(self) -> None:
        """Show what the session does, unless Assist itself knows better."""
        session = self.session
        if session is None or not self._is_announcing:
            self._set_state(STATES[session.state] if session else AssistSatelliteState.IDLE)
        else:
            self.async_write_ha_state()
