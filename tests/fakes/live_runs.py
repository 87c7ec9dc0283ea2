"""What a behaving gateway remembers: sessions with their rows, runs with their ends.

The rows are those of `chat.history`, the ends those of `agent.wait`, as recorded.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final
import uuid

from .agent_run import MODEL, PROVIDER, TIMED_OUT, AgentRun, now_ms

type JsonObject = dict[str, Any]

WAIT_TEXT_CHARS: Final = 4096
RECOVERY_TOOL: Final = "main_session_restart_recovery"
RECOVERY_PROMPT: Final = (
    "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was "
    "waiting on tool/model work."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What starts a run."""

    text: str
    role: str = "user"
    provenance: JsonObject | None = None
    """Who writes it in the user's place."""

    run_id: str | None = None
    """Where its id is not that of the run."""

    is_hidden: bool = False
    """It is in no history."""


CONTINUATION: Final = Prompt(
    text=RECOVERY_PROMPT,
    provenance={"kind": "internal_system", "sourceTool": RECOVERY_TOOL},
)
"""What makes an agent go on with an interrupted turn."""


@dataclass(eq=False, slots=True, kw_only=True)
class Session:
    """One conversation."""

    key: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rows: list[JsonObject] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Runs of a session wait for each other."""

    active: LiveRun | None = None
    last: LiveRun | None = None
    was_interrupted: bool = False

    def add_prompt(self, run: AgentRun, prompt: Prompt) -> None:
        """Add what starts a run, unless nobody is to see it."""
        if prompt.is_hidden:
            return
        key = f"{prompt.run_id or run.run_id}:user"
        row: JsonObject = {"role": prompt.role, "content": prompt.text, "idempotencyKey": key}
        if prompt.provenance is not None:
            row["provenance"] = prompt.provenance
        self._add(row, {"senderIsOwner": False, "idempotencyKey": key})

    def add_injected(self, text: str) -> JsonObject:
        """Add a message that a program puts in, and return its row."""
        row = {"role": "assistant", "content": [{"type": "text", "text": text}]}
        made = {"stopReason": "stop", "provider": "openclaw", "model": "gateway-injected"}
        return self._add(row | made, {})

    def add_spoken(self, role: str, text: str) -> None:
        """Add what was said in a voice session."""
        row: JsonObject = {"role": role, "content": [{"type": "text", "text": text}]}
        if role == "assistant":
            row |= {"api": "realtime", "model": "realtime-voice", "stopReason": "stop"}
        spoken = {"kind": "realtime_voice", "sourceChannel": "talk"}
        self._add(row | {"provenance": spoken}, {})

    def add_sent(self, run: AgentRun, text: str) -> None:
        """Add what the agent has sent by its `message` tool."""
        key = f"{run.run_id}:message-tool:{uuid.uuid4().hex}"
        made = {"provider": "openclaw", "model": "delivery-mirror", "idempotencyKey": key}
        self.add_text(run, text, **made)

    def add_text(self, run: AgentRun, text: str, **fields: object) -> None:
        """Add a message of the agent."""
        content = [{"type": "text", "text": text}] if text else []
        row: JsonObject = {"role": "assistant", "content": content, "stopReason": "stop"}
        self._add(row | {"provider": PROVIDER, "model": MODEL} | fields, {"runId": run.run_id})

    def add_call(self, run: AgentRun, call_id: str, name: str, arguments: JsonObject) -> None:
        """Add a call of a tool."""
        call = {"type": "toolCall", "id": call_id, "name": name, "arguments": arguments}
        row = {"role": "assistant", "content": [call], "stopReason": "toolUse"}
        self._add(row, {"runId": run.run_id})

    def add_result(self, run: AgentRun, call_id: str, name: str, result: str) -> None:
        """Add the result of a tool."""
        row = {
            "role": "toolResult",
            "toolCallId": call_id,
            "toolName": name,
            "content": [{"type": "text", "text": result}],
            "isError": False,
        }
        self._add(row, {"runId": run.run_id})

    def history(self, limit: int) -> JsonObject:
        """Return the payload of `chat.history`."""
        run_ids = [self.active.run.run_id] if self.active else []
        info = {
            "key": self.key,
            "sessionId": self.id,
            "status": "running" if self.active else "done",
            "hasActiveRun": bool(self.active),
            "activeRunIds": run_ids,
            "abortedLastRun": self.was_interrupted,
            "lastRunId": self.last.run.run_id if self.last else None,
        }
        payload: JsonObject = {
            "sessionKey": self.key,
            "sessionId": self.id,
            "messages": self.rows[-limit:],
            "pendingInputs": {"items": [], "total": 0},
            "hasMore": len(self.rows) > limit,
            "totalMessages": len(self.rows),
            "sessionInfo": info,
        }
        if self.active and self.active.is_started:
            payload["inFlightRun"] = {
                "runId": self.active.run.run_id,
                "text": self.active.run.text,
                "startedAt": self.active.started_at,
                "sessionAbortable": True,
            }
        return payload

    def _add(self, row: JsonObject, meta: JsonObject) -> JsonObject:
        mark = meta | {"id": str(uuid.uuid4()), "seq": len(self.rows) + 1}
        # Two in one millisecond could not be told apart by their time, which tests do.
        at = max(now_ms(), self.rows[-1]["timestamp"] + 1) if self.rows else now_ms()
        self.rows.append(row | {"timestamp": at, "__openclaw": mark})
        return self.rows[-1]


@dataclass(eq=False, slots=True, kw_only=True)
class LiveRun:
    """One run from its request to what is remembered of it."""

    run: AgentRun
    session: Session
    message: str
    timeout: float | None = None
    """Seconds until the run's own deadline."""

    sender: int = 0
    """Number of the connection that started it; 0 is the gateway itself."""

    sent: list[str] = field(default_factory=list)
    """What the agent has sent by its `message` tool; told after the answer."""

    is_chat_send: bool = False
    """It was started by `chat.send`, which has no last response."""

    task: asyncio.Task[None] | None = None
    is_started: bool = False
    started_at: int = field(default_factory=now_ms)
    response: JsonObject | None = None
    """Its last response, once it has ended."""

    outcome: JsonObject = field(default_factory=dict)
    """What `agent.wait` says about it, once it has ended."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end_ok(self) -> None:
        """Remember an answer."""
        text = self.run.last_message[:WAIT_TEXT_CHARS]
        reply = {"disposition": "visible", "text": text}
        self._end(
            self.run.response_ok(),
            status="ok",
            stopReason="stop",
            livenessState="working",
            terminalReply=reply,
        )

    def end_without_answer(self, disposition: str) -> None:
        """Remember silence or nothing."""
        self._end(
            self.run.response_no_answer(disposition),
            status="error",
            error="failed",
            livenessState="abandoned",
            terminalReply={"disposition": disposition},
        )

    def end_aborted(self) -> None:
        """Remember an abort."""
        self._end(
            self.run.response_aborted(),
            status="error",
            stopReason="rpc",
            startedAt=self.started_at,
        )

    def end_timed_out(self) -> None:
        """Remember a deadline that was met."""
        reply = {"disposition": "visible", "text": self.run.last_message}
        self._end(
            self.run.response_timed_out(),
            status="timeout",
            error=TIMED_OUT,
            timeoutPhase="provider",
            terminalReply=reply,
        )

    def end_failed(self, message: str) -> None:
        """Remember a failure."""
        self._end(self.run.response_failed(message), status="error", error=message)

    def repeated(self, request_id: str) -> JsonObject:
        """Return the one response to the same request sent again."""
        if self.response is None or self.is_chat_send:
            status = "in_flight" if self.response is None else "ok"
            payload = {"runId": self.run.run_id, "status": status}
            return {"type": "res", "id": request_id, "ok": True, "payload": payload}
        return self.response | {"id": request_id}

    def _end(self, response: JsonObject, **outcome: object) -> None:
        self.response = response
        self.outcome = {"runId": self.run.run_id, "endedAt": now_ms()} | outcome
        self.ended.set()
