"""A home with gateways that have agents, and satellites that want to talk with them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientWebSocketResponse, WSMsgType
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime.endpoint import URL, RealtimeHub
from custom_components.openclaw_voice.voice_sessions import VoiceSessions, async_voice_sessions
from demo.voice.speech_model import silence, tone
from tests.fakes.small_gateway import SmallGateway

from .support import add_entry

LIMIT: Final = 5.0
SPEECH: Final = tone(0.3) + silence(0.8)
"""An utterance with its end, at 24 kHz."""

AUDIO: Final = {"sampleRate": 24000, "transport": "binary", "maxAheadMs": 0}


class RealtimeHome:
    """A Home Assistant that satellites connect to."""

    def __init__(self, hass: HomeAssistant, client: ClientSessionGenerator, token: str) -> None:
        """Nothing is set up yet; `token` is that of whoever connects."""
        self.hass = hass
        self.token = token
        self._client = client

    @property
    def sessions(self) -> VoiceSessions:
        """All realtime sessions."""
        return async_voice_sessions(self.hass)

    @property
    def hub(self) -> RealtimeHub:
        """Those that go on."""
        return self.sessions.hub

    async def add(
        self, gateway: SmallGateway, *agents: str, options: dict[str, dict[str, Any]] | None = None
    ) -> MockConfigEntry:
        """Add a gateway with these agents."""
        return await add_entry(
            self.hass,
            gateway,  # type: ignore[arg-type]  # only its address is asked for
            *agents,
            gateway_id=gateway.device_id,
            options=options,
            **{CONF_TOKEN: gateway.secret},
        )

    @asynccontextmanager
    async def connected(
        self,
        token: str | None = None,
        **config: Any,  # noqa: ANN401
    ) -> AsyncGenerator[Caller]:
        """Connect and send the first message."""
        client = await self._client()
        headers = {"Authorization": f"Bearer {token or self.token}"}
        async with client.ws_connect(URL, headers=headers) as socket:
            await socket.send_json({"type": "session.config", "audio": AUDIO} | config)
            yield Caller(socket)

    @asynccontextmanager
    async def session(self, **config: Any) -> AsyncGenerator[Caller]:  # noqa: ANN401
        """Have a session, until the block ends."""
        async with self.connected(**config) as caller:
            caller.ready = await caller.told("session.ready")
            yield caller

    async def refused(self, token: str | None = None, **config: Any) -> tuple[str, int]:  # noqa: ANN401
        """Return reason and close code with which a satellite is refused."""
        async with self.connected(token, **config) as caller:
            return await caller.until_closed()


class Caller:
    """A satellite that is connected."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        """Nothing was received yet."""
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.pcm = b""
        self.ready: dict[str, Any] = {}

    async def speak(self) -> None:
        """Say something, and then nothing."""
        await self.socket.send_bytes(SPEECH)

    async def told(self, kind: str, **fields: str) -> dict[str, Any]:
        """Wait for an event."""
        async with asyncio.timeout(LIMIT):
            while True:
                message = await self.socket.receive()
                if message.type is WSMsgType.BINARY:
                    self.pcm += message.data
                    continue
                assert message.type is WSMsgType.TEXT, f"closed, after {self.events}"
                event: dict[str, Any] = message.json()
                self.events.append(event)
                if event["type"] == kind and fields.items() <= event.items():
                    return event

    async def until_closed(self) -> tuple[str, int]:
        """Wait for the end; return its reason and the close code."""
        async with asyncio.timeout(LIMIT):
            while (message := await self.socket.receive()).type in (
                WSMsgType.TEXT,
                WSMsgType.BINARY,
            ):
                if message.type is WSMsgType.TEXT:
                    self.events.append(message.json())
        assert message.type is WSMsgType.CLOSE
        return str(message.extra), message.data
