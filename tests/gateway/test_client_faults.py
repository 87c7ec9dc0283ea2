"""What a gateway and its owner do to a client that was let in before."""

from dataclasses import replace

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    CredentialsRejectedError,
    GatewayError,
    RequestError,
    RunFailedError,
    RunLostError,
    SignatureRejectedError,
)
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.run_items import RunItem
from custom_components.openclaw_voice.gateway.state import ClientState
from tests.fakes import frames, refusals
from tests.fakes.frames import accepted, chat_error, response_failed, said, started
from tests.fakes.gateway import Action, Expect, ScriptedGateway, drop
from tests.fakes.server import Connection as Client

from .conftest import reached, running

SESSION = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"
CLOCK = refusals.device_refused(
    "DEVICE_AUTH_SIGNATURE_EXPIRED", "device signature expired", "device-signature-stale"
)

pytestmark = pytest.mark.usefixtures("quick_retries")


async def take_turn(client: GatewayClient) -> list[RunItem]:
    """Run a turn to its end."""
    async with client.chat.start(session_key=SESSION, message="Hello?") as run:
        return [item async for item in run]


async def turn_error(client: GatewayClient) -> GatewayError:
    """Return how a turn ends that does not end well."""
    with pytest.raises(GatewayError) as caught:
        await take_turn(client)
    return caught.value


def from_now_on(gateway: ScriptedGateway, refusal: refusals.Refusal) -> Action:
    """Refuse every further connect."""

    async def perform(_: Client) -> None:
        gateway.hello = refusal

    return Action(perform)


# the clock


async def test_wrong_clock_is_tried_once_more_and_then_needs_a_person(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A slow network may explain one signature that came too late, not two."""
    gateway.hello = CLOCK
    async with running(GatewayClient(settings)) as client:
        refused = await reached(client, ClientState.REFUSED)
        assert isinstance(refused.error, SignatureRejectedError)
        assert refused.error.expired
        assert refused.retry_at is None
    assert len(gateway.received("connect")) == 2


async def test_each_attempt_signs_its_own_challenge(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The clock of this host plays no part: the time of the challenge is what is signed."""
    gateway.script(Expect("connect", reply=CLOCK))
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
    devices = [request.params["device"] for request in gateway.received("connect")]
    challenges = [connected.challenge for connected in gateway.clients]
    assert [device["signedAt"] for device in devices] == [sent["ts"] for sent in challenges]
    assert [device["nonce"] for device in devices] == [sent["nonce"] for sent in challenges]
    assert len(challenges) == 2


# another version


async def test_upgraded_gateway_is_met_on_its_own_terms(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Version, limits and ticks are those of the newest hello, not of the first."""
    before = client.snapshot.hello
    await gateway.stop(1012, "service restart")
    await reached(client, ClientState.RETRY_WAIT)
    gateway.hello = frames.hello_ok(version="2027.1.0", max_payload=2_000, tick_interval_ms=20_000)
    await gateway.start()
    after = await client.wait_ready(5)
    assert before is not None
    assert (before.server_version, after.server_version) == (frames.VERSION, "2027.1.0")
    assert after.policy.tick_interval == 20.0
    assert client.snapshot.hello == after
    with pytest.raises(RequestError) as refused:
        await client.request("health", {"padding": "x" * 2_000})
    assert refused.value.code == "PAYLOAD_TOO_LARGE"
    assert gateway.received("health") == []


async def test_ticks_of_an_upgraded_gateway_are_the_measure_of_silence(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A gateway that promises a tick every 50 ms is gone after a short silence."""
    gateway.hello = frames.hello_ok(version="2027.1.0", tick_interval_ms=50)
    await gateway.drop(1012, "service restart")
    await gateway.wait_for_client(number=2)
    # The fake itself goes on with a tick every 30 s, so nothing comes.
    await gateway.wait_for_client(number=3)
    assert ("connection_lost", 4000) in [(entry.category, entry.code) for entry in client.journal]


# credentials


async def test_token_revoked_in_mid_turn_ends_the_turn_and_asks_for_a_person(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The socket closes, the token is refused, and nobody waits for the limit of a recovery."""
    revoked = [
        from_now_on(gateway, refusals.device_token_mismatch()),
        drop(4001, "device removed"),
    ]
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One"), *revoked]))
    paired = replace(settings, credentials=Credentials(device_token="the-device-token"))
    async with running(GatewayClient(paired)) as client:
        await client.wait_ready(5)
        assert isinstance(await turn_error(client), RunLostError)
        refused = client.snapshot
        assert refused.state is ClientState.REFUSED
        assert isinstance(refused.error, CredentialsRejectedError)
        assert refused.error.detail_code == "AUTH_DEVICE_TOKEN_MISMATCH"
        assert refused.retry_at is None
    assert [(entry.state, entry.category, entry.code) for entry in client.journal][2:5] == [
        ("retry_wait", "connection_lost", 4001),
        ("connecting", None, None),
        ("refused", "invalid_auth", None),
    ]


# agents


async def test_agent_removed_in_mid_run_ends_the_turn(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway lets the model speak to the end, and fails when it keeps the answer."""
    message = "OpenClaw agent database is unavailable while agent kitchen is deleted."
    frames_of_run = [started(), said("One"), chat_error(message), response_failed(message)]
    gateway.script(Expect("agent", reply=accepted(), emit=frames_of_run))
    assert isinstance(await turn_error(client), RunFailedError)
    assert client.snapshot.state is ClientState.READY


async def test_agent_removed_while_the_connection_was_away_ends_the_turn(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The run cannot be found again, because its agent is gone."""
    gone = refusals.Refusal(message='Agent "main" no longer exists in configuration')
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", reply=gone),
    )
    error = await turn_error(client)
    assert isinstance(error, RequestError)
    assert error.code == "INVALID_REQUEST"
    assert client.snapshot.state is ClientState.READY
