"""Who is let in, with which rights."""

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    CredentialsRejectedError,
    MissingRightsError,
    PairingRequiredError,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import DEFAULT_SCOPES, Credentials
from custom_components.openclaw_voice.gateway.state import ClientState

from .conftest import STATE_LIMIT as LIMIT, Server


async def test_connects(server: Server, client: GatewayClient) -> None:
    """On the gateway's own host the secret is enough for all rights; there is no device token."""
    hello = await client.wait_ready(LIMIT)
    assert hello.server_version == server.version
    assert set(hello.scopes) == set(DEFAULT_SCOPES)
    assert hello.device_token is None
    assert hello.boot_id


async def test_tells_who_it_is(client: GatewayClient) -> None:
    """The gateway has an identity that stays, and lists its agents."""
    assert len(await client.status.gateway_id()) == 64
    agents = await client.status.agents()
    assert agents.default_id == "main"
    assert "main" in [agent.agent_id for agent in agents.agents]


async def test_wrong_secret_is_refused(server: Server) -> None:
    """A wrong secret needs a person: the client says so and does not try again."""
    settings = server.settings(credentials=Credentials(secret="wrong"))
    async with server.client(settings) as client:
        with pytest.raises(CredentialsRejectedError) as refusal:
            await client.wait_ready(LIMIT)
        assert refusal.value.detail_code == "AUTH_TOKEN_MISMATCH"
        assert client.snapshot.state is ClientState.REFUSED
        assert client.snapshot.retry_at is None


async def test_no_rights_without_identity_from_another_host(server: Server) -> None:
    """Without a device identity another host is let in with the right secret, but may do nothing."""
    settings = server.settings(url=server.remote_url, identity=None)
    async with server.client(settings) as client:
        with pytest.raises(MissingRightsError):
            await client.wait_ready(LIMIT)


async def test_device_from_another_host_needs_an_approval(server: Server) -> None:
    """An unknown device waits for the owner; approved, it gets a token that replaces the secret."""
    settings = server.settings(url=server.remote_url, identity=DeviceIdentity.create())
    async with server.client(settings) as client:
        with pytest.raises(PairingRequiredError) as waiting:
            await client.wait_ready(LIMIT)
        await server.approve(waiting.value.request_id)
    async with server.client(settings) as client:
        token = (await client.wait_ready(LIMIT)).device_token
    assert token
    settings = server.settings(
        url=server.remote_url,
        identity=settings.identity,
        credentials=Credentials(device_token=token),
    )
    async with server.client(settings) as client:
        assert set((await client.wait_ready(LIMIT)).scopes) == set(DEFAULT_SCOPES)
