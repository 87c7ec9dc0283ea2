"""What a satellite has while it waits for its wake word: nothing that answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self, override

from .backend import (
    Backend,
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendName,
    Capabilities,
)
from .protocol import Reason

_INFO: Final = BackendInfo(
    name=BackendName.NONE,
    input_rate=16_000,
    output_rate=16_000,
    capabilities=Capabilities(barge_in=False, tool_control=False, manual_turns=False),
)


async def start_standby() -> tuple[Backend, BackendInfo]:
    """Return a backend for a session in standby."""
    backend = StandbyBackend()
    return backend, await backend.start()


class StandbyBackend(Backend):
    """Hears nothing and says nothing. See `Backend`, whose methods these are."""

    def __init__(self) -> None:
        """To be made where a loop runs."""
        self._closed = asyncio.Event()

    @override
    async def start(self) -> BackendInfo:
        """See `Backend.start`: there is nothing to start."""
        return _INFO

    @override
    def events(self) -> AsyncIterator[BackendEvent]:
        """See `Backend.events`: nothing happens."""
        return self

    def __aiter__(self) -> Self:
        """Iterate over what happens."""
        return self

    async def __anext__(self) -> BackendEvent:
        """Wait for the end."""
        await self._closed.wait()
        raise StopAsyncIteration

    @override
    def append_audio(self, pcm: bytes) -> None:
        """See `Backend.append_audio`: nobody listens."""

    @override
    def commit(self) -> None:
        """See `Backend.commit`."""

    @override
    def interrupt(self, heard: float) -> None:
        """See `Backend.interrupt`."""

    @override
    def played(self, mark: str) -> None:
        """See `Backend.played`."""

    @override
    def drained(self) -> None:
        """See `Backend.drained`."""

    @override
    def respond(self) -> None:
        """See `Backend.respond`."""

    @override
    def note(self, text: str) -> None:
        """See `Backend.note`: there is no question to come in this session."""

    @override
    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """See `Backend.steer`: nothing goes on."""
        raise BackendError(Reason.NO_BACKEND, is_recoverable=True)

    @override
    async def tool_result(self, call_id: str, output: str) -> None:
        """See `Backend.tool_result`."""

    @override
    async def close(self) -> None:
        """See `Backend.close`."""
        self._closed.set()
