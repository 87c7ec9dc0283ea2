"""What is recorded: each scenario is played once against the real gateway."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
from typing import Final

from .wire import JsonObject, Stage, Wire

type Scenario = Callable[[Stage], Awaitable[None]]

SETTLE_TIME: Final = 1.0
"""Seconds to listen after the last expected frame, so that a late or doubled one is recorded too."""

SEND_TIME: Final = 8.0
"""Seconds a run of `chat.send` takes at most: it has no last response to wait for."""

CONTINUATION_TIME: Final = 15.0
"""Seconds for what a gateway does by itself after it was killed; it begins some five after it serves."""

SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(function: Scenario) -> Scenario:
    """Add a coroutine to the scenarios, under its name with dashes."""
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


@scenario
async def hello(stage: Stage) -> None:
    """The same host, the right secret, a device identity."""
    async with stage.wire() as wire:
        await wire.handshake(stage.auth, stage.identity)
        await wire.call("agents.list", {})
        await wire.call("gateway.identity.get", {})


@scenario
async def wrong_secret(stage: Stage) -> None:
    """A wrong secret."""
    async with stage.wire() as wire:
        await wire.handshake({"token": "wrong"}, stage.identity)
        await wire.reader


@scenario
async def no_identity(stage: Stage) -> None:
    """Another host, the right secret, no device identity."""
    async with stage.wire(is_remote=True) as wire:
        await wire.handshake(stage.auth, None)
        await wire.call("agents.list", {})


@scenario
async def pairing(stage: Stage) -> None:
    """Another host, the right secret, a device nobody has approved yet."""
    async with stage.wire("before", is_remote=True) as wire:
        answer = await wire.handshake(stage.auth, stage.identity)
        await wire.reader
    stage.log.note("the owner approves the device")
    await stage.gateway.command("devices", "approve", answer["error"]["details"]["requestId"])
    async with stage.wire("after", is_remote=True) as wire:
        answer = await wire.handshake(stage.auth, stage.identity)
    token = answer["payload"]["auth"]["deviceToken"]
    async with stage.wire("with-device-token", is_remote=True) as wire:
        await wire.handshake({"deviceToken": token}, stage.identity)


@scenario
async def agent_answer(stage: Stage) -> None:
    """A plain run."""
    async with stage.operator() as wire:
        await whole_run(wire, stage.run("MODEL:SLOW 120 8", extraSystemPrompt="Answer briefly."))


@scenario
async def agent_tool(stage: Stage) -> None:
    """A run with text, a tool and text; the sender has the capability `tool-events`."""
    async with stage.operator() as wire:
        await whole_run(wire, stage.run('MODEL:TOOL exec {"command":"echo hello"}'))


@scenario
async def agent_failed_tool(stage: Stage) -> None:
    """A tool that fails."""
    async with stage.operator() as wire:
        await whole_run(wire, stage.run('MODEL:TOOL exec {"command":"exit 3"}'))


@scenario
async def agent_media(stage: Stage) -> None:
    """An answer with a picture, then a picture alone."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:MEDIA https://example.com/picture.png Here is the picture.")
        await whole_run(wire, params)
        await _look_back(wire, params)
        await whole_run(wire, stage.run("MODEL:MEDIA https://example.com/picture.png"))


@scenario
async def agent_silent(stage: Stage) -> None:
    """The agent decides to say nothing."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:NO_REPLY")
        await whole_run(wire, params)
        await _look_back(wire, params)


@scenario
async def agent_empty(stage: Stage) -> None:
    """The model returns nothing."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:EMPTY")
        await whole_run(wire, params)
        await _look_back(wire, params)


@scenario
async def agent_model_error(stage: Stage) -> None:
    """The provider does not know the model."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:FAIL 404")
        await whole_run(wire, params)
        await _look_back(wire, params)


@scenario
async def agent_abort(stage: Stage) -> None:
    """A run aborted after its second delta."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:SLOW 200 30")
        request_id = await wire.send("agent", params)
        await wire.text(params["idempotencyKey"], deltas=2)
        await _abort(wire, params)
        await wire.response(request_id, number=2)
        await asyncio.sleep(SETTLE_TIME)
        await _look_back(wire, params)


