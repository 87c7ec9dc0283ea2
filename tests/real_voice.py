"""The offline voice, the recogniser and two satellites, the same for all tests of a run.

They live in the thread of the other real servers; what they keep may be read, and the satellite's methods
awaited, from a test's own loop.
"""

from collections.abc import Generator

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


@pytest.fixture(scope="session")
def _other_satellite(loop_thread: LoopThread) -> Generator[Satellite]:
    """Return a second satellite."""
    satellite = Satellite(name="Other satellite", listener=listener())
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
def satellite(_satellite: Satellite, socket_enabled: None) -> Generator[Satellite]:
    """Return the satellite; a pace that a test gives it does not stay."""
    pace = _satellite.pace
    yield _satellite
    _satellite.pace = pace


@pytest.fixture
def other_satellite(_other_satellite: Satellite, socket_enabled: None) -> Satellite:
    """Return another satellite, for what goes from one to the other."""
    return _other_satellite
