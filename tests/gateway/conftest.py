"""Fixtures for the gateway client: a scripted gateway, settings for it, and a running client."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import settings as property_settings
import pytest

from custom_components.openclaw_voice.gateway import chat, retry
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.state import ClientSnapshot, ClientState
from tests.fakes.certificate import self_signed_certificate
from tests.fakes.fixtures import gateway
from tests.fakes.gateway import ScriptedGateway

__all__ = ["gateway"]

# No example fails because the machine is busy.
property_settings.register_profile("steady", deadline=None)
property_settings.load_profile("steady")

IDENTITY = DeviceIdentity.create()

type MakeSettings = Callable[..., ConnectionSettings]


def settings_for(
    gateway: ScriptedGateway, *, url: str | None = None, **changes: object
) -> ConnectionSettings:
    """Return settings with which a scripted gateway lets the client in."""
    fields: dict[str, object] = {
        "url": url or gateway.url,
        "credentials": Credentials(secret="the-shared-secret"),
        "identity": IDENTITY,
        "client_version": "0.1.0",
    }
    return ConnectionSettings(**fields | changes)  # type: ignore[arg-type]  # named by the test


@pytest.fixture
def settings(gateway: ScriptedGateway) -> ConnectionSettings:
    """Return settings for the scripted gateway."""
    return settings_for(gateway)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate for 127.0.0.1, with its key in the same file."""
    return self_signed_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between two attempts."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.2)
    monkeypatch.setattr(chat, "STOP_LIMIT", 0.2)


@asynccontextmanager
async def running(client: GatewayClient) -> AsyncGenerator[GatewayClient]:
    """Run a client; it is stopped at the end, and its loop has ended by then."""
    loop = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        await client.stop()
        await asyncio.wait_for(loop, 5)


async def reached(client: GatewayClient, state: ClientState) -> ClientSnapshot:
    """Wait until the client is in a state."""
    there = asyncio.Event()
    unsubscribe = client.subscribe(lambda now: there.set() if now.state is state else None)
    try:
        if client.snapshot.state is not state:
            async with asyncio.timeout(5):
                await there.wait()
        return client.snapshot
    finally:
        unsubscribe()


@pytest.fixture
async def client(
    gateway: ScriptedGateway, settings: ConnectionSettings, quick_retries: None
) -> AsyncGenerator[GatewayClient]:
    """Return a client that is connected to the scripted gateway."""
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
        yield client
