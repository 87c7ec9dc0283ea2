"""One run of an agent, told the way the gateway tells it: every frame, field for field.

Text goes out twice: as an `agent` frame of the stream `assistant`, which starts afresh with every
message, and as a `chat` delta, which joins the messages of the run. Both carry the cumulative text
besides the new piece. `seq` counts the frames of a run.
"""

import time
from typing import Any, Final
import uuid

from .refusals import Refusal

type JsonObject = dict[str, Any]

PROVIDER: Final = "demo"
MODEL: Final = "demo-1"
NO_RESPONSE: Final = "⚠️ Agent couldn't generate a response. Please try again."
SILENCE: Final = "NO_REPLY"
JOINT: Final = "\n\n"
"""What `chat` puts between two messages of a run."""

TIMED_OUT: Final = (
    "Request timed out before a response was generated. Please try again, or increase "
    "`agents.defaults.timeoutSeconds` in your config."
)
SETTLED: Final[JsonObject] = {
    "aborted": False,
    "stopReason": "stop",
    "livenessState": "working",
}
CANCELLED: Final = "This operation was aborted"


def now_ms() -> int:
    """Return the time of day as the gateway writes it."""
    return time.time_ns() // 1_000_000


class AgentRun:
    """What a run has said so far, and the frames for what comes next."""

    def __init__(
        self,
        *,
        run_id: str | None = None,
        session_key: str = "agent:main:main",
        agent_id: str | None = None,
        request_id: str = "",
    ) -> None:
        """Begin a run; `request_id` is that of the `agent` request that gets its last response."""
        self.run_id = run_id or str(uuid.uuid4())
        self.session_key = session_key.lower()
        self.agent_id = agent_id or _agent_of(session_key)
        self.request_id = request_id
        self.session_id = str(uuid.uuid4())
        self.seq = 0
        self.messages: list[str] = []
        self.tools: list[str] = []
        self._item = str(uuid.uuid4())
        self._is_message_open = False
        self._chat_text = ""
        self._started_at = now_ms()

    @property
    def text(self) -> str:
        """Everything said in this run, as `chat` shows it."""
        return JOINT.join(self.messages)

    @property
    def last_message(self) -> str:
        """What was said after the last tool."""
        return self.messages[-1] if self.messages else ""

    def accepted(self) -> JsonObject:
        """Return the payload of the first response."""
        return {
            "runId": self.run_id,
            "sessionKey": self.session_key,
            "agentId": self.agent_id,
            "status": "accepted",
            "acceptedAt": now_ms(),
        }

    def sent(self) -> JsonObject:
        """Return the payload of the only response to `chat.send`."""
        return {"runId": self.run_id, "status": "started"}

    def agent_event(self, stream: str, data: JsonObject, **fields: object) -> JsonObject:
        """Return an `agent` frame with the next number."""
        self.seq += 1
        payload = {
            "runId": self.run_id,
            "stream": stream,
            "data": data,
            "sessionKey": self.session_key,
            "agentId": self.agent_id,
            "seq": self.seq,
            "ts": now_ms(),
        }
        return {"type": "event", "event": "agent", "payload": payload | fields}

    def chat_event(self, state: str, **fields: object) -> JsonObject:
        """Return a `chat` frame; it has the number of the `agent` frame before it."""
        payload = {
            "runId": self.run_id,
            "sessionKey": self.session_key,
            "agentId": self.agent_id,
            "seq": self.seq,
            "state": state,
        }
        return {"type": "event", "event": "chat", "payload": payload | fields}

    def lifecycle(self, phase: str, **data: object) -> JsonObject:
        """Return a `lifecycle` frame."""
        return self.agent_event("lifecycle", {"phase": phase, **data}, sessionId=self.session_id)

    def start(self) -> list[JsonObject]:
        """Return what precedes every call of the model."""
        return [
            self.lifecycle("start", startedAt=now_ms()),
            self.lifecycle("model", provider=PROVIDER, model=MODEL),
        ]

    def assistant_delta(self, piece: str) -> JsonObject:
        """Return the `assistant` frame of a new piece of text."""
        if not self._is_message_open:
            self.messages.append("")
            self._is_message_open = True
        self.messages[-1] += piece
        data = {"text": self.last_message, "delta": piece, "itemId": self._item_id}
        return self.agent_event("assistant", data)

    def chat_delta(self) -> JsonObject:
        """Return the `chat` delta with all that `assistant` frames have said since the last one."""
        delta = self.text.removeprefix(self._chat_text)
        self._chat_text = self.text
        return self.chat_event("delta", deltaText=delta, message=_message(self.text))

    def say(self, piece: str) -> list[JsonObject]:
        """Return both frames of a new piece of text."""
        return [self.assistant_delta(piece), self.chat_delta()]

    def replace(self, text: str) -> list[JsonObject]:
        """Return both frames that take back all text so far, as when the provider broke off."""
        self.messages = [text] if text else []
        self._is_message_open = bool(text)
        self._chat_text = text
        data = {"itemId": self._item_id, "text": text, "delta": text, "replace": True}
        return [
            self.agent_event("assistant", data),
            self.chat_event("delta", deltaText=text, replace=True, message=_message(text)),
        ]

    def tool_start(
        self, call_id: str, name: str, arguments: JsonObject, *, title: str
    ) -> list[JsonObject]:
        """Return the frames of a tool call that begins; it ends the message before it."""
        self._is_message_open = False
        data = {"phase": "start", "name": name, "toolCallId": call_id, "args": arguments}
        return [
            self._tool_item(call_id, name, "start", title, "running", startedAt=now_ms()),
            self._tool_event(data),
        ]

    def tool_end(
        self, call_id: str, name: str, result: str, *, title: str, is_error: bool = False
    ) -> list[JsonObject]:
        """Return the frames of a tool call that ends, and of the model being asked again."""
        if not is_error:
            self.tools.append(name)
        content = {"content": [{"type": "text", "text": result}]}
        data = {"phase": "result", "name": name, "toolCallId": call_id, "isError": is_error}
        status = "failed" if is_error else "completed"
        return [
            self._tool_event(data | {"result": content}),
            self._tool_item(call_id, name, "end", title, status, endedAt=now_ms()),
            self.lifecycle("model", provider=PROVIDER, model=MODEL),
        ]

    def end(self) -> list[JsonObject]:
        """Return the frames of a run that has answered."""
        return [
            self.agent_event("usage", {"outputTokens": max(1, len(self.text.split()))}),
            self._finishing(),
            self._model_released(),
            self.lifecycle(
                "end",
                **self._times,
                **SETTLED,
                executionSettled=True,
                terminalReceipt=self._receipt("visible"),
                terminalReply={"disposition": "visible", "text": self.last_message},
            ),
            self.chat_final(),
        ]

    def chat_final(self, *, text: str | None = None, has_message: bool = True) -> JsonObject:
        """Return the `chat` frame of a run that has answered."""
        said = self.text if text is None else text
        message = {"message": _message(said)} if has_message else {}
        return self.chat_event("final", stopReason="stop", **message)

    def further_final(self, text: str) -> JsonObject:
        """Return the `chat` frame of what the agent has sent by its `message` tool."""
        message = _message(text) | {"text": text, "stopReason": "stop"}
        frame = self.chat_event("final", message=message, seq=1)
        del frame["payload"]["agentId"]
        return frame

    def no_answer(self, disposition: str) -> list[JsonObject]:
        """Return the frames of a run without text, `silent` or `empty`: the model is asked twice."""
        return [
            self._finishing(),
            *self.start(),
            self._finishing(),
            self._model_released(),
            self.lifecycle(
                "error",
                **self._times,
                aborted=False,
                replayInvalid=True,
                livenessState="abandoned",
                error=NO_RESPONSE,
                executionSettled=True,
                terminalReceipt=self._receipt("not-visible"),
                terminalReply={"disposition": disposition},
            ),
            self.chat_event("error", errorMessage=NO_RESPONSE),
        ]

    def chat_no_answer(self, disposition: str) -> list[JsonObject]:
        """Return the same of a `chat.send`: aborted by nobody, and an error after that."""
        *frames, error = self.no_answer(disposition)
        frames[-1]["payload"]["data"]["stopReason"] = "stop"
        del error["payload"]["agentId"]
        return [*frames, self.chat_event("aborted", stopReason="stop"), error]

    def abort(self) -> list[JsonObject]:
        """Return the frames of an aborted run up to the response of `chat.abort`."""
        message = {"message": _message(self.text)} if self.messages else {}
        # The `chat` frame comes first and has the number of the `agent` frame after it.
        return [
            self.chat_event("aborted", stopReason="rpc", **message, seq=self.seq + 1),
            self.lifecycle(
                "end", status="cancelled", aborted=True, stopReason="rpc", **self._times
            ),
        ]

    def abort_settled(self) -> JsonObject:
        """Return the frame of an aborted run that follows later, numbered from 1 again."""
        self.seq = 0
        return self.lifecycle(
            "error",
            **self._times,
            error=CANCELLED,
            aborted=True,
            stopReason="aborted",
            executionSettled=True,
        )

    def fail(self, message: str, *, kind: str | None = None) -> list[JsonObject]:
        """Return the frames of a run that failed."""
        error_kind = {"errorKind": kind} if kind else {}
        blocked = {"error": message, "aborted": False, "livenessState": "blocked"}
        return [
            self.lifecycle("finishing", **blocked, endedAt=now_ms()),
            self._model_released(),
            self.lifecycle("error", **self._times, error=message, executionSettled=True),
            self.chat_event("error", errorMessage=message, **error_kind),
        ]

    def response_ok(self, *, media_urls: tuple[str, ...] = ()) -> JsonObject:
        """Return the last response of a run that has answered."""
        payloads = [{"text": self.last_message, "mediaUrl": None}]
        payloads += [{"text": "", "mediaUrl": url} for url in media_urls]
        seen = {
            "finalAssistantVisibleText": self.last_message,
            "finalAssistantRawText": self.last_message,
        }
        meta = self._meta | seen | {"livenessState": "working", "stopReason": "stop"}
        return self._response({"status": "ok", "summary": "completed"} | _result(payloads, meta))

    def response_no_answer(self, disposition: str) -> JsonObject:
        """Return the last response of a run without text."""
        seen = {
            "finalAssistantVisibleText": SILENCE,
            "finalAssistantRawText": SILENCE,
        }
        error = {
            "kind": "incomplete_turn",
            "message": "Agent couldn't generate a response.",
            "fallbackSafe": True,
            "terminalPresentation": False,
        }
        meta = self._meta | (seen if disposition == "silent" else {})
        meta |= {"replayInvalid": True, "livenessState": "abandoned", "error": error}
        payloads = [{"text": NO_RESPONSE, "isError": True, "mediaUrl": None}]
        return self._response({"status": "error", "summary": "failed"} | _result(payloads, meta))

    def response_aborted(self, *, before_acknowledgement: bool = False) -> JsonObject:
        """Return the last response of an aborted run; then its only one."""
        where = {"sessionKey": self.session_key, "agentId": self.agent_id}
        ended = {"status": "timeout", "summary": "aborted", "stopReason": "rpc"}
        if before_acknowledgement:
            return self._response(where | ended | {"endedAt": now_ms()})
        return self._response(ended)

    def response_timed_out(self) -> JsonObject:
        """Return the last response of a run that met its deadline."""
        ended = {
            "status": "timeout",
            "summary": "aborted",
            "timeoutPhase": "provider",
            "providerStarted": True,
        }
        seen = {
            "finalAssistantVisibleText": self.last_message,
            "finalAssistantRawText": self.last_message,
        }
        payloads = [{"text": TIMED_OUT, "isError": True, "mediaUrl": None}]
        return self._response(ended | _result(payloads, self._meta | seen))

    def response_failed(self, message: str) -> JsonObject:
        """Return the last response of a run that failed."""
        payload = {"runId": self.run_id, "status": "error", "summary": message}
        refusal = Refusal(code="UNAVAILABLE", message=message, payload=payload)
        return refusal.response(self.request_id)

    @property
    def _item_id(self) -> str:
        return f"{self._item}:{max(1, len(self.messages))}"

    @property
    def _times(self) -> JsonObject:
        return {"startedAt": self._started_at, "endedAt": now_ms()}

    @property
    def _meta(self) -> JsonObject:
        agent = {"sessionId": self.session_id, "provider": PROVIDER, "model": MODEL}
        return {
            "durationMs": now_ms() - self._started_at,
            "agentMeta": agent,
            "aborted": False,
            "replayInvalid": False,
        }

    def _receipt(self, disposition: str) -> JsonObject:
        model = {"provider": PROVIDER, "model": MODEL}
        return {
            "runId": self.run_id,
            "sessionId": self.session_id,
            "turnId": self.run_id,
            "requested": model,
            "effective": model | {"responseModel": MODEL},
            "successfulToolNames": list(self.tools),
            "rerouted": False,
            "terminalDisposition": disposition,
        }

    def _finishing(self) -> JsonObject:
        return self.lifecycle("finishing", **SETTLED, endedAt=now_ms())

    def _model_released(self) -> JsonObject:
        return self.lifecycle("model", provider=None, model=None)

    def _tool_item(
        self, call_id: str, name: str, phase: str, title: str, status: str, **fields: object
    ) -> JsonObject:
        data = {
            "itemId": f"tool:{call_id}",
            "toolCallId": call_id,
            "name": name,
            "kind": "tool",
            "phase": phase,
            "title": title,
            "status": status,
        }
        return self.agent_event("item", data | fields)

    def _tool_event(self, data: JsonObject) -> JsonObject:
        # The gateway puts the session's whole row into these frames; a part of it stands for all.
        row: JsonObject = {"sessionId": self.session_id, "kind": "direct", "status": "running"}
        return self.agent_event("tool", data, **row)

    def _response(self, payload: JsonObject) -> JsonObject:
        whole = {"runId": self.run_id} | payload
        return {"type": "res", "id": self.request_id, "ok": True, "payload": whole}


def _message(text: str) -> JsonObject:
    content = [{"type": "text", "text": text}]
    return {"role": "assistant", "content": content, "timestamp": now_ms()}


def _result(payloads: list[JsonObject], meta: JsonObject) -> JsonObject:
    return {"result": {"payloads": payloads, "meta": meta, "sourceReplyDeliveryState": "missing"}}


def _agent_of(session_key: str) -> str:
    """Return the agent a session key names."""
    parts = session_key.split(":")
    return parts[1] if parts[0] == "agent" and len(parts) > 2 else "main"
