"""The client stays connected, whatever happens, with one socket at a time."""

import asyncio
from datetime import UTC, datetime
import logging

import pytest

from custom_components.openclaw_voice.gateway import (
    client as client_module,
    connection as connection_module,
    retry,
)
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    NotAGatewayError,
    NotConnectedError,
    PairingRequiredError,
    ProtocolError,
    RateLimitedError,
    RequestError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.state import ClientSnapshot, ClientState
from tests.fakes import frames, refusals
from tests.fakes.gateway import Expect, ScriptedGateway, raw, refuse, respond, wait_for

from .conftest import reached, running, settings_for

AGENTS = {
    "defaultId": "main",
    "mainKey": "main",
    "scope": "per-sender",
    "agents": [{"id": "main", "identity": {"name": "Molly", "emoji": "🦞"}}, {"id": "kitchen"}],
}
PAIRING = refusals.pairing_required(
    refusals.PairingRequest(request_id="req-1", device_id="d", scopes=("operator.read",))
)

pytestmark = pytest.mark.usefixtures("quick_retries")


# states


async def test_journal_tells_what_happened_to_the_connection(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Each change of the state, with the error that led to it and no other."""
    await gateway.drop(1012, "service restart")
    await reached(client, ClientState.RETRY_WAIT)
    gateway.hello = refusals.token_mismatch()
    await reached(client, ClientState.REFUSED)
    gateway.hello = None
    client.retry_now()
    await client.wait_ready(5)
    await client.stop()
    assert [(entry.state, entry.category, entry.code) for entry in client.journal] == [
        ("connecting", None, None),
        ("ready", None, None),
        ("retry_wait", "connection_lost", 1012),
        ("connecting", None, None),
        ("refused", "invalid_auth", None),
        ("connecting", None, None),
        ("ready", None, None),
        ("stopped", None, None),
    ]
    times = [entry.at for entry in client.journal]
    assert times == sorted(times)
    assert times[-1] <= datetime.now(UTC)


async def test_stopped_to_connecting_to_ready(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Subscribers see each state once, in order."""
    client = GatewayClient(settings)
    states = [client.snapshot.state]
    unsubscribe = client.subscribe(lambda snapshot: states.append(snapshot.state))
    async with running(client):
        hello = await client.wait_ready(5)
    unsubscribe()
    assert hello.boot_id == gateway.boot_id
    assert states == [
        ClientState.STOPPED,
        ClientState.CONNECTING,
        ClientState.READY,
        ClientState.STOPPED,
    ]


async def test_ready_to_retry_wait_to_ready(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A lost connection is made again; the snapshot tells why and since when."""
    before = client.snapshot
    assert before.connected_since is not None
    assert before.connected_since <= datetime.now(UTC)
    await gateway.drop(1012, "service restart")
    waiting = await reached(client, ClientState.RETRY_WAIT)
    assert isinstance(waiting.error, ConnectionLostError)
    assert waiting.retry_at is not None
    assert waiting.connected_since is None
    assert waiting.hello == before.hello
    after = await reached(client, ClientState.READY)
    assert (after.reconnects, after.error, after.attempts) == (1, None, 0)


@pytest.mark.parametrize(
    ("refusal", "state", "error"),
    [
        pytest.param(
            refusals.token_mismatch(),
            ClientState.REFUSED,
            CredentialsRejectedError,
            id="connecting to refused",
        ),
        pytest.param(
            PAIRING, ClientState.PAIRING, PairingRequiredError, id="connecting to pairing"
        ),
        pytest.param(
            refusals.rate_limited(),
            ClientState.RATE_LIMITED,
            RateLimitedError,
            id="connecting to rate limited",
        ),
    ],
)
async def test_refusal_blocks_the_client_and_tells_why(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    refusal: refusals.Refusal,
    state: ClientState,
    error: type[GatewayError],
) -> None:
    """Whoever waits for a connection learns at once that waiting is of no use."""
    gateway.hello = refusal
    async with running(GatewayClient(settings)) as client:
        with pytest.raises(error):
            await client.wait_ready(5)
        assert client.snapshot.state is state
        with pytest.raises(error):
            await client.wait_ready(5)
    assert len(gateway.received("connect")) == 1


async def test_retry_now_leaves_refused(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A person has changed something on the gateway."""
    gateway.hello = refusals.token_mismatch()
    async with running(GatewayClient(settings)) as client:
        await reached(client, ClientState.REFUSED)
        gateway.hello = None
        client.retry_now()
        await client.wait_ready(5)


async def test_retry_now_waits_out_a_rate_limit(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Asking during a lock may lengthen it, so nothing does."""
    gateway.hello = refusals.rate_limited(100)
    async with running(GatewayClient(settings)) as client:
        limited = await reached(client, ClientState.RATE_LIMITED)
        assert limited.retry_at is not None
        client.retry_now()
        client.warm()
        gateway.hello = None
        assert len(gateway.received("connect")) == 1
        await reached(client, ClientState.READY)


async def test_pairing_is_polled_until_approved(
    gateway: ScriptedGateway, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approving is enough; nobody has to press anything here."""
    monkeypatch.setattr(retry, "PAIRING_POLL", 0.02)
    gateway.hello = PAIRING
    async with running(GatewayClient(settings)) as client:
        await reached(client, ClientState.PAIRING)
        await gateway.wait_for_request("connect", number=3)
        gateway.hello = None
        await reached(client, ClientState.READY)


async def test_new_settings_are_used_at_once(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Re-authentication does not need a reload."""
    gateway.hello = refusals.token_mismatch()
    async with running(GatewayClient(settings)) as client:
        await reached(client, ClientState.REFUSED)
        gateway.hello = None
        client.use_settings(settings_for(gateway, credentials=Credentials(secret="new-secret")))
        await client.wait_ready(5)
    assert gateway.requests[-1].params["auth"] == {"token": "new-secret"}


async def test_new_settings_leave_a_connection_and_the_wait_after_it_alone(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A device token that was just given is for the next connection."""
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
        client.use_settings(settings_for(gateway, credentials=Credentials(secret="new-secret")))
        assert client.snapshot.state is ClientState.READY
        await gateway.drop()
        await reached(client, ClientState.RETRY_WAIT)
        assert client.snapshot.state is ClientState.RETRY_WAIT
        client.warm()
        await client.wait_ready(5)
    sent = [request.params["auth"] for request in gateway.received("connect")]
    assert sent[1:] == [{"token": "new-secret"}]


async def test_refused_device_token_gives_way_to_the_secret_once(
    gateway: ScriptedGateway,
) -> None:
    """The owner has rotated the device token, and the shared secret is still known."""
    gateway.script(Expect("connect", reply=refusals.device_token_mismatch()))
    credentials = Credentials(device_token="old-token", secret="shared")
    async with running(GatewayClient(settings_for(gateway, credentials=credentials))) as client:
        await client.wait_ready(5)
    sent = [request.params["auth"] for request in gateway.received("connect")]
    assert sent == [{"deviceToken": "old-token"}, {"token": "shared"}]


async def test_starting_gateway_is_asked_again_when_it_says(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A gateway that starts answers that it is starting."""
    gateway.script(
        Expect("connect", reply=refusals.still_starting(100)),
        Expect("connect", reply=refusals.still_starting(100)),
    )
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
    assert len(gateway.received("connect")) == 3


async def test_gateway_that_drains_is_tried_until_it_is_back(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """HTTP 503 while a gateway finishes its runs."""
    gateway.refuse_upgrade(503, times=3)
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
        assert gateway.connections.total == 4


async def test_something_else_on_the_port_is_warned_of_when_it_repeats(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """After three protocol errors only the longest wait is used."""
    gateway.answer_garbage()
    async with running(GatewayClient(settings)) as client:
        repeating = asyncio.Event()
        client.subscribe(lambda now: repeating.set() if now.is_repeating else None)
        async with asyncio.timeout(5):
            await repeating.wait()
        assert isinstance(client.snapshot.error, NotAGatewayError)
        assert client.snapshot.attempts == 3
        gateway.accept()
        await client.wait_ready(5)
        assert not client.snapshot.is_repeating


async def test_ten_quick_losses_never_make_a_second_socket_or_a_busy_loop(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The waits grow although each connection was ready for a moment."""
    async with running(GatewayClient(settings)) as client:
        for number in range(1, 11):
            await gateway.wait_for_client(number=number)
            await reached(client, ClientState.READY)
            await gateway.drop()
            waiting = await reached(client, ClientState.RETRY_WAIT)
            assert waiting.is_repeating == (number >= retry.TOLERATED)
            client.retry_now()
        await gateway.wait_for_client(number=11)
    assert (gateway.connections.most, gateway.connections.total) == (1, 11)


async def test_stable_connection_forgets_what_went_wrong_before(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits begin anew after half a minute of being ready."""
    await gateway.drop()
    await reached(client, ClientState.RETRY_WAIT)
    await reached(client, ClientState.READY)
    monkeypatch.setattr(retry, "STABLE_AFTER", 0.0)
    await gateway.drop()
    assert (await reached(client, ClientState.RETRY_WAIT)).attempts == 1


async def test_loss_after_a_while_is_not_a_quick_one(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that lasts longer than a moment breaks the row of quick losses."""
    monkeypatch.setattr(retry, "QUICK_LOSS", 0.0)
    for number in range(2, 6):
        await gateway.drop()
        assert not (await reached(client, ClientState.RETRY_WAIT)).is_repeating
        client.warm()
        await gateway.wait_for_client(number=number)
        await reached(client, ClientState.READY)


async def test_half_open_connection_is_replaced(socket_enabled: None) -> None:
    """No tick, no gateway: the client comes back by itself."""
    async with ScriptedGateway(tick_interval_ms=50) as gateway:
        async with running(GatewayClient(settings_for(gateway))) as client:
            await client.wait_ready(5)
            gateway.is_ticking = False
            await reached(client, ClientState.RETRY_WAIT)
            gateway.is_ticking = True
            await reached(client, ClientState.READY)
        assert gateway.connections.most == 1


async def test_bug_of_ours_does_not_end_the_loop(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An unexpected exception is logged and counts as a protocol error."""
    enter = Connection.__aenter__
    attempts: list[object] = []

    async def fail_once(connection: Connection) -> Connection:
        attempts.append(connection)
        if len(attempts) == 1:
            raise TypeError("our bug")
        return await enter(connection)

    monkeypatch.setattr(Connection, "__aenter__", fail_once)
    errors: list[GatewayError | None] = []
    client = GatewayClient(settings)
    client.subscribe(lambda snapshot: errors.append(snapshot.error))
    async with running(client):
        await client.wait_ready(5)
    assert any(type(error) is ProtocolError for error in errors)
    assert "Unexpected TypeError in the connection" in caplog.text
    assert "our bug" not in caplog.text


# waiting for a connection


async def test_wait_ready_gives_the_last_error_when_time_is_up(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The caller learns what stood in the way."""
    await gateway.stop()
    async with running(GatewayClient(settings)) as client:
        with pytest.raises(CannotConnectError, match="Connect call failed"):
            await client.wait_ready(0.1)


async def test_wait_ready_without_any_attempt_yet_cannot_connect(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A gateway that does not answer the first attempt leaves no error to tell."""
    gateway.accept_slowly()
    async with running(GatewayClient(settings)) as client:
        with pytest.raises(CannotConnectError, match="in time"):
            await client.wait_ready(0.05)
    await gateway.wait_for_no_client()


async def test_stopped_client_is_not_waited_for(client: GatewayClient) -> None:
    """Nothing will come any more."""
    await client.stop()
    assert client.is_stopped
    with pytest.raises(NotConnectedError):
        await client.wait_ready(5)
    with pytest.raises(NotConnectedError):
        await client.request("agents.list")


async def test_client_may_be_stopped_before_it_runs(settings: ConnectionSettings) -> None:
    """Setting up and unloading may overlap."""
    client = GatewayClient(settings)
    await client.stop()
    await asyncio.wait_for(client.run(), 5)
    assert client.snapshot.state is ClientState.STOPPED


async def test_client_may_be_stopped_while_it_connects(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """An attempt in the middle of the handshake is given up and closed."""
    gateway.script(Expect("connect"))
    async with running(GatewayClient(settings)) as client:
        await gateway.wait_for_request("connect")
        await client.stop()
    await gateway.wait_for_no_client()


async def test_cancelled_client_closes_its_socket(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Home Assistant cancels the tasks of an entry that is unloaded."""
    client = GatewayClient(settings)
    loop = asyncio.create_task(client.run())
    await client.wait_ready(5)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    await gateway.wait_for_no_client()
    assert client.snapshot.state is ClientState.STOPPED
    assert not client.spawn(asyncio.sleep(0), name="too late")


async def test_loop_that_does_not_end_is_told(
    client: GatewayClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopping has a limit, so that Home Assistant can go on."""
    monkeypatch.setattr(client_module, "STOP_LIMIT", 0.02)
    may_end = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    client.spawn(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    await client.stop()
    assert "does not end" in caplog.text
    may_end.set()


# events, requests, subscribers


async def test_events_reach_their_subscribers_until_they_leave(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Every event, in order, whoever else fails."""
    names: list[str] = []

    def fail(event: GatewayEvent) -> None:
        raise ValueError(event.payload)

    client.subscribe_events(fail)
    unsubscribe = client.subscribe_events(lambda event: names.append(event.name))
    gateway.script(
        Expect("agents.list", emit=[frames.event("one"), frames.tick(), respond(AGENTS)]),
        Expect("agents.list", emit=[frames.event("two"), respond(AGENTS)]),
    )
    await client.request("agents.list")
    unsubscribe()
    await client.request("agents.list")
    assert names == ["one", "tick"]


async def test_failing_subscriber_harms_nobody(
    gateway: ScriptedGateway, client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Its failure is logged without what it was told."""

    def fail(_: ClientSnapshot) -> None:
        raise ValueError("with something secret")

    client.subscribe(fail)
    await gateway.drop()
    await reached(client, ClientState.RETRY_WAIT)
    await reached(client, ClientState.READY)
    assert "A subscriber failed with ValueError" in caplog.text
    assert "something secret" not in caplog.text


async def test_agents_and_id_of_the_gateway(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """What the flow asks a gateway before it is added."""
    gateway.script(
        Expect("gateway.identity.get", reply={"deviceId": "gw-1", "publicKey": "p"}),
        Expect("agents.list", reply=AGENTS),
    )
    assert await client.status.gateway_id() == "gw-1"
    agents = await client.status.agents()
    assert agents.default_id == "main"
    assert [(agent.agent_id, agent.name, agent.emoji) for agent in agents.agents] == [
        ("main", "Molly", "🦞"),
        ("kitchen", "kitchen", None),
    ]


async def test_request_without_connection_is_refused_here(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A caller is not made to wait for a gateway that is away."""
    await gateway.stop()
    await reached(client, ClientState.RETRY_WAIT)
    with pytest.raises(NotConnectedError):
        await client.request("agents.list")


async def test_refused_request_reaches_the_caller(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """As the connection tells it."""
    gateway.script(Expect("agents.list", reply=refusals.missing_scope("operator.read")))
    with pytest.raises(RequestError):
        await client.request("agents.list")


async def test_oddities_are_counted_over_connections(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Diagnostics tell how often a gateway says what we do not understand."""
    for number in (1, 2):
        gateway.script(Expect("agents.list", emit=[raw("nonsense"), respond(AGENTS)]))
        await client.request("agents.list")
        await gateway.drop()
        await reached(client, ClientState.RETRY_WAIT)
        assert client.anomalies == {"malformed frame": number}
        await reached(client, ClientState.READY)


async def test_losses_and_returns_are_debug_only_here(
    gateway: ScriptedGateway, client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever uses the client tells people; the client does not flood the log."""
    caplog.set_level(logging.INFO, logger="custom_components.openclaw_voice.gateway")
    await gateway.drop()
    await reached(client, ClientState.RETRY_WAIT)
    await reached(client, ClientState.READY)
    own = [record for record in caplog.records if record.name.startswith("custom_components")]
    assert not own


async def test_retry_now_leaves_a_ready_connection_alone(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """There is nothing to retry."""
    client.retry_now()
    assert client.snapshot.state is ClientState.READY
    gateway.script(Expect("agents.list", reply=AGENTS))
    await client.request("agents.list")
    assert gateway.connections.total == 1


@pytest.mark.parametrize("by", ["retry_now", "use_settings"])
async def test_impatience_during_an_attempt_does_not_shorten_a_rate_limit(
    gateway: ScriptedGateway, settings: ConnectionSettings, by: str
) -> None:
    """What was asked for before the limit was known does not count against it."""
    may_answer = asyncio.Event()
    gateway.script(
        Expect("connect", emit=[wait_for(may_answer), refuse(refusals.rate_limited(60_000))])
    )
    async with running(GatewayClient(settings)) as client:
        await gateway.wait_for_request("connect")
        if by == "retry_now":
            client.retry_now()
        else:
            client.use_settings(settings)
        may_answer.set()
        await reached(client, ClientState.RATE_LIMITED)
        client.use_settings(settings)
        with pytest.raises(RateLimitedError):
            await client.wait_ready(0.1)
    assert len(gateway.received("connect")) == 1


async def test_background_work_is_refused_in_the_moment_of_a_cancel(
    client: GatewayClient,
) -> None:
    """A turn that is cancelled together with the client gets no other error for it."""
    tasks = client._tasks
    assert tasks is not None
    client._tasks = None
    assert not client.spawn(asyncio.sleep(0), name="too late")
    client._tasks = asyncio.TaskGroup()
    assert not client.spawn(asyncio.sleep(0), name="into a group that does not run")
    client._tasks = tasks


async def test_close_right_after_the_challenge_is_an_absent_gateway(
    gateway: ScriptedGateway, settings: ConnectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is retried without a word about what the gateway said."""
    caplog.set_level(logging.DEBUG)
    gateway.close_after_challenge(1008, "bad token=abcsecret123")
    async with running(GatewayClient(settings)) as client:
        with pytest.raises(CannotConnectError):
            await client.wait_ready(0.1)
        gateway.accept()
        client.retry_now()
        await client.wait_ready(5)
    own = [record for record in caplog.records if record.name.startswith("custom_components")]
    assert own
    assert not [record for record in own if "abcsecret123" in record.getMessage()]
    assert not [record for record in own if record.levelno >= logging.ERROR]


async def test_socket_that_does_not_close_does_not_keep_the_client_away(
    settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-open peer that reads nothing holds up the closing handshake, not us."""
    monkeypatch.setattr(connection_module, "CLOSE_LIMIT", 0.1)
    async with (
        ScriptedGateway(tick_interval_ms=100) as gateway,
        running(GatewayClient(settings_for(gateway))) as client,
    ):
        await client.wait_ready(5)
        gateway.pause_reading()
        gateway.is_ticking = False
        params = {
            "message": "x" * 20_000_000,
            "sessionKey": "agent:main:x",
            "idempotencyKey": "run-1",
        }
        with pytest.raises(GatewayError):
            await client.request("agent", params, timeout=5)
        gateway.is_ticking = True
        await gateway.wait_for_client(number=2)
        await reached(client, ClientState.READY)
