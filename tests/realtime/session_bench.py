"""A realtime session with all that is around it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from custom_components.openclaw_voice.realtime import server_events as say
from custom_components.openclaw_voice.realtime.backend import (
    Backend,
    BackendInfo,
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.end_of_speech import Detector, level_alone
from custom_components.openclaw_voice.realtime.hub import SessionInfo
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session import RealtimeSession, SessionHooks
from custom_components.openclaw_voice.realtime.session_backend import StartBackend
from custom_components.openclaw_voice.realtime.session_config import AudioConfig, SessionConfig
from custom_components.openclaw_voice.realtime.session_state import SessionState
from custom_components.openclaw_voice.realtime.session_watch import SessionLimits
from custom_components.openclaw_voice.realtime.summary import SessionSummary

from .scripted import WAIT_LIMIT, ListChannel, ScriptedBackend

WHOLE = SessionInfo(session_id="s", entry_id="e", agent_id="main", agent_name="Main")
SECOND = bytes(32_000)


class Bench:
    """A session with all that is around it."""

    def __init__(
        self,
        *,
        limits: SessionLimits | None = None,
        begin: float = 0.0,
        hooks: SessionHooks | None = None,
        detector: Callable[[], Detector] = level_alone,
        start: StartBackend | None = None,
        info: SessionInfo = WHOLE,
        **config: Any,  # noqa: ANN401 - fields of the configuration
    ) -> None:
        """Make a session of 16 kHz that runs ahead as far as it can, unless told otherwise.

        Nobody is about to speak for the first `begin` seconds.
        """
        self.backend = ScriptedBackend()
        self.channel = ListChannel()
        self._hooks = hooks or SessionHooks()
        self._changed = asyncio.Event()
        audio = config.pop("audio", AudioConfig(sample_rate=16_000, max_ahead=0.0))
        self.now: float | None = None
        self.session = RealtimeSession(
            info,
            SessionConfig(audio=audio, **config),
            start or self._start,
            self.channel,
            clock=self._clock,
            hooks=replace(self._hooks, on_change=self._on_change),
            detector=detector,
            limits=replace(limits or SessionLimits(), begin=begin),
        )
        self.summary: SessionSummary | None = None

    def _clock(self) -> float:
        return asyncio.get_running_loop().time() if self.now is None else self.now

    async def _start(self) -> tuple[Backend, BackendInfo]:
        return self.backend, await self.backend.start()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Bench]:
        """Run it; it ends when the block does, if not before."""
        task = asyncio.create_task(self.session.run())
        try:
            yield self
        finally:
            self.session.end(Reason.STOPPED)
            async with asyncio.timeout(WAIT_LIMIT):
                self.summary = await task

    def is_in(self, state: SessionState) -> bool:
        """Return whether the session is in a state."""
        return self.session.state is state

    async def ended(self) -> None:
        """Wait until the satellite was told the end."""
        await self.channel.until(say.SessionEnded)

    async def state(self, state: SessionState) -> None:
        """Wait for a state."""
        async with asyncio.timeout(WAIT_LIMIT):
            while self.session.state is not state:
                self._changed.clear()
                await self._changed.wait()

    def _on_change(self, session: RealtimeSession) -> None:
        self._changed.set()
        self._hooks.on_change(session)


def turn(pcm: bytes = SECOND, *, turn_id: str = "t") -> list[Any]:
    """Return what a backend tells in a whole turn."""
    return [
        TurnStarted(turn_id=turn_id),
        SpeechEnded(turn_id=turn_id),
        Transcript(speaker=Speaker.USER, text="What time is it?", is_final=True),
        ResponseStarted(turn_id=turn_id),
        Transcript(speaker=Speaker.ASSISTANT, text="It is "),
        OutputAudio(turn_id=turn_id, pcm=pcm, mark="m"),
        Transcript(speaker=Speaker.ASSISTANT, text="It is noon.", is_final=True),
        OutputEnded(turn_id=turn_id),
        TurnEnded(turn_id=turn_id),
    ]
