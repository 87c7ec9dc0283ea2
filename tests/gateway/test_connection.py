"""One connection: handshake, requests, whatever comes in, and its end."""

import asyncio
import json
import logging
from pathlib import Path
import ssl

import pytest

from custom_components.openclaw_voice.gateway import connection as connection_module
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    MissingRightsError,
    NotAGatewayError,
    NotConnectedError,
    ProtocolError,
    ProxyRefusedError,
    RateLimitedError,
    RequestError,
    RequestTimeoutError,
    TlsError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent, Response
from custom_components.openclaw_voice.gateway.models import ConnectionSettings
from tests.fakes import frames, refusals
from tests.fakes.gateway import (
    Action,
    Expect,
    ScriptedGateway,
    drop,
    raw,
    respond,
    skip_seq,
    wait_for,
)
from tests.fakes.server import Connection as Client

from .conftest import settings_for

AGENTS = {"defaultId": "main", "mainKey": "main", "scope": "per-sender", "agents": []}


def respond_unchecked(gateway: ScriptedGateway, payload: dict[str, object]) -> Action:
    """Answer the newest request with something the schema does not know."""

    async def perform(client: Client) -> None:
        request_id = gateway.requests[-1].id
        frame = {"type": "res", "id": request_id, "ok": True, "payload": payload}
        await client.send_raw(json.dumps(frame))

    return Action(perform)


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what our side has logged; the fake gateway's own library logs every frame."""
    sides = ("custom_components", "websockets.client")
    return [record.getMessage() for record in caplog.records if record.name.startswith(sides)]


async def open_error(settings: ConnectionSettings) -> GatewayError:
    """Return why a connection does not come about."""
    with pytest.raises(GatewayError) as caught:
        async with Connection(settings):
            pytest.fail("the connection came about")
    return caught.value


# opening


async def test_handshake_tells_what_the_gateway_grants(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """After entering, the hello is there and the connect request was signed by our key."""
    async with Connection(settings) as connection:
        assert connection.hello.scopes == settings.scopes
        assert connection.hello.boot_id == gateway.boot_id
        assert connection.is_open
    assert gateway.requests[0].params["device"]["id"] == settings.identity.device_id
    assert not connection.is_open


async def test_no_origin_and_no_user_agent_header_are_sent(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A browser's headers change what the gateway thinks of a client."""
    async with Connection(settings):
        headers = gateway.clients[0].socket.request.headers
    assert "Origin" not in headers
    assert "User-Agent" not in headers
    assert "Sec-WebSocket-Extensions" not in headers


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        pytest.param(refusals.token_mismatch(), CredentialsRejectedError, id="wrong secret"),
        pytest.param(refusals.rate_limited(), RateLimitedError, id="rate limited"),
        pytest.param(refusals.still_starting(), CannotConnectError, id="starting"),
    ],
)
async def test_refused_connect_is_a_typed_error(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    refusal: refusals.Refusal,
    error: type[GatewayError],
) -> None:
    """What the gateway answers decides the error, and the socket is closed."""
    gateway.hello = refusal
    assert type(await open_error(settings)) is error
    await gateway.wait_for_no_client()


