"""Home Assistant with the WebSocket of satellites, and scripted backends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, override

from aiohttp import ClientWebSocketResponse, WSMsgType
from homeassistant.auth.models import User
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime import endpoint
from custom_components.openclaw_voice.realtime.backend import Backend, BackendInfo
from custom_components.openclaw_voice.realtime.backend_choice import start_first
from custom_components.openclaw_voice.realtime.end_of_speech import level_alone
from custom_components.openclaw_voice.realtime.endpoint import URL, Prepared
from custom_components.openclaw_voice.realtime.hub import Hub, SessionInfo
from custom_components.openclaw_voice.realtime.protocol import ProtocolProblem, Reason
from custom_components.openclaw_voice.realtime.session import RealtimeSession
from custom_components.openclaw_voice.realtime.session_config import SessionConfig, SessionMode
from tests.realtime.scripted import ScriptedBackend

LIMIT: Final = 5.0
SPEECH: Final = bytes(640)


class WatchedHub(Hub[RealtimeSession]):
    """Tells when a socket is gone."""

    def __init__(self, *, replaced: str) -> None:
        """Nobody is there."""
        super().__init__(replaced=replaced)
        self.left = asyncio.Event()

    @property
    def is_used(self) -> bool:
        """Whether there are sockets."""
        return self._sockets > 0 or self._strangers > 0

    @override
    def close_socket(self, *, is_stranger: bool = False) -> None:
        """Tell of it."""
        super().close_socket(is_stranger=is_stranger)
        self.left.set()


class World:
    """Home Assistant with the endpoint, and the backends it made."""

    def __init__(self, hass: HomeAssistant, client: ClientSessionGenerator, token: str) -> None:
        """Serve anybody who may come in."""
        self.hass = hass
        self.hub = WatchedHub(replaced=Reason.REPLACED)
        self.view = endpoint.RealtimeView(self.hub, self._prepare)
        self.backends: list[ScriptedBackend] = []
        self.users: list[User] = []
        self.refusal: Reason | None = None
        self.start_failure: Reason | None = None
        self.starts_when: asyncio.Event | None = None
        """Backends start when it is set; None: at once."""

        self.token = token
        self._client = client

    async def _prepare(self, session_id: str, config: SessionConfig, user: User) -> Prepared:
        if self.refusal:
            raise ProtocolProblem(self.refusal)
        self.users.append(user)
        info = SessionInfo(
            session_id=session_id,
            entry_id="e",
            agent_id="",
            agent_name="",
            satellite_id=config.satellite_id,
            user_id=user.id,
        )
        if config.mode is SessionMode.STANDBY:
            return Prepared(info=info, detector=level_alone)
        backend = ScriptedBackend()
        backend.fails_to_start = self.start_failure
        if self.starts_when is not None:
            backend.starts_when = self.starts_when

        async def start() -> tuple[Backend, BackendInfo]:
            self.backends.append(backend)
            return await start_first([lambda: backend], on_failure=lambda _: None)

        named = replace(info, agent_id="main", agent_name="Main")
        return Prepared(info=named, start_backend=start)

    async def address(self) -> str:
        """Return where the endpoint is, for clients of other makes."""
        return str((await self._client()).make_url(URL))

    async def ready(self) -> RealtimeSession:
        """Wait for a session that has begun, and return it."""
        async with asyncio.timeout(LIMIT):
            while not any(each.backend_info for each in self.hub.sessions):
                changed = asyncio.Event()
                unsubscribe = self.hub.subscribe(lambda _, changed=changed: changed.set())
                await changed.wait()
                unsubscribe()
        return self.hub.sessions[0]

    async def nothing_left(self) -> None:
        """Wait until no session, socket, task or backend is left."""
        async with asyncio.timeout(LIMIT):
            while self.hub.is_used:
                self.hub.left.clear()
                await self.hub.left.wait()
            if tasks := self._tasks():
                await asyncio.wait(tasks)
            for backend in self.backends:
                await backend.is_closed.wait()
        assert not self.hub.sessions

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks() if task.get_name().startswith("realtime ")]

    @asynccontextmanager
    async def connected(
        self,
        *,
        path: str = URL,
        bearer: str | None = None,
        **options: Any,  # noqa: ANN401
    ) -> AsyncGenerator[ClientWebSocketResponse]:
        """Connect without saying anything; with the token of the test unless told otherwise."""
        client = await self._client()
        token = self.token if bearer is None else bearer
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with client.ws_connect(path, headers=headers, **options) as socket:
            yield socket

    @asynccontextmanager
    async def session(self, **config: Any) -> AsyncGenerator[ClientWebSocketResponse]:  # noqa: ANN401
        """Have a session, until the block ends."""
        async with self.connected() as socket:
            await configure(socket, **config)
            assert (await told(socket))["type"] == "session.ready"
            yield socket


async def configure(socket: ClientWebSocketResponse, **config: Any) -> None:  # noqa: ANN401
    """Send the first message."""
    await socket.send_json({"type": "session.config"} | config)


async def told(socket: ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next event."""
    message: dict[str, Any] = await socket.receive_json(timeout=LIMIT)
    return message


async def until_closed(socket: ClientWebSocketResponse) -> tuple[list[dict[str, Any]], int]:
    """Return all events until the socket is closed, and the code."""
    events = []
    async with asyncio.timeout(LIMIT):
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            events.append(message.json())
    assert socket.close_code is not None
    return events, socket.close_code


@asynccontextmanager
async def world_of(
    hass: HomeAssistant, client: ClientSessionGenerator, token: str
) -> AsyncGenerator[World]:
    """Return the endpoint; nothing of a session may be left when the block ends."""
    assert await async_setup_component(hass, "http", {})
    world = World(hass, client, token)
    hass.http.register_view(world.view)
    yield world
    await world.view.async_close(Reason.STOPPED)
    await world.nothing_left()
