"""The bare client: a plain operator connection to the gateway, without any code of the integration."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
import time
from typing import Any, Final
import uuid

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ..process import DemoError
from .arrivals import Arrivals

SESSION_KEY: Final = "agent:main:bench"
HANDSHAKE_LIMIT: Final = 15.0
RUN_LIMIT: Final = 120.0
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024

type JsonObject = dict[str, Any]


class BareClientError(DemoError):
    """The gateway did not do what it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BareTurn:
    """What one question came to, seconds since it was sent."""

    first_text_s: float
    complete_s: float
    text: str


class BareClient:
    """Asks the agent, and notes what comes of any run. One run at a time."""

    def __init__(self, socket: ClientConnection) -> None:
        """Wrap a socket on which the handshake is done."""
        self._socket = socket
        self._ended = asyncio.Event()
        self._ended_at = 0.0
        self._error: str | None = None
        self.arrivals = Arrivals()

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, token: str) -> AsyncGenerator[BareClient]:
        """Connect with the gateway's shared secret, and close when the block is left.

        Raises:
            BareClientError: The gateway refuses.
        """
        async with connect(
            url, compression=None, proxy=None, ping_interval=None, max_size=MAX_FRAME_BYTES
        ) as socket:
            async with asyncio.timeout(HANDSHAKE_LIMIT):
                await shake_hands(socket, token)
            client = cls(socket)
            reader = asyncio.create_task(client._read(), name="bare client")
            try:
                yield client
            finally:
                reader.cancel()
                await asyncio.wait({reader})

    def watch(self) -> Arrivals:
        """Forget what came and return where the next run's text is noted."""
        self.arrivals = Arrivals()
        self._error = None
        self._ended.clear()
        return self.arrivals

    async def wait_for_end(self) -> float:
        """Wait until the run that is watched has ended and return when that was.

        Raises:
            BareClientError: It failed, or did not end in time.
        """
        try:
            async with asyncio.timeout(RUN_LIMIT):
                await self._ended.wait()
        except TimeoutError:
            raise BareClientError(f"The run has not ended after {RUN_LIMIT:.0f} seconds.") from None
        if self._error:
            raise BareClientError(self._error)
        return self._ended_at

    async def ask(self, question: str) -> BareTurn:
        """Run one turn of the bare client's own session.

        Raises:
            BareClientError: It failed, or came to no text.
        """
        arrivals = self.watch()
        params = {"message": question, "sessionKey": SESSION_KEY, "timeout": round(RUN_LIMIT)}
        run_id = str(uuid.uuid4())
        frame = request("agent", params | {"idempotencyKey": run_id}, request_id=run_id)
        start = time.perf_counter()
        await self._socket.send(frame)
        ended_at = await self.wait_for_end()
        if arrivals.first_at is None:
            raise BareClientError("The run ended without a text.")
        return BareTurn(
            first_text_s=arrivals.first_at - start,
            complete_s=ended_at - start,
            text=arrivals.text,
        )

    async def _read(self) -> None:
        """Note what comes until the socket is closed."""
        try:
            while True:
                message = await self._socket.recv(decode=False)
                at = time.perf_counter()
                self._take(json.loads(message), at)
        except ConnectionClosed as err:
            self._end(f"The gateway closed the bare client's connection ({err}).")

    def _take(self, frame: JsonObject, at: float) -> None:
        """Note the text of a frame, or that the run has ended."""
        if frame["type"] == "res" and not frame["ok"]:
            self._end(f"The gateway refused: {frame['error']['message']}")
        payload: JsonObject = frame.get("payload") or {}
        if frame.get("event") not in ("agent", "chat"):
            return
        if (text := text_of(payload)) is not None:
            self.arrivals.note(text, at)
        match payload.get("state"):
            case "final":
                self._end(None, at)
            case "error" | "aborted":
                self._end(f"The run ended with {payload['state']}.")

    def _end(self, error: str | None, at: float = 0.0) -> None:
        if not self._ended.is_set():
            self._error, self._ended_at = error, at
            self._ended.set()


def text_of(payload: JsonObject) -> str | None:
    """Return the cumulative text that the payload of a `chat` or `agent` event carries, if any."""
    if payload.get("stream") == "assistant":
        text: str | None = payload["data"].get("text")
        return text
    if payload.get("state") in ("delta", "final") and "message" in payload:
        parts = payload["message"]["content"]
        return "".join(part["text"] for part in parts if part["type"] == "text")
    return None


async def shake_hands(socket: ClientConnection, token: str) -> None:
    """Answer the challenge. On the gateway's own host the secret is enough.

    Raises:
        BareClientError: The gateway refuses.
    """
    await socket.recv()
    params = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {
            "id": "gateway-client",
            "mode": "backend",
            "version": "1",
            "platform": "linux",
            "displayName": "Bench",
        },
        "role": "operator",
        "scopes": ["operator.read", "operator.write"],
        "auth": {"token": token},
    }
    await socket.send(request("connect", params, request_id="connect"))
    while (frame := json.loads(await socket.recv()))["type"] != "res":
        pass
    if not frame["ok"]:
        raise BareClientError(f"The gateway refused: {frame['error']['message']}")


def request(method: str, params: JsonObject, *, request_id: str) -> str:
    """Return the text of a request."""
    return json.dumps({"type": "req", "id": request_id, "method": method, "params": params})
