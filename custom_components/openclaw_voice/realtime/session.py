"""One realtime session: between a satellite and what answers it.

Everything that happens comes in as a call that never waits, and leaves by the channel. The tasks
of the session belong to `run`, which returns when it is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import logging
from typing import Final

from . import server_events
from .announcing import Announcer
from .backend import Backend, BackendError, BackendInfo, TurnMode
from .backend_events import BackendReader
from .channel import Channel
from .client_events import ClientEvent, SatelliteState
from .client_reader import ClientReader
from .hub import SessionInfo
from .latency import LatencyClock, LatencySummary
from .protocol import IDLE_LIMIT, RULES, Reason, reason_of
from .session_config import Feature, SessionConfig, SessionMode
from .session_input import SessionInput
from .session_output import Clock, SessionOutput
from .session_state import Cause, SessionState, next_state
from .session_tasks import SessionTasks
from .summary import SessionSummary

_LOGGER = logging.getLogger(__name__)

type StartBackend = Callable[[], Awaitable[tuple[Backend, BackendInfo]]]
"""Chooses a backend and starts it; raises BackendError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session waits for what, in seconds."""

    silence: float = IDLE_LIMIT
    answer: float = 20.0
    """Without a word of the backend, while an answer is waited for and no tool is at work."""

    question: float = 15.0
    """After somebody was asked whether they are still there."""

    start: float = 40.0
    close: float = 5.0


DEFAULT_LIMITS: Final = SessionLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHooks:
    """Who is told of a session, and asked about it. All of them are called without waiting."""

    on_change: Callable[[RealtimeSession], None] = lambda _: None
    """Its state, or that of its satellite's controls, is another."""

    take_text: Callable[[], float] = lambda: 0.0
    """Count a text of the satellite; the seconds until it may send one."""

    ask_gently: Callable[[RealtimeSession], Awaitable[None]] | None = None
    """Ask whether somebody is still there; None: that cannot be asked."""


