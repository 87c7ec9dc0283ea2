"""What the Wyoming servers here share: a socket, and a conversation with each client in a task."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable
import contextlib
import socket
from typing import Final, Self

from wyoming.event import Event, Eventable, async_read_event, async_write_event
from wyoming.info import Attribution

from ..process import POLL_INTERVAL

ATTRIBUTION: Final = Attribution(name="CMU", url="https://www.cmu.edu")


class Peer:
    """One client of a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap its connection."""
        self._reader = reader
        self._writer = writer

    async def read(self) -> Event | None:
        """Return the next event, None when the client has gone."""
        try:
            return await async_read_event(self._reader)
        except ConnectionError, asyncio.IncompleteReadError:
            return None

    async def write(self, event: Eventable) -> None:
        """Send an event.

        Raises:
            ConnectionError: The client has gone.
        """
        await async_write_event(event.event(), self._writer)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class WyomingServer(ABC):
    """A server of the Wyoming protocol on this computer, from entering to leaving its block."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        """Prepare a server on a free port of 127.0.0.1, or on a socket that is bound already."""
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._listener = self._listener or socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._serve, sock=self._listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and hang up."""
        if self._server:
            self._server.close()
            self._server.close_clients()
            await self._server.wait_closed()
            self._server = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before it does."""
        return int(self._listener.getsockname()[1]) if self._listener else 0

    async def wait_for(self, is_wanted: Callable[[], bool], *, limit: float) -> None:
        """Wait until something here is as wanted. May be called in another thread's loop.

        Raises:
            TimeoutError: It is not after `limit` seconds.
        """
        async with asyncio.timeout(limit):
            while not is_wanted():
                await asyncio.sleep(POLL_INTERVAL)

    @abstractmethod
    async def talk(self, peer: Peer) -> None:
        """Talk to one client until one side hangs up."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to a client; one that goes away in the middle is none of our errors."""
        try:
            with contextlib.suppress(ConnectionError):
                await self.talk(Peer(reader, writer))
        finally:
            writer.close()
