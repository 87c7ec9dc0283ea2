"""What is recorded of approvals and questions: what a gateway asks people."""

import asyncio
from collections.abc import Callable

from .scenarios import SETTLE_TIME, scenario
from .wire import JsonObject, Stage


@scenario
async def ask_approval(stage: Stage) -> None:
    """A command waits for an approval and is allowed, the next one is denied."""
    guarded = {"key": stage.session_key, "permissionMode": "guarded"}
    await stage.owner("sessions.patch", guarded)
    async with stage.operator() as wire:
        for number, decision in enumerate(("allow-once", "deny"), start=1):
            params = stage.run('MODEL:TOOL exec {"command":"echo hello"}', timeoutMs=240_000)
            del params["timeout"]
            await wire.call("chat.send", params)
            asked = await wire.until(is_event("exec.approval.requested"), number=number)
            await wire.call("exec.approval.list", {})
            choice = {"id": asked["payload"]["id"], "decision": decision}
            await wire.call("exec.approval.resolve", choice)
            await wire.until(is_event("exec.approval.resolved"), number=number)
            await asyncio.sleep(3 * SETTLE_TIME)
        stage.log.note("the other decision afterwards, and an approval that is not there")
        await wire.call("exec.approval.resolve", choice | {"decision": "allow-once"})
        await wire.call("exec.approval.resolve", choice | {"id": "unknown"})
        await wire.call("exec.approval.list", {})


@scenario
async def ask_plugin(stage: Stage) -> None:
    """A plugin asks, on another connection of the device, and nobody decides the second one."""
    wish: JsonObject = {
        "title": "Unlock the front door",
        "description": "lock.unlock lock.front_door",
        "severity": "critical",
        "timeoutMs": 60_000,
        "twoPhase": True,
    }
    async with stage.operator("plugin") as plugin, stage.operator() as wire:
        await plugin.call("plugin.approval.request", wish)
        asked = await wire.until(is_event("plugin.approval.requested"))
        await wire.call("plugin.approval.list", {})
        choice = {"id": asked["payload"]["id"], "decision": "allow-once"}
        await wire.call("plugin.approval.resolve", choice)
        await wire.until(is_event("plugin.approval.resolved"))
        await plugin.call("plugin.approval.request", wish | {"timeoutMs": 1_000})
        await wire.until(is_event("plugin.approval.resolved"), number=2)
        await wire.call("plugin.approval.list", {})


@scenario
async def ask_question(stage: Stage) -> None:
    """An agent asks and is answered, asks again and is left without an answer."""
    call = (
        '{"id":"ask_user","args":{"questions":[{"id":"room","header":"Room","question":'
        '"Which room?","options":[{"label":"Kitchen","description":"the big one"},'
        '{"label":"Bath"}]},{"id":"days","header":"Days","question":"Which days?",'
        '"multiSelect":true,"options":[{"label":"Mon"},{"label":"Tue"}]}]}}'
    )
    async with stage.operator() as wire:
        for number in (1, 2):
            request_id = await wire.send("agent", stage.run(f"MODEL:TOOL tool_call {call}"))
            asked = await wire.until(is_event("question.requested"), number=number)
            name = {"id": asked["payload"]["id"]}
            await wire.call("question.list", {})
            if number == 1:
                answers = {"answers": {"room": ["Kitchen"]}}
                await wire.call("question.resolve", name | {"answers": answers})
                answers = {"answers": {"room": ["Kitchen"], "days": ["Tue", "someday"]}}
                await wire.call("question.resolve", name | {"answers": answers})
            else:
                await wire.call("question.resolve", name | {"cancel": True})
            await wire.until(is_event("question.resolved"), number=number)
            await wire.response(request_id, number=2)
            await wire.call("question.resolve", name | {"cancel": True})
        await wire.call("question.resolve", {"id": "unknown", "cancel": True})


def is_event(name: str) -> Callable[[JsonObject], bool]:
    """Return what tells whether a frame is this event."""
    return lambda frame: frame.get("event") == name
