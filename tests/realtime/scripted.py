"""A backend that does what a test says, and a satellite that writes down what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from custom_components.openclaw_voice.realtime import server_events
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendName,
    Capabilities,
)
from custom_components.openclaw_voice.realtime.protocol import Reason

WAIT_LIMIT: Final = 5.0
INFO: Final = BackendInfo(
    name=BackendName.ASSIST,
    input_rate=16_000,
    output_rate=16_000,
    capabilities=Capabilities(barge_in=True, tool_control=True, manual_turns=True),
    notes=("a_note",),
)


class ScriptedBackend:
    """Writes down how it is called, and hands out the events a test puts into it."""

    def __init__(self, info: BackendInfo = INFO) -> None:
        """Nothing happens by itself."""
        self.info = info
        self.calls: list[tuple[Any, ...]] = []
        self.heard = b""
        self.dropped = 0.0
        self.fails_to_start: str | None = None
        self.steer_result: Mapping[str, Any] | BackendError = {"ok": True, "message": "done"}
        self.tool_error: BackendError | None = None
        self.starts_when = asyncio.Event()
        self.starts_when.set()
        self.is_closed = asyncio.Event()
        self.close_error: Exception | None = None
        self._news = asyncio.Event()
        self._events: asyncio.Queue[BackendEvent | BackendError | None] = asyncio.Queue()

    def tell(self, *events: BackendEvent | BackendError | None) -> None:
        """Hand out events; an error is raised, None ends it."""
        for event in events:
            self._events.put_nowait(event)

    async def start(self) -> BackendInfo:
        """Start, or not."""
        await self.starts_when.wait()
        if self.fails_to_start:
            raise BackendError(self.fails_to_start)
        return self.info

    async def events(self) -> AsyncIterator[BackendEvent]:
        """Hand out what a test tells."""
        while (event := await self._events.get()) is not None:
            if isinstance(event, BackendError):
                raise event
            yield event

    def append_audio(self, pcm: bytes) -> None:
        """Keep what was heard."""
        self.heard += pcm
        self._news.set()

    async def until_heard(self, pcm: bytes) -> None:
        """Wait until something was heard."""
        async with asyncio.timeout(WAIT_LIMIT):
            while pcm not in self.heard:
                self._news.clear()
                await self._news.wait()

    def commit(self) -> None:
        """Write it down."""
        self.calls.append(("commit",))

    def interrupt(self, heard: float) -> None:
        """Write it down."""
        self.calls.append(("interrupt", heard))

    def played(self, mark: str) -> None:
        """Write it down."""
        self.calls.append(("played", mark))

    def drained(self) -> None:
        """Write it down."""
        self.calls.append(("drained",))

    def respond(self) -> None:
        """Write it down."""
        self.calls.append(("respond",))

    def note(self, text: str) -> None:
        """Write it down."""
        self.calls.append(("note", text))

    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """Answer as a test says."""
        self.calls.append(("steer", text, mode))
        if isinstance(self.steer_result, BackendError):
            raise self.steer_result
        return self.steer_result

    async def tool_result(self, call_id: str, output: str) -> None:
        """Write it down."""
        self.calls.append(("tool_result", call_id, output))
        if self.tool_error:
            raise self.tool_error

    async def close(self) -> None:
        """End."""
        self.is_closed.set()
        if self.close_error:
            raise self.close_error


class ListChannel:
    """A satellite that takes everything at once."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self.events: list[server_events.ServerEvent] = []
        self.pcm = b""
        self.dropped = 0.0
        self.reason: Reason | None = None
        self._news = asyncio.Event()

    def send(self, event: server_events.ServerEvent) -> None:
        """Write it down."""
        self.events.append(event)
        self._news.set()

    def send_audio(self, pcm: bytes) -> None:
        """Collect it."""
        self.pcm += pcm
        self._news.set()

    def close(self, reason: Reason) -> None:
        """Keep the first reason."""
        self.reason = self.reason or reason
        self._news.set()

    @property
    def types(self) -> list[str]:
        """The events, by their types."""
        return [event.type for event in self.events]

    def last[E: server_events.ServerEvent](self, kind: type[E]) -> E:
        """Return the last event of a kind."""
        return [event for event in self.events if isinstance(event, kind)][-1]

    async def until(self, kind: type[server_events.ServerEvent], count: int = 1) -> None:
        """Wait until so many events of a kind have come."""
        async with asyncio.timeout(WAIT_LIMIT):
            while sum(isinstance(event, kind) for event in self.events) < count:
                self._news.clear()
                await self._news.wait()
