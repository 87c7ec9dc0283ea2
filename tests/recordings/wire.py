"""The recorder's side of a connection: what goes over it is written down."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable
import contextlib
import hashlib
import json
import time
from typing import Any, Final
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from demo.gateway import GatewayProcess

type JsonObject = dict[str, Any]

WAIT_LIMIT: Final = 90.0
"""Seconds a scenario waits for one frame."""

SCOPES: Final = ("operator.read", "operator.write", "operator.approvals", "operator.questions")
CAPS: Final = ("approvals", "tool-events")
PLATFORM: Final = "linux"
FAMILY: Final = "Linux"

KEPT_EVENTS: Final = frozenset(
    {
        "agent",
        "chat",
        "connect.challenge",
        "cron",
        "exec.approval.requested",
        "exec.approval.resolved",
        "heartbeat",
        "plugin.approval.requested",
        "plugin.approval.resolved",
        "question.requested",
        "question.resolved",
        "shutdown",
    }
)
"""The others come by the way, and nobody is told of them."""


class Identity:
    """A device key that signs a challenge the way the gateway wants it."""

    def __init__(self) -> None:
        """Make a fresh key."""
        self._key = Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes_raw()
        self.public_key = _base64url(raw)
        self.id = hashlib.sha256(raw).hexdigest()

    def device(self, challenge: JsonObject, secret: str, scopes: tuple[str, ...]) -> JsonObject:
        """Return `connect`'s `device` for a challenge."""
        fields = (
            "v3",
            self.id,
            "gateway-client",
            "backend",
            "operator",
            ",".join(scopes),
            str(challenge["ts"]),
        )
        text = "|".join((*fields, secret, challenge["nonce"], PLATFORM.lower(), FAMILY.lower()))
        return {
            "id": self.id,
            "publicKey": self.public_key,
            "signature": _base64url(self._key.sign(text.encode())),
            "signedAt": challenge["ts"],
            "nonce": challenge["nonce"],
        }


class Log:
    """The lines of one recording."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self.lines: list[JsonObject] = []

    def note(self, text: str) -> None:
        """Add a remark for the reader."""
        self._add("note", None, text)

    def frame(self, direction: str, name: str, frame: JsonObject) -> None:
        """Add a frame, unless it is an event by the way."""
        if frame.get("event", "chat") in KEPT_EVENTS:
            self._add(direction, name, frame)

    def _add(self, direction: str, name: str | None, content: JsonObject | str) -> None:
        line: JsonObject = {"t": round(time.monotonic() - self._start, 3), "dir": direction}
        if name:
            line["conn"] = name
        line["note" if direction == "note" else "frame"] = content
        self.lines.append(line)


class Wire:
    """One operator connection of a scenario; everything on it is recorded."""

    def __init__(self, name: str, socket_: ClientConnection, log: Log) -> None:
        """Wrap an open socket."""
        self._name = name
        self._socket = socket_
        self._log = log
        self._news = asyncio.Event()
        self._count = 0
        self.received: list[JsonObject] = []
        self.reader = asyncio.create_task(self._read(), name=f"reader {name}")

    async def handshake(
        self, auth: JsonObject, identity: Identity | None, *, scopes: tuple[str, ...] = SCOPES
    ) -> JsonObject:
        """Answer the challenge and return the gateway's answer."""
        challenge = await self.until(lambda frame: frame.get("event") == "connect.challenge")
        client = {
            "id": "gateway-client",
            "displayName": "Home Assistant",
            "version": "0.1.0",
            "platform": PLATFORM,
            "deviceFamily": FAMILY,
            "mode": "backend",
        }
        params: JsonObject = {
            "minProtocol": 4,
            "maxProtocol": 4,
            "client": client,
            "role": "operator",
        }
        params |= {"scopes": list(scopes), "caps": list(CAPS), "auth": auth}
        if identity:
            params["device"] = identity.device(
                challenge["payload"], next(iter(auth.values()), ""), scopes
            )
        return await self.call("connect", params)

    async def send(self, method: str, params: JsonObject) -> str:
        """Send a request and return its id."""
        self._count += 1
        frame = {"type": "req", "id": f"r{self._count}", "method": method, "params": params}
        # Recorded first: an answer must not come before its question.
        self._log.frame("out", self._name, frame)
        await self._socket.send(json.dumps(frame))
        return str(frame["id"])

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """Send a request and return the first response."""
        request_id = await self.send(method, params)
        return await self.response(request_id)

    async def response(self, request_id: str, *, number: int = 1) -> JsonObject:
        """Wait for the first or a later response to a request."""
        return await self.until(lambda frame: frame.get("id") == request_id, number=number)

    async def until(self, matches: Callable[[JsonObject], bool], *, number: int = 1) -> JsonObject:
        """Wait for a frame, which may have come already."""
        async with asyncio.timeout(WAIT_LIMIT):
            while len(found := [frame for frame in self.received if matches(frame)]) < number:
                if self.reader.done():
                    raise ConnectionError(f"{self._name} closed early")
                self._news.clear()
                await self._news.wait()
        return found[number - 1]

    async def text(self, run_id: str, *, deltas: int = 1) -> None:
        """Wait until some deltas of a run have come."""

        def is_delta(frame: JsonObject) -> bool:
            payload = frame.get("payload", {})
            return (
                frame.get("event") == "chat"
                and payload.get("runId") == run_id
                and payload.get("state") == "delta"
            )

        await self.until(is_delta, number=deltas)

    async def close(self) -> None:
        """Close in order."""
        await self._socket.close()
        await self.reader

    async def abort(self) -> None:
        """Drop the TCP connection."""
        self._socket.transport.abort()
        await self.reader

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._socket:
                frame = json.loads(message)
                self._log.frame("in", self._name, frame)
                self.received.append(frame)
                self._news.set()
        close = {"code": self._socket.close_code or 1006, "reason": self._socket.close_reason or ""}
        self._log.frame("close", self._name, close)
        self._news.set()


