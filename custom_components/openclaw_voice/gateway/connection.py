"""One WebSocket connection to the gateway, from connect challenge to close.

An instance lives exactly one connection. Reconnecting is the client's job.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
import itertools
import logging
from typing import Final, Protocol, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import (
    ConnectionClosed,
)

from .errors import (
    CannotConnectError,
    ConnectionLostError,
    GatewayError,
    NotAGatewayError,
    NotConnectedError,
    ProtocolError,
    RequestError,
    RequestTimeoutError,
)
from .frames import GatewayEvent, JsonObject, Response, build_request, parse_frame
from .handshake import Challenge, accept_hello, connect_params, refusal
from .models import ConnectionSettings, HelloOk
from .redact import redact
from .socket import CLOSE_TIMEOUT, open_socket

_LOGGER = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT: Final = 15.0
"""Seconds from the first TCP packet to hello-ok. The gateway gives a client the same time."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds a method may take when the caller sets no other limit."""

CLOSE_LIMIT: Final = CLOSE_TIMEOUT + 1.0
"""Seconds until a socket is cut off that does not even take the closing handshake."""

TICK_GRACE_FACTOR: Final = 2.0
"""Silence longer than this many tick intervals means the gateway is gone.

Source: gateway protocol documentation, "Client constants" (tick-timeout close).
"""

TICK_TIMEOUT_CODE: Final = 4000
TOO_BIG_CODE: Final = 1009
ABNORMAL_CODE: Final = 1006

_CHALLENGE: Final = "connect.challenge"
_PAYLOAD_TOO_LARGE: Final = "PAYLOAD_TOO_LARGE"


class ResponseListener(Protocol):
    """Takes the answers to one request."""

    def on_response(self, response: Response) -> bool:
        """Take one answer; return whether it was the last one."""

    def on_lost(self, error: GatewayError) -> None:
        """The connection ended before the last answer. Called at most once."""


