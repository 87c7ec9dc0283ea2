"""The two servers of the suite, and clients for them.

The fake half is quick and always runs. The real half starts a gateway, so it carries the marker
`e2e`. Both halves reach the server through a network that can be cut.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
import uuid

import pytest
import pytest_socket

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.state import ClientState
from demo.gateway import GatewayProcess
from demo.voice.realtime_provider import RealtimeProvider
from demo.voice.speech_model import Mind
from tests.fakes.frames import VERSION
from tests.fakes.proxy import Network
from tests.fakes.small_gateway import SmallGateway
from tests.real import OWN_ADDRESS, LoopThread

STATE_LIMIT = 90.0
"""Seconds until a client must be in a state, or ready."""

FAKE_TIME = 0.2
"""The fake's model speaks five times as fast as the real one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechProvider:
    """Whoever has the speech model behind a gateway, as far as the suite tells it what to do."""

    mind: Mind
    let_in: Callable[[bool], None]
    """Whether it takes the key of the gateway."""

    hang_up: Callable[[], Awaitable[None]]
    """The line between the two breaks; the gateway may call again."""

    hold: Callable[[bool], None]
    """Whether long answers that begin from now on stop in the middle, until they are cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the suite does with a gateway, whichever it is."""

    url: str
    """Straight to it, on its own host."""

    remote_url: str
    """Straight to it, as from another host."""

    network: Network
    """The way there that can be cut."""

    secret: str
    version: str
    approve: Callable[[str], Awaitable[None]]
    """What the owner does with a request of a device seen at `remote_url`."""

    remove: Callable[[str], Awaitable[None]]
    """What the owner does with the id of such a device that is not wanted any more."""

    setup_code: Callable[[], Awaitable[str]]
    """What the owner makes for a device that is to come to `remote_url`."""

    restart: Callable[[], Awaitable[None]]
    """Kill it and start it again."""

    provider: SpeechProvider

    identity: DeviceIdentity = field(default_factory=DeviceIdentity.create)

    def settings(self, *, url: str | None = None, **changes: object) -> ConnectionSettings:
        """Return what a client needs to be let in."""
        fields: dict[str, object] = {
            "url": url or self.network.url,
            "credentials": Credentials(secret=self.secret),
            "identity": self.identity,
            "client_version": "0.1.0",
        }
        return ConnectionSettings(**fields | changes)  # type: ignore[arg-type]  # named by the test

    def client(
        self, settings: ConnectionSettings | None = None
    ) -> AbstractAsyncContextManager[GatewayClient]:
        """Run a client while the block lasts."""
        return running(GatewayClient(settings or self.settings()))


@asynccontextmanager
async def running(client: GatewayClient) -> AsyncGenerator[GatewayClient]:
    """Run a client while the block lasts."""
    loop = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        await client.stop()
        await asyncio.wait_for(loop, STATE_LIMIT)


async def reached(client: GatewayClient, state: ClientState) -> GatewayError | None:
    """Wait for a state and return the error it comes with."""
    there = asyncio.Event()
    unsubscribe = client.subscribe(lambda now: there.set() if now.state is state else None)
    if client.snapshot.state is not state:
        await asyncio.wait_for(there.wait(), STATE_LIMIT)
    unsubscribe()
    return client.snapshot.error


@pytest.fixture
async def fake_server(socket_enabled: None) -> AsyncGenerator[Server]:
    """Return the fake; what comes from another host goes to a second one."""
    async with (
        SmallGateway(time_scale=FAKE_TIME) as gateway,
        SmallGateway(secret=gateway.secret, is_remote=True) as remote,
        Network(gateway.url) as network,
    ):

        async def approve(request_id: str) -> None:
            remote.approve(request_id)

        async def setup_code() -> str:
            return remote.setup_code()

        def let_in(is_let_in: bool) -> None:
            gateway.talk.brain.lets_in = is_let_in

        def hold(is_held: bool) -> None:
            gateway.talk.brain.is_held = is_held

        yield Server(
            url=gateway.url,
            remote_url=remote.url,
            network=network,
            secret=gateway.secret,
            version=VERSION,
            approve=approve,
            remove=remote.remove,
            setup_code=setup_code,
            restart=gateway.restart,
            provider=SpeechProvider(
                mind=gateway.talk.brain.mind,
                let_in=let_in,
                hang_up=gateway.talk.lose_provider,
                hold=hold,
            ),
        )


@pytest.fixture
async def real_server(
    real_gateway: GatewayProcess, realtime_provider: RealtimeProvider, loop_thread: LoopThread
) -> AsyncGenerator[Server]:
    """Return the real one."""
    assert OWN_ADDRESS, "this computer has no address of its own to connect from as another host"
    pytest_socket.socket_allow_hosts(["127.0.0.1", OWN_ADDRESS])

    async def approve(request_id: str) -> None:
        await real_gateway.command("devices", "approve", request_id, limit=STATE_LIMIT)

    async def remove(device_id: str) -> None:
        async with Connection(owner) as connection:
            await connection.request("device.pair.remove", {"deviceId": device_id})

    async def setup_code() -> str:
        # It wants an address of a home network; the one of a test machine may be none.
        address = f"ws://192.168.0.2:{real_gateway.port}"
        arguments = ("qr", "--setup-code-only", "--url", address)
        return await real_gateway.command(*arguments, limit=STATE_LIMIT)

    async def restart() -> None:
        real_gateway.kill()
        await real_gateway.start()

    def let_in(is_let_in: bool) -> None:
        realtime_provider.lets_in = is_let_in

    def hold(is_held: bool) -> None:
        realtime_provider.model.holds = is_held

    async def hang_up() -> None:
        await asyncio.to_thread(loop_thread.run, realtime_provider.hang_up())

    realtime_provider.model.mind.forget()
    let_in(True)
    hold(False)
    url = f"ws://127.0.0.1:{real_gateway.port}"
    owner = ConnectionSettings(
        url=url,
        credentials=Credentials(secret=real_gateway.token),
        identity=DeviceIdentity.create(),
        client_version="0.1.0",
        scopes=("operator.pairing", "operator.admin"),
        required_scopes=("operator.pairing", "operator.admin"),
    )
    async with Network(url) as network:
        yield Server(
            url=url,
            remote_url=f"ws://{OWN_ADDRESS}:{real_gateway.port}",
            network=network,
            secret=real_gateway.token,
            version=real_gateway.version,
            approve=approve,
            remove=remove,
            setup_code=setup_code,
            restart=restart,
            provider=SpeechProvider(
                mind=realtime_provider.model.mind, let_in=let_in, hang_up=hang_up, hold=hold
            ),
        )


@pytest.fixture(
    scope="session", params=["fake", pytest.param("real", marks=pytest.mark.e2e("gateway"))]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Return which of the two; the real one is started here, outside of any single test."""
    if request.param == "real":
        request.getfixturevalue("_gateway_process")
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Server:
    """Return one of the two."""
    found: Server = request.getfixturevalue(f"{kind}_server")
    return found


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[GatewayClient]:
    """Return a client that is connected, through the network that can be cut."""
    async with server.client() as client:
        await client.wait_ready(STATE_LIMIT)
        yield client


@pytest.fixture
def session_key() -> str:
    """Return a conversation of its own."""
    return f"agent:main:homeassistant:contract:{uuid.uuid4().hex}"