@scenario
async def agent_abort_from_other_connection(stage: Stage) -> None:
    """A run aborted on another connection of the same device, after the first one was lost."""
    params = stage.run("MODEL:SLOW 200 40")
    async with stage.operator("conn-1") as wire:
        await wire.send("agent", params)
        await wire.text(params["idempotencyKey"])
        await wire.abort()
    async with stage.operator("conn-2") as wire:
        await _abort(wire, params)
        await asyncio.sleep(SETTLE_TIME)
        await wire.call("agent", params)
        await _look_back(wire, params)


@scenario
async def agent_abort_at_once(stage: Stage) -> None:
    """A run aborted before its acknowledgement."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:SLOW 200 10")
        request_id = await wire.send("agent", params)
        await _abort(wire, params)
        await wire.response(request_id)
        await asyncio.sleep(SETTLE_TIME)


@scenario
async def agent_deadline(stage: Stage) -> None:
    """A run that meets its own deadline."""
    async with stage.operator() as wire:
        params = stage.run("MODEL:SLOW 300 30", timeout=2)
        await whole_run(wire, params)
        await _look_back(wire, params)


@scenario
async def agent_serial(stage: Stage) -> None:
    """Two runs of one session, sent at once."""
    async with stage.operator() as wire:
        first = await wire.send("agent", stage.run("MODEL:SLOW 100 5"))
        second = await wire.send("agent", stage.run("MODEL:SAY second"))
        await wire.response(first, number=2)
        await wire.response(second, number=2)
        await asyncio.sleep(SETTLE_TIME)


@scenario
async def agent_recovery(stage: Stage) -> None:
    """The connection is lost in mid-run; the run goes on and is picked up on a new one."""
    params = stage.run("MODEL:SLOW 250 8")
    run_id = params["idempotencyKey"]
    async with stage.operator("conn-1") as wire:
        await wire.send("agent", params)
        await wire.text(run_id)
        await wire.abort()
    async with stage.operator("conn-2") as wire:
        await _history(wire, params)
        stage.log.note("the same frame again, while the run is active")
        await wire.call("agent", params)
        await wire.call("agent.wait", {"runId": run_id, "timeoutMs": 20000})
        await asyncio.sleep(SETTLE_TIME)
        stage.log.note("the same frame again, after the end")
        await wire.call("agent", params)
        await _look_back(wire, params)


@scenario
async def agent_recovery_after_tool(stage: Stage) -> None:
    """The connection is lost and the run, with a tool, ends meanwhile."""
    params = stage.run('MODEL:TOOL exec {"command":"sleep 1; echo hello"}')
    async with stage.operator("conn-1") as wire:
        await wire.send("agent", params)
        await wire.text(params["idempotencyKey"])
        await wire.abort()
    await asyncio.sleep(5 * SETTLE_TIME)
    async with stage.operator("conn-2") as wire:
        await _look_back(wire, params)
        await wire.call("agent", params)


@scenario
async def agent_recovery_during_tool(stage: Stage) -> None:
    """The connection is lost while a tool runs; the run is picked up before the tool ends."""
    params = stage.run('MODEL:TOOL exec {"command":"sleep 3; echo hello"}')
    async with stage.operator("conn-1") as wire:
        await wire.send("agent", params)
        await wire.until(lambda frame: frame.get("payload", {}).get("stream") == "tool")
        await wire.abort()
    async with stage.operator("conn-2") as wire:
        await _history(wire, params)
        await wire.call("agent.wait", {"runId": params["idempotencyKey"], "timeoutMs": 20000})
        await asyncio.sleep(SETTLE_TIME)
        await _look_back(wire, params)


@scenario
async def agent_killed(stage: Stage) -> None:
    """The gateway is killed in mid-run and started again."""
    params = stage.run("MODEL:SLOW 500 10")
    async with stage.operator("before") as wire:
        await wire.send("agent", params)
        await wire.text(params["idempotencyKey"], deltas=2)
        stage.gateway.kill()
        stage.log.note("SIGKILL")
        await wire.reader
    await stage.gateway.start()
    stage.log.note("the gateway serves again")
    async with stage.operator("after") as wire:
        await _look_back(wire, params)
        await asyncio.sleep(CONTINUATION_TIME)
        await _look_back(wire, params)


@scenario
async def agent_terminated(stage: Stage) -> None:
    """The gateway is asked to stop in mid-run, and a second run is refused meanwhile."""
    params = stage.run("MODEL:SLOW 300 9")
    async with stage.operator("before") as wire:
        request_id = await wire.send("agent", params)
        await wire.text(params["idempotencyKey"], deltas=2)
        stopping = asyncio.create_task(stage.gateway.terminate())
        stage.log.note("SIGTERM")
        await asyncio.sleep(SETTLE_TIME)
        await wire.call("agent", stage.run("MODEL:SAY refused"))
        with contextlib.suppress(ConnectionError):
            await wire.response(request_id, number=2)
        await wire.reader
        await stopping
    await stage.gateway.start()
    stage.log.note("the gateway serves again")
    async with stage.operator("after") as wire:
        await _look_back(wire, params)


@scenario
async def send_answer(stage: Stage) -> None:
    """A plain run of `chat.send`."""
    context = {"page": "voice", "title": "Home Assistant", "selection": "room: kitchen"}
    await _whole_send(stage, "MODEL:SLOW 120 8", workContext=context)


@scenario
async def send_tool(stage: Stage) -> None:
    """A run of `chat.send` with text, a tool and text."""
    await _whole_send(stage, 'MODEL:TOOL exec {"command":"echo hello"}')


@scenario
async def send_silent(stage: Stage) -> None:
    """The agent decides to say nothing to a `chat.send`."""
    await _whole_send(stage, "MODEL:NO_REPLY")


@scenario
async def send_empty(stage: Stage) -> None:
    """The model returns nothing to a `chat.send`."""
    await _whole_send(stage, "MODEL:EMPTY")


@scenario
async def send_model_error(stage: Stage) -> None:
    """The provider does not know the model of a `chat.send`."""
    await _whole_send(stage, "MODEL:FAIL 404")


@scenario
async def send_stop_word(stage: Stage) -> None:
    """A message that is a stop word while nothing runs."""
    await _whole_send(stage, "Stop.")


async def _whole_send(stage: Stage, message: str, **more: object) -> None:
    """Send a message by `chat.send` and listen to what comes of it."""
    async with stage.operator() as wire:
        params = stage.run(message, timeoutMs=240_000, **more)
        del params["timeout"]
        await wire.call("chat.send", params)
        await asyncio.sleep(SEND_TIME)


async def whole_run(wire: Wire, params: JsonObject) -> None:
    """Run to the last response and a little longer."""
    request_id = await wire.send("agent", params)
    await wire.response(request_id, number=2)
    await asyncio.sleep(SETTLE_TIME)


async def _abort(wire: Wire, params: JsonObject) -> None:
    """Abort a run and wait for the answer."""
    await wire.call(
        "chat.abort", {"sessionKey": params["sessionKey"], "runId": params["idempotencyKey"]}
    )


async def _history(wire: Wire, params: JsonObject) -> None:
    """Read the session."""
    await wire.call("chat.history", {"sessionKey": params["sessionKey"], "limit": 20})


async def _look_back(wire: Wire, params: JsonObject) -> None:
    """Ask for the result of a run in both ways."""
    await wire.call("agent.wait", {"runId": params["idempotencyKey"], "timeoutMs": 0})
    await _history(wire, params)
