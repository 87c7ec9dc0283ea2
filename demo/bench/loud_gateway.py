"""A gateway that has a lot to say, at any pace: the real one takes too long to make so much.

It lets everybody in, tells the little that a set-up needs, refuses everything else, and tells of
scheduled jobs that have finished, in frames like the real one's.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
import json
import time
from typing import Any, Final
import uuid

from websockets.asyncio.server import ServerConnection, serve

from ..process import DemoError

HOST: Final = "127.0.0.1"
GATEWAY_ID: Final = "10" * 32
CLIENT_LIMIT: Final = 15.0
"""Seconds to wait for Home Assistant."""

ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "gateway.identity.get": {"deviceId": GATEWAY_ID, "publicKey": "x" * 43},
    "agents.list": {"defaultId": "main", "agents": [{"id": "main", "name": "Loud"}]},
    "models.list": {"models": []},
}

type JsonObject = dict[str, Any]


class LoudGateway:
    """Serves on a free port, from entering to leaving `served`."""

    def __init__(self) -> None:
        """Nobody has connected."""
        self.url = ""
        self._socket: ServerConnection | None = None
        self._is_connected = asyncio.Event()
        self._seq = 0
        self._runs = 0

    @classmethod
    @asynccontextmanager
    async def served(cls) -> AsyncGenerator[LoudGateway]:
        """Serve until the block is left."""
        gateway = cls()
        async with serve(gateway._serve, HOST, 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            gateway.url = f"ws://{HOST}:{port}"
            yield gateway

    async def tell(self, texts: list[str], *, seconds: float) -> None:
        """Tell the newest client of one job for each text, evenly over so many seconds.

        With 0 it is as fast as the client reads.

        Raises:
            DemoError: Nobody is connected.
        """
        try:
            async with asyncio.timeout(CLIENT_LIMIT):
                await self._is_connected.wait()
        except TimeoutError:
            raise DemoError("Home Assistant is not connected to the loud gateway.") from None
        start = time.perf_counter()
        for number, text in enumerate(texts):
            if (wait := start + seconds * number / len(texts) - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            await self._send_event("cron", self._finished_job(text))

    def _finished_job(self, text: str) -> JsonObject:
        self._runs += 1
        now = round(time.time() * 1000)
        job_id = str(uuid.uuid4())
        return {
            "jobId": job_id,
            "action": "finished",
            "job": {
                "id": job_id,
                "agentId": "main",
                "name": f"Job {self._runs}",
                "sessionTarget": "isolated",
                "payload": {"kind": "agentTurn", "message": "Tell us."},
            },
            "status": "ok",
            "completionStatus": "succeeded",
            "summary": text,
            "sessionKey": f"agent:main:cron:{job_id}:run:{self._runs}",
            "runAtMs": now - 1000,
            "durationMs": 1000,
            "model": "demo-1",
        }

    async def _serve(self, socket: ServerConnection) -> None:
        nonce = {"nonce": str(uuid.uuid4()), "ts": round(time.time() * 1000)}
        await _send(socket, {"type": "event", "event": "connect.challenge", "payload": nonce})
        async for message in socket:
            frame = json.loads(message)
            method = frame["method"]
            if method == "connect":
                await _send(socket, _response(frame, _hello(frame["params"]["scopes"])))
                self._socket, self._seq = socket, 0
                self._is_connected.set()
            else:
                await _send(socket, _response(frame, ANSWERS.get(method)))

    async def _send_event(self, name: str, payload: JsonObject) -> None:
        if self._socket is not None:
            self._seq += 1
            frame = {"type": "event", "event": name, "payload": payload, "seq": self._seq}
            await _send(self._socket, frame)


def _hello(scopes: list[str]) -> JsonObject:
    return {
        "type": "hello-ok",
        "protocol": 4,
        "server": {"version": "2026.9.6", "bootId": str(uuid.uuid4()), "connId": "1"},
        "features": {"methods": list(ANSWERS), "events": ["cron"]},
        "snapshot": {},
        "auth": {"method": "token", "role": "operator", "scopes": scopes},
        # Nothing is measured for so long that a sign of life would be due.
        "policy": {"maxPayload": 26_214_400, "tickIntervalMs": 600_000},
    }


def _response(frame: JsonObject, payload: Mapping[str, Any] | None) -> JsonObject:
    if payload is None:
        error = {"code": "INVALID_REQUEST", "message": f"unknown method {frame['method']}"}
        return {"type": "res", "id": frame["id"], "ok": False, "error": error}
    return {"type": "res", "id": frame["id"], "ok": True, "payload": payload}


async def _send(socket: ServerConnection, frame: JsonObject) -> None:
    await socket.send(json.dumps(frame))
