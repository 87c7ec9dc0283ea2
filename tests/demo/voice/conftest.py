"""A voice without a recogniser and without the programs of the system."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from wyoming.client import AsyncTcpClient

from demo.voice import satellite as satellite_module, server as server_module
from demo.voice.hearing import HearingError, Recogniser
from demo.voice.satellite import Satellite
from demo.voice.server import VoiceServer
from demo.voice.sound import Sound

WORD_SECONDS = 0.01


class PaperRecogniser(Recogniser):
    """Hears how many samples there are; nothing is started."""

    async def hear(self, sound: Sound) -> str:
        """Return the number of samples, or fail when there are none."""
        if not sound.samples:
            raise HearingError("The recogniser is gone.")
        return f"{len(sound.samples) // 2} samples"


async def say_words(text: str, *, voice: str) -> Sound:
    """Return a sound that is as long as the text has words."""
    return Sound.silence(WORD_SECONDS * len(text.split()))


@pytest.fixture
async def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> AsyncGenerator[VoiceServer]:
    """Return a voice server that needs nothing of the system."""
    monkeypatch.setattr(server_module, "speak", say_words)
    async with VoiceServer(PaperRecogniser(tmp_path)) as server:
        yield server


@pytest.fixture
async def satellite(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> AsyncGenerator[Satellite]:
    """Return a satellite that reports at once what it has played."""
    monkeypatch.setattr(satellite_module, "speak", say_words)
    async with Satellite(name="Paper satellite", area="Attic", pace=0.0) as satellite:
        yield satellite


@pytest.fixture
async def home(satellite: Satellite) -> AsyncGenerator[AsyncTcpClient]:
    """Return a connection to the satellite, as Home Assistant makes it."""
    async with AsyncTcpClient("127.0.0.1", satellite.port) as client:
        yield client
