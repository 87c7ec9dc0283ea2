"""What answers in one realtime session: the backends that may, in order, and what they are told."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
import logging
import re
from typing import Any, Final

from homeassistant.core import Context, HomeAssistant
from homeassistant.util import dt as dt_util

from .announcement_audio import async_say
from .assist.options import ContextField, RealtimeBackend
from .assist.phrases import async_texts
from .assist.question import Origin, Question
from .assist.scope import named_conversation
from .outbox.adopted import async_adopt
from .outbox.delivery import async_delivery
from .realtime.assist_backend import AssistBackend
from .realtime.backend import Backend, BackendError, BackendInfo, BackendName, BackendRequest
from .realtime.backend_choice import start_first
from .realtime.gateway_backend import GatewayBackend
from .realtime.orphans import Orphan
from .realtime.pipelines import async_choose_pipeline
from .realtime.protocol import Reason
from .realtime.session import RealtimeSession
from .realtime.session_config import SessionConfig
from .satellite_settings import SatelliteSettings
from .voice_agent import Answering
from .voice_context import added_by_satellite, async_told

NOTE_NO_CLIENT_TOOLS: Final = "client_tools_unavailable"
"""The tools of the satellite are not called."""

NOTE_TOOLS: Final = "agent_tools_enabled"
"""The agent uses its tools, although none were wanted."""

NOTE_AGENT_ONLY: Final = "context_for_agent_only"
"""Instructions and history reach the agent when it is asked; the speech model does not know them."""

NOTE_LANGUAGE: Final = "language_unavailable"
"""Another language than the one that was asked for is heard and spoken: that of the pipeline."""

_LOGGER: Final = logging.getLogger(__name__)

type KeepPromise = Callable[[Coroutine[Any, Any, None]], None]
"""Runs what has to be done before the outbox stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a session is to be like."""

    answering: Answering
    config: SessionConfig
    settings: SatelliteSettings
    origin: Origin
    context: Context
    """Of Home Assistant: whose session it is."""


class VoiceBackends:
    """Starts the first backend that can answer in a session."""

    def __init__(
        self,
        hass: HomeAssistant,
        wish: Wish,
        *,
        keep_promise: KeepPromise,
        take_opening: Callable[[], str | None],
    ) -> None:
        """Nothing is started yet.

        Args:
            hass: Home Assistant.
            wish: What the session is to be like.
            keep_promise: Runs what has to be done before the outbox stops.
            take_opening: What was said at the satellite before, once; None: nothing.
        """
        self._hass = hass
        self._wish = wish
        self._keep_promise = keep_promise
        self._take_opening = take_opening
        self._agent = wish.answering.agent
        self._options = wish.answering.agent.options
        self.pipeline_id: Final = wish.config.pipeline_id or wish.settings.pipeline_id
        self.language: Final = (
            wish.config.language or self._options.realtime_language or self._home_language()
        )
        """In which people speak."""

    async def async_start(self) -> tuple[Backend, BackendInfo]:
        """Start the first that can; see `start_first`."""
        chosen = self._wish.config.backend or _NAMES[self._options.realtime_backend]
        request = self._request()
        makers: Mapping[BackendName, Callable[[], Backend]] = {
            BackendName.GATEWAY: lambda: self._gateway(request),
            BackendName.ASSIST: lambda: self._assist(request),
        }
        names = list(makers) if chosen is None else [chosen]
        failures: list[BackendError] = []
        try:
            backend, info = await start_first(
                [makers[name] for name in names], on_failure=failures.append
            )
        except BackendError:
            if chosen is BackendName.GATEWAY and not self._is_without_model:
                self._tell_of_realtime(chosen, failures)
            raise
        self._tell_of_realtime(info.name, failures)
        opening = self._take_opening()
        if opening is not None and ContextField.EXTRA in self._options.context:
            backend.note(opening)
        return backend, replace(info, notes=(*info.notes, *self._notes(info.name)))

    async def async_ask_gently(self, session: RealtimeSession) -> None:
        """Ask whether somebody is still there.

        Raises:
            BackendError, HomeAssistantError, TimeoutError: That cannot be asked.
        """
        text = (await async_texts(self._hass, self.language, "common"))["still_there"]
        choice = async_choose_pipeline(self._hass, self._wish.answering.entity_id, self.pipeline_id)
        pcm, rate = await async_say(self._hass, choice.pipeline, text, self.language)
        if await session.announce(text, pcm, rate):
            session.ask_to_listen()

    def _request(self) -> BackendRequest:
        """Return what all backends are told."""
        config, origin = self._wish.config, self._wish.origin
        silence = config.turn_detection.silence
        if silence is None:
            silence = self._wish.settings.silence
        if silence is None:
            silence = self._options.realtime_silence
        return BackendRequest(
            session_key=self._agent.key_of(self._agent.scope_of(self._question())),
            agent_name=self._agent.name,
            language=self.language,
            voice=config.voice,
            turn_detection=replace(config.turn_detection, silence=silence),
            pipeline_id=self.pipeline_id,
            conversation_id=named_conversation(config.session_key) if config.session_key else None,
            device_id=origin.device_id,
            satellite_id=origin.satellite_id,
            cancels_echo=config.hears_over_answers,
        )

    def _question(self) -> Question:
        """Return what is asked in the session, without the words."""
        config = self._wish.config
        return Question(
            text="",
            language=self.language,
            origin=self._wish.origin,
            is_spoken=True,
            extra_instructions=added_by_satellite(config),
            session=config.session_key,
        )

    def _gateway(self, request: BackendRequest) -> Backend:
        config, entry = self._wish.config, self._agent.house.entry
        question = self._question()
        return GatewayBackend(
            self._wish.answering.coordinator.client.talk,
            replace(
                request,
                voice=config.voice or self._options.realtime_voice,
                model=config.model or self._options.realtime_model,
                asks_agent=config.has_tools,
                context_now=lambda: self._told(question),
            ),
            on_orphan=self._on_orphan,
            keep_task=lambda work, name: entry.async_create_background_task(self._hass, work, name),
        )

    def _told(self, question: Question) -> str:
        """Return what the agent is told with a question of the speech model."""
        replies = async_delivery(self._hass).replies
        expected = replies.take(question.origin.satellite_id, dt_util.utcnow())
        ours = (self._wish.answering.coordinator.entry_id, self._agent.agent_id)
        if expected is not None and (expected.entry_id, expected.agent_id) == ours:
            question = replace(question, reply_to=expected.said)
        return async_told(self._hass, self._agent.options, question)

    def _assist(self, request: BackendRequest) -> Backend:
        # The conversation entity adds the rest to each question.
        context = added_by_satellite(self._wish.config)
        return AssistBackend(
            self._hass,
            replace(request, context=context or ""),
            agent=self._wish.answering.entity_id,
            context=self._wish.context,
        )

    def _notes(self, name: BackendName) -> list[str]:
        """Return what the satellite has asked for in vain."""
        config, is_gateway = self._wish.config, name is BackendName.GATEWAY
        notes = {
            NOTE_NO_CLIENT_TOOLS: bool(config.tools),
            NOTE_TOOLS: not (config.has_tools or is_gateway),
            NOTE_LANGUAGE: not is_gateway and not self._is_understood(config.language),
            NOTE_AGENT_ONLY: is_gateway and bool(config.instructions or config.history),
        }
        return [note for note, is_so in notes.items() if is_so]

    def _is_understood(self, language: str | None) -> bool:
        """Tell whether the engines of Home Assistant hear a language, whatever its region."""
        return language is None or _main_part(language) == _main_part(self._home_language())

    @property
    def _is_without_model(self) -> bool:
        """Whether people want no speech model for the agent."""
        return self._options.realtime_backend is RealtimeBackend.ASSIST

    def _tell_of_realtime(self, name: BackendName, failures: list[BackendError]) -> None:
        """Show people what the gateway lacks, or that it does not any more."""
        for failure in failures:
            _LOGGER.debug("A realtime backend does not start: %s", failure.reason)
        is_missing = any(failure.reason == Reason.NO_BACKEND for failure in failures)
        if is_missing or (name is BackendName.GATEWAY and not failures):
            self._wish.answering.coordinator.issues.async_show_realtime(is_missing)

    def _on_orphan(self, orphan: Orphan) -> None:
        """Promise the answer of what the agent works on when the satellite has left."""
        self._keep_promise(
            async_adopt(
                self._agent.house.outbox,
                orphan,
                agent_id=self._agent.agent_id,
                subentry_id=self._agent.subentry_id,
                language=self.language,
                satellite_id=self._wish.origin.satellite_id,
            )
        )

    def _home_language(self) -> str:
        """Return the language of the pipeline that would answer, else that of the home."""
        try:
            choice = async_choose_pipeline(
                self._hass, self._wish.answering.entity_id, self.pipeline_id
            )
        except BackendError:
            return self._hass.config.language
        return choice.pipeline.language


def _main_part(language: str) -> str:
    return re.split("[-_]", language)[0].lower()


_NAMES: Final = {
    RealtimeBackend.AUTO: None,
    RealtimeBackend.GATEWAY: BackendName.GATEWAY,
    RealtimeBackend.ASSIST: BackendName.ASSIST,
}
