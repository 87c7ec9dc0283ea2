"""Realtime sessions of this Home Assistant: what a satellite gets that wants one, and their end.

There is one of it, whether a gateway is set up or not.
"""

from collections.abc import Callable
from dataclasses import replace
import logging
from typing import Final

from homeassistant.auth.models import User
from homeassistant.core import Context, HassJob, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .assist.question import Origin, Question
from .assist.surroundings import async_origin
from .const import DOMAIN
from .realtime.assist_backend import AssistBackend
from .realtime.backend import Backend, BackendError, BackendInfo, BackendName, BackendRequest
from .realtime.backend_choice import start_first
from .realtime.endpoint import Prepared, RealtimeHub, RealtimeView
from .realtime.gateway_backend import GatewayBackend
from .realtime.hub import Hub, SessionInfo
from .realtime.orphans import Orphan
from .realtime.protocol import ProtocolProblem, Reason
from .realtime.session_config import Feature, SessionConfig
from .voice_agent import Answering, async_choose_agent
from .websocket_api import async_register_commands

_LOGGER: Final = logging.getLogger(__name__)

DATA_SESSIONS: Final[HassKey[VoiceSessions]] = HassKey(f"{DOMAIN}_voice_sessions")


@callback
def async_voice_sessions(hass: HomeAssistant) -> VoiceSessions:
    """Return the sessions; `async_setup` has made them."""
    return hass.data[DATA_SESSIONS]


class VoiceSessions:
    """See the module."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Serve satellites from `async_register` on."""
        self.hub: Final[RealtimeHub] = Hub(replaced=Reason.REPLACED)
        """The sessions that go on."""

        self._hass = hass
        self._view = RealtimeView(self.hub, self.async_prepare)
        self._is_stopped = False

    @callback
    def async_register(self) -> None:
        """Let satellites in, and tell frontends of them."""
        self._hass.data[DATA_SESSIONS] = self
        self._hass.http.register_view(self._view)
        async_register_commands(self._hass, self.hub)
        # Before Home Assistant cancels tasks: satellites are told, questions are handed over.
        self._hass.async_add_shutdown_job(HassJob(self.async_stop, f"{DOMAIN} stop sessions"))

    async def async_stop(self) -> None:
        """End all sessions, and let nobody in any more."""
        self._is_stopped = True
        await self._view.async_close(Reason.STOPPED)

    async def async_unload(self, entry_id: str) -> None:
        """End the sessions with the agents of an entry."""
        await self.hub.close(Reason.UNLOADED, entry_id=entry_id)

    async def async_prepare(self, session_id: str, config: SessionConfig, user: User) -> Prepared:
        """Return what a satellite gets.

        Raises:
            ProtocolProblem: It gets nothing.
        """
        if self._is_stopped:
            raise ProtocolProblem(Reason.STOPPED)
        answering = async_choose_agent(self._hass, user, named=config.agent)
        origin = await async_origin(self._hass, satellite_id=None, device_id=None, user_id=user.id)
        info = SessionInfo(
            session_id=session_id,
            entry_id=answering.coordinator.entry_id,
            agent_id=answering.agent.agent_id,
            agent_name=answering.agent.name,
            satellite_id=config.satellite_id,
            user_id=user.id,
        )
        choice = _Choice(self._hass, answering, config, origin, Context(user_id=user.id))
        return Prepared(info=info, start_backend=choice.async_start)


class _Choice:
    """The backends that may answer in one session."""

    def __init__(
        self,
        hass: HomeAssistant,
        answering: Answering,
        config: SessionConfig,
        origin: Origin,
        context: Context,
    ) -> None:
        self._hass = hass
        self._answering = answering
        self._config = config
        self._context = context
        question = Question(
            text="",
            language=config.language or hass.config.language,
            origin=origin,
            session=config.session_key,
            is_spoken=True,
        )
        agent = answering.agent
        self._request = BackendRequest(
            session_key=agent.key_of(agent.scope_of(question)),
            language=config.language,
            voice=config.voice,
            model=config.model,
            turn_detection=config.turn_detection,
            pipeline_id=config.pipeline_id,
            conversation_id=config.session_key,
            device_id=origin.device_id,
            satellite_id=origin.satellite_id,
            cancels_echo=Feature.ECHO_CANCELLATION in config.satellite.features,
        )

    async def async_start(self) -> tuple[Backend, BackendInfo]:
        """Start the first backend that can; raises BackendError."""
        makers: dict[BackendName, Callable[[], Backend]] = {
            BackendName.GATEWAY: self._gateway,
            BackendName.ASSIST: self._assist,
        }
        wanted = self._config.backend
        names = list(makers) if wanted is None else [wanted]
        return await start_first([makers[name] for name in names], on_failure=self._on_failure)

    def _gateway(self) -> Backend:
        coordinator = self._answering.coordinator
        entry = self._answering.agent.house.entry
        return GatewayBackend(
            coordinator.client.talk,
            self._request,
            on_orphan=self._on_orphan,
            keep_task=lambda work, name: entry.async_create_background_task(self._hass, work, name),
        )

    def _assist(self) -> Backend:
        return AssistBackend(
            self._hass,
            replace(self._request, model=None),
            agent=self._answering.entity_id,
            context=self._context,
        )

    def _on_failure(self, error: BackendError) -> None:
        _LOGGER.debug("A realtime backend does not start: %s", error.reason)

    def _on_orphan(self, orphan: Orphan) -> None:
        _LOGGER.debug("Run %s goes on without its satellite", orphan.run_id)
