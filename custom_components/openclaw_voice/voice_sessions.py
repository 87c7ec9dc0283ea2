"""Realtime sessions of this Home Assistant: what a satellite gets that wants one, and their end.

There is one of it, whether a gateway is set up or not.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import replace
import logging
from typing import TYPE_CHECKING, Any, Final

from homeassistant.auth.models import User
from homeassistant.core import Context, Event, HassJob, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util.hass_dict import HassKey

from .assist.options import ContextField
from .assist.surroundings import async_origin
from .const import DOMAIN
from .realtime.endpoint import Prepared, RealtimeHub, RealtimeView
from .realtime.hub import Hub, SessionInfo
from .realtime.protocol import ProtocolProblem, Reason
from .realtime.session_config import SessionConfig, SessionMode
from .satellite_settings import SatelliteSettings, async_satellite_settings
from .voice_agent import Answering, async_choose_agent, async_home_of, coordinators, nobody
from .voice_backends import VoiceBackends, Wish
from .voice_context import opened_with
from .voice_satellites import VoiceSatellite
from .websocket_api import async_register_commands

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator

OPENING_LIMIT: Final = 300.0
"""Seconds for which it matters what a satellite has said."""

MAX_OPENINGS: Final = 64
PROMISE_LIMIT: Final = 5.0
"""Seconds to write down which answers are owed when sessions end."""

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
        self._openings: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._promises: set[asyncio.Task[None]] = set()

    @callback
    def async_register(self) -> None:
        """Let satellites in, and tell frontends of them."""
        self._hass.data[DATA_SESSIONS] = self
        self._hass.http.register_view(self._view)
        async_register_commands(self._hass, self.hub)
        self._hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._on_device)
        # Before Home Assistant cancels tasks: satellites are told, questions are handed over.
        self._hass.async_add_shutdown_job(HassJob(self.async_stop, f"{DOMAIN} stop sessions"))

    async def async_stop(self) -> None:
        """End all sessions, and let nobody in any more."""
        self._is_stopped = True
        await self._view.async_close(Reason.STOPPED)

    async def async_unload(self, entry_id: str) -> None:
        """End the sessions with the agents of an entry; what they owe is promised then."""
        await self.hub.close(Reason.UNLOADED, entry_id=entry_id)
        if self._promises:
            await asyncio.wait(self._promises, timeout=PROMISE_LIMIT)

    @callback
    def async_update(self, coordinator: GatewayCoordinator) -> None:
        """End the sessions with agents of an entry that were removed, or may not answer any more."""
        for session in self.hub.sessions:
            info = session.info
            if info.entry_id != coordinator.entry_id or not info.agent_id:
                continue
            agent = coordinator.household.agent_of(info.agent_id)
            if agent is None:
                session.end(Reason.UNLOADED)
            elif not agent.options.reachable_by_realtime:
                session.end(Reason.AGENT_UNREACHABLE)

    @callback
    def async_note_opening(self, satellite_id: str, text: str) -> None:
        """Note what was said at a satellite, as it names itself, for the next question there.

        It matters for `OPENING_LIMIT`.
        """
        text = opened_with(text)
        session = self.hub.session_of(satellite_id)
        if session is not None and not session.is_standby:
            if self._may_be_told(session.info):
                session.note(text)
            return
        self._openings.pop(satellite_id, None)
        self._openings[satellite_id] = (text, self._hass.loop.time() + OPENING_LIMIT)
        if len(self._openings) > MAX_OPENINGS:
            self._openings.popitem(last=False)

    async def async_prepare(self, session_id: str, config: SessionConfig, user: User) -> Prepared:
        """Return what a satellite gets.

        Raises:
            ProtocolProblem: It gets nothing.
        """
        if self._is_stopped:
            raise ProtocolProblem(Reason.STOPPED)
        satellite = self._admit(config, user)
        info = SessionInfo(
            session_id=session_id,
            entry_id=satellite.entry_id if satellite else "",
            agent_id="",
            agent_name="",
            satellite_id=config.satellite_id,
            device_id=satellite.device_id if satellite else None,
            user_id=user.id,
        )
        if config.mode is SessionMode.STANDBY:
            if satellite is None:
                raise nobody(self._hass, config.agent)
            return Prepared(info=info)
        entity_id = satellite.entity_id(self._hass) if satellite else None
        settings = self._settings(satellite)
        answering = async_choose_agent(
            self._hass,
            user,
            named=config.agent,
            satellite=entity_id,
            near=info.entry_id,
            pipeline_id=config.pipeline_id or settings.pipeline_id,
        )
        origin = await async_origin(
            self._hass, satellite_id=entity_id, device_id=info.device_id, user_id=user.id
        )
        self._look_again(answering, satellite)
        backends = VoiceBackends(
            self._hass,
            Wish(
                answering=answering,
                config=config,
                settings=settings,
                origin=origin,
                context=Context(user_id=user.id),
            ),
            keep_promise=self._keep_promise,
            take_opening=lambda: self._take_opening(config.satellite_id),
        )
        info = replace(
            info,
            entry_id=answering.coordinator.entry_id,
            agent_id=answering.agent.agent_id,
            agent_name=answering.agent.name,
        )
        return Prepared(
            info=info,
            start_backend=backends.async_start,
            ask_gently=backends.async_ask_gently,
            asks_when_silent=answering.agent.options.realtime_asks_first,
        )

    @callback
    def _on_device(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        """End the sessions of a satellite whose device is removed."""
        if event.data["action"] == "remove":
            for session in self.hub.sessions:
                if session.info.device_id == event.data["device_id"]:
                    session.end(Reason.REMOVED)

    def _may_be_told(self, info: SessionInfo) -> bool:
        """Tell whether the agent of a session may know what is added to a question."""
        return any(
            agent.agent_id == info.agent_id and ContextField.EXTRA in agent.options.context
            for each in coordinators(self._hass)
            if each.entry_id == info.entry_id
            for agent in each.agents.values()
        )

    def _look_again(self, answering: Answering, satellite: VoiceSatellite | None) -> None:
        """Raise ProtocolProblem for what has gone meanwhile: nobody would end that session."""
        if self._is_stopped:
            raise ProtocolProblem(Reason.STOPPED)
        if answering.coordinator not in coordinators(self._hass):
            raise ProtocolProblem(Reason.GATEWAY_LOST)
        if satellite and dr.async_get(self._hass).async_get(satellite.device_id) is None:
            raise ProtocolProblem(Reason.REMOVED)

    def _admit(self, config: SessionConfig, user: User) -> VoiceSatellite | None:
        """Let a satellite be a device that names itself, also while no agent is chosen for it."""
        if config.satellite_id is None:
            return None
        home = async_home_of(self._hass, user, config.satellite_id, config.agent)
        return home.satellites.async_admit(config) if home else None

    def _settings(self, satellite: VoiceSatellite | None) -> SatelliteSettings:
        if satellite is None:
            return SatelliteSettings()
        return async_satellite_settings(self._hass, satellite)

    def _take_opening(self, satellite_id: str | None) -> str | None:
        text, until = self._openings.pop(satellite_id or "", ("", 0.0))
        return text if self._hass.loop.time() < until else None

    def _keep_promise(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._hass.async_create_task(_kept(work), f"{DOMAIN} promise an answer")
        self._promises.add(task)
        task.add_done_callback(self._promises.discard)


async def _kept(work: Coroutine[Any, Any, None]) -> None:
    """Do what was promised; a failure is logged without what it may quote."""
    try:
        await work
    except Exception as err:  # noqa: BLE001 - nobody waits for it
        _LOGGER.error("A late answer could not be promised: %s", type(err).__name__)