class Connection:
    """One socket, one life: open it once, close it once.

    Use as an async context manager. After `__aenter__` the handshake is done.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        on_event: Callable[[GatewayEvent], None] | None = None,
    ) -> None:
        """`on_event` is called for every event after the handshake, in order; it must not block."""
        self._settings = settings
        self._on_event = on_event or _ignore
        self._socket: ClientConnection | None = None
        self._hello: HelloOk | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, ResponseListener] = {}
        self._ids = itertools.count(1)
        self._last_seq = 0
        self._ended: asyncio.Future[GatewayError] = asyncio.get_running_loop().create_future()
        self.anomalies: Counter[str] = Counter()
        """Inbound frames that were not as expected, by kind."""

    @property
    def hello(self) -> HelloOk:
        """What the gateway said at the handshake.

        Raises:
            NotConnectedError: The handshake is not done.
        """
        if self._hello is None:
            raise NotConnectedError("the handshake is not done")
        return self._hello

    @property
    def is_open(self) -> bool:
        """Whether requests can still be sent."""
        return self._hello is not None and not self._ended.done()

    async def __aenter__(self) -> Self:
        """Connect and shake hands.

        Raises:
            CannotConnectError: Nothing answers, or not in time.
            AccessError, RateLimitedError: The gateway does not let us in.
            ProtocolError: What answers does not speak protocol 4.
        """
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                self._socket = await open_socket(self._settings)
                self._hello = await self._shake_hands(self._socket)
        except TimeoutError:
            await self.close()
            raise CannotConnectError("no answer in time") from None
        except BaseException:
            await self.close()
            raise
        self._reader = asyncio.create_task(
            self._read(self._socket, self._hello), name="openclaw gateway reader"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close the socket and fail what still waits. Idempotent, callable in every state."""
        self._end(ConnectionLostError(1000, "closed by us"))
        reader, self._reader = self._reader, None
        try:
            if reader is not None:
                reader.cancel()
                await asyncio.wait({reader})
        finally:
            if self._socket is not None:
                await _close_socket(self._socket)

    async def wait_closed(self) -> GatewayError:
        """Wait until the connection has ended and return why. The first reason is kept."""
        return await asyncio.shield(self._ended)

    async def request(
        self, method: str, params: JsonObject | None = None, *, timeout: float = REQUEST_TIMEOUT
    ) -> JsonObject:
        """Send one request and return the payload of its response.

        Cancel-safe: a cancelled call leaves no waiter behind. The gateway still runs the method.

        Raises:
            RequestError: The gateway answered `ok: false`.
            RequestTimeoutError: No answer within `timeout` seconds.
            ConnectionLostError: The connection closed first. Unknown whether the method ran.
        """
        waiter = _SingleResponse()
        request_id: str | None = None
        try:
            async with asyncio.timeout(timeout):
                request_id = await self.send(method, params or {}, waiter)
                response = await waiter.response
        except TimeoutError:
            raise RequestTimeoutError(f"{method}: no answer within {timeout:g} s") from None
        finally:
            if request_id is not None:
                self._waiting.pop(request_id, None)
            waiter.give_up()
        if response.error is not None:
            raise response.error.as_request_error()
        return response.payload

    async def send(self, method: str, params: JsonObject, listener: ResponseListener) -> str:
        """Send one request; `listener` gets its answers, and the error if the connection ends.

        Returns the id of the request.

        Raises:
            RequestError: The request is larger than the gateway takes.
            ConnectionLostError: The connection is closed. The request was not sent as a whole.
        """
        if self._ended.done():
            raise self._ended.result()
        if self._socket is None:
            raise NotConnectedError("the connection is not open")
        request_id = f"r{next(self._ids)}"
        frame = build_request(request_id, method, params).encode()
        if self._hello is not None and len(frame) > self._hello.policy.max_payload:
            raise RequestError(_PAYLOAD_TOO_LARGE, f"{method}: {len(frame)} bytes are too many")
        # Register the listener before the first await: the response can arrive during send().
        self._waiting[request_id] = listener
        try:
            await self._socket.send(frame, text=True)
        except ConnectionClosed as err:
            # The reader will notice, too; until then nobody must take the connection for open.
            self._waiting.pop(request_id, None)
            lost = _lost(err)
            self._end(lost)
            raise lost from None
        except BaseException:
            self._waiting.pop(request_id, None)
            raise
        return request_id

    async def _shake_hands(self, socket: ClientConnection) -> HelloOk:
        challenge = await self._receive_challenge(socket)
        request = build_request("connect", "connect", connect_params(self._settings, challenge))
        try:
            await socket.send(request)
        except ConnectionClosed as err:
            raise _closed_during_handshake(err) from None
        response = await self._receive_connect_response(socket)
        if response.error is not None:
            raise refusal(response.error)
        return accept_hello(response.payload, self._settings)

    async def _receive_challenge(self, socket: ClientConnection) -> Challenge:
        frame = await _receive_first(socket)
        if not isinstance(frame, GatewayEvent) or frame.name != _CHALLENGE:
            raise NotAGatewayError("the first frame is not a challenge")
        return Challenge.from_event(frame)

    async def _receive_connect_response(self, socket: ClientConnection) -> Response:
        while True:
            frame = await _receive_first(socket)
            if isinstance(frame, Response):
                return frame
            if frame.name == _CHALLENGE:
                raise ProtocolError("a second challenge")

    async def _read(self, socket: ClientConnection, hello: HelloOk) -> None:
        """Read until the connection ends, whatever comes."""
        silence_limit = hello.policy.tick_interval * TICK_GRACE_FACTOR
        try:
            while True:
                async with asyncio.timeout(silence_limit):
                    message = await socket.recv(decode=False)
                if len(message) > hello.policy.max_payload:
                    self._end(ConnectionLostError(TOO_BIG_CODE, "frame larger than announced"))
                    return
                self._take(message)
        except TimeoutError:
            self._end(ConnectionLostError(TICK_TIMEOUT_CODE, "tick timeout"))
        except ConnectionClosed as err:
            self._end(_lost(err))
        except Exception as err:  # noqa: BLE001 - an open connection nobody reads would be deaf
            _LOGGER.error("Reading a frame failed with %s", type(err).__name__)  # may hold speech
            self._end(ConnectionLostError(ABNORMAL_CODE, "reader failed"))

    def _take(self, message: bytes) -> None:
        try:
            frame = parse_frame(message)
        except ProtocolError:
            self._count("malformed frame", len(message))
            return
        if isinstance(frame, Response):
            self._resolve(frame, len(message))
        elif frame.name == _CHALLENGE:
            self._count("late challenge", len(message))
        else:
            self._dispatch(self._checked(frame, len(message)))

    def _resolve(self, response: Response, size: int) -> None:
        listener = self._waiting.get(response.request_id)
        if listener is None:
            self._count("response nobody waits for", size)
        elif listener.on_response(response):
            self._waiting.pop(response.request_id, None)

    def _checked(self, event: GatewayEvent, size: int) -> GatewayEvent:
        """Return an event with what its number tells of those before it."""
        if event.seq is None:
            return event
        last, self._last_seq = self._last_seq, max(self._last_seq, event.seq)
        if event.seq <= last:
            self._count("repeated sequence number", size)
        elif event.seq > last + 1:
            # Texts are cumulative, and a run can end by its response; what else was told is lost.
            self._count("sequence gap", size)
            return replace(event, is_after_gap=last > 0)
        return event

    def _dispatch(self, event: GatewayEvent) -> None:
        try:
            self._on_event(event)
        except Exception as err:  # noqa: BLE001 - the reader must survive its subscribers
            # Without the traceback's values: the event may hold speech.
            _LOGGER.error("Handling %s failed with %s", event.name, type(err).__name__)

    def _count(self, kind: str, size: int) -> None:
        self.anomalies[kind] += 1
        if self.anomalies[kind] == 1:
            _LOGGER.debug("< %s (%d bytes); further ones are only counted", kind, size)

    def _end(self, error: GatewayError) -> None:
        if self._ended.done():
            return
        self._ended.set_result(error)
        waiting, self._waiting = self._waiting, {}
        for listener in waiting.values():
            listener.on_lost(error)