class RealtimeSession:
    """A satellite that is connected. See the module."""

    def __init__(
        self,
        info: SessionInfo,
        config: SessionConfig,
        start_backend: StartBackend,
        channel: Channel,
        *,
        clock: Clock,
        hooks: SessionHooks | None = None,
        limits: SessionLimits = DEFAULT_LIMITS,
    ) -> None:
        """Nothing happens before `run`; audio is kept."""
        self.info: Final = info
        self.config: Final = config
        self.backend_info: BackendInfo | None = None
        """None until it has started."""

        self.satellite_state = SatelliteState()
        """The controls of the satellite, as it told them last."""

        self.unknown_events = 0
        """Events of a newer satellite, which were ignored."""

        self.summary: SessionSummary | None = None
        """How it was; None until it has ended."""

        self.state = SessionState.IDLE
        self._start_backend = start_backend
        self._channel = channel
        self._clock = clock
        self._hooks = hooks or SessionHooks()
        self._limits = limits
        self._backend: Backend | None = None
        self._reason: Reason | None = None
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()
        self._last_life = self._started = clock()
        self._was_asked = False
        self._tasks = SessionTasks(f"realtime session {info.session_id}", self._on_failure)
        self._input = SessionInput(config.audio.sample_rate)
        self._latency = LatencyClock(config.turn_detection.silence)
        self._output = SessionOutput(
            channel,
            rate=config.audio.sample_rate,
            max_ahead=config.audio.max_ahead,
            clock=clock,
            on_mark=self._on_mark,
            on_drained=self._on_drained,
        )
        self._announcer = Announcer(self, self._output, channel)
        self._reader = BackendReader(
            self, self._output, channel, self._latency, clock, tasks=self._tasks
        )
        self._client = ClientReader(self, self._tasks, channel)

    # what the satellite does

    def receive(self, event: ClientEvent) -> None:
        """Take an event of the satellite."""
        if self._reason is not None:
            return
        try:
            self._client.receive(event)
        except Exception as err:  # noqa: BLE001 - a mistake of ours must not end what goes on
            _LOGGER.debug("Session %s: %s", self.info.session_id, type(err).__name__)
            self._channel.send(server_events.error(Reason.INTERNAL_ERROR, is_recoverable=True))

    def hear(self, pcm: bytes) -> None:
        """Take audio of the microphone, cut anywhere."""
        if self.config.turn_detection.mode is TurnMode.MANUAL:
            self.touch()
        if not (self._announcer.is_speaking and not self.cancels_echo):
            self._input.hear(pcm)

    def interrupt(self) -> None:
        """Stop the answer, or the announcement."""
        cleared = self._output.clear(refuse=True)
        reason = "response_cancelled"
        self._channel.send(server_events.AudioClear(turn_id=cleared.turn_id, reason=reason))
        self._reader.cut(cleared)
        if not self._announcer.cancel() and self._backend is not None:
            self._backend.interrupt(cleared.heard)
        self.happened(Cause.DROPPED)

    def playback_done(self, turn_id: str | None) -> None:
        """The speaker of the satellite drained."""
        self._output.done(turn_id)

    def take_state(self, state: SatelliteState) -> None:
        """Take the controls of the satellite as they are now."""
        before = self.satellite_state
        self.satellite_state = SatelliteState(
            volume=before.volume if state.volume is None else state.volume,
            muted=before.muted if state.muted is None else state.muted,
        )
        self._hooks.on_change(self)

    # what Home Assistant does

    async def announce(self, text: str, pcm: bytes, rate: int) -> bool:
        """Say something; return whether all of it was heard.

        Raises:
            TimeoutError: The session was busy for too long.
        """
        return await self._announcer.announce(text, pcm, rate)

    def ask_to_listen(self) -> None:
        """Have the satellite listen as after its wake word."""
        self.touch()
        self._channel.send(server_events.Listen())

    def set_controls(self, *, volume: float | None = None, muted: bool | None = None) -> None:
        """Have the satellite change what it offers."""
        self._channel.send(server_events.SatelliteSet(volume=volume, muted=muted))

    def end(self, reason: str) -> None:
        """End the session soon. Idempotent; the first reason counts."""
        if self._reason is None:
            self._reason = reason_of(reason)
            self._ended.set()
            self._changed.set()

    # for its parts

    @property
    def cancels_echo(self) -> bool:
        """Whether the satellite does not hear its own loudspeaker."""
        return Feature.ECHO_CANCELLATION in self.config.satellite.features

    @property
    def backend(self) -> Backend | None:
        """What answers; None until it has started."""
        return self._backend

    @property
    def is_announcing(self) -> bool:
        """Whether something is said that is no answer."""
        return self._announcer.is_speaking

    def take_text(self) -> float:
        """Count a text of the satellite; return the seconds until it may send one."""
        return self._hooks.take_text()

    def touch(self) -> None:
        """Somebody is there."""
        self._last_life = self._clock()
        self._was_asked = False

    def happened(self, cause: Cause) -> None:
        """Go to the next state."""
        state = next_state(self.state, cause)
        if cause is Cause.HEARD:
            self._was_asked = False
        if state is not self.state:
            self.state = state
            self._last_life = self._clock()
            self._changed.set()
            self._hooks.on_change(self)

    def drop_announcement(self) -> None:
        """What is being announced was taken back."""
        self._announcer.cancel()

    async def wait_idle(self) -> None:
        """Wait until nobody speaks, or the session is over."""
        while self.state not in (SessionState.IDLE, SessionState.CLOSED) and not self._reason:
            self._changed.clear()
            await self._changed.wait()

    # its life

    async def run(self) -> SessionSummary:
        """Be there for the satellite until the session ends; return how it was."""
        try:
            self._tasks.start(self._live())
            await self._ended.wait()
        finally:
            self.end(Reason.STOPPED)
            summary = self.summary = self._say_goodbye()
            self._announcer.close()
            await self._tasks.stop()
            await self._close_backend()
        return summary

    async def _live(self) -> None:
        try:
            async with asyncio.timeout(self._limits.start):
                self._backend, info = await self._start_backend()
        except TimeoutError as err:
            raise BackendError(Reason.BACKEND_START_FAILED) from err
        self.backend_info = info
        self._output.open(info.output_rate)
        self._channel.send(
            server_events.SessionReady(
                session_id=self.info.session_id,
                backend=info.name,
                agent=self.info.agent_id,
                agent_name=self.info.agent_name,
                audio=self.config.audio,
                capabilities=info.capabilities,
                notes=info.notes,
            )
        )
        self.touch()
        self._hooks.on_change(self)
        self._tasks.start(self._output.run())
        self._tasks.start(self._watch())
        self._input.open(info.input_rate, self._backend.append_audio)
        async for event in self._backend.events():
            if self.state is not SessionState.IDLE:
                self._last_life = self._clock()
            was_patient = bool(self._reader.activities)
            self._reader.read(event)
            if was_patient != bool(self._reader.activities):
                self._changed.set()
        self.end(Reason.COMPLETED)

    async def _watch(self) -> None:
        """Look after answers that do not come, and after silence."""
        while self._reason is None:
            self._changed.clear()
            limit, act = self._waits_for()
            wait = None if limit is None else self._last_life + limit - self._clock()
            if wait is not None and wait <= 0:
                await act()
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _waits_for(self) -> tuple[float | None, Callable[[], Awaitable[None]]]:
        """Return how many seconds may pass in this state, and what is done then."""
        if self.state is SessionState.THINKING:
            return None if self._reader.activities else self._limits.answer, self._give_up_answer
        if self.state is SessionState.SPEAKING:
            return None, self._end_silence
        limit = self._limits.question if self._was_asked else self._limits.silence
        return limit, self._end_silence

    async def _give_up_answer(self) -> None:
        self._channel.send(server_events.error(Reason.PROVIDER_UNAVAILABLE, is_recoverable=True))
        if self._backend is not None:
            self._backend.interrupt(0.0)
        self.happened(Cause.DROPPED)

    async def _end_silence(self) -> None:
        """Ask whether somebody is there, once and if that is wanted; else end."""
        ask = self._hooks.ask_gently if self.config.asks_when_silent else None
        if ask is None or self._was_asked:
            self.end(Reason.IDLE)
            return
        try:
            await ask(self)
        except Exception as err:  # noqa: BLE001 - then it could not be asked
            _LOGGER.debug("Session %s: %s", self.info.session_id, type(err).__name__)
        self._last_life = self._clock()
        self._was_asked = True

    def _on_mark(self, mark: str) -> None:
        if self._backend is not None:
            self._backend.played(mark)

    def _on_drained(self) -> None:
        """Everything was heard: what next?"""
        if self._announcer.heard():
            self.happened(Cause.OVER)
            return
        if self._backend is not None:
            self._backend.drained()
        if self._reader.is_over:
            self.over()
        else:
            self.happened(Cause.GAP)

    def over(self) -> None:
        """A turn is over, with or without an answer."""
        self.happened(Cause.OVER)
        if self.config.mode is SessionMode.SINGLE:
            self.end(Reason.COMPLETED)

    def _on_failure(self, err: Exception) -> None:
        """End when a task fails."""
        if isinstance(err, BackendError):
            self.end(err.reason)
        else:
            self.end(Reason.INTERNAL_ERROR)

    def _say_goodbye(self) -> SessionSummary:
        """Tell the satellite why it is over, and hang up."""
        reason = self._reason or Reason.STOPPED
        summary = self._summary(reason)
        if RULES[reason].code is not None:
            self._channel.send(server_events.error(reason, is_recoverable=False))
        self._channel.send(
            server_events.SessionEnded(
                reason=reason,
                duration=summary.seconds,
                turn_count=summary.turns,
                summary=RULES[reason].message,
                tokens=summary.tokens.get("total_tokens"),
                mean_first_audio=summary.latency.mean_first_audio,
            )
        )
        self._channel.close(reason)
        self.happened(Cause.ENDED)
        return summary

    def _summary(self, reason: Reason) -> SessionSummary:
        return SessionSummary(
            session_id=self.info.session_id,
            reason=reason,
            seconds=self._clock() - self._started,
            turns=self._reader.turns,
            backend=self.backend_info.name if self.backend_info else None,
            tokens=self._reader.tokens,
            latency=LatencySummary.of(self._latency),
            dropped=self._input.dropped + self._output.dropped + self._channel.dropped,
        )

    async def _close_backend(self) -> None:
        if self._backend is None:
            return
        try:
            async with asyncio.timeout(self._limits.close):
                await self._backend.close()
        except Exception as err:  # noqa: BLE001 - the session is over, whatever it says
            _LOGGER.debug("Session %s: %s", self.info.session_id, type(err).__name__)
