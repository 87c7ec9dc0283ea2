"""What a behaving gateway asks people: approvals of commands and plugins, questions of its agents.

Facts: recorded, and `tests/contract/test_approvals.py`, `tests/contract/test_questions.py`.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
import json
from typing import TYPE_CHECKING, Any, Final
import uuid

from .agent_run import now_ms
from .connection import Connection, Request
from .live_runs import LiveRun
from .refusals import Refusal

if TYPE_CHECKING:
    from .small_gateway import SmallGateway

type JsonObject = dict[str, Any]

APPROVALS: Final = "operator.approvals"
QUESTIONS: Final = "operator.questions"
CAP: Final = "approvals"
NEEDED_SCOPE: Final[dict[str, str]] = {
    "exec.approval.list": APPROVALS,
    "exec.approval.request": APPROVALS,
    "exec.approval.resolve": APPROVALS,
    "plugin.approval.list": APPROVALS,
    "plugin.approval.request": APPROVALS,
    "plugin.approval.resolve": APPROVALS,
    "question.list": QUESTIONS,
    "question.resolve": QUESTIONS,
}
"""The methods answered here, and what each of them takes."""

APPROVAL_TIME: Final = 1_800_000
QUESTION_TIME: Final = 900_000
"""Milliseconds until nobody waits any more."""

ALL_DECISIONS: Final = ("allow-once", "allow-always", "deny")
HEADLESS: Final = "exec denied: Headless runs cannot wait for interactive exec approval."
NO_SCOPE: Final = "Exec approval registration failed: GatewayClientRequestError: missing scope: operator.approvals"


@dataclass(eq=False, slots=True, kw_only=True)
class Waiting:
    """One request to people."""

    record: JsonObject
    kind: str = "question"
    device_id: str | None = None
    """Whose approval it is."""

    asker: int = 0
    """Number of the connection that asked itself, which is not asked."""

    answer: str | JsonObject | None = None
    """A decision, or the answers; empty answers: nobody wants to answer."""

    is_over: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def decisions(self) -> Iterable[str]:
        """What may be decided."""
        return self.record["request"].get("allowedDecisions") or ALL_DECISIONS


class People:
    """Asks them, and takes their answers."""

    def __init__(self, gateway: SmallGateway) -> None:
        """Ask the clients of `gateway`."""
        self.waiting: dict[str, Waiting] = {}
        """By id, also what is over."""

        self._gateway = gateway

    def forget(self) -> None:
        """Forget everything, as a gateway does that was killed."""
        self.waiting.clear()

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        kind, _, method = request.method.rpartition(".")
        kind = kind.removesuffix(".approval")
        if method == "list":
            open_ones = [each.record for each in self.waiting.values() if each.kind == kind]
            open_ones = [record for record in open_ones if self._may_see(request, record)]
            payload: Any = {"questions": open_ones} if kind == "question" else open_ones
            await request.connection.respond(request.id, payload)
        elif method == "request":
            await self._request(kind, request)
        elif kind == "question":
            await self._resolve_question(request)
        else:
            await self._resolve_approval(request)

    async def exec(self, live: LiveRun, call_id: str, command: str) -> str | None:
        """Ask whether a command may run; return what its tool says when it may not."""
        run = live.run
        sender = next((c for c in self._gateway.clients if c.number == live.sender), None)
        if not live.is_chat_send or sender is None or CAP not in sender.caps:
            return _tool_error(HEADLESS)
        if APPROVALS not in sender.scopes:
            return _tool_error(NO_SCOPE)
        facts = {
            "command": command,
            "cwd": "/home/user/workspace",
            "host": "gateway",
            "security": "full",
            "ask": "always",
            "warningText": None,
            "commandAnalysis": {"commandCount": 1, "riskKinds": [], "warningLines": []},
            "unavailableDecisions": ["allow-always"],
            "allowedDecisions": ["allow-once", "deny"],
            "agentId": run.agent_id,
            "resolvedPath": f"/usr/bin/{command.split(maxsplit=1)[0]}",
            "sessionKey": run.session_key,
            "runId": run.run_id,
            "toolCallId": call_id,
        }
        waiting = self._add("exec", facts, APPROVAL_TIME, device_id=sender.device_id)
        await self._tell(waiting, "requested", {"approvalKind": "exec"} | waiting.record)
        mark = {"approvalId": waiting.record["id"], "toolCallId": call_id}
        await self._gateway._broadcast(run.lifecycle("waiting-approval", **mark))
        await waiting.over.wait()
        await self._gateway._broadcast(run.lifecycle("approval-resolved", **mark))
        if waiting.answer != "deny":
            return None
        return f"Exec denied (gateway id={waiting.record['id']}, user-denied): {command}"

    async def ask_user(self, live: LiveRun, asked: list[JsonObject]) -> str:
        """Ask a question and return what the tool says."""
        questions = [
            {"questionId": part["id"], "isOther": True}
            | {name: value for name, value in part.items() if name != "id"}
            for part in asked
        ]
        run, now = live.run, now_ms()
        record: JsonObject = {
            "id": f"ask_{uuid.uuid4().hex}",
            "questions": questions,
            "agentId": run.agent_id,
            "sessionKey": run.session_key,
            "runId": run.run_id,
            "createdAtMs": now,
            "expiresAtMs": now + QUESTION_TIME,
            "status": "pending",
        }
        waiting = self.waiting[record["id"]] = Waiting(record=record)
        await self._tell(waiting, "requested", record)
        await waiting.over.wait()
        return json.dumps({"status": record["status"], "answers": waiting.answer or {}})

    def _add(
        self,
        kind: str,
        facts: JsonObject,
        time_ms: int,
        *,
        device_id: str | None,
        asker: int = 0,
    ) -> Waiting:
        now = now_ms()
        prefix = "plugin:" if kind == "plugin" else ""
        record: JsonObject = {
            "id": f"{prefix}{uuid.uuid4()}",
            "request": facts,
            "createdAtMs": now,
            "expiresAtMs": now + time_ms,
        }
        waiting = self.waiting[record["id"]] = Waiting(
            record=record, kind=kind, device_id=device_id, asker=asker
        )
        return waiting

    async def _request(self, kind: str, request: Request) -> None:
        """Ask for a client, which waits for the decision; its own connection is not asked."""
        params, connection = request.params, request.connection
        facts = {
            key: value for key, value in params.items() if key not in ("timeoutMs", "twoPhase")
        }
        waiting = self._add(
            kind,
            facts,
            params["timeoutMs"],
            device_id=connection.device_id,
            asker=connection.number,
        )
        accepted = {"status": "accepted", "id": waiting.record["id"]}
        await connection.respond(request.id, accepted)
        await self._tell(waiting, "requested", {"approvalKind": kind} | waiting.record)
        self._gateway._spawn(self._expire(waiting, params["timeoutMs"] / 1000))

    async def _expire(self, waiting: Waiting, seconds: float) -> None:
        """Deny when nobody decides."""
        try:
            async with asyncio.timeout(seconds):
                await waiting.over.wait()
        except TimeoutError:
            await self._decide(waiting, "deny", None)

    async def _resolve_approval(self, request: Request) -> None:
        connection, decision = request.connection, request.params["decision"]
        waiting = self.waiting.get(request.params["id"])
        kind = request.method.partition(".")[0]
        if waiting is None or waiting.kind != kind or waiting.device_id != connection.device_id:
            await connection.refuse(
                request.id, _gone("unknown or expired approval id", "APPROVAL_NOT_FOUND")
            )
        elif waiting.is_over and waiting.answer != decision:
            await connection.refuse(
                request.id, _gone("approval already resolved", "APPROVAL_ALREADY_RESOLVED")
            )
        elif decision not in waiting.decisions:
            reason = f"APPROVAL_{decision.upper().replace('-', '_')}_UNAVAILABLE"
            await connection.refuse(request.id, _gone(f"{decision} is unavailable", reason))
        else:
            if not waiting.is_over:
                await self._decide(waiting, decision, "Home Assistant")
            await connection.respond(request.id, {"ok": True})

    async def _decide(self, waiting: Waiting, decision: str, decider: str | None) -> None:
        waiting.is_over, waiting.answer = True, decision
        record = waiting.record
        told = {"id": record["id"], "decision": decision, "resolvedBy": decider, "ts": now_ms()}
        await self._tell(waiting, "resolved", told | {"request": record["request"]})
        waiting.over.set()

    async def _resolve_question(self, request: Request) -> None:
        connection, params = request.connection, request.params
        waiting = self.waiting.get(params["id"])
        if waiting is None or waiting.kind != "question":
            message = f"question '{params['id']}' was not found"
            await connection.refuse(request.id, _gone(message, "QUESTION_NOT_FOUND"))
            return
        record = waiting.record
        if waiting.is_over:
            message = f"question '{params['id']}' is already {record['status']}"
            await connection.refuse(request.id, _gone(message, "QUESTION_ALREADY_TERMINAL"))
            return
        result: JsonObject = {"status": "cancelled"}
        if "answers" in params:
            result = {"status": "answered", "answers": params["answers"]}
            wanted = {part["questionId"] for part in record["questions"]}
            if params["answers"]["answers"].keys() != wanted:
                message = "question does not match"
                await connection.refuse(request.id, _gone(message, "QUESTION_INVALID_ANSWER"))
                return
        waiting.is_over, waiting.answer = True, result.get("answers", {})
        record["status"] = result["status"]
        await connection.respond(request.id, result)
        waiting.over.set()
        await self._tell(waiting, "resolved", {"id": record["id"]} | result)

    async def _tell(self, waiting: Waiting, what: str, payload: JsonObject) -> None:
        """Tell those who may answer."""
        is_question = waiting.kind == "question"
        name = f"question.{what}" if is_question else f"{waiting.kind}.approval.{what}"
        for client in self._gateway._open_clients():
            if self._may_answer(client, waiting) and client.number != waiting.asker:
                await client.send({"type": "event", "event": name, "payload": payload})

    def _may_see(self, request: Request, record: JsonObject) -> bool:
        waiting = self.waiting[record["id"]]
        return not waiting.is_over and self._may_answer(request.connection, waiting)

    def _may_answer(self, client: Connection, waiting: Waiting) -> bool:
        if waiting.kind == "question":
            return QUESTIONS in client.scopes
        is_its_device = client.device_id == waiting.device_id or "operator.admin" in client.scopes
        return APPROVALS in client.scopes and CAP in client.caps and is_its_device


def _gone(message: str, reason: str) -> Refusal:
    return Refusal(message=message, details={"reason": reason})


def _tool_error(message: str) -> str:
    return json.dumps({"status": "error", "tool": "exec", "error": message})
