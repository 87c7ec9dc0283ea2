"""A port that passes everything on to another one, and notes when what has passed."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
import time
from typing import Final, Self, cast, override

from ...process import DemoError, free_port
from .wire import Message, Passed, messages

CONNECT_LIMIT: Final = 10.0
SOUND: Final = (b"talk.session.appendAudio", b"input_audio_buffer.append")
"""In each request that carries sound: to the gateway, and to its provider."""


@dataclass(slots=True)
class Taken:
    """One connection through a tap."""

    up: list[Passed] = field(default_factory=list, repr=False)
    """From the client."""

    down: list[Passed] = field(default_factory=list, repr=False)

    @property
    def has_sound(self) -> bool:
        """Whether its client has sent sound."""
        return any(word in message.payload for message in self.messages_up() for word in SOUND)

    def messages_up(self) -> Iterator[Message]:
        """Return the messages of the client of a WebSocket."""
        return messages(self.up)

    def messages_down(self) -> Iterator[Message]:
        """Return the messages of its server."""
        return messages(self.down)


class Tap:
    """The port, from entering to leaving its block. It understands nothing of what it passes."""

    def __init__(self, target: int) -> None:
        """Listen on a free port of 127.0.0.1, and pass on to another one."""
        self.port = free_port()
        self.target = target
        self.connections: list[Taken] = []
        """The oldest first, also those that have ended."""

        self._server: asyncio.Server | None = None
        self._halves: set[_Half] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up and stop listening."""
        if self._server is not None:
            self._server.close()
        for half in tuple(self._halves):
            half.hang_up()

    def since(self, count: int) -> Taken:
        """Return the one connection that carried sound and came after so many others.

        Raises:
            DemoError: There is none, or more than one.
        """
        found = [taken for taken in self.connections[count:] if taken.has_sound]
        if len(found) != 1:
            raise DemoError(f"{len(found)} connections have carried sound instead of one.")
        return found[0]

    def join(self, half: _Half) -> None:
        """Know of one end of a connection."""
        self._halves.add(half)

    def leave(self, half: _Half) -> None:
        """Know of it no longer."""
        self._halves.discard(half)


class _Half(asyncio.Protocol):
    """One end of a connection, which passes what it reads to the other end."""

    def __init__(self, tap: Tap, notes: list[Passed]) -> None:
        """Note what is read."""
        self._tap = tap
        self._notes = notes
        self._transport: asyncio.Transport | None = None
        self._other: _Half | None = None
        self._early: list[bytes] = []

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._tap.join(self)

    @override
    def data_received(self, data: bytes) -> None:
        """Note and pass on."""
        self._notes.append(Passed(at=time.perf_counter(), data=data))
        if self._other is None:
            self._early.append(data)
        else:
            self._other.write(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Let the other end know."""
        self._tap.leave(self)
        if self._other is not None:
            self._other.hang_up()

    def join(self, other: _Half) -> None:
        """Pass to this one, from what has come by now on."""
        self._other = other
        for data in self._early:
            other.write(data)
        self._early.clear()

    def write(self, data: bytes) -> None:
        """Send what the other end has read."""
        if self._transport is not None:
            self._transport.write(data)

    def hang_up(self) -> None:
        """Close, once what was written is sent."""
        if self._transport is not None:
            self._transport.close()


class _Client(_Half):
    """The end at which somebody connects; it makes the other one."""

    def __init__(self, tap: Tap) -> None:
        """Make a note of the connection."""
        self._taken = Taken()
        super().__init__(tap, self._taken.up)
        self._opening: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the target, too."""
        super().connection_made(transport)
        self._tap.connections.append(self._taken)
        self._opening = asyncio.get_running_loop().create_task(self._open(), name="tap")

    async def _open(self) -> None:
        server = _Half(self._tap, self._taken.down)
        server.join(self)
        try:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_LIMIT):
                    await asyncio.get_running_loop().create_connection(
                        lambda: server, "127.0.0.1", self._tap.target
                    )
                self.join(server)
                return
        finally:
            if self._transport is not None and self._transport.is_closing():
                server.hang_up()
        self.hang_up()
