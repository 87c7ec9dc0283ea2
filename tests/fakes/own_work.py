"""What a behaving gateway does by itself: scheduled jobs, heartbeats, messages that programs put in.

Fields no client of ours reads are left out. Facts: recorded, and `tests/contract/test_unasked.py`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
import uuid

from .agent_run import MODEL, PROVIDER, SILENCE, AgentRun, now_ms
from .connection import Request
from .live_runs import LiveRun, Prompt
from .refusals import Refusal

if TYPE_CHECKING:
    from .small_gateway import SmallGateway

type JsonObject = dict[str, Any]

NEEDED_SCOPE: Final[dict[str, str]] = {
    "chat.inject": "operator.admin",
    "cron.add": "operator.admin",
    "cron.list": "operator.read",
    "cron.remove": "operator.admin",
    "cron.run": "operator.admin",
    "cron.runs": "operator.read",
    "cron.status": "operator.read",
    "last-heartbeat": "operator.read",
    "tasks.list": "operator.read",
    "wake": "operator.write",
}
"""The methods answered here, and what each of them takes."""

PAGE: Final = 50
PREVIEW_CHARS: Final = 200
SUMMARY_CHARS: Final = 2_000
NO_ROUTE: Final = "Heartbeat has no delivery route yet. Message your bot once."
NO_CHANNEL: Final = "Channel is required (no configured channels detected)."
UNATTENDED: Final = "This is an unattended scheduled run."


class OwnWork:
    """Answers the methods of `NEEDED_SCOPE` for a gateway, and does what they ask for."""

    def __init__(self, gateway: SmallGateway) -> None:
        """Work for `gateway`, which has the jobs every gateway has."""
        self.jobs: dict[str, JsonObject] = {}
        self.runs: list[JsonObject] = []
        """Rows of `cron.runs`, the newest first."""

        self.tasks: list[JsonObject] = []
        """Rows of `tasks.list`, the newest first; only those of jobs."""

        self.last_heartbeat: JsonObject = {}
        self._gateway = gateway
        for agent in gateway.agents:
            review = f"skill-collection-review-{agent}"
            self._add({"name": review, "declarationKey": review, "agentId": agent})

    def forget(self) -> None:
        """Lose what a process loses when it ends."""
        self.last_heartbeat = {}

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        params = request.params
        match request.method:
            case "chat.inject":
                payload = await self._inject(params)
            case "cron.add":
                payload = self._add(params)
                await self._tell("added", payload)
            case "cron.list":
                payload = self._list(params)
            case "cron.remove":
                payload = {"ok": True, "removed": self.jobs.pop(params["id"], None) is not None}
            case "cron.run":
                payload = self._run(params["id"])
            case "cron.runs":
                payload = self._rows(params)
            case "cron.status":
                payload = {"enabled": True, "jobs": len(self.jobs)}
            case "last-heartbeat":
                payload = self.last_heartbeat
            case "tasks.list":
                payload = {"tasks": self.tasks}
            case _:
                payload = self._wake(params)
        if isinstance(payload, Refusal):
            await request.connection.refuse(request.id, payload)
        else:
            await request.connection.respond(request.id, payload)

    # --- messages that programs put in ---

    async def _inject(self, params: JsonObject) -> JsonObject | Refusal:
        session = self._gateway.sessions.get(params["sessionKey"].lower())
        if session is None:
            return Refusal(message="session not found")
        label = params.get("label")
        row = session.add_injected(f"[{label}]\n\n" * bool(label) + params["message"])
        run = AgentRun(run_id=f"inject-{row['__openclaw']['id']}", session_key=session.key)
        message = {key: value for key, value in row.items() if key != "__openclaw"}
        await self._gateway._broadcast(run.chat_event("final", message=message))
        return {"ok": True, "messageId": row["__openclaw"]["id"]}

    # --- heartbeats ---

    def _wake(self, params: JsonObject) -> JsonObject | Refusal:
        agent = params.get("agentId", self._gateway.agents[0])
        if agent not in self._gateway.agents:
            message = f"Error: cron job agent is unavailable: {agent}"
            return Refusal(code="UNAVAILABLE", message=message)
        if params["mode"] == "now":
            self._gateway._spawn(self._look_around(agent, params["text"]))
        return {"ok": True}

    async def _look_around(self, agent: str, event: str) -> None:
        """Let an agent answer an event in its main session; only the heartbeat is told."""
        begin = now_ms()
        run = AgentRun(session_key=f"agent:{agent}:main")
        text = self._gateway.say(event)
        self._gateway.session(run.session_key).add_text(run, text)
        self.last_heartbeat = {
            "ts": now_ms(),
            "status": "skipped",
            "preview": text[:PREVIEW_CHARS],
            "reason": "no-route",
            "hasMedia": False,
            "durationMs": now_ms() - begin,
            "message": NO_ROUTE,
        }
        frame = {"type": "event", "event": "heartbeat", "payload": self.last_heartbeat}
        await self._gateway._broadcast(frame)

    # --- jobs ---

    def _add(self, params: JsonObject) -> JsonObject:
        job_id = str(uuid.uuid4())
        schedule = params.get("schedule", {})
        at = schedule.get("at")
        soon = now_ms() + schedule.get("everyMs", 86_400_000)
        due = round(datetime.fromisoformat(at).timestamp() * 1000) if at else soon
        job = {
            "id": job_id,
            "agentId": self._gateway.agents[0],
            "enabled": True,
            "sessionTarget": "isolated",
            "payload": {"kind": "agentTurn", "message": ""},
            "delivery": {"mode": "none"},
            "state": {"nextRunAtMs": due},
        }
        self.jobs[job_id] = job | params | {"nextRunAtMs": due}
        return self.jobs[job_id]

    def _list(self, params: JsonObject) -> JsonObject:
        jobs = [
            job
            for job in self.jobs.values()
            if job["enabled"] or params.get("includeDisabled") is True
        ]
        jobs.sort(key=lambda job: job["nextRunAtMs"])
        return {"jobs": jobs, "total": len(jobs), "offset": 0, "hasMore": False}

    def _rows(self, params: JsonObject) -> JsonObject:
        offset, limit = params.get("offset", 0), params.get("limit", PAGE)
        rows = [
            # The name is that of the job, so that of a removed one is gone.
            row | ({"jobName": job["name"]} if job else {})
            for row in self.runs
            for job in (self.jobs.get(row["jobId"]),)
        ]
        return {
            "entries": rows[offset : offset + limit],
            "total": len(rows),
            "offset": offset,
            "limit": limit,
            "hasMore": len(rows) > offset + limit,
        }

    def _run(self, job_id: str) -> JsonObject | Refusal:
        if job_id not in self.jobs:
            return Refusal(message=f"unknown cron job id: {job_id}")
        self._gateway._spawn(self._work(self.jobs[job_id]))
        return {"ok": True, "enqueued": True, "runId": f"manual:{job_id}:{now_ms()}:1"}

    async def _work(self, job: JsonObject) -> None:
        """Run a job from its start to its end."""
        begin = now_ms()
        await self._tell("started", job, runAtMs=begin)
        if job["payload"]["kind"] == "systemEvent":
            event = job["payload"]["text"]
            await self._look_around(job["agentId"], event)
            end: JsonObject = {"summary": event, "status": "ok"}
        else:
            end = await self._take_turn(job)
        end |= {"runAtMs": begin, "durationMs": now_ms() - begin}
        row = {"ts": now_ms(), "jobId": job["id"], "action": "finished"} | end
        self.runs.insert(0, row)
        task = {"id": str(uuid.uuid4()), "kind": "automation_run", "status": "completed"}
        self.tasks.insert(0, task | {"title": job["name"], "sourceId": job["id"]})
        await self._tell("finished", job, **end)

    async def _take_turn(self, job: JsonObject) -> JsonObject:
        """Let the agent of a job answer, and return what is told of the end."""
        session_id = str(uuid.uuid4())
        own = f"agent:{job['agentId']}:cron:{job['id']}:run:{session_id}"
        target = str(job["sessionTarget"])
        key = target.removeprefix("session:") if target.startswith("session:") else own
        live = LiveRun(
            run=AgentRun(session_key=key),
            session=self._gateway.session(key),
            message=job["payload"]["message"],
        )
        made_by = {
            "kind": "internal_system",
            "sourceTool": "cron",
            "sourcePromptPrefix": f"[cron:{job['id']} {job['name']}]",
            "jobId": job["id"],
            "runId": session_id,
            "sourceSessionKey": live.session.key,
        }
        prompt = Prompt(
            text=f"{live.message}\n\n{UNATTENDED}",
            role="assistant",
            provenance=made_by,
            run_id=str(uuid.uuid4()),
        )
        await self._gateway.play(live, prompt)
        if key == own:
            # What is asked there later begins it anew.
            self._gateway.sessions.pop(key.lower(), None)
        return _end_of(live, job)

    async def _tell(self, action: str, job: JsonObject, **fields: object) -> None:
        payload = {"jobId": job["id"], "action": action, "job": job} | fields
        await self._gateway._broadcast({"type": "event", "event": "cron", "payload": payload})


def _end_of(live: LiveRun, job: JsonObject) -> JsonObject:
    """Return what is told of the end of a turn that a job has taken."""
    text = live.run.text[:SUMMARY_CHARS] or SILENCE
    ok = {"status": "ok", "completionStatus": "succeeded", "summary": text}
    failed = {"status": "error", "completionStatus": "failed"}
    end: JsonObject = {"sessionKey": live.session.key, "model": MODEL, "provider": PROVIDER}
    if live.outcome.get("error") not in (None, "failed"):
        return end | failed | {"error": live.outcome["error"]}
    if job["delivery"]["mode"] == "announce":
        reason = {"error": NO_CHANNEL, "deliveryError": NO_CHANNEL}
        return end | ok | failed | reason | {"deliveryStatus": "not-delivered"}
    return end | ok | {"deliveryStatus": "not-requested"}
