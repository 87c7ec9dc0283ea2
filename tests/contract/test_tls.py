"""A gateway with the certificate it signs itself: whom a client speaks to."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
import ssl

import pytest
import pytest_socket

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    CertificateChangedError,
    UntrustedCertificateError,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.socket import fetch_certificate_pin
from custom_components.openclaw_voice.gateway.state import ClientState
from demo.gateway import GatewayProcess
from tests.fakes.certificate import not_verifying, pin_of, self_signed_certificate, serving
from tests.fakes.proxy import Network
from tests.fakes.small_gateway import SmallGateway
from tests.real import LoopThread

from .conftest import STATE_LIMIT as LIMIT, reached, running


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A gateway with TLS, whichever it is."""

    network: Network
    secret: str
    certificate: Path

    def client(
        self, *, context: ssl.SSLContext, pin: str | None
    ) -> AbstractAsyncContextManager[GatewayClient]:
        """Run a client while the block lasts."""
        settings = ConnectionSettings(
            url=self.network.url,
            credentials=Credentials(secret=self.secret),
            identity=DeviceIdentity.create(),
            client_version="0.1.0",
            ssl_context=context,
            certificate_pin=pin,
        )
        return running(GatewayClient(settings))


@pytest.fixture(scope="module")
def _process(
    loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory
) -> Generator[GatewayProcess]:
    """Return a started gateway with TLS; its agents have no model to ask."""
    pytest_socket.enable_socket()
    folder = tmp_path_factory.mktemp("tls-gateway")
    gateway = GatewayProcess(folder, "http://127.0.0.1:9/v1", tls=True)
    try:
        loop_thread.run(gateway.start())
        yield gateway
    finally:
        loop_thread.run(gateway.terminate())


@pytest.fixture
async def fake_tls_server(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[TlsServer]:
    """Return the fake."""
    certificate = self_signed_certificate(tmp_path)
    async with (
        SmallGateway(ssl_context=serving(certificate)) as gateway,
        Network(gateway.url) as network,
    ):
        yield TlsServer(network=network, secret=gateway.secret, certificate=certificate)


@pytest.fixture
async def real_tls_server(
    _process: GatewayProcess, socket_enabled: None
) -> AsyncGenerator[TlsServer]:
    """Return the real one, with the certificate it made at its first start."""
    (certificate,) = _process.folder.rglob("gateway-cert.pem")
    async with Network(_process.url) as network:
        yield TlsServer(network=network, secret=_process.token, certificate=certificate)


@pytest.fixture(
    scope="module", params=["fake", pytest.param("real", marks=pytest.mark.e2e("gateway"))]
)
def tls_kind(request: pytest.FixtureRequest) -> str:
    """Return which of the two; the real one is started here, outside of any single test."""
    if request.param == "real":
        request.getfixturevalue("_process")
    return str(request.param)


@pytest.fixture
def tls_server(tls_kind: str, request: pytest.FixtureRequest) -> TlsServer:
    """Return one of the two."""
    found: TlsServer = request.getfixturevalue(f"{tls_kind}_tls_server")
    return found


async def test_certificate_is_not_trusted_without_a_pin(tls_server: TlsServer) -> None:
    """Nobody vouches for it; the client tries again, as the gateway may get another one."""
    context = ssl.create_default_context()
    async with tls_server.client(context=context, pin=None) as client:
        assert isinstance(await reached(client, ClientState.RETRY_WAIT), UntrustedCertificateError)


async def test_pinned_certificate_connects(tls_server: TlsServer) -> None:
    """What a look at the certificate tells is what the client holds on to."""
    pin = await fetch_certificate_pin(tls_server.network.url, not_verifying())
    assert pin == pin_of(tls_server.certificate)
    async with tls_server.client(context=not_verifying(), pin=pin) as client:
        hello = await client.wait_ready(LIMIT)
        assert hello.scopes


async def test_another_certificate_than_the_pinned_one_gets_nothing(tls_server: TlsServer) -> None:
    """The client says which one answers, and leaves it to a person."""
    async with tls_server.client(context=not_verifying(), pin="0" * 64) as client:
        with pytest.raises(CertificateChangedError) as changed:
            await client.wait_ready(LIMIT)
        assert changed.value.fingerprint == pin_of(tls_server.certificate)
        assert client.snapshot.state is ClientState.REFUSED
        assert client.snapshot.hello is None