class _SingleResponse:
    """A listener for requests that are answered once."""

    def __init__(self) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def on_response(self, response: Response) -> bool:
        """Hand over the answer."""
        if not self.response.done():
            self.response.set_result(response)
        return True

    def on_lost(self, error: GatewayError) -> None:
        """Fail, never cancel: a cancel would look like the caller's own."""
        if not self.response.done():
            self.response.set_exception(error)

    def give_up(self) -> None:
        """Nobody waits any more; an error that came too late is not asked for."""
        if not self.response.cancel() and not self.response.cancelled():
            self.response.exception()


async def _receive_first(socket: ClientConnection) -> Response | GatewayEvent:
    """Receive a frame of the handshake, when nothing may be wrong yet."""
    try:
        return parse_frame(await socket.recv(decode=False))
    except ConnectionClosed as err:
        raise _closed_during_handshake(err) from None


def _closed_during_handshake(err: ConnectionClosed) -> CannotConnectError:
    return CannotConnectError(f"handshake: {_lost(err)}")


async def _close_socket(socket: ClientConnection) -> None:
    """Close, however long the other side does not read what waits to be written."""
    try:
        async with asyncio.timeout(CLOSE_LIMIT):
            await socket.close()
    except TimeoutError:
        socket.transport.abort()


def _lost(err: ConnectionClosed) -> ConnectionLostError:
    close = err.rcvd or err.sent
    if close is None:
        return ConnectionLostError(ABNORMAL_CODE)
    return ConnectionLostError(close.code, redact(close.reason))


def _ignore(_: GatewayEvent) -> None:
    """Drop an event nobody asked for."""
