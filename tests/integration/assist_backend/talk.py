"""A session on the backend, and what its microphone hears."""

from array import array
import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.realtime.assist_backend import AssistBackend
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendRequest,
    OutputAudio,
)

from ..support import WAIT_LIMIT
from .engines import (
    MIND,
    FlowingMouth,
    WholeMouth,
    text_of,
)

SPEECH = array("h", [8000, -8000] * 80)
"""10 ms that somebody speaks."""

REQUEST = BackendRequest(session_key="agent:main:one")


def says(seconds: float) -> bytes:
    """Return audio in which somebody speaks."""
    return SPEECH.tobytes() * round(seconds * 100)


def quiet(seconds: float) -> bytes:
    """Return audio in which nobody speaks."""
    return bytes(round(seconds * 16_000) * 2)


def loudness() -> Callable[[bytes], float]:
    """Return a detector that takes everything loud for speech."""
    return lambda pcm: float(any(pcm))


class Talk:
    """A session on the backend, as far as the backend sees one."""

    def __init__(self, hass: HomeAssistant, **options: object) -> None:
        """Begin nothing yet."""
        agent = options.pop("agent", MIND)
        user = options.pop("user", None)
        request = replace(REQUEST, **options)
        self.hass = hass
        self.backend = AssistBackend(hass, request, agent=agent, context=user, detector=loudness)
        self.events: list[BackendEvent] = []
        self.error: BackendError | None = None
        self._news = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> BackendInfo:
        """Start the backend, and listen to it."""
        info = await self.backend.start()
        self._listener = asyncio.create_task(self._listen())
        return info

    async def _listen(self) -> None:
        try:
            async for event in self.backend.events():
                self.events.append(event)
                self._news.set()
        except BackendError as error:
            self.error = error
        self._news.set()

    async def ended(self) -> BackendError | None:
        """Wait until nothing more is told."""
        assert self._listener is not None
        async with asyncio.timeout(WAIT_LIMIT):
            await self._listener
        return self.error

    async def hears(self, kind: type[BackendEvent], count: int = 1) -> BackendEvent:
        """Wait until so many events of a kind were told, and return the last."""
        async with asyncio.timeout(WAIT_LIMIT):
            while len(found := self.all_of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def all_of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def hear(self, *audio: bytes) -> None:
        """Let the microphone hear something, in pieces of 20 ms."""
        whole = b"".join(audio)
        for at in range(0, len(whole), 640):
            self.backend.append_audio(whole[at : at + 640])

    def ask(self) -> None:
        """Let somebody say something, and fall silent."""
        self.hear(quiet(0.2), says(0.6), quiet(0.6))

    @property
    def spoken(self) -> str:
        """What was handed out to be played."""
        return text_of(b"".join(event.pcm for event in self.all_of(OutputAudio)))


whole = pytest.mark.parametrize("mouth", [WholeMouth], indirect=True)
flowing = pytest.mark.parametrize("mouth", [FlowingMouth], indirect=True)
