"""A device from another host, from its first knock to its removal and back."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    CredentialsRejectedError,
    PairingRequiredError,
    RunLostError,
    SetupCodeRejectedError,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import (
    DEFAULT_SCOPES,
    ConnectionSettings,
    Credentials,
    HelloOk,
)
from custom_components.openclaw_voice.gateway.run_items import ChatDelta
from custom_components.openclaw_voice.gateway.setup_code import parse_setup_code
from custom_components.openclaw_voice.gateway.state import ClientState

from .conftest import STATE_LIMIT as LIMIT, Server, reached


async def approved(server: Server, client: GatewayClient) -> HelloOk:
    """Have the owner approve the request of a client that was refused, and let it in."""
    with pytest.raises(PairingRequiredError) as waiting:
        await client.wait_ready(LIMIT)
    await server.approve(waiting.value.request_id)
    client.retry_now()
    return await client.wait_ready(LIMIT)


def with_token(settings: ConnectionSettings, hello: HelloOk) -> ConnectionSettings:
    """Return settings that hold nothing but what the gateway gave at the pairing."""
    assert hello.device_token
    return replace(
        settings,
        credentials=Credentials(device_token=hello.device_token),
        granted_scopes=hello.scopes,
    )


async def removed_in_mid_turn(run: ChatRun, remove: Callable[[], Awaitable[None]]) -> None:
    """Iterate a run to its end; the owner removes the device after the first words."""
    heard = False
    async with run:
        async for item in run:
            if isinstance(item, ChatDelta) and not heard:
                heard = True
                await remove()


@pytest.fixture
def stranger(server: Server) -> ConnectionSettings:
    """Return settings of a device the gateway has never seen, with the shared secret."""
    return server.settings(url=server.remote_url, identity=DeviceIdentity.create())


async def test_request_to_the_owner_stays_the_same(
    server: Server, stranger: ConnectionSettings
) -> None:
    """Asking again renews the request, so the command on the screen stays right."""
    async with server.client(stranger) as client:
        first = await reached(client, ClientState.PAIRING)
        client.retry_now()
        second = await reached(client, ClientState.PAIRING)
    assert isinstance(first, PairingRequiredError)
    assert isinstance(second, PairingRequiredError)
    assert first is not second
    assert first.request_id == second.request_id != ""


async def test_removed_in_mid_turn_and_let_in_again(
    server: Server, stranger: ConnectionSettings, session_key: str
) -> None:
    """The turn ends with an error, the client asks for a person, and a new approval mends it."""
    device_id = stranger.identity.device_id if stranger.identity else ""
    async with server.client(stranger) as client:
        paired = with_token(stranger, await approved(server, client))

    async with server.client(paired) as client:
        assert set((await client.wait_ready(LIMIT)).scopes) == set(DEFAULT_SCOPES)
        run = client.chat.start(session_key=session_key, message="MODEL:SLOW 200 60")
        with pytest.raises(RunLostError):
            await removed_in_mid_turn(run, partial(server.remove, device_id))
        refused = await reached(client, ClientState.REFUSED)
        assert isinstance(refused, CredentialsRejectedError)
        assert refused.detail_code == "AUTH_DEVICE_TOKEN_MISMATCH"
        assert ("connection_lost", 4001) in [
            (entry.category, entry.code) for entry in client.journal
        ]
        client.use_settings(stranger)
        again = await approved(server, client)
    assert again.device_token != paired.credentials.device_token

    async with server.client(with_token(stranger, again)) as client:
        assert set((await client.wait_ready(LIMIT)).scopes) == set(DEFAULT_SCOPES)


async def test_setup_code_takes_the_place_of_the_secret(server: Server) -> None:
    """It needs an approval like the secret, and belongs to the device that used it first."""
    code = parse_setup_code(await server.setup_code())
    assert code
    settings = server.settings(
        url=server.remote_url,
        identity=DeviceIdentity.create(),
        credentials=Credentials(bootstrap_token=code.bootstrap_token),
    )
    async with server.client(settings) as client:
        paired = with_token(settings, await approved(server, client))
    async with server.client(paired) as client:
        await client.wait_ready(LIMIT)

    another = replace(settings, identity=DeviceIdentity.create())
    async with server.client(another) as client:
        with pytest.raises(SetupCodeRejectedError):
            await client.wait_ready(LIMIT)
        assert client.snapshot.state is ClientState.REFUSED
