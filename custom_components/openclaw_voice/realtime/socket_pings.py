"""Whether a satellite is still there: pings of our own.

Those of aiohttp go on for a while when a socket was closed, and keep it that long.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from .protocol import PING_INTERVAL


class SocketPings:
    """Pings one satellite. `run` is a task of the socket."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        on_lost: Callable[[], None],
        *,
        interval: float = PING_INTERVAL,
    ) -> None:
        """Call `on_lost` when nothing comes for half an `interval` after a ping."""
        self._socket = socket
        self._on_lost = on_lost
        self._half = interval / 2
        self._is_alive = False

    def seen(self) -> None:
        """Something has come."""
        self._is_alive = True

    async def run(self) -> None:
        """Ping until it is lost."""
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._half)
                self._is_alive = False
                await self._socket.ping()
                await asyncio.sleep(self._half)
                if not self._is_alive:
                    self._on_lost()
                    return
