"""A scripted endpoint on a real socket, that reads and builds messages as the integration does."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
import json

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from custom_components.openclaw_voice.realtime import server_events as events
from custom_components.openclaw_voice.realtime.backend import BackendName, Capabilities
from custom_components.openclaw_voice.realtime.client_events import (
    AudioAppend,
    ClientEvent,
    SatelliteState,
)
from custom_components.openclaw_voice.realtime.client_messages import parse
from custom_components.openclaw_voice.realtime.protocol import RULES, Reason
from custom_components.openclaw_voice.realtime.session_config import SessionConfig, Transport

LIMIT = 5.0
"""Seconds until a message has to be there."""

TOKEN = "valid"
UNTOUCHED = SatelliteState(1.0, False)
"""The controls of a satellite that nobody has changed."""


@dataclass(kw_only=True)
class Peer:
    """One satellite, as the endpoint sees it."""

    socket: ServerConnection
    config: SessionConfig
    heard: bytearray

    async def send(self, *sent: events.ServerEvent | bytes) -> None:
        """Send events, and audio as the satellite wants it."""
        for each in sent:
            if not isinstance(each, bytes):
                await self.socket.send(json.dumps(events.build(each)))
            elif self.config.audio.transport is Transport.BINARY:
                await self.socket.send(each)
            else:
                await self.send(events.AudioDelta(pcm=each))

    async def ready(self, state: SatelliteState = UNTOUCHED) -> None:
        """Say that it may speak, and be told its controls."""
        await self.send(
            events.SessionReady(
                session_id="s",
                backend=BackendName.ASSIST,
                agent="main",
                agent_name="Claw",
                audio=self.config.audio,
                capabilities=Capabilities(barge_in=True, tool_control=True, manual_turns=True),
                notes=("no_realtime",),
            )
        )
        assert await self.next_event() == state

    async def next_event(self) -> ClientEvent:
        """Return what it sends next besides audio, which is kept."""
        async with asyncio.timeout(LIMIT):
            while True:
                event = parse(await self.socket.recv(), self.config.audio.transport)
                if not isinstance(event, AudioAppend):
                    return event
                self.heard += event.pcm

    async def hear(self, speech: bytes) -> None:
        """Wait until it has said something."""
        async with asyncio.timeout(LIMIT):
            while speech not in self.heard:
                event = parse(await self.socket.recv(), self.config.audio.transport)
                assert isinstance(event, AudioAppend), event
                self.heard += event.pcm
        self.heard.clear()

    async def end(self, reason: Reason) -> None:
        """End the session."""
        await self.send(events.SessionEnded(reason=reason, duration=1, turn_count=1))
        await self.socket.close(RULES[reason].close, reason)


@asynccontextmanager
async def endpoint(script: Callable[[Peer], Awaitable[None]]) -> AsyncGenerator[str]:
    """Serve a script; what fails in it fails the test. Yield the address."""
    failures: list[Exception] = []

    def check(_: ServerConnection, request: Request) -> Response | None:
        authorization = request.headers.get("Authorization")
        if authorization in {None, f"Bearer {TOKEN}"}:
            return None
        return Response(HTTPStatus.UNAUTHORIZED, "Unauthorized", request.headers)

    async def play(socket: ServerConnection) -> None:
        try:
            config = parse(await socket.recv())
            assert isinstance(config, SessionConfig)
            is_authorized = "Authorization" in (socket.request.headers if socket.request else {})
            assert is_authorized != (config.api_key == TOKEN)
            await script(Peer(socket=socket, config=config, heard=bytearray()))
        except Exception as err:  # noqa: BLE001 - told by the test that it belongs to
            failures.append(err)

    async with serve(play, "127.0.0.1", 0, process_request=check, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    if failures:
        raise failures[0]
