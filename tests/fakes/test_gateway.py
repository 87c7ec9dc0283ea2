"""The fake is strict: what it does not expect fails the test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.fakes.frames import accepted, answered
from tests.fakes.gateway import Expect, ScriptedGateway

pytestmark = pytest.mark.usefixtures("socket_enabled")

CLIENT = {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"}
CONNECT = {"minProtocol": 4, "maxProtocol": 4, "client": CLIENT, "scopes": ["operator.read"]}
RUN = {"message": "Hello", "sessionKey": "agent:main:x", "idempotencyKey": "run-1"}


class Client:
    """The least that can talk to a gateway."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._count = 0

    async def ask(self, method: str, params: dict[str, Any], **fields: object) -> dict[str, Any]:
        """Send a request and return the next frame."""
        self._count += 1
        frame = {"type": "req", "id": str(self._count), "method": method, "params": params}
        await self.socket.send(json.dumps(frame | fields))
        return await self.next()

    async def next(self) -> dict[str, Any]:
        """Return the next frame."""
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        return frame


@asynccontextmanager
async def admitted(gateway: ScriptedGateway) -> AsyncGenerator[Client]:
    """Open a connection that was let in."""
    async with connect(gateway.url, compression=None) as socket:
        client = Client(socket)
        assert (await client.next())["event"] == "connect.challenge"
        assert (await client.ask("connect", CONNECT))["ok"]
        yield client


async def ask_in_vain(
    gateway: ScriptedGateway, method: str, params: dict[str, Any], **fields: object
) -> None:
    """Send a request to a gateway that finds a fault, and leave its block."""
    async with gateway, admitted(gateway) as client:
        with pytest.raises(ConnectionClosed):
            await client.ask(method, params, **fields)


async def test_script_is_played_in_order() -> None:
    """A run is told from its acknowledgement to its last response, with both kinds of text."""
    async with ScriptedGateway() as gateway, admitted(gateway) as client:
        gateway.script(
            Expect("agent", params=RUN, reply=accepted(), emit=answered("Hel", "lo")),
        )
        frames = [await client.ask("agent", RUN)]
        while frames[-1].get("payload", {}).get("status") != "ok":
            frames.append(await client.next())
    texts = [frame["payload"].get("deltaText") for frame in frames if frame.get("event") == "chat"]
    assert texts == ["Hel", "lo", None]
    assert [frame["seq"] for frame in frames if frame["type"] == "event"] == list(range(1, 12))


@pytest.mark.parametrize(
    ("method", "params", "complaint"),
    [
        pytest.param("chat.abort", {"sessionKey": "x"}, "expected agent", id="another method"),
        pytest.param("agent", RUN | {"message": "Bye"}, "message is 'Bye'", id="other params"),
        pytest.param("agent", RUN | {"model": 1}, r"\$\.model", id="against the schema"),
        pytest.param("agent", RUN | {"tone": "x"}, "'tone' was unexpected", id="unknown param"),
        pytest.param("no.such", {}, "No definition of no.such", id="unknown method"),
        pytest.param("connect", CONNECT, "connect at the wrong time", id="second connect"),
    ],
)
async def test_wrong_request_fails_the_test(
    method: str, params: dict[str, Any], complaint: str
) -> None:
    """A request that is not the next step, or breaks the schema, is reported when the gateway ends."""
    gateway = ScriptedGateway()
    gateway.script(Expect("agent", params=RUN, reply=accepted()))
    with pytest.raises(AssertionError, match=complaint):
        await ask_in_vain(gateway, method, params)


async def test_leftover_step_fails_the_test() -> None:
    """A step the client never came to is reported when the gateway ends."""
    gateway = ScriptedGateway()
    gateway.script(Expect("agent", reply=accepted()))
    with pytest.raises(AssertionError, match="never requested: agent"):
        async with gateway:
            pass


async def test_unknown_frame_field_fails_the_test() -> None:
    """The gateway refuses unknown fields of a frame, so the fake does."""
    with pytest.raises(AssertionError, match="'trace' was unexpected"):
        await ask_in_vain(ScriptedGateway(), "agents.list", {}, trace=1)


async def test_wrong_frame_of_a_script_fails_the_test() -> None:
    """What the fake sends must match the schema, too."""
    gateway = ScriptedGateway()
    gateway.anytime(Expect("agents.list", reply={"agents": []}))
    with pytest.raises(AssertionError, match=r"AgentsListResult of agents\.list"):
        await ask_in_vain(gateway, "agents.list", {})


async def test_sockets_are_counted() -> None:
    """A test can tell how many sockets were open at once."""
    async with ScriptedGateway() as gateway:
        async with admitted(gateway), admitted(gateway):
            assert gateway.connections.open == 2
        async with admitted(gateway):
            assert gateway.connections.open == 1
        assert (gateway.connections.most, gateway.connections.total) == (2, 3)
