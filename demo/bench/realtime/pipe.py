"""The bare pipe: an aiohttp WebSocket tied to a voice session of the gateway, with no more than that needs.

Binary messages are sound, `TALK_RATE` samples a second, in both directions; it is neither resampled
nor paced. `{"type": "ready"}` says that the gateway listens, `{"type": "cancel"}` stops an answer,
`{"type": "clear"}` says that it was, `{"type": "usage"}` is answered with what the process has used.
Run as a program, so that it has a process of its own as Home Assistant has.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import itertools
import json
import os
from pathlib import Path
import sys
import time
from typing import Any, Final

from aiohttp import WSMsgType, web
from websockets.asyncio.client import ClientConnection, connect

from ...process import CHECKOUT, ChildProcess, clean_environment, free_port
from ..bare_client import MAX_FRAME_BYTES, request, shake_hands

PATH: Final = "/pipe"
START_LIMIT: Final = 30.0
STOP_LIMIT: Final = 5.0
READY_LIMIT: Final = 15.0

SESSION: Final = {
    "mode": "realtime",
    "transport": "gateway-relay",
    "brain": "agent-consult",
    "sessionKey": "agent:main:bench-pipe",
}

type JsonObject = dict[str, Any]


@asynccontextmanager
async def running_pipe(folder: Path, gateway_url: str, token: str) -> AsyncGenerator[str]:
    """Run the pipe as a program until the block is left, and yield its address.

    Raises:
        StartError: It ended, or does not listen in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    child = ChildProcess.start(
        "The bare pipe",
        [sys.executable, "-m", __spec__.name, str(port), gateway_url],
        # Not as an argument, which every program may read.
        env=clean_environment(BENCH_PIPE_TOKEN=token),
        cwd=CHECKOUT,
        log_path=folder / "output.log",
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await child.wait_until(listens, limit=START_LIMIT)
        yield f"ws://127.0.0.1:{port}{PATH}"
    finally:
        await child.stop(limit=STOP_LIMIT)


class Pipe:
    """Serves any number of clients, each with a connection to the gateway."""

    def __init__(self, gateway_url: str, token: str) -> None:
        """Pass everything to this gateway."""
        self._gateway_url = gateway_url
        self._token = token

    def app(self) -> web.Application:
        """Return what serves it."""
        app = web.Application()
        app.router.add_get(PATH, self._serve)
        return app

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(compress=False)
        await client.prepare(http)
        async with connect(
            self._gateway_url,
            compression=None,
            proxy=None,
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
        ) as gateway:
            await shake_hands(gateway, self._token)
            async with asyncio.timeout(READY_LIMIT):
                session_id = await _create(gateway)
            await client.send_str(json.dumps({"type": "ready"}))
            downlink = asyncio.create_task(_pass_down(gateway, client))
            try:
                await _pass_up(client, gateway, session_id)
            finally:
                downlink.cancel()
                await asyncio.wait({downlink})
        return client


async def _create(gateway: ClientConnection) -> str:
    """Make a session, wait until its provider is connected, and return its id."""
    await gateway.send(request("talk.session.create", SESSION, request_id="create"))
    session_id, is_ready = "", False
    while not (session_id and is_ready):
        frame = json.loads(await gateway.recv())
        payload = frame.get("payload") or {}
        if frame.get("id") == "create":
            session_id = payload["sessionId"]
        is_ready = is_ready or payload.get("type") == "ready"
    return session_id


async def _pass_up(
    client: web.WebSocketResponse, gateway: ClientConnection, session_id: str
) -> None:
    ids = itertools.count(1)
    start = time.monotonic()
    async for message in client:
        params: JsonObject = {"sessionId": session_id}
        if message.type is WSMsgType.TEXT and "usage" in message.data:
            usage = {"cpu": time.process_time(), "at": time.perf_counter()}
            await client.send_str(json.dumps({"type": "usage"} | usage))
            continue
        if message.type is WSMsgType.BINARY:
            method = "talk.session.appendAudio"
            params["audioBase64"] = b64encode(message.data).decode()
            params["timestamp"] = round((time.monotonic() - start) * 1000)
        else:
            method = "talk.session.cancelOutput"
            params["reason"] = "interrupted"
        await gateway.send(request(method, params, request_id=f"r{next(ids)}"))


async def _pass_down(gateway: ClientConnection, client: web.WebSocketResponse) -> None:
    async for message in gateway:
        frame = json.loads(message)
        if frame.get("event") != "talk.event":
            continue
        payload = frame["payload"]
        match payload["type"]:
            case "audio":
                await client.send_bytes(b64decode(payload["audioBase64"]))
            case "mark":
                # Else the gateway takes nothing for heard.
                params = {
                    "sessionId": payload["relaySessionId"],
                    "markName": payload["markName"],
                }
                await gateway.send(
                    request("talk.session.acknowledgeMark", params, request_id=payload["markName"])
                )
            case "clear":
                await client.send_str(json.dumps({"type": "clear"}))


async def main(port: int, gateway_url: str, token: str) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(Pipe(gateway_url, token).app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], os.environ["BENCH_PIPE_TOKEN"]))
