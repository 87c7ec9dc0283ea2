"""What a session does with the events of its satellite."""

from typing import Protocol

from . import server_events
from .backend import Backend, BackendError
from .channel import Channel
from .client_events import (
    AudioAppend,
    AudioCommit,
    ClientEvent,
    FrameAppend,
    PlaybackDone,
    ResponseCancel,
    ResponseCreate,
    SatelliteState,
    SessionEnd,
    Steer,
    ToolResult,
    Unknown,
)
from .protocol import Reason, reason_of
from .session_config import SessionConfig
from .session_tasks import SessionTasks


class Served(Protocol):
    """The session, as it is needed here."""

    @property
    def backend(self) -> Backend | None:
        """What answers; None until it has started."""

    unknown_events: int

    def hear(self, pcm: bytes) -> None:
        """Take audio."""

    def commit(self) -> bool:
        """End what is being said; return whether it is the backend that has to know."""

    def interrupt(self) -> None:
        """Stop the answer."""

    def playback_done(self, turn_id: str | None) -> None:
        """The speaker drained."""

    def take_state(self, state: SatelliteState) -> None:
        """Take the controls of the satellite."""

    def take_text(self) -> float:
        """Count a text."""

    def touch(self) -> None:
        """Somebody is there."""

    def end(self, reason: str) -> None:
        """End the session."""


class ClientReader:
    """Carries out what a satellite wants. Nothing waits; what takes time is a task."""

    def __init__(self, session: Served, tasks: SessionTasks, channel: Channel) -> None:
        """Answer by `channel`."""
        self._session = session
        self._tasks = tasks
        self._channel = channel

    def receive(self, event: ClientEvent) -> None:
        """Take one event."""
        session = self._session
        match event:
            case AudioAppend():
                session.hear(event.pcm)
            case Unknown():
                session.unknown_events += 1
            case PlaybackDone():
                session.playback_done(event.turn_id)
            case SatelliteState():
                session.take_state(event)
            case SessionEnd():
                session.end(Reason.CLIENT_ENDED)
            case SessionConfig():
                self._refuse(Reason.ALREADY_CONFIGURED)
            case FrameAppend():
                self._refuse(Reason.UNSUPPORTED_FRAME)
            case ResponseCancel():
                session.touch()
                session.interrupt()
            case _:
                session.touch()
                if session.backend is not None:
                    self._ask(session.backend, event)

    def _ask(
        self, backend: Backend, event: AudioCommit | ResponseCreate | Steer | ToolResult
    ) -> None:
        """Pass an event on to the backend."""
        match event:
            case AudioCommit():
                self._commit(backend)
            case ResponseCreate():
                backend.respond()
            case _:
                self._send_text(backend, event)

    def _commit(self, backend: Backend) -> None:
        """Somebody has ended; it may have been an answer to Home Assistant itself."""
        if self._session.commit():
            backend.commit()

    def _send_text(self, backend: Backend, event: Steer | ToolResult) -> None:
        """Have a text sent, unless there were too many."""
        if self._session.take_text() > 0:
            self._refuse(Reason.RATE_LIMITED)
            return
        work = (
            self._steer(backend, event)
            if isinstance(event, Steer)
            else self._answer_tool(backend, event)
        )
        if not self._tasks.start(work):
            self._refuse(Reason.RATE_LIMITED)

    async def _steer(self, backend: Backend, event: Steer) -> None:
        try:
            result = await backend.steer(event.text, event.mode)
        except BackendError as err:
            self._refuse(reason_of(err.reason))
            return
        message = result.get("message")
        self._channel.send(
            server_events.SteerResult(
                is_ok=result.get("ok") is True,
                message=message if isinstance(message, str) else None,
            )
        )

    async def _answer_tool(self, backend: Backend, event: ToolResult) -> None:
        try:
            await backend.tool_result(event.call_id, event.output)
        except BackendError as err:
            self._refuse(reason_of(err.reason))

    def _refuse(self, reason: Reason) -> None:
        """Tell the satellite that something was not done; the session goes on."""
        self._channel.send(server_events.error(reason, is_recoverable=True))