async def test_empty_scopes_are_an_error(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A right secret without a paired identity gets a hello that is of no use."""
    gateway.hello = frames.hello_ok(scopes=(), boot_id=gateway.boot_id, tick_interval_ms=30_000)
    error = await open_error(settings)
    assert isinstance(error, MissingRightsError)
    assert error.missing == ("operator.read", "operator.write")


async def test_challenge_without_nonce_is_a_protocol_error(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Nothing can be signed without a nonce."""
    gateway.challenge_without_nonce()
    assert isinstance(await open_error(settings), ProtocolError)


async def test_second_challenge_is_a_protocol_error(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A gateway challenges once."""
    gateway.challenge_twice()
    assert isinstance(await open_error(settings), ProtocolError)


async def test_events_before_the_hello_are_passed_over(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """What a newer gateway may say in between does not hurt."""
    hello = frames.hello_ok(
        scopes=settings.scopes, boot_id=gateway.boot_id, tick_interval_ms=30_000
    )
    news = raw({"type": "event", "event": "novelty", "payload": {}})
    gateway.script(Expect("connect", emit=[news, respond(hello)]))
    async with Connection(settings) as connection:
        assert connection.hello.protocol == 4


@pytest.mark.parametrize(
    "first",
    [
        pytest.param('{"type":"res","id":"1","ok":true}', id="response"),
        pytest.param('{"type":"event","event":"tick"}', id="another event"),
        pytest.param("hello", id="not JSON"),
    ],
)
async def test_first_frame_must_be_the_challenge(
    gateway: ScriptedGateway, settings: ConnectionSettings, first: str
) -> None:
    """Something that speaks WebSocket is not yet a gateway."""
    gateway.hold_challenge()
    opening = asyncio.create_task(open_error(settings))
    await gateway.wait_for_sockets(1)
    await gateway._until(lambda: bool(gateway.clients), "the upgrade")
    await gateway.send_raw(first)
    assert isinstance(await opening, ProtocolError)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(301, ProxyRefusedError, id="redirect to a login page"),
        pytest.param(401, ProxyRefusedError, id="proxy wants a login"),
        pytest.param(403, ProxyRefusedError, id="untrusted proxy"),
        pytest.param(404, NotAGatewayError, id="web server"),
        pytest.param(502, CannotConnectError, id="proxy without gateway"),
        pytest.param(503, CannotConnectError, id="draining"),
    ],
)
async def test_refused_upgrade_is_told_apart_by_its_status(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    status: int,
    error: type[GatewayError],
) -> None:
    """Redirects are not followed either: the secret goes nowhere else."""
    gateway.refuse_upgrade(status, headers={"Location": "http://127.0.0.1:9/"})
    assert type(await open_error(settings)) is error
    assert gateway.connections.total == 1


async def test_garbage_instead_of_http_is_not_a_gateway(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Another protocol on the port."""
    gateway.answer_garbage()
    assert isinstance(await open_error(settings), NotAGatewayError)


async def test_close_without_an_answer_cannot_connect(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A port forwarder listens although the gateway behind it is just restarting."""
    gateway.hang_up()
    assert isinstance(await open_error(settings), CannotConnectError)


async def test_refused_tcp_cannot_connect(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Nothing listens."""
    await gateway.stop()
    assert isinstance(await open_error(settings), CannotConnectError)


async def test_address_that_is_none_cannot_connect(gateway: ScriptedGateway) -> None:
    """A wrong scheme never reaches the network."""
    error = await open_error(settings_for(gateway, url="http://127.0.0.1:1"))
    assert isinstance(error, CannotConnectError)


async def test_certificate_that_is_not_trusted_is_told_apart(
    socket_enabled: None, certificate: Path
) -> None:
    """A self-signed gateway is there, but cannot be trusted yet."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    async with ScriptedGateway(ssl_context=server) as gateway:
        settings = settings_for(gateway, ssl_context=ssl.create_default_context())
        assert isinstance(await open_error(settings), TlsError)
        trusting = ssl.create_default_context(cafile=certificate)
        async with Connection(settings_for(gateway, ssl_context=trusting)) as connection:
            assert connection.is_open


async def test_plain_address_of_a_tls_gateway_is_not_a_gateway(
    socket_enabled: None, certificate: Path
) -> None:
    """Somebody typed ws:// for wss://: no HTTP comes back."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    async with ScriptedGateway(ssl_context=server) as gateway:
        url = gateway.url.replace("wss://", "ws://")
        error = await open_error(settings_for(gateway, url=url))
        assert isinstance(error, NotAGatewayError | CannotConnectError)


async def test_gateway_that_accepts_and_says_nothing_is_given_up(
    gateway: ScriptedGateway, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole handshake has one limit."""
    monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 0.05)
    gateway.accept_slowly()
    assert isinstance(await open_error(settings), CannotConnectError)
    gateway.accept()
    gateway.hold_challenge()
    assert isinstance(await open_error(settings), CannotConnectError)


async def test_close_during_the_handshake_cannot_connect(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A gateway that stops just now is away, not wrong."""
    gateway.script(Expect("connect", emit=[drop(1012, "service restart")]))
    error = await open_error(settings)
    assert isinstance(error, CannotConnectError)
    assert "1012" in str(error)


async def test_cancelled_opening_leaves_no_socket(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Unloading while connecting closes what was opened."""
    gateway.script(Expect("connect"))
    opening = asyncio.create_task(open_error(settings))
    await gateway.wait_for_request("connect")
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await gateway.wait_for_no_client()


# requests


async def test_request_returns_the_payload(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The answer finds its request."""
    gateway.script(Expect("agents.list", params={}, reply=AGENTS))
    async with Connection(settings) as connection:
        assert await connection.request("agents.list") == AGENTS


async def test_answers_may_come_in_any_order(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Requests are told apart by their ids."""
    identity = {"deviceId": "d", "publicKey": "p"}
    may_answer = asyncio.Event()
    gateway.script(
        Expect("agents.list", emit=[wait_for(may_answer), respond(AGENTS)]),
        Expect("gateway.identity.get", reply=identity),
    )
    async with Connection(settings) as connection:
        first = asyncio.create_task(connection.request("agents.list"))
        await gateway.wait_for_request("agents.list")
        assert await connection.request("gateway.identity.get") == identity
        may_answer.set()
        assert await first == AGENTS


async def test_refused_request_is_a_request_error(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Code, detail and wait of the gateway reach the caller."""
    gateway.script(
        Expect("agents.list", reply=refusals.missing_scope("operator.read")),
        Expect("agents.list", reply=refusals.restarting("agents.list")),
    )
    async with Connection(settings) as connection:
        with pytest.raises(RequestError, match="missing scope") as caught:
            await connection.request("agents.list")
        assert (caught.value.code, caught.value.detail_code) == ("FORBIDDEN", "MISSING_SCOPE")
        with pytest.raises(RequestError) as caught:
            await connection.request("agents.list")
        assert caught.value.retry_after == 1.0


async def test_request_without_answer_times_out_and_leaves_no_waiter(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A late answer is counted, and the connection lives."""
    may_answer = asyncio.Event()
    gateway.script(
        Expect("agents.list", emit=[wait_for(may_answer), respond(AGENTS)]),
        Expect("agents.list", reply=AGENTS),
    )
    async with Connection(settings) as connection:
        with pytest.raises(RequestTimeoutError, match=r"agents\.list"):
            await connection.request("agents.list", timeout=0.05)
        may_answer.set()
        await gateway.played()
        assert await connection.request("agents.list") == AGENTS
        assert connection.anomalies["response nobody waits for"] == 1


async def test_cancelled_request_leaves_no_waiter(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A turn that is cancelled leaves nothing behind."""
    gateway.script(Expect("agents.list"), Expect("agents.list", reply=AGENTS))
    async with Connection(settings) as connection:
        request = asyncio.create_task(connection.request("agents.list"))
        await gateway.wait_for_request("agents.list")
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert await connection.request("agents.list") == AGENTS


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
async def test_answer_to_a_request_that_was_just_cancelled_is_dropped(
    settings: ConnectionSettings, is_lost: bool
) -> None:
    """Between the cancel and the caller's own turn a frame may still be read."""
    connection = Connection(settings)
    waiter = connection_module._SingleResponse()
    connection._waiting["r1"] = waiter
    waiter.response.cancel()
    if is_lost:
        connection._end(ConnectionLostError(1006))
    else:
        connection._resolve(Response(request_id="r1", payload={}), 0)
    assert waiter.response.cancelled()
    assert not connection._waiting


async def test_request_in_flight_fails_when_the_socket_drops(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A lost connection reaches the caller as ConnectionLostError, not as a cancel."""
    gateway.script(Expect("agents.list", emit=[drop()]))
    async with Connection(settings) as connection:
        with pytest.raises(ConnectionLostError) as caught:
            await connection.request("agents.list")
        assert caught.value.code == 1006
        with pytest.raises(ConnectionLostError):
            await connection.request("agents.list")


async def test_request_in_flight_fails_when_we_close(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Closing leaves nobody waiting, and may be repeated."""
    gateway.script(Expect("agents.list"))
    async with Connection(settings) as connection:
        request = asyncio.create_task(connection.request("agents.list"))
        await gateway.wait_for_request("agents.list")
        await connection.close()
        with pytest.raises(ConnectionLostError):
            await request
        await connection.close()


async def test_unopened_connection_takes_no_request(settings: ConnectionSettings) -> None:
    """There is no hello and no socket before entering; closing is allowed all the same."""
    connection = Connection(settings)
    with pytest.raises(NotConnectedError):
        await connection.request("agents.list")
    with pytest.raises(NotConnectedError):
        _ = connection.hello
    await connection.close()


async def test_request_larger_than_the_gateway_takes_is_refused_here(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The gateway would close the connection, and with it every run."""
    hello = frames.hello_ok(
        scopes=settings.scopes, boot_id=gateway.boot_id, tick_interval_ms=30_000
    )
    hello["policy"]["maxPayload"] = 2000
    gateway.hello = hello
    async with Connection(settings) as connection:
        with pytest.raises(RequestError, match="PAYLOAD_TOO_LARGE"):
            await connection.request("agent", {"message": "x" * 3000})
        assert connection.is_open


async def test_send_that_cannot_be_written_leaves_no_waiter(
    gateway: ScriptedGateway, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that does not read cannot hold a caller up longer than its limit."""
    async with Connection(settings) as connection:

        async def never(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(connection._socket, "send", never)
        with pytest.raises(RequestTimeoutError):
            await connection.request("agents.list", timeout=0.02)
        assert not connection._waiting


async def test_send_onto_a_socket_that_just_closed_is_a_lost_connection(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The socket may be closed before the reader has noticed."""
    async with Connection(settings) as connection:
        connection._reader.cancel()
        await gateway.drop(1012, "service restart")
        await asyncio.wait({connection._reader})
        await connection._socket.wait_closed()
        with pytest.raises(ConnectionLostError) as caught:
            await connection.request("agents.list")
        assert caught.value.code == 1012


async def test_error_that_comes_after_giving_up_is_not_asked_for(
    gateway: ScriptedGateway, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that ends during send() fails the call once, without stray futures."""
    async with Connection(settings) as connection:

        async def lose(*_: object, **__: object) -> None:
            connection._end(ConnectionLostError(1006))
            raise OSError("gone")

        monkeypatch.setattr(connection._socket, "send", lose)
        with pytest.raises(OSError, match="gone"):
            await connection.request("agents.list")


# what comes in


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param("not json", "malformed frame", id="not JSON"),
        pytest.param("[1, 2]", "malformed frame", id="an array"),
        pytest.param('{"type":"event"}', "malformed frame", id="no event name"),
        pytest.param('{"type":"res","id":7,"ok":true}', "malformed frame", id="wrong type of id"),
        pytest.param('{"type":"res","id":"r1","ok":"yes"}', "malformed frame", id="wrong ok"),
        pytest.param('{"type":"novelty"}', "malformed frame", id="unknown type"),
        pytest.param(b"\xff\xfe\x00binary", "malformed frame", id="binary"),
        pytest.param(
            '{"type":"res","id":"r99","ok":true}', "response nobody waits for", id="unknown id"
        ),
        pytest.param(
            '{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}',
            "late challenge",
            id="late challenge",
        ),
    ],
)
async def test_bad_frame_is_counted_and_told_once_and_the_connection_lives(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    caplog: pytest.LogCaptureFixture,
    data: str | bytes,
    kind: str,
) -> None:
    """Nonsense costs one debug line without its content."""
    caplog.set_level(logging.DEBUG)
    gateway.script(Expect("agents.list", emit=[raw(data), raw(data), respond(AGENTS)]))
    async with Connection(settings) as connection:
        assert await connection.request("agents.list") == AGENTS
        assert connection.anomalies == {kind: 2}
    messages = ours(caplog)
    assert [kind in message for message in messages].count(True) == 1
    assert "novelty" not in " ".join(messages)


async def test_binary_frame_with_json_is_understood(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The gateway accepts such frames, so we do."""
    events: list[GatewayEvent] = []
    frame = b'{"type":"event","event":"novelty","payload":{"a":1},"more":[]}'
    gateway.script(Expect("agents.list", emit=[raw(frame), respond(AGENTS)]))
    async with Connection(settings, on_event=events.append) as connection:
        await connection.request("agents.list")
        assert not connection.anomalies
    assert [(event.name, event.payload) for event in events] == [("novelty", {"a": 1})]


async def test_text_that_is_not_unicode_ends_the_connection_with_a_typed_error(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """WebSocket forbids it, so the library may close; the reason is told."""
    async with Connection(settings) as connection:
        client = await gateway.wait_for_client()
        client.socket.transport.write(b"\x81\x02\xff\xfe")
        gateway.script(Expect("agents.list", reply=AGENTS))
        assert await connection.request("agents.list") == AGENTS
        assert connection.anomalies == {"malformed frame": 1}


async def test_answer_of_many_megabytes_is_taken(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A long history is larger than the limits usual for WebSocket clients."""
    payload = AGENTS | {"filler": "x" * 25_000_000}
    gateway.script(Expect("agents.list", emit=[respond_unchecked(gateway, payload)]))
    async with Connection(settings) as connection:
        answer = await connection.request("agents.list")
    assert len(answer["filler"]) == 25_000_000


async def test_frame_larger_than_announced_ends_the_connection(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The gateway's own policy is the limit of what we take from it."""
    hello = frames.hello_ok(
        scopes=settings.scopes, boot_id=gateway.boot_id, tick_interval_ms=30_000
    )
    hello["policy"]["maxPayload"] = 5000
    gateway.hello = hello
    async with Connection(settings) as connection:
        await gateway.send_raw('{"type":"event","event":"x","payload":{"a":"' + "x" * 5000 + '"}}')
        error = await connection.wait_closed()
    assert isinstance(error, ConnectionLostError)
    assert error.code == 1009


async def test_gaps_and_repeats_in_the_numbers_of_events_are_counted(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """Every event is still handed on: texts are cumulative, so a repeat costs nothing."""
    events: list[GatewayEvent] = []
    gateway.script(
        Expect(
            "agents.list",
            emit=[
                frames.event("one"),
                skip_seq(2),
                frames.event("four"),
                skip_seq(-3),
                frames.event("two"),
                raw({"type": "event", "event": "unnumbered"}),
                raw({"type": "event", "event": "oddly numbered", "seq": "7"}),
                respond(AGENTS),
            ],
        )
    )
    async with Connection(settings, on_event=events.append) as connection:
        await connection.request("agents.list")
        assert connection.anomalies == {"sequence gap": 1, "repeated sequence number": 1}
    names = [event.name for event in events]
    assert names == ["one", "four", "two", "unnumbered", "oddly numbered"]
    assert [event.name for event in events if event.is_after_gap] == ["four"]


async def test_failing_event_handler_does_not_end_the_connection(
    gateway: ScriptedGateway, settings: ConnectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a subscriber is told, without what the event says."""
    caplog.set_level(logging.INFO)

    def fail(event: GatewayEvent) -> None:
        raise ValueError(f"cannot handle {event.payload}")

    secret_speech = raw({"type": "event", "event": "odd", "payload": {"text": "my secret"}})
    gateway.script(Expect("agents.list", emit=[secret_speech, respond(AGENTS)]))
    async with Connection(settings, on_event=fail) as connection:
        assert await connection.request("agents.list") == AGENTS
    assert ours(caplog) == ["Handling odd failed with ValueError"]


async def test_events_need_no_handler(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A probe wants no events."""
    gateway.script(Expect("agents.list", emit=[frames.tick(), respond(AGENTS)]))
    async with Connection(settings) as connection:
        assert await connection.request("agents.list") == AGENTS


async def test_bug_in_reading_an_answer_ends_the_connection(
    gateway: ScriptedGateway, settings: ConnectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """An open connection that nobody reads would be deaf for ever; a closed one is made again."""

    class Listener:
        """Cannot cope."""

        def on_response(self, response: Response) -> bool:
            raise ValueError(f"cannot handle {response.payload}")

        def on_lost(self, error: GatewayError) -> None:
            """Nothing to do."""

    gateway.script(Expect("agents.list", reply=AGENTS))
    async with Connection(settings) as connection:
        await connection.send("agents.list", {}, Listener())
        async with asyncio.timeout(5):
            error = await connection.wait_closed()
    assert isinstance(error, ConnectionLostError)
    assert "Reading a frame failed with ValueError" in caplog.text
    assert "per-sender" not in caplog.text


async def test_close_right_after_the_challenge_cannot_connect(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The request of ours meets a socket that is closing."""
    gateway.close_after_challenge(1013, "gateway starting")
    error = await open_error(settings)
    assert isinstance(error, CannotConnectError)
    assert "1013" in str(error)


async def test_request_may_be_answered_twice(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """A listener stays until it says that the last answer has come."""
    answers: list[object] = []
    done = asyncio.Event()

    class Listener:
        """Wants two answers."""

        def on_response(self, response: Response) -> bool:
            answers.append(response.payload.get("status"))
            if len(answers) == 2:
                done.set()
            return len(answers) == 2

        def on_lost(self, error: GatewayError) -> None:
            raise error

    gateway.script(
        Expect("agent", reply=frames.accepted(), emit=frames.answered("Hello.")),
    )
    async with Connection(settings) as connection:
        params = {"message": "Hi", "sessionKey": "agent:main:x", "idempotencyKey": "run-1"}
        await connection.send("agent", params, Listener())
        async with asyncio.timeout(5):
            await done.wait()
        assert not connection._waiting
    assert answers == ["accepted", "ok"]


# the end


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(1000, "", id="normal"),
        pytest.param(1006, "", id="cut"),
        pytest.param(1008, "policy", id="policy"),
        pytest.param(1012, "service restart", id="restart"),
        pytest.param(1013, "gateway starting", id="starting"),
        pytest.param(4001, "device removed", id="device removed"),
    ],
)
async def test_end_tells_code_and_reason(
    gateway: ScriptedGateway, settings: ConnectionSettings, code: int, reason: str
) -> None:
    """Whoever waits for the end learns why."""
    async with Connection(settings) as connection:
        await gateway.drop(code, reason)
        error = await connection.wait_closed()
    assert isinstance(error, ConnectionLostError)
    assert (error.code, error.reason) == (code, reason)


async def test_reason_of_the_end_is_redacted(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """The gateway writes the reason, so it may hold anything."""
    async with Connection(settings) as connection:
        await gateway.drop(1008, "bad token=abcdef123456")
        error = await connection.wait_closed()
    assert str(error) == "connection closed with 1008 bad token=***"


async def test_silence_of_two_ticks_means_the_gateway_is_gone(settings: ConnectionSettings) -> None:
    """A half-open connection is noticed by what does not come."""
    async with (
        ScriptedGateway(tick_interval_ms=50) as gateway,
        Connection(settings_for(gateway)) as connection,
    ):
        gateway.is_ticking = False
        error = await connection.wait_closed()
    assert isinstance(error, ConnectionLostError)
    assert error.reason == "tick timeout"


async def test_ticks_keep_the_connection(settings: ConnectionSettings) -> None:
    """An idle gateway is not taken for a dead one."""
    ticks: list[str] = []
    enough = asyncio.Event()

    def count(event: GatewayEvent) -> None:
        ticks.append(event.name)
        if len(ticks) == 3:
            enough.set()

    async with (
        ScriptedGateway(tick_interval_ms=300) as gateway,
        Connection(settings_for(gateway), on_event=count) as connection,
    ):
        async with asyncio.timeout(5):
            await enough.wait()
        assert connection.is_open


async def test_nothing_of_a_frame_is_logged(
    gateway: ScriptedGateway, settings: ConnectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even the library's own debug log shows secrets or speech."""
    caplog.set_level(logging.DEBUG)
    gateway.script(Expect("agent", reply=frames.accepted(), emit=frames.answered("spoken answer")))
    async with Connection(settings) as connection:
        params = {
            "message": "spoken question",
            "sessionKey": "agent:main:x",
            "idempotencyKey": "run-1",
        }
        await connection.request("agent", params)
        await gateway.played()
    messages = ours(caplog)
    assert messages
    for hidden in ("spoken", "the-shared-secret", settings.identity.private_key, "signature"):
        assert hidden not in " ".join(messages)
