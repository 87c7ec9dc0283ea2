"""Hearing what an entry surfaces, and a gateway that has something to tell."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from custom_components.openclaw_voice.assist.session_key import home_of
from tests.fakes.frames import event
from tests.fakes.gateway import Expect, ScriptedGateway

from .support import WAIT_LIMIT

EVENT: Final = "openclaw_voice_notification"

type JsonObject = dict[str, Any]


class Ear:
    """Takes the bus events of notifications."""

    def __init__(self, hass: HomeAssistant, entry_id: str | None = None) -> None:
        """Listen from now on, to one entry or to all."""
        self.heard: list[Mapping[str, Any]] = []
        self._news = asyncio.Event()

        @callback
        def take(told: Event[Any]) -> None:
            if entry_id in (None, told.data["entry_id"]):
                self.heard.append(told.data)
                self._news.set()

        hass.bus.async_listen(EVENT, take)

    @property
    def ids(self) -> list[str]:
        """The ids of what was heard, in order."""
        return [told["id"] for told in self.heard]

    @property
    def messages(self) -> list[str]:
        """The messages that were heard, in order."""
        return [told["message"] for told in self.heard]

    async def hears(self, count: int) -> list[Mapping[str, Any]]:
        """Wait until so many have been heard, and return them."""
        async with asyncio.timeout(WAIT_LIMIT):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard

    async def hears_of(self, title: str) -> None:
        """Wait until something with this title has been heard, and forget it."""
        async with asyncio.timeout(WAIT_LIMIT):
            while not (found := [told for told in self.heard if told["title"] == title]):
                self._news.clear()
                await self._news.wait()
        self.heard.remove(found[0])


def our_session(instance_id: str, name: str = "one", agent: str = "main") -> str:
    """Return the key of a session of this home."""
    return f"agent:{agent}:homeassistant:{home_of(instance_id)}:conversation:{name}"


def wire(time: datetime) -> int:
    """Return a time as the gateway writes it."""
    return round(time.timestamp() * 1000)


def soon(seconds: float = 60.0) -> datetime:
    """Return a time after everything that has happened so far."""
    return dt_util.utcnow() + timedelta(seconds=seconds)


def row_of_job(name: str, at: datetime, **fields: object) -> JsonObject:
    """Return the row of `cron.runs` for a job that said its name, and took a second."""
    return {
        "ts": wire(at) + 1000,
        "jobId": f"id-of-{name}",
        "action": "finished",
        "status": "ok",
        "summary": f"{name} is done.",
        "runAtMs": wire(at),
        "durationMs": 1000,
        "model": "demo-1",
        "sessionKey": f"agent:main:cron:id-of-{name}:run:1",
        "jobName": name,
    } | fields


def event_of_job(name: str, at: datetime, **fields: object) -> JsonObject:
    """Return the event for the same run."""
    row = row_of_job(name, at, **fields)
    job = {
        "id": row["jobId"],
        "agentId": "main",
        "name": row.pop("jobName"),
        "payload": {"kind": "agentTurn", "message": "Do it."},
        "sessionTarget": "isolated",
    }
    del row["ts"]
    return row | {"job": job}


def tells_of_jobs(gateway: ScriptedGateway, *rows: JsonObject) -> None:
    """Let a gateway tell of finished jobs whenever it is asked; the newest comes first."""
    entries = sorted(rows, key=lambda row: -row["ts"])
    gateway.anytime(
        Expect("cron.runs", reply={"entries": entries, "total": len(entries), "hasMore": False})
    )


def tells_of_sessions(
    gateway: ScriptedGateway, keys: Sequence[str], updated: datetime, *rows: JsonObject
) -> None:
    """Let a gateway tell of sessions, and of the same history for each of them."""
    sessions = [{"key": key, "updatedAt": wire(updated)} for key in keys]
    gateway.anytime(
        Expect("sessions.list", reply={"sessions": sessions}),
        Expect("chat.history", reply={"messages": [*rows], "hasMore": False}),
    )


def row_of_injection(number: int, at: datetime) -> JsonObject:
    """Return the row of a history for a message that somebody put into a session."""
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": f"Message {number}"}],
        "timestamp": wire(at),
        "model": "gateway-injected",
        "__openclaw": {"id": f"row-{number}", "recordTimestampMs": wire(at), "seq": number},
    }


def event_of_injection(key: str, number: int, at: datetime) -> JsonObject:
    """Return the event for the same message."""
    row = row_of_injection(number, at)
    message = {name: row[name] for name in ("role", "content", "timestamp", "model")}
    return {
        "runId": f"inject-row-{number}",
        "sessionKey": key,
        "agentId": "main",
        "seq": 0,
        "state": "final",
        "message": message,
    }


async def tell(gateway: ScriptedGateway, name: str, *payloads: JsonObject) -> None:
    """Let a gateway send events."""
    for payload in payloads:
        await gateway.emit(event(name, payload))
