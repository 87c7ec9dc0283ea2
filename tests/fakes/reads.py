"""What a behaving gateway tells about itself, its sessions and models, and how one is changed.

Fields no client of ours reads are left out. Facts: recorded, and `tests/contract/test_sessions.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from .agent_run import MODEL, PROVIDER, now_ms
from .connection import Request
from .live_runs import Session
from .refusals import Refusal

if TYPE_CHECKING:
    from .small_gateway import SmallGateway

type JsonObject = dict[str, Any]

NEEDED_SCOPE: Final[dict[str, str]] = {
    "models.list": "operator.read",
    "sessions.describe": "operator.read",
    "sessions.list": "operator.read",
    "sessions.patch": "operator.write",
    "system.info": "operator.read",
    "usage.cost": "operator.read",
}
"""The methods answered here, and what each of them takes."""

DEFAULT_MODEL: Final = f"{PROVIDER}/{MODEL}"
OTHER_MODEL: Final = f"{PROVIDER}/demo-2"
THINKING: Final[JsonObject] = {
    "thinkingLevels": [{"id": "off", "label": "off"}],
    "thinkingDefault": "off",
}
"""Of the demo's models, and so of every agent."""

CONTEXT_TOKENS: Final = 131_072
NO_OWNER: Final = (
    "Multiple agents are configured, but this Gateway request has no explicit owner. "
    "Set agentId to one of the configured agents."
)
PATCH_FAILED: Final = "Session patch failed unexpectedly. Retry the request."


@dataclass(slots=True, kw_only=True)
class Choice:
    """What somebody set a session to."""

    model: str | None = None
    """As `provider/id`; None: the agent's own."""

    label: str | None = None
    permission_mode: str | None = None
    """`guarded`: its commands wait for an approval."""

    updated_at: int = 0
    """Milliseconds since 1970."""


class Reads:
    """Answers the methods of `NEEDED_SCOPE` for a gateway."""

    def __init__(self, gateway: SmallGateway) -> None:
        """Read from `gateway`."""
        self.choices: dict[str, Choice] = {}
        """By session key."""

        self._gateway = gateway

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        match request.method:
            case "models.list":
                payload = self._models(request.params)
            case "sessions.describe":
                payload = self._describe(request.params["key"].lower())
            case "sessions.list":
                payload = self._list(request.params)
            case "system.info":
                payload = _system_info()
            case "usage.cost":
                payload = self._usage(request.params)
            case _:
                payload = self._patch(request.params)
        if isinstance(payload, Refusal):
            await request.connection.refuse(request.id, payload)
        else:
            await request.connection.respond(request.id, payload)

    def _models(self, params: JsonObject) -> JsonObject | Refusal:
        if "agentId" not in params and len(self._gateway.agents) > 1:
            return Refusal(message=NO_OWNER)
        models = [
            {
                "id": reference.partition("/")[2],
                "name": name,
                "provider": PROVIDER,
                "contextWindow": CONTEXT_TOKENS,
                "reasoning": False,
                "available": True,
            }
            | THINKING
            for reference, name in ((DEFAULT_MODEL, "Demo"), (OTHER_MODEL, "Demo Two"))
        ]
        return {"models": models}

    def _describe(self, key: str) -> JsonObject:
        session = self._gateway.sessions.get(key)
        return {"session": self._row(session) if session and self._is_kept(session) else None}

    def _list(self, params: JsonObject) -> JsonObject:
        rows = [self._row(each) for each in self._gateway.sessions.values() if self._is_kept(each)]
        rows = [row for row in rows if params.get("agentId") in (None, row["agentId"])]
        if params.get("activeOnly"):
            rows = [row for row in rows if row.get("hasActiveRun")]
        rows.sort(key=lambda row: row["updatedAt"], reverse=True)
        offset = params.get("offset", 0)
        end = offset + params.get("limit", len(rows))
        page = rows[offset:end]
        return {
            "ts": now_ms(),
            "count": len(page),
            "totalCount": len(rows),
            "hasMore": len(rows) > end,
            "nextOffset": end if len(rows) > end else None,
            "sessions": page,
        }

    def _usage(self, params: JsonObject) -> JsonObject | Refusal:
        """Count nothing: a young gateway says for minutes that it has only begun to."""
        if not {"agentScope", "agentId"} & params.keys() and len(self._gateway.agents) > 1:
            return Refusal(message=NO_OWNER)
        totals = {"input": 0, "output": 0, "totalTokens": 0, "totalCost": 0}
        files = len(self._gateway.sessions)
        status = {"status": "refreshing", "cachedFiles": 0, "pendingFiles": files}
        return {
            "updatedAt": now_ms(),
            "days": 1,
            "daily": [{"date": _today(params.get("timeZone", "UTC")), **totals}],
            "totals": totals,
            "cacheStatus": status | {"staleFiles": files},
        }

    def _patch(self, params: JsonObject) -> JsonObject | Refusal:
        key = params["key"].lower()
        if _agent_of(key) not in self._gateway.agents:
            return Refusal(code="UNAVAILABLE", message=PATCH_FAILED)
        session = self._gateway.sessions.setdefault(key, Session(key=key))
        choice = self.choices.setdefault(key, Choice())
        choice.updated_at = now_ms()
        # Any model is taken, also one that does not exist.
        choice.model = params.get("model", choice.model)
        choice.label = params.get("label", choice.label)
        choice.permission_mode = params.get("permissionMode", choice.permission_mode)
        provider, _, model = (choice.model or DEFAULT_MODEL).partition("/")
        return {
            "ok": True,
            "key": key,
            "entry": {"sessionId": session.id, "updatedAt": choice.updated_at},
            "resolved": {"modelProvider": provider, "model": model},
        }

    def _is_kept(self, session: Session) -> bool:
        """Tell whether a session exists; one whose history was only asked for does not."""
        return bool(session.rows or session.active or session.key in self.choices)

    def _row(self, session: Session) -> JsonObject:
        choice = self.choices.get(session.key, Choice())
        provider, _, model = (choice.model or DEFAULT_MODEL).partition("/")
        said_at = session.rows[-1]["timestamp"] if session.rows else 0
        row: JsonObject = {
            "key": session.key,
            "sessionId": session.id,
            "agentId": _agent_of(session.key),
            "kind": "direct",
            "updatedAt": max(said_at, choice.updated_at),
            "status": "running" if session.active else "done",
            "totalTokensFresh": bool(session.rows),
            "modelProvider": provider,
            "model": model,
        }
        if session.active:
            row["hasActiveRun"] = True
            if session.active.is_chat_send:
                row["activeRunIds"] = [session.active.run.run_id]
        if session.rows:
            row["totalTokens"] = 100
        if choice.label:
            row["label"] = choice.label
        return row


def _today(time_zone: str) -> str:
    """Return the date it is somewhere."""
    return datetime.now(ZoneInfo(time_zone)).date().isoformat()


def _system_info() -> JsonObject:
    """Return what a process takes of a machine."""
    return {
        "machineName": "gateway-host",
        "hostname": "gateway-host",
        "platform": "linux",
        "release": "6.1.0",
        "arch": "x64",
        "osLabel": "Linux 6.1.0",
        "nodeVersion": "v26.10.0",
        "pid": 1,
        "uptimeMs": 1_000,
        "cpuCount": 2,
        "memoryTotalBytes": 8_000_000_000,
        "memoryFreeBytes": 4_000_000_000,
        "processMemory": {"rssBytes": 512_000_000},
    }


def _agent_of(key: str) -> str:
    """Return the agent in a session key."""
    return key.split(":")[1] if key.startswith("agent:") else "main"
