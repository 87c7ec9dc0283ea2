"""What is recorded of what nobody asked for: scheduled jobs, heartbeats, messages."""

from datetime import UTC, datetime, timedelta
import json

from .scenarios import scenario, whole_run
from .wire import JsonObject, Stage, Wire


@scenario
async def unasked_jobs(stage: Stage) -> None:
    """Scheduled jobs: one that says something, one that fails, one that puts something before an agent."""
    async with stage.operator() as wire:
        turn = {"sessionTarget": "isolated", "delivery": {"mode": "none"}}
        for name, text in (("Bins", "MODEL:SAY The bins go out."), ("Broken", "MODEL:FAIL 404")):
            payload = {"kind": "agentTurn", "message": text}
            await _run_job(stage, wire, {"name": name, "payload": payload, **turn})
        payload = {"kind": "systemEvent", "text": "MODEL:SAY Water the plants."}
        await _run_job(stage, wire, {"name": "Plants", "payload": payload, "sessionTarget": "main"})
        await wire.call("cron.runs", {"scope": "all", "limit": 3})
        await wire.call("cron.list", {})


@scenario
async def unasked_heartbeats(stage: Stage) -> None:
    """An agent is woken: it says something, says nothing, and says much."""
    async with stage.operator() as wire:
        for text in ("MODEL:SAY Done.", "MODEL:SAY HEARTBEAT_OK", f"MODEL:SAY {'Much. ' * 50}"):
            known = len(wire.received)
            await wire.call("wake", {"mode": "now", "text": text, "agentId": "main"})
            await _after(wire, known, "heartbeat")
            await wire.call("last-heartbeat", {})
            await wire.call("chat.history", {"sessionKey": "agent:main:main", "limit": 1})
        await wire.call("wake", {"mode": "now", "text": "x", "agentId": "nobody"})


@scenario
async def unasked_messages(stage: Stage) -> None:
    """The owner says something in an agent's name, with a label and without."""
    async with stage.operator() as wire:
        await whole_run(wire, stage.run("MODEL:SAY seed"))
        for label in ({"label": "Laundry"}, {}):
            known = len(wire.received)
            params = {"sessionKey": stage.session_key, "message": "The laundry is done.", **label}
            await stage.owner("chat.inject", params)
            await _after(wire, known, "chat")
        await wire.call("chat.history", {"sessionKey": stage.session_key, "limit": 20})


@scenario
async def unasked_second_answer(stage: Stage) -> None:
    """A run of `chat.send` says something with the tool `message` besides its answer."""
    async with stage.operator() as wire:
        call = {"id": "message", "args": {"action": "send", "message": "By the way."}}
        params = stage.run(f"MODEL:TOOL tool_call {json.dumps(call)}", timeoutMs=240_000)
        del params["timeout"]
        await wire.call("chat.send", params)
        await wire.until(
            lambda frame: frame.get("event") == "chat" and frame["payload"].get("state") == "final",
            number=2,
        )
        await wire.call("chat.history", {"sessionKey": stage.session_key, "limit": 20})


async def _run_job(stage: Stage, wire: Wire, job: JsonObject) -> None:
    """Make a job, run it, wait until it has ended, and remove it."""
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds")
    schedule = {"schedule": {"kind": "at", "at": due}, "wakeMode": "now", "agentId": "main"}
    made = await stage.owner("cron.add", job | schedule)
    known = len(wire.received)
    await stage.owner("cron.run", {"id": made["id"], "mode": "force"})
    await _after(wire, known, "cron", action="finished")
    await stage.owner("cron.remove", {"id": made["id"]})


async def _after(wire: Wire, known: int, event: str, **fields: str) -> JsonObject:
    """Wait for an event that has come, or comes, after so many frames; return its payload."""
    before = {id(frame) for frame in wire.received[:known]}

    def is_it(frame: JsonObject) -> bool:
        return (
            frame.get("event") == event
            and id(frame) not in before
            and fields.items() <= frame["payload"].items()
        )

    payload: JsonObject = (await wire.until(is_it))["payload"]
    return payload
