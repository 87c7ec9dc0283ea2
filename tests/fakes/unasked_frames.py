"""Frames and rows of messages nobody asked for, and of what must not be taken for one.

As recorded from a gateway 2026.9.6.
"""

from typing import Any, Final

from .live_runs import RECOVERY_PROMPT, RECOVERY_TOOL

type JsonObject = dict[str, Any]

SESSION: Final = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"
NOON_MS: Final = 1795176000000


def final(
    run_id: str,
    text: str | None,
    *,
    session_key: str = SESSION,
    at: int = NOON_MS,
    **fields: object,
) -> JsonObject:
    """Return the payload of the `chat` final of a run; without a text it has no message."""
    payload: JsonObject = {
        "runId": run_id,
        "sessionKey": session_key,
        "agentId": session_key.split(":")[1],
        "seq": 9,
        "state": "final",
        "stopReason": "stop",
    }
    if text is not None:
        payload["message"] = _said(text) | {"timestamp": at} | fields
    return payload


def injected(
    row_id: str, text: str, *, session_key: str = SESSION, at: int = NOON_MS
) -> JsonObject:
    """Return the payload that tells of a message that was put into a session."""
    made = {"model": "gateway-injected", "provider": "openclaw"}
    return final(f"inject-{row_id}", text, session_key=session_key, at=at, **made) | {"seq": 0}


def sent_by_tool(run_id: str, text: str, *, session_key: str = SESSION) -> JsonObject:
    """Return the payload of what the agent has sent by its `message` tool; the second final."""
    payload = final(run_id, text, session_key=session_key) | {"seq": 1}
    payload["message"]["text"] = text
    return {key: value for key, value in payload.items() if key not in ("agentId", "stopReason")}


def prompt_row(run_id: str, text: str = "Hello?", **fields: object) -> JsonObject:
    """Return the row of what somebody said to start a run."""
    key = f"{run_id}:user"
    mark = {"id": f"row-of-{key}", "idempotencyKey": key}
    row = {"role": "user", "content": text, "timestamp": NOON_MS, "idempotencyKey": key}
    return row | {"__openclaw": mark} | fields


def continuation_row(run_id: str) -> JsonObject:
    """Return the row with which the gateway goes on with an interrupted turn."""
    kind = {"kind": "internal_system", "sourceTool": RECOVERY_TOOL, "sourceSessionKey": SESSION}
    return prompt_row(run_id, RECOVERY_PROMPT, provenance=kind)


def job_row(job_id: str = "job-1", name: str = "Oven") -> JsonObject:
    """Return the row that starts a scheduled job in a named session.

    It counts as an assistant's, and its id is not that of the run.
    """
    kind = {
        "kind": "internal_system",
        "sourceTool": "cron",
        "sourcePromptPrefix": f"[cron:{job_id} {name}]",
        "jobId": job_id,
        "sourceSessionKey": SESSION,
    }
    return prompt_row(f"prompt-of-{job_id}", "Check it.", role="assistant", provenance=kind)


def said_row(run_id: str | None, text: str, *, at: int = NOON_MS, **fields: object) -> JsonObject:
    """Return a row of what an agent said; one that ends its run, unless the fields say otherwise."""
    mark = {"id": f"row-of-{run_id}-{at}"} | ({"runId": run_id} if run_id else {})
    return _said(text) | {"timestamp": at, "stopReason": "stop", "__openclaw": mark} | fields


def injected_row(row_id: str, text: str, *, at: int = NOON_MS) -> JsonObject:
    """Return the row of a message that was put into a session."""
    made = {"model": "gateway-injected", "provider": "openclaw", "__openclaw": {"id": row_id}}
    return said_row(None, text, at=at, **made)


def command_row(run_id: str, text: str) -> JsonObject:
    """Return the row with the gateway's own answer to a command."""
    return injected_row("row-of-a-command", text) | {"idempotencyKey": run_id}


def mirror_row(run_id: str, text: str, *, at: int = NOON_MS) -> JsonObject:
    """Return the row of what an agent has sent by its `message` tool."""
    key = f"{run_id}:message-tool:Mp4gF1H:call_1"
    return said_row(run_id, text, at=at, model="delivery-mirror", idempotencyKey=key)


def _said(text: str) -> JsonObject:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}
