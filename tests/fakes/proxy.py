"""A network between a client and a server: it can break and be mended. It understands nothing."""

import asyncio
import contextlib
from typing import Final, Self
from urllib.parse import urlsplit

CHUNK_BYTES: Final = 65_536


class Network:
    """Forwards TCP connections from a port of its own, from entering to leaving its block."""

    def __init__(self, url: str) -> None:
        """Lead to the server at this address."""
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_broken = False

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut everything off."""
        assert self._server
        self.cut()
        self._server.close()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The server's address, reached through this network."""
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        return f"{self._target.scheme}://127.0.0.1:{port}"

    def cut(self) -> None:
        """Cut all connections without a word; new ones are forwarded."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def break_down(self) -> None:
        """Cut all connections, and new ones as soon as they come."""
        self._is_broken = True
        self.cut()

    def mend(self) -> None:
        """Forward again."""
        self._is_broken = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection in both directions."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self._is_broken:
                return
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._writers.add(back)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_forward(reader, back))
                tasks.create_task(_forward(there, writer))
            self._writers.discard(back)
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward one direction to its end, then end the other side."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
