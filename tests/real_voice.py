"""The offline voice, the recogniser and a satellite, one of each for all tests of a run.

They live in the thread of the other real servers; what they keep may be read, and the satellite's methods
awaited, from a test's own loop.
"""

from collections.abc import AsyncGenerator, Generator

import pytest
import pytest_socket

from demo.voice.hearing import Recogniser
from demo.voice.satellite import Satellite
from demo.voice.server import VoiceServer

from .real import LoopThread, listener


@pytest.fixture(scope="session")
def _recogniser(
    loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Recogniser]:
    """Return a started recogniser."""
    pytest_socket.enable_socket()
    recogniser = Recogniser(tmp_path_factory.mktemp("recogniser"))
    try:
        loop_thread.run(recogniser.start())
        yield recogniser
    finally:
        loop_thread.run(recogniser.terminate())


@pytest.fixture(scope="session")
def _voice_server(loop_thread: LoopThread, _recogniser: Recogniser) -> Generator[VoiceServer]:
    """Return a server that hears and speaks."""
    server = VoiceServer(_recogniser, listener=listener())
    loop_thread.run(server.__aenter__())
    yield server
    loop_thread.run(server.__aexit__())


@pytest.fixture(scope="session")
def _satellite(loop_thread: LoopThread) -> Generator[Satellite]:
    """Return a satellite that listens for Home Assistant."""
    satellite = Satellite(listener=listener())
    loop_thread.run(satellite.__aenter__())
    yield satellite
    loop_thread.run(satellite.__aexit__())


@pytest.fixture
def recogniser(_recogniser: Recogniser, socket_enabled: None) -> Recogniser:
    """Return the recogniser, for sounds that a test has got."""
    return _recogniser


@pytest.fixture
def voice_server(_voice_server: VoiceServer, socket_enabled: None) -> VoiceServer:
    """Return the server that hears and speaks for Home Assistant."""
    return _voice_server


@pytest.fixture
async def satellite(_satellite: Satellite, socket_enabled: None) -> AsyncGenerator[Satellite]:
    """Return the satellite, as patient as any after a test that changed its pace."""
    pace = _satellite.pace
    yield _satellite
    _satellite.pace = pace
