"""The vocabulary of scripts: what a gateway sends, in words.

Each word about a run is a `Piece`, which becomes frames once the run is known: its id and session
key come from the client's request.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final
import uuid

from .agent_run import TIMED_OUT, AgentRun, now_ms

type JsonObject = dict[str, Any]
type Piece = Callable[[AgentRun], Iterable[JsonObject]]

SCOPES: Final = (
    "operator.read",
    "operator.write",
    "operator.approvals",
    "operator.questions",
)
METHODS: Final = (
    "health",
    "agents.list",
    "agent",
    "agent.wait",
    "chat.abort",
    "chat.history",
    "chat.send",
    "gateway.identity.get",
)
EVENTS: Final = ("connect.challenge", "agent", "chat", "presence", "tick", "shutdown", "health")
VERSION: Final = "2026.9.6"


def challenge() -> JsonObject:
    """Return the payload of a challenge."""
    return {
        "nonce": str(uuid.uuid4()),
        "ts": now_ms(),
        "capabilities": ["model-catalog-snapshot"],
    }


def hello_ok(
    *,
    scopes: Iterable[str] = SCOPES,
    auth_method: str = "token",
    device_token: str | None = None,
    boot_id: str | None = None,
    version: str = VERSION,
    tick_interval_ms: int = 30_000,
    max_payload: int = 26_214_400,
    default_agent: str = "main",
    is_selection_required: bool = False,
) -> JsonObject:
    """Return the payload of the answer to a `connect` that was let in."""
    auth: JsonObject = {"method": auth_method, "role": "operator", "scopes": list(scopes)}
    if device_token:
        auth |= {"deviceToken": device_token, "issuedAtMs": now_ms()}
    return {
        "type": "hello-ok",
        "protocol": 4,
        "server": {
            "version": version,
            "buildId": f"{version}-release",
            "bootId": boot_id or str(uuid.uuid4()),
            "controlUiBuildSource": "bundled",
            "connId": str(uuid.uuid4()),
        },
        "features": {"methods": list(METHODS), "events": list(EVENTS), "capabilities": []},
        "snapshot": {
            "suspension": {"phase": "accepting"},
            "presence": [],
            "health": {},
            "stateVersion": {"presence": 1, "health": 1},
            "uptimeMs": 7377,
            "sessionDefaults": {
                "defaultAgentId": default_agent,
                "modelConfigured": True,
                "ownership": "explicit" if is_selection_required else "sole",
                "selectionRequired": is_selection_required,
                "mainKey": "main",
                "mainSessionKey": f"agent:{default_agent}:main",
                "scope": "per-sender",
            },
        },
        "auth": auth,
        "policy": {
            "maxPayload": max_payload,
            "maxBufferedBytes": 52_428_800,
            "tickIntervalMs": tick_interval_ms,
            "attachments": {"maxBytes": 19_464_192, "maxImageBytes": 6_291_456},
            "allowedSessionVisibilities": ["shared", "read-only", "suggest", "draft"],
            "hasMultipleSessionSharingIdentities": False,
        },
    }


def event(name: str, payload: JsonObject | None = None) -> Piece:
    """Send an event that belongs to no run."""
    return lambda _: [{"type": "event", "event": name, "payload": payload or {}}]


def tick() -> Piece:
    """Send the sign of life."""
    return event("tick", {"ts": now_ms()})


def shutdown() -> Piece:
    """Announce the end."""
    return event("shutdown", {"reason": "gateway stopping"})


def accepted() -> Piece:
    """Give the first response of a run."""
    return lambda run: [_response(run, run.accepted())]


def sent() -> Piece:
    """Give the only response to `chat.send`."""
    return lambda run: [_response(run, run.sent())]


def already_ended() -> Piece:
    """Answer a repeated `chat.send` of a run that has ended."""
    return lambda run: [_response(run, {"runId": run.run_id, "status": "ok"})]


def in_flight() -> Piece:
    """Answer a repeated request of a run that is active."""
    return lambda run: [_response(run, {"runId": run.run_id, "status": "in_flight"})]


def started() -> Piece:
    """Tell that the run has begun and asks the model."""
    return AgentRun.start


def lifecycle(phase: str, **data: object) -> Piece:
    """Send one lifecycle frame."""
    return lambda run: [run.lifecycle(phase, **data)]


def said(*pieces: str) -> Piece:
    """Send pieces of text, each as both frames."""
    return lambda run: [frame for piece in pieces for frame in run.say(piece)]


def assistant_delta(piece: str) -> Piece:
    """Send a piece of text as an `agent` frame only."""
    return lambda run: [run.assistant_delta(piece)]


def chat_delta() -> Piece:
    """Send the `chat` delta of what `assistant_delta` has said."""
    return lambda run: [run.chat_delta()]


def chat_only(piece: str) -> Piece:
    """Send a piece of text as a `chat` delta only."""

    def frames(run: AgentRun) -> list[JsonObject]:
        run.assistant_delta(piece)
        return [run.chat_delta()]

    return frames


def replaced(text: str = "") -> Piece:
    """Take back all text so far."""
    return lambda run: run.replace(text)


def tool_started(
    name: str = "exec",
    arguments: JsonObject | None = None,
    *,
    call_id: str = "call_1",
    title: str = "Exec print text",
) -> Piece:
    """Begin a tool call."""
    return lambda run: run.tool_start(call_id, name, arguments or {}, title=title)


def tool_ended(
    result: str = "hello",
    *,
    name: str = "exec",
    call_id: str = "call_1",
    title: str = "Exec print text",
    is_error: bool = False,
) -> Piece:
    """End a tool call."""
    return lambda run: run.tool_end(call_id, name, result, title=title, is_error=is_error)


def ended() -> Piece:
    """End a run that has answered, up to its `chat` final."""
    return AgentRun.end


def chat_final(text: str | None = None, *, has_message: bool = True) -> Piece:
    """Send a `chat` final only."""
    return lambda run: [run.chat_final(text=text, has_message=has_message)]


def chat_aborted(*, stop_reason: str = "rpc") -> Piece:
    """Send a `chat` frame of an aborted run without a message."""
    return lambda run: [run.chat_event("aborted", stopReason=stop_reason)]


def chat_error(message: str = "It broke.", *, kind: str | None = None) -> Piece:
    """Send a `chat` error only."""
    fields = {"errorKind": kind} if kind else {}
    return lambda run: [run.chat_event("error", errorMessage=message, **fields)]


def aborted() -> Piece:
    """Tell that a run was aborted, up to the response of `chat.abort`."""
    return AgentRun.abort


def abort_settled() -> Piece:
    """Tell what follows an abort: a lifecycle error, which is none."""
    return lambda run: [run.abort_settled()]


def silent() -> Piece:
    """Tell that the agent decided to say nothing."""
    return lambda run: run.no_answer("silent")


def empty() -> Piece:
    """Tell that the model returned nothing."""
    return lambda run: run.no_answer("empty")


def chat_silent() -> Piece:
    """Tell that the agent decided to say nothing to a `chat.send`."""
    return lambda run: run.chat_no_answer("silent")


def failed(message: str = "It broke.", *, kind: str | None = None) -> Piece:
    """Tell that a run failed."""
    return lambda run: run.fail(message, kind=kind)


def timed_out() -> Piece:
    """Tell that a run met its deadline."""
    return lambda run: run.fail(TIMED_OUT, kind="timeout")


def response_ok(*media_urls: str) -> Piece:
    """Give the last response of a run that has answered."""
    return lambda run: [run.response_ok(media_urls=media_urls)]


def response_silent() -> Piece:
    """Give the last response of a run that kept silent."""
    return lambda run: [run.response_no_answer("silent")]


def response_empty() -> Piece:
    """Give the last response of a run that returned nothing."""
    return lambda run: [run.response_no_answer("empty")]


def response_aborted(*, before_acknowledgement: bool = False) -> Piece:
    """Give the last response of an aborted run."""
    return lambda run: [run.response_aborted(before_acknowledgement=before_acknowledgement)]


def response_timed_out() -> Piece:
    """Give the last response of a run that met its deadline."""
    return lambda run: [run.response_timed_out()]


def response_failed(message: str = "It broke.") -> Piece:
    """Give the last response of a run that failed."""
    return lambda run: [run.response_failed(message)]


def answered(*pieces: str) -> list[Piece]:
    """Tell a whole run from its start to its last response."""
    return [started(), said(*pieces), ended(), response_ok()]


def _response(run: AgentRun, payload: JsonObject) -> JsonObject:
    return {"type": "res", "id": run.request_id, "ok": True, "payload": payload}
