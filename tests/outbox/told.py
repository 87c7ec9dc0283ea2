"""What a gateway told of itself: payloads of events, as recorded from a gateway 2026.9.6."""

from typing import Any, Final

type JsonObject = dict[str, Any]

OURS: Final = "agent:main:homeassistant:0a1b2c3d:conversation:one"
OTHER_HOME: Final = "agent:main:homeassistant:99999999:conversation:one"
OTHER_CHAT: Final = "agent:main:telegram:direct:1234"

JOB_ID: Final = "1b033d2c-379e-4c08-95d9-7cf9a8db2943"
JOB_RUN: Final = f"agent:main:cron:{JOB_ID}:run:6e70f29f-458e-4ca8-af1b-191944e7fa91"

JOB: Final[JsonObject] = {
    "id": JOB_ID,
    "agentId": "main",
    "name": "Trash",
    "enabled": True,
    "deleteAfterRun": True,
    "createdAtMs": 1795168924606,
    "schedule": {"kind": "at", "at": "2026-11-20T10:02:07.000Z"},
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "Remind us.", "toolsAllow": ["*"]},
    "delivery": {"mode": "none"},
    "state": {"nextRunAtMs": 1795168927000, "lastRunAtMs": 1795168927034},
}
JOB_FINISHED: Final[JsonObject] = {
    "jobId": JOB_ID,
    "action": "finished",
    "job": JOB,
    "status": "ok",
    "completionStatus": "succeeded",
    "summary": "The trash goes out today.",
    "delivered": False,
    "deliveryStatus": "not-requested",
    "sessionId": "6e70f29f-458e-4ca8-af1b-191944e7fa91",
    "sessionKey": JOB_RUN,
    "runAtMs": 1795168927034,
    "durationMs": 4026,
    "nextRunAtMs": 1795168927000,
    "model": "stub-1",
    "provider": "stub",
}
_NO_CHANNEL: Final = "Channel is required (no configured channels detected)."
UNDELIVERED_JOB: Final[JsonObject] = JOB_FINISHED | {
    "status": "error",
    "completionStatus": "failed",
    "error": _NO_CHANNEL,
    "deliveryError": _NO_CHANNEL,
    "deliveryStatus": "not-delivered",
    "summary": "Dentist tomorrow.",
}
SYSTEM_EVENT_JOB: Final[JsonObject] = {
    "jobId": JOB_ID,
    "action": "finished",
    "job": JOB
    | {
        "sessionTarget": "main",
        "payload": {"kind": "systemEvent", "text": "Water the plants."},
    },
    "status": "ok",
    "completionStatus": "succeeded",
    "summary": "Water the plants.",
    "deliveryStatus": "not-requested",
    "runAtMs": 1795168940025,
    "durationMs": 1896,
}

HEARTBEAT: Final[JsonObject] = {
    "ts": 1795168941915,
    "status": "skipped",
    "preview": "Water the plants.",
    "reason": "no-route",
    "hasMedia": False,
    "durationMs": 1629,
    "message": "Heartbeat has no delivery route yet. Message your bot once.",
}
BUSY_HEARTBEAT: Final[JsonObject] = {
    "ts": 1795168941915,
    "status": "skipped",
    "reason": "requests-in-flight",
    "durationMs": 0,
}

_EXEC: Final[JsonObject] = {
    "command": "echo approved-command",
    "cwd": "/home/user/workspace",
    "nodeId": None,
    "host": "gateway",
    "security": "full",
    "ask": "always",
    "warningText": None,
    "commandAnalysis": {
        "commandCount": 1,
        "nestedCommandCount": 0,
        "riskKinds": [],
        "warningLines": [],
    },
    "unavailableDecisions": ["allow-always"],
    "allowedDecisions": ["allow-once", "deny"],
    "agentId": "kitchen",
    "resolvedPath": "/usr/bin/echo",
    "sessionKey": OURS,
    "runId": "run-0c73caa2",
    "toolCallId": "call_1",
}
APPROVAL: Final[JsonObject] = {
    "approvalKind": "exec",
    "id": "e14230fb-d302-4f8e-b340-8e03a441f64a",
    "request": _EXEC,
    "createdAtMs": 1795169479477,
    "expiresAtMs": 1795171279477,
}
APPROVAL_RESOLVED: Final[JsonObject] = {
    "id": "e14230fb-d302-4f8e-b340-8e03a441f64a",
    "decision": "allow-once",
    "resolvedBy": "Home Assistant",
    "ts": 1795169479518,
    "request": _EXEC,
}
PLUGIN_APPROVAL: Final[JsonObject] = {
    "approvalKind": "plugin",
    "id": "plugin:b418409a-ae6b-4c57-a811-4fcd6d33a6bf",
    "request": {
        "pluginId": None,
        "title": "Unlock the front door",
        "description": "lock.unlock lock.front_door",
        "severity": "warning",
        "toolName": None,
        "agentId": None,
        "sessionKey": None,
        "runId": None,
    },
    "createdAtMs": 1795168957150,
    "expiresAtMs": 1795168977150,
}

QUESTION: Final[JsonObject] = {
    "id": "ask_3e95921e5f68a18c534c5fc8dd10aa90",
    "questions": [
        {
            "questionId": "room",
            "header": "Room",
            "question": "Which room?",
            "options": [{"label": "Kitchen"}, {"label": "Bath"}],
            "isOther": True,
        },
        {
            "questionId": "days",
            "header": "Days",
            "question": "Which days?",
            "options": [{"label": "Mon"}, {"label": "Tue"}],
            "multiSelect": True,
        },
    ],
    "agentId": "main",
    "sessionKey": OURS,
    "runId": "run-f66f2361",
    "createdAtMs": 1795168960708,
    "expiresAtMs": 1795169860708,
    "status": "pending",
}
QUESTION_RESOLVED: Final[JsonObject] = {
    "id": "ask_3e95921e5f68a18c534c5fc8dd10aa90",
    "status": "answered",
    "answers": {"answers": {"room": ["Kitchen"], "days": ["Mon"]}},
}

UPDATE: Final[JsonObject] = {
    "updateAvailable": {
        "currentVersion": "2026.9.6",
        "latestVersion": "2026.10.1",
        "channel": "stable",
    },
    "schedule": {"channel": "stable", "autoEnabled": False},
}
NO_UPDATE: Final[JsonObject] = {
    "updateAvailable": None,
    "schedule": {"channel": "stable", "autoEnabled": False},
}
STOPPING: Final[JsonObject] = {"reason": "gateway stopping"}


def at(payload: JsonObject, session_key: str | None) -> JsonObject:
    """Return a request of an agent as it is asked in a session."""
    if "request" in payload:
        return payload | {"request": payload["request"] | {"sessionKey": session_key}}
    return payload | {"sessionKey": session_key}
