"""The real gateway and the real Home Assistant, one of each for all tests of a run.

Processes belong to no event loop, so a test may stop and start them from its own. The model server lives in a
thread with a loop of its own, because tests have a loop each.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
import signal
import socket
import threading
from typing import Any

import pytest
import pytest_socket

from demo.gateway import GatewayProcess, realtime_config
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.voice.realtime_provider import RealtimeProvider

CALL_LIMIT = 300.0
"""Seconds for one call into the thread; what runs there has closer limits of its own."""

_Socket = socket.socket
"""Taken before the first test, that is, before the test plugin puts its guard in this place."""


def _own_address() -> str | None:
    """Return an address of this computer that counts as another host's, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: only asks which address a packet would have.
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


OWN_ADDRESS = _own_address()
"""Where the real gateway listens besides 127.0.0.1, for what only clients of another host meet."""


class _Listener(_Socket):
    """A listening socket whose connections no guard stops.

    The gateway may ask the model server while a test runs that has nothing to do with either.
    """

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection."""
        fd, address = self._accept()  # type: ignore[attr-defined]  # as socket.accept does
        return _Socket(self.family, self.type, self.proto, fileno=fd), address


def listener() -> socket.socket:
    """Return a socket on a free port of 127.0.0.1, for a server that outlives a test."""
    bound = _Listener()
    bound.bind(("127.0.0.1", 0))
    return bound


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        """Make the loop; it runs inside `running`."""
        self._loop = asyncio.new_event_loop()

    @contextmanager
    def running(self) -> Generator[None]:
        """Run the loop while the block lasts."""
        thread = threading.Thread(target=self._loop.run_forever, name="real servers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(timeout=CALL_LIMIT)
            self._loop.close()

    def run[T](self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine there and return its result; when the wait for it ends early, cancel it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(CALL_LIMIT)
        finally:
            future.cancel()


@pytest.fixture(scope="session")
def loop_thread() -> Generator[LoopThread]:
    """Return a loop that lives as long as the test run.

    While it lives SIGTERM ends the run like Ctrl-C does, so that what was started is stopped then too.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    thread = LoopThread()
    with thread.running():
        yield thread
    signal.signal(signal.SIGTERM, previous)


@pytest.fixture(scope="session")
def model_server(loop_thread: LoopThread) -> Generator[ModelServer]:
    """Return the model server that the real gateway asks."""
    server = ModelServer(listener=listener())
    loop_thread.run(server.__aenter__())
    yield server
    loop_thread.run(server.__aexit__())


def reachable_by_others() -> dict[str, Any] | None:
    """Return the configuration of a gateway that is reached like from another host, too, if it can be."""
    if OWN_ADDRESS is None:
        return None
    return {"gateway": {"bind": "custom", "customBindHost": OWN_ADDRESS}}


@pytest.fixture(scope="session")
def realtime_provider(loop_thread: LoopThread) -> Generator[RealtimeProvider]:
    """Return the provider of speech models that the real gateway talks with.

    It hears what a test says it would, and speaks in tones, unless a test gives it ears and a voice.
    """
    provider = RealtimeProvider.instant(listener=listener())
    loop_thread.run(provider.__aenter__())
    yield provider
    loop_thread.run(provider.__aexit__())


@pytest.fixture(scope="session")
def _gateway_process(
    loop_thread: LoopThread,
    model_server: ModelServer,
    realtime_provider: RealtimeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[GatewayProcess]:
    """Return a started gateway."""
    pytest_socket.enable_socket()
    gateway = GatewayProcess(
        tmp_path_factory.mktemp("gateway"),
        model_server.base_url,
        overrides=(reachable_by_others() or {}) | realtime_config(realtime_provider.url),
    )
    try:
        loop_thread.run(gateway.start())
        yield gateway
    finally:
        loop_thread.run(gateway.terminate())


@pytest.fixture(scope="session")
def _home_assistant_process(
    loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory
) -> Generator[HomeAssistantProcess]:
    """Return a started Home Assistant."""
    pytest_socket.enable_socket()
    home = HomeAssistantProcess(tmp_path_factory.mktemp("home-assistant"))
    try:
        loop_thread.run(home.start())
        yield home
    finally:
        loop_thread.run(home.terminate())


@pytest.fixture
async def real_gateway(_gateway_process: GatewayProcess, socket_enabled: None) -> GatewayProcess:
    """Return the real gateway, running, with one agent and the model server behind it.

    A test may stop it; the next one that asks for it finds it running again.
    """
    if not _gateway_process.is_running:
        await _gateway_process.start()
    return _gateway_process


@pytest.fixture
async def real_home_assistant(
    _home_assistant_process: HomeAssistantProcess, socket_enabled: None
) -> HomeAssistantProcess:
    """Return the real Home Assistant, running. A test may stop it, too."""
    if not _home_assistant_process.is_running:
        await _home_assistant_process.start()
    return _home_assistant_process
