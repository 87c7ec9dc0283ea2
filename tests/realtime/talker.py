"""Somebody who talks to the gateway's backend, and everything the backend has told."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.talk import Talk
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendEvent,
    BackendRequest,
    Speaker,
    Transcript,
)
from custom_components.openclaw_voice.realtime.gateway_backend import GatewayBackend
from custom_components.openclaw_voice.realtime.orphans import Orphan
from demo.voice.speech_model import silence, tone
from tests.fakes.small_gateway import SmallGateway

LIMIT = 5.0
KEY = "agent:main:homeassistant:1a2b3c4d:satellite:kitchen"
REQUEST = BackendRequest(
    session_key=KEY, agent_name="Claw", language="en-GB", context="Room: kitchen."
)
SPEECH = tone(0.3) + silence(0.66)


class Talker:
    """Talks to a backend, and fetches what it tells."""

    def __init__(
        self, talk: Talk, request: BackendRequest = REQUEST, *, limit: float = LIMIT
    ) -> None:
        """Nothing happens before `begin`; `limit` is how many seconds anything may take."""
        self.events: list[BackendEvent] = []
        self.error: BackendError | None = None
        self.has_ended = False
        self.orphans: list[Orphan] = []
        self.kept: list[asyncio.Task[None]] = []
        self.backend = GatewayBackend(
            talk, request, on_orphan=self.orphans.append, keep_task=self._keep
        )
        self._limit = limit
        self._news = asyncio.Event()
        self._fetching: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the backend, and fetch from now on."""
        await self.backend.start()
        self._fetching = asyncio.create_task(self._fetch())

    async def end(self) -> None:
        """Close the backend, and everything that was left."""
        await self.backend.close()
        for task in self.kept:
            task.cancel()
        tasks = [*self.kept, *([self._fetching] if self._fetching else [])]
        if tasks:
            await asyncio.wait(tasks, timeout=self._limit)

    def speak(self) -> None:
        """Say something, and then nothing for so long that it has an end."""
        self.backend.append_audio(SPEECH)

    def of[Kind](self, kind: type[Kind]) -> list[Kind]:
        """Return what was told of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def said(self, speaker: Speaker) -> list[str]:
        """Return what somebody has said to its end."""
        words = self.of(Transcript)
        return [each.text for each in words if each.is_final and each.speaker is speaker]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something was told."""
        async with asyncio.timeout(self._limit):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def told[Kind](self, kind: type[Kind], number: int = 1) -> Kind:
        """Wait for an event of a kind, and return it."""
        await self.until(lambda: len(self.of(kind)) >= number)
        return self.of(kind)[number - 1]

    async def until_ended(self) -> str | None:
        """Wait for the end, and return its reason."""
        await self.until(lambda: self.has_ended)
        return None if self.error is None else self.error.reason

    async def _fetch(self) -> None:
        try:
            async for event in self.backend.events():
                self.events.append(event)
                self._news.set()
        except BackendError as err:
            self.error = err
        self.has_ended = True
        self._news.set()

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        loop = asyncio.get_running_loop()
        self.kept.append(asyncio.Task(work, loop=loop, name=name, eager_start=True))


@asynccontextmanager
async def talk_of(gateway: SmallGateway) -> AsyncGenerator[Talk]:
    """Return the capability of a client of a gateway."""
    settings = ConnectionSettings(
        url=gateway.url,
        credentials=Credentials(secret=gateway.secret),
        identity=DeviceIdentity.create(),
        client_version="0.1.0",
    )
    async with Connection(settings, on_event=lambda _: None) as connection:
        yield Talk(connection, lambda: settings)
