"""One client's socket, seen from the gateway: every frame checked, every event numbered."""

import contextlib
from dataclasses import dataclass, field
import json
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.schema import check_received

from .refusals import Refusal

type JsonObject = dict[str, Any]

ABORTED: Final = 1006
"""Not sent: what the other side sees when the TCP connection is cut."""


@dataclass(slots=True)
class Connections:
    """How many sockets there are and were, from accepting to the end of TCP."""

    open: int = 0
    most: int = 0
    """Open at the same time, ever."""

    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of a client."""

    connection: Connection
    id: str
    method: str
    params: JsonObject


@dataclass(eq=False, slots=True, kw_only=True)
class Connection:
    """One client's socket after the upgrade."""

    socket: ServerConnection
    number: int
    """Counts from 1."""

    challenge: JsonObject
    """The payload of its challenge."""

    connect_params: JsonObject = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    device_id: str | None = None
    is_admitted: bool = False
    seq: int = 0
    requests: dict[str, Request] = field(default_factory=dict)
    """What came in, by id."""

    @property
    def caps(self) -> frozenset[str]:
        """What the client says it can do."""
        return frozenset(self.connect_params.get("caps", ()))

    def method_of(self, request_id: str) -> str | None:
        """Return what a response answers, None if nothing was asked."""
        request = self.requests.get(request_id)
        return request.method if request else None

    async def send(self, frame: JsonObject) -> None:
        """Send a checked frame; events are numbered. A closed socket is no error."""
        if frame["type"] == "event":
            check_received(frame)
            if self.is_admitted:
                self.seq += 1
                frame = frame | {"seq": self.seq}
        elif "id" in frame:
            check_received(frame, method=self.method_of(frame["id"]))
        await self.send_raw(json.dumps(frame, ensure_ascii=False))

    async def send_raw(self, data: str | bytes) -> None:
        """Send anything at all."""
        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(data)

    async def respond(self, request_id: str, payload: JsonObject | list[JsonObject]) -> None:
        """Answer a request."""
        await self.send({"type": "res", "id": request_id, "ok": True, "payload": payload})

    async def refuse(self, request_id: str, refusal: Refusal) -> None:
        """Refuse a request; a refused `connect` also closes."""
        await self.send(refusal.response(request_id))
        if self.method_of(request_id) == "connect":
            reason = refusal.close_reason or refusal.message
            await self.drop(refusal.close_code, reason)

    async def drop(self, code: int = ABORTED, reason: str = "") -> None:
        """Close with a code, or cut the TCP connection with 1006."""
        if code == ABORTED:
            self.socket.transport.abort()
            await self.socket.wait_closed()
        else:
            await self.socket.close(code, reason.encode()[:123].decode(errors="ignore"))
