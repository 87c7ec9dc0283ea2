"""A realtime satellite on a real socket that does what a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientWebSocketResponse, WSMsgType
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime.endpoint import URL

from .support import WAIT_LIMIT

RATE: Final = 24_000
KITCHEN: Final = "kitchen-1"


class SocketSatellite:
    """Writes down what it is sent, and plays sound in no time."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        """Say nothing by itself but that something was played."""
        self.events: list[dict[str, Any]] = []
        self.pcm = b""
        self.plays = asyncio.Event()
        """Cleared: what it has is not played yet."""

        self.plays.set()
        self._socket = socket
        self._news = asyncio.Event()
        self._drained: asyncio.Queue[str] = asyncio.Queue()

    @property
    def close_code(self) -> int | None:
        """The code it was hung up on with."""
        return self._socket.close_code

    async def read(self) -> None:
        """Take everything until the end of the socket."""
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                self.pcm += message.data
            else:
                event = message.json()
                self.events.append(event)
                if event["type"] == "audio.done":
                    self._drained.put_nowait(event["turnId"])
            self._news.set()
        self._news.set()

    async def play(self) -> None:
        """Tell when something was heard to its end."""
        while True:
            turn_id = await self._drained.get()
            await self.plays.wait()
            if not self._socket.closed:
                await self.send("playback.done", turnId=turn_id)

    async def send(self, kind: str, **fields: Any) -> None:  # noqa: ANN401
        """Send an event."""
        await self._socket.send_json({"type": kind} | fields)

    async def speak(self, pcm: bytes) -> None:
        """Send what the microphone hears."""
        await self._socket.send_bytes(pcm)

    async def hang_up(self) -> None:
        """Leave."""
        await self._socket.close()

    async def told(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Return the last event of a kind when there are so many."""
        await self.until(lambda: len(self._of(kind)) >= count)
        return self._of(kind)[-1]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something was sent."""
        async with asyncio.timeout(WAIT_LIMIT):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def until_closed(self) -> int | None:
        """Wait until it was hung up on; return the code."""
        await self.until(lambda: self._socket.closed)
        return self._socket.close_code

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


async def until_state(hass: HomeAssistant, entity_id: str, wanted: str) -> None:
    """Wait until an entity has a state."""
    changed = asyncio.Event()
    end = async_track_state_change_event(hass, entity_id, callback(lambda _: changed.set()))
    try:
        async with asyncio.timeout(WAIT_LIMIT):
            while (state := hass.states.get(entity_id)) is None or state.state != wanted:
                changed.clear()
                await changed.wait()
    finally:
        end()


type Connect = Callable[..., Any]


def make_connect(client: ClientSessionGenerator, token: str) -> Connect:
    """Return what connects satellites, in standby unless told otherwise."""

    @asynccontextmanager
    async def connect(
        satellite_id: str | None = KITCHEN,
        **config: Any,  # noqa: ANN401
    ) -> AsyncGenerator[SocketSatellite]:
        http = await client()
        headers = {"Authorization": f"Bearer {token}"}
        async with http.ws_connect(URL, headers=headers) as socket:
            satellite = SocketSatellite(socket)
            tasks = [asyncio.create_task(satellite.read()), asyncio.create_task(satellite.play())]
            try:
                await satellite.send(
                    "session.config",
                    **{
                        "satelliteId": satellite_id,
                        "mode": "standby",
                        "audio": {"sampleRate": RATE, "transport": "binary", "maxAheadMs": 0},
                    }
                    | config,
                )
                await satellite.until(lambda: satellite.events)
                yield satellite
            finally:
                await socket.close()
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    return connect
