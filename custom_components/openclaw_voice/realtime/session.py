"""One realtime session: between a satellite and what answers it.

Everything that happens comes in as a call that never waits, and leaves by the channel. The tasks
of the session belong to `run`, which returns when it is over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
import logging
from typing import Final

from . import server_events
from .announcing import Announcer
from .backend import Backend, BackendError, BackendInfo, TurnMode
from .backend_events import BackendReader
from .channel import Channel
from .client_events import ClientEvent, SatelliteState
from .client_reader import ClientReader
from .end_of_speech import Detector, level_alone
from .hub import SessionInfo
from .latency import LatencyClock, LatencySummary
from .protocol import Reason, reason_of
from .session_backend import SessionBackend, StartBackend
from .session_config import SessionConfig, SessionMode
from .session_ears import SessionEars
from .session_output import PATIENCE, Clock, SessionOutput
from .session_state import Cause, SessionState, next_state
from .session_tasks import SessionTasks
from .session_watch import DEFAULT_LIMITS, SessionLimits, SessionWatch
from .session_words import goodbye, ready
from .summary import SessionSummary

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHooks:
    """Who is told of a session, and asked about it. All of them are called without waiting."""

    on_change: Callable[[RealtimeSession], None] = lambda _: None
    """Its state, or that of its satellite's controls, is another."""

    take_text: Callable[[], float] = lambda: 0.0
    """Count a text of the satellite; the seconds until it may send one."""

    ask_gently: Callable[[RealtimeSession], Awaitable[None]] | None = None
    """Ask whether somebody is still there; None: that cannot be asked."""

    asks_when_silent: bool = False
    """Whether that is asked, unless the satellite says."""


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
        detector: Callable[[], Detector] = level_alone,
        limits: SessionLimits = DEFAULT_LIMITS,
    ) -> None:
        """Nothing happens before `run`; audio is kept."""
        self.info: Final = info
        self.config: Final = config
        self.satellite_state = SatelliteState()
        """The controls of the satellite, as it told them last."""

        self.unknown_events = 0
        """Events of a newer satellite, which were ignored."""

        self.summary: SessionSummary | None = None
        """How it was; None until it has ended."""

        self.state = SessionState.IDLE
        self._answering = SessionBackend(start_backend)
        self._channel = channel
        self._clock = clock
        self._hooks = hooks or SessionHooks()
        self._limits = limits
        self._reason: Reason | None = None
        self._ended = asyncio.Event()
        self._started = clock()
        self._watch = SessionWatch(self, limits, clock, self._question())
        self._tasks = SessionTasks(f"realtime session {info.session_id}", self._on_failure)
        self._latency = LatencyClock(config.turn_detection.silence)
        self._output = SessionOutput(
            channel,
            rate=config.audio.sample_rate,
            max_ahead=config.audio.max_ahead,
            patience=PATIENCE if config.ends_when_heard else 0.0,
            clock=clock,
            on_mark=self._answering.played,
            on_drained=self._on_drained,
        )
        self._ears = SessionEars(config, detector, self._output, clock)
        self._announcer = Announcer(self, self._output, channel)
        self._reader = BackendReader(self, self._output, channel, self._latency, clock)
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
        self._ears.hear(pcm, is_announcing=self._announcer.is_speaking)

    def commit(self) -> bool:
        """End what is being said; return whether it is the backend that has to know."""
        return self._ears.commit()

    def interrupt(self) -> None:
        """Stop the answer, or the announcement."""
        is_busy = self._output.is_busy or not self._reader.is_over
        is_answering = is_busy and not self.is_announcing
        cleared = self._output.clear(refuse=True)
        reason = "response_cancelled"
        self._channel.send(server_events.AudioClear(turn_id=cleared.turn_id, reason=reason))
        if is_answering:
            self._reader.stop()
        self._reader.cut(cleared)
        self._announcer.cancel()
        self.happened(Cause.DROPPED)
        if is_answering:
            self._answering.interrupt(cleared.heard)
            self._end_single()

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

    def hear_answer(
        self, *, start_limit: float = 10.0, limit: float = 30.0, silence: float | None = None
    ) -> AsyncIterator[bytes]:
        """Have the satellite listen, and return what is said: one utterance, as it comes.

        It is PCM of 16 kHz that nobody else hears. Nothing when nobody speaks within `start_limit`
        seconds, or the session is over. What the satellite says about `silence` counts more.
        """
        self.touch()
        self._channel.send(server_events.Listen(purpose=server_events.Purpose.ANSWER))
        utterance = self._ears.listen(
            start_limit=start_limit, limit=limit, silence=silence, on_end=self._on_answered
        )
        if self._reason is not None:
            self.stop_listening()
        elif self.state is SessionState.IDLE:
            self.happened(Cause.HEARD)
        return utterance

    def stop_listening(self) -> None:
        """Hear no more of an answer: whoever asked has heard enough."""
        self._ears.stop_listening()

    def note(self, text: str) -> None:
        """Have the agent know something with the next question; nobody is told now."""
        self._answering.note(text)

    def ask_to_listen(self) -> None:
        """Have the satellite listen as after its wake word: somebody is to talk with the agent."""
        self._expect()
        self._channel.send(server_events.Listen())

    def set_controls(self, *, volume: float | None = None, muted: bool | None = None) -> None:
        """Have the satellite change what it offers."""
        self._channel.send(server_events.SatelliteSet(volume=volume, muted=muted))

    def end(self, reason: str) -> None:
        """End the session soon. Idempotent; the first reason counts."""
        if self._reason is None:
            self._reason = reason_of(reason)
            self._ended.set()
            self._watch.look()

    @property
    def latency(self) -> LatencySummary:
        """How long people waited for its answers so far."""
        return LatencySummary.of(self._latency)

    # for its parts

    @property
    def is_standby(self) -> bool:
        """Whether the satellite only waits for its wake word: that is no conversation."""
        return self.config.mode is SessionMode.STANDBY

    @property
    def was_answer_cut(self) -> bool:
        """Whether the session was over in the middle of `hear_answer`: it may have been more."""
        return self._ears.was_cut

    @property
    def is_working(self) -> bool:
        """Whether a tool is at work, which may take long."""
        return bool(self._reader.activities)

    @property
    def backend(self) -> Backend | None:
        """What answers; None until it has started."""
        return self._answering.backend

    @property
    def backend_info(self) -> BackendInfo | None:
        """What is known of it; None until it has started."""
        return self._answering.info

    @property
    def is_announcing(self) -> bool:
        """Whether something is said that is no answer."""
        return self._announcer.is_speaking

    def take_text(self) -> float:
        """Count a text of the satellite; return the seconds until it may send one."""
        return self._hooks.take_text()

    def touch(self) -> None:
        """Somebody is there."""
        self._watch.touch()

    def notice(self) -> None:
        """Somebody seems to speak."""
        self._expect(self._limits.speech)

    def _expect(self, seconds: float | None = None) -> None:
        """Somebody is there who is about to speak."""
        self.touch()
        if not self.is_standby:
            self._watch.expect(self._limits.begin if seconds is None else seconds)

    def happened(self, cause: Cause) -> None:
        """Go to the next state."""
        state = next_state(self.state, cause)
        if cause is Cause.HEARD:
            self._watch.touch()
        if state is not self.state:
            self.state = state
            self._watch.go_on()
            self._watch.look()
            self._hooks.on_change(self)

    def answer_tool(self, call_id: str, output: str) -> None:
        """Give the backend the result of a tool."""
        self._tasks.start(self._answering.tool_result(call_id, output))

    def drop_announcement(self) -> None:
        """What is being announced was taken back."""
        self._announcer.cancel()

    async def wait_idle(self) -> None:
        """Wait until nobody speaks, or the session is over."""
        await self._watch.wait_idle()

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
            self._ears.close()
            await self._tasks.stop()
            await self._answering.close(self._limits.close)
        return summary

    async def _live(self) -> None:
        backend, info = await self._answering.start(self._limits.start)
        self._output.open(info.output_rate)
        if info.silence is not None:
            self._latency.endpoint = info.silence
        self._channel.send(ready(self.info, self.config, info))
        self._expect()
        self._watch.look()
        self._hooks.on_change(self)
        self._tasks.start(self._output.run())
        self._tasks.start(self._watch.run())
        self._ears.open(info, backend.append_audio)
        async for event in backend.events():
            if self.state is not SessionState.IDLE:
                self._watch.go_on()
            was_working = self.is_working
            self._reader.read(event)
            if was_working != self.is_working:
                self._watch.look()
        self.end(Reason.COMPLETED)

    def give_up_answer(self) -> None:
        """Wait no longer for an answer."""
        self._channel.send(server_events.error(Reason.PROVIDER_UNAVAILABLE, is_recoverable=True))
        self._answering.interrupt(0.0)
        self.happened(Cause.DROPPED)
        self._end_single()

    def _question(self) -> Callable[[], Awaitable[None]] | None:
        """Return what asks whether somebody is there, if that is wanted."""
        wanted = self.config.asks_when_silent
        is_wanted = self._hooks.asks_when_silent if wanted is None else wanted
        ask = self._hooks.ask_gently if is_wanted else None
        return None if ask is None else partial(ask, self)

    def _on_answered(self) -> None:
        """The microphone is free again."""
        self._channel.send(server_events.ListenEnded())
        if self.state is SessionState.LISTENING:
            self.happened(Cause.OVER)

    def _on_drained(self) -> None:
        """Everything was heard: what next?"""
        self._ears.drained()
        self._answering.drained()
        if self._announcer.heard():
            self.happened(Cause.OVER)
        elif self._reader.is_over:
            self.over()
        else:
            self._reader.pause()
            self.happened(Cause.GAP)

    def over(self) -> None:
        """A turn is over, with or without an answer."""
        self._watch.expect_nobody()
        self.happened(Cause.OVER)
        self._end_single()

    def _end_single(self) -> None:
        """End the session if it was for one turn."""
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
        for event in goodbye(summary, reason):
            self._channel.send(event)
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
            latency=self.latency,
            dropped=sum(
                each.dropped for each in (self._ears, self._answering, self._output, self._channel)
            ),
        )
