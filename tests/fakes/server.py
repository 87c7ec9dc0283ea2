"""A WebSocket server on 127.0.0.1 that has a gateway's manners and, on demand, its faults.

It serves the challenge, checks every frame in both directions against the published schema, counts
connections, and breaks in all the ways a network or a gateway can. What requests are answered with
is the business of the classes built on it.
"""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable, Coroutine, Mapping
import http
import json
import ssl
from types import TracebackType
from typing import Any, Final, Self, override
import uuid

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as UpgradeRequest, Response as UpgradeResponse

from tests.schema import ProtocolViolation, check_sent

from .agent_run import now_ms
from .connection import ABORTED, Connection, Connections, Request
from .frames import challenge

type JsonObject = dict[str, Any]

HOST: Final = "127.0.0.1"
MAX_FRAME_BYTES: Final = 26_214_400
WAIT_LIMIT: Final = 10.0
"""Seconds a test waits for something the client is about to do."""


class GatewayServer(ABC):
    """The server, from entering to leaving its block. Leaving raises what went wrong inside."""

    def __init__(
        self, *, ssl_context: ssl.SSLContext | None = None, tick_interval_ms: int = 30_000
    ) -> None:
        """Prepare a server that ticks on every admitted connection."""
        self.boot_id = str(uuid.uuid4())
        self.connections = Connections()
        self.clients: list[Connection] = []
        """All connections since the start, in order; also closed ones."""

        self.requests: list[Request] = []
        """All requests, the `connect`s too."""

        self.failures: list[str] = []
        """Why the test has failed."""

        self.tick_interval_ms = tick_interval_ms
        self.is_ticking = True
        self._ssl = ssl_context
        self._port = 0
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.Transport] = set()
        self._news = asyncio.Event()
        self._upgrades_open = asyncio.Event()
        self._upgrades_open.set()
        self._refusals: list[UpgradeResponse | bytes] = []
        self._lasting_refusal: UpgradeResponse | bytes | None = None
        self._challenges: int = 1
        self._has_nonce = True
        self._early_end: tuple[int, str] | None = None

    # --- life ---

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut everything off and say what went wrong.

        Raises:
            AssertionError: A frame broke the protocol, or the test did not go as scripted.
        """
        await self.stop()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        self.failures += [str(result) for result in results if isinstance(result, Exception)]
        if found := "\n".join(self.failures + self._leftovers()):
            if error is None:
                raise AssertionError(found)
            error.add_note(f"The gateway saw:\n{found}")

    async def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._server = await serve(
            self._serve,
            HOST,
            self._port,
            process_request=self._upgrade,
            create_connection=self._counted_connection(),
            compression=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=None,
            ping_interval=None,
            ssl=self._ssl,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self, code: int = ABORTED, reason: str = "") -> None:
        """Stop listening and end all connections; then TCP is refused."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close(close_connections=False)
        self._upgrades_open.set()
        for connection in tuple(server.connections):
            if code != ABORTED:
                await connection.close(code, reason)
            connection.transport.abort()
        for transport in tuple(self._transports):
            transport.abort()
        await server.wait_closed()

    async def restart(self, code: int = ABORTED, reason: str = "") -> None:
        """End as a process and begin as a new one at the same address."""
        await self.stop(code, reason)
        self.boot_id = str(uuid.uuid4())
        self._forget()
        await self.start()

    @property
    def port(self) -> int:
        """The port it listens on, also while stopped."""
        return self._port

    @property
    def url(self) -> str:
        """The address of clients."""
        return f"{'wss' if self._ssl else 'ws'}://{HOST}:{self._port}"

    # --- faults ---

    def accept_slowly(self) -> None:
        """Accept TCP but answer no upgrade until `accept`."""
        self._upgrades_open.clear()

    def accept(self) -> None:
        """Answer upgrades again, as a healthy gateway."""
        self._upgrades_open.set()
        self._refusals.clear()
        self._lasting_refusal = None
        self._challenges, self._has_nonce, self._early_end = 1, True, None

    def refuse_upgrade(
        self,
        status: int,
        body: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Answer upgrades with an HTTP error, for ever or some times."""
        found = http.HTTPStatus(status)
        content = body.encode()
        fields = {"Content-Length": str(len(content)), "Connection": "close"} | dict(headers or {})
        self._refuse(UpgradeResponse(status, found.phrase, Headers(fields), content), times)

    def answer_garbage(self, data: bytes = b"220 not a web server\r\n") -> None:
        """Answer upgrades with something that is not HTTP."""
        self._refuse(data, None)

    def hang_up(self) -> None:
        """Accept TCP and close without an answer, as a port forwarder whose target is away."""
        self._refuse(b"", None)

    def close_after_challenge(self, code: int, reason: str = "") -> None:
        """End connections right after the challenge, as a gateway that is just stopped."""
        self._early_end = (code, reason)

    def hold_challenge(self) -> None:
        """Open sockets without a challenge."""
        self._challenges = 0

    def challenge_without_nonce(self) -> None:
        """Send challenges that cannot be signed."""
        self._has_nonce = False

    def challenge_twice(self) -> None:
        """Send every challenge twice."""
        self._challenges = 2

    def pause_reading(self) -> None:
        """Read no more from the clients of now: their messages pile up, pings go unanswered."""
        for client in self._open_clients():
            client.socket.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        for client in self._open_clients():
            client.socket.transport.resume_reading()

    async def drop(self, code: int = ABORTED, reason: str = "") -> None:
        """End all connections; new ones are welcome."""
        for client in self._open_clients():
            await client.drop(code, reason)

    async def send_raw(self, data: str | bytes) -> None:
        """Send anything at all to every client."""
        for client in self._open_clients():
            await client.send_raw(data)

    # --- waiting ---

    def received(self, method: str) -> list[Request]:
        """Return the requests of one method."""
        return [request for request in self.requests if request.method == method]

    async def wait_for_request(self, method: str, *, number: int = 1) -> Request:
        """Wait for the first or a later request of a method."""
        await self._until(lambda: len(self.received(method)) >= number, f"{method} no. {number}")
        return self.received(method)[number - 1]

    async def wait_for_client(self, *, number: int = 1) -> Connection:
        """Wait until a client has been let in; `number` counts all of them."""

        def admitted() -> list[Connection]:
            return [client for client in self.clients if client.is_admitted]

        await self._until(lambda: len(admitted()) >= number, f"client no. {number}")
        return admitted()[number - 1]

    async def wait_for_no_client(self) -> None:
        """Wait until no socket is open."""
        await self._until(lambda: not self.connections.open, "the end of all connections")

    async def wait_for_sockets(self, total: int) -> None:
        """Wait until so many TCP connections have been accepted since the start."""
        await self._until(lambda: self.connections.total >= total, f"socket no. {total}")

    # --- for the classes built on this one ---

    @abstractmethod
    async def _handle(self, request: Request) -> None:
        """Answer a request. Must not wait for anything slow: use `_spawn`."""

    def _forget(self) -> None:
        """Lose what a process loses when it ends; by default nothing."""
        return

    def _leftovers(self) -> list[str]:
        """Return what should have happened and did not."""
        return []

    def _admit(self, connection: Connection) -> None:
        """Let a client in; to be called before its `hello-ok` is sent."""
        connection.is_admitted = True
        self._spawn(self._tick(connection))
        self._news.set()

    def _open_clients(self) -> list[Connection]:
        """Return the connections that are open."""
        return [client for client in self.clients if client.socket.close_code is None]

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something that lives no longer than the server."""
        task = asyncio.get_running_loop().create_task(work, name="fake gateway")
        self._tasks.add(task)
        return task

    async def _until(self, is_true: Callable[[], bool], what: str) -> None:
        """Wait for a condition that a request or a connection brings about."""
        try:
            async with asyncio.timeout(WAIT_LIMIT):
                while not is_true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            seen = ", ".join(request.method for request in self.requests) or "nothing"
            raise AssertionError(f"Waited in vain for {what}; the client sent: {seen}") from None

    # --- the socket ---

    def _counted_connection(self) -> type[ServerConnection]:
        """Return a class of connections that this server counts."""
        gateway = self

        class Counted(ServerConnection):
            """A connection that tells when TCP begins and ends."""

            @override
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                gateway._socket_opened(self.transport)

            @override
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                gateway._socket_closed(self.transport)

        return Counted

    def _socket_opened(self, transport: asyncio.Transport) -> None:
        self._transports.add(transport)
        self.connections.total += 1
        self.connections.open += 1
        self.connections.most = max(self.connections.most, self.connections.open)
        self._news.set()

    def _socket_closed(self, transport: asyncio.Transport) -> None:
        self._transports.discard(transport)
        self.connections.open -= 1
        self._news.set()

    def _refuse(self, answer: UpgradeResponse | bytes, times: int | None) -> None:
        if times is None:
            self._lasting_refusal = answer
        else:
            self._refusals = [answer] * times

    async def _upgrade(
        self, connection: ServerConnection, _: UpgradeRequest
    ) -> UpgradeResponse | None:
        """Answer an upgrade: with nothing special, an error, rubbish, or not at all."""
        await self._upgrades_open.wait()
        answer = self._refusals.pop(0) if self._refusals else self._lasting_refusal
        if isinstance(answer, bytes):
            connection.transport.write(answer)
            connection.transport.close()
            await connection.wait_closed()
            return None
        return answer

    async def _serve(self, socket: ServerConnection) -> None:
        """Serve one client to its end."""
        connection = Connection(socket=socket, number=len(self.clients) + 1, challenge=challenge())
        if not self._has_nonce:
            del connection.challenge["nonce"]
        self.clients.append(connection)
        self._news.set()
        frame = {"type": "event", "event": "connect.challenge", "payload": connection.challenge}
        for _ in range(self._challenges):
            await connection.send(frame)
        if self._early_end is not None:
            await connection.drop(*self._early_end)
        try:
            async for message in socket:
                await self._receive(connection, message)
        except ConnectionClosed:
            pass
        finally:
            self._news.set()

    async def _receive(self, connection: Connection, message: str | bytes) -> None:
        """Check one message of a client and have it answered."""
        try:
            frame = json.loads(message)
            check_sent(frame)
            if (frame["method"] == "connect") == connection.is_admitted:
                raise ProtocolViolation(f"{frame['method']} at the wrong time")
            request = Request(
                connection=connection,
                id=frame["id"],
                method=frame["method"],
                params=frame.get("params", {}),
            )
            if request.id in connection.requests:
                raise ProtocolViolation(f"The id {request.id} is used twice")
            connection.requests[request.id] = request
            if request.method == "connect":
                connection.connect_params = request.params
            self.requests.append(request)
            await self._handle(request)
        except (AssertionError, ValueError) as error:
            self.failures.append(str(error))
            await connection.drop(1011, "the fake gateway found a fault")
        finally:
            self._news.set()

    async def _tick(self, connection: Connection) -> None:
        """Send the sign of life."""
        while connection.socket.close_code is None:
            await asyncio.sleep(self.tick_interval_ms / 1000)
            if self.is_ticking:
                payload = {"ts": now_ms()}
                await connection.send({"type": "event", "event": "tick", "payload": payload})