class Stage:
    """What a scenario works with: a gateway, its log and connections to it."""

    def __init__(self, gateway: GatewayProcess, remote_host: str) -> None:
        """Prepare a recording against a running gateway that also listens on a remote address."""
        self.gateway = gateway
        self.remote_host = remote_host
        self.log = Log()
        self.identity = Identity()
        self.session_key = f"agent:main:homeassistant:recording-{uuid.uuid4().hex[:8]}"

    @property
    def auth(self) -> JsonObject:
        """The right secret."""
        return {"token": self.gateway.token}

    @contextlib.asynccontextmanager
    async def wire(self, name: str = "conn-1", *, is_remote: bool = False) -> AsyncGenerator[Wire]:
        """Open a connection without a handshake."""
        host = self.remote_host if is_remote else "127.0.0.1"
        url = f"ws://{host}:{self.gateway.port}"
        socket_ = await connect(url, compression=None, proxy=None, max_size=None)
        wire = Wire(name, socket_, self.log)
        try:
            yield wire
        finally:
            await wire.close()

    async def owner(self, method: str, params: JsonObject) -> JsonObject:
        """Have the owner of the gateway do something, and return the answer; nothing of it is recorded."""
        async with self.wire("owner") as wire:
            await wire.handshake(self.auth, Identity(), scopes=(*SCOPES, "operator.admin"))
            answer = await wire.call(method, params)
        self.log.lines = [line for line in self.log.lines if line.get("conn") != "owner"]
        if not answer["ok"]:
            raise ValueError(f"{method}: {answer['error']}")
        payload: JsonObject = answer["payload"]
        return payload

    @contextlib.asynccontextmanager
    async def operator(self, name: str = "conn-1") -> AsyncGenerator[Wire]:
        """Open a connection and let it in; the handshake is not recorded."""
        async with self.wire(name) as wire:
            await wire.handshake(self.auth, self.identity)
            self.log.lines = [line for line in self.log.lines if line.get("conn") != name]
            yield wire

    def run(self, message: str, **params: object) -> JsonObject:
        """Return the params of a new run in the session of this scenario."""
        key = {"sessionKey": self.session_key, "idempotencyKey": str(uuid.uuid4())}
        return {"message": message, **key, "timeout": 240, **params}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
