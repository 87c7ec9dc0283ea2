"""A satellite on a real socket in its room, and what speaks and hears there, for tests."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
import stat
from typing import Any, Final, override
from unittest.mock import patch

from homeassistant.components.ffmpeg import DATA_FFMPEG, FFmpegManager
from homeassistant.core import HomeAssistant, ServiceResponse

from custom_components.openclaw_voice.realtime.backend import BackendInfo
from custom_components.openclaw_voice.voice_backends import VoiceBackends
from custom_components.openclaw_voice.voice_sessions import async_voice_sessions
from tests.realtime.scripted import ScriptedBackend

from .assist_backend.engines import Ear, WholeMouth, sound_of, text_of, wav
from .support import WAIT_LIMIT
from .voice_satellite import KITCHEN, Connect, SocketSatellite, until_state

ENTITY: Final = "assist_satellite.kitchen"
LONG: Final = 30.0
"""Seconds of audio that a test does not wait for."""

BELL: Final = "!"
"""What the converter makes of everything."""


class Mouth(WholeMouth):
    """Pauses after each text, for so many seconds."""

    def __init__(self) -> None:
        """Do not."""
        super().__init__()
        self.pause = 0.0

    @override
    def _file(self, text: str) -> bytes:
        super()._file(text)
        pcm = sound_of(text.strip()) + bytes(self.width * round(self.rate * self.pause))
        return wav(pcm, rate=self.rate, width=self.width)


class Room:
    """A satellite in its room, and what speaks and hears for it."""

    def __init__(self, hass: HomeAssistant, connect: Connect, tmp_path: Path) -> None:
        """Have engines, and a converter that makes a bell of everything."""
        self.hass = hass
        self.ear = Ear()
        self.mouth = Mouth()
        self._connect = connect
        self._calls = tmp_path / "calls"
        self._program = tmp_path / "converter"
        self.convert(f"printf '{BELL}\\000'")

    def convert(self, script: str) -> None:
        """Have the converter do something."""
        self._program.write_text(f'#!/bin/sh\necho "$@" >> {self._calls}\n{script}\n')
        self._program.chmod(stat.S_IRWXU)
        self.hass.data[DATA_FFMPEG] = FFmpegManager(self.hass, str(self._program))

    @property
    def converted(self) -> list[str]:
        """The arguments of each use of the converter."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    @asynccontextmanager
    async def satellite(self, **config: Any) -> AsyncGenerator[SocketSatellite]:  # noqa: ANN401
        """Have a satellite connected, in standby unless told otherwise."""
        told = {"satellite": {"name": "Kitchen"}} | config
        async with self._connect(KITCHEN, **told) as socket:
            await socket.told("session.ready")
            await until_state(self.hass, ENTITY, "idle")
            yield socket

    @asynccontextmanager
    async def talking(
        self,
        backend: ScriptedBackend,
        **config: Any,  # noqa: ANN401
    ) -> AsyncGenerator[SocketSatellite]:
        """Have a conversation with a backend that does what a test says."""

        async def start(_: object) -> tuple[ScriptedBackend, BackendInfo]:
            return backend, await backend.start()

        with patch.object(VoiceBackends, "async_start", start):
            async with self.satellite(mode="conversation", **config) as socket:
                for session in async_voice_sessions(self.hass).hub.sessions:
                    session._watch.expect_nobody()
                yield socket

    async def call(self, action: str, **data: Any) -> ServiceResponse:  # noqa: ANN401
        """Call an action of satellites, and wait for its end."""
        async with asyncio.timeout(WAIT_LIMIT):
            return await self.hass.services.async_call(
                "assist_satellite",
                action,
                {"entity_id": ENTITY} | data,
                blocking=True,
                return_response=action == "ask_question",
            )

    def begin(self, action: str, **data: Any) -> asyncio.Task[ServiceResponse]:  # noqa: ANN401
        """Call an action, and go on."""
        return self.hass.async_create_task(self.call(action, **data), eager_start=False)

    @property
    def state(self) -> str:
        """What the entity shows."""
        state = self.hass.states.get(ENTITY)
        assert state is not None
        return state.state


async def hears(socket: SocketSatellite, text: str) -> None:
    """Wait until a satellite has the audio of a text, and of nothing else."""
    await socket.until(lambda: len(socket.pcm) >= len(sound_of(text)))
    assert text_of(socket.pcm).rstrip("\0") == text
