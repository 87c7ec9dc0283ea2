"""Others at the gateway: its owner, who may do everything, and people with a chat of their own."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import json
from typing import Any, Final, Self
import uuid

from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import (
    DEFAULT_SCOPES,
    ConnectionSettings,
    Credentials,
)
from demo.gateway import GatewayProcess

type JsonObject = dict[str, Any]

ADMIN_SCOPES: Final = (*DEFAULT_SCOPES, "operator.admin")

EVENT_LIMIT: Final = 90.0
"""Seconds until the gateway must have told of something. A model that is asked for the first time takes 9."""

LATER: Final = timedelta(days=1)
"""When a job is due that is run before by hand."""


@dataclass(slots=True)
class _Feed:
    """What the gateway has told a client, in order."""

    events: list[GatewayEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: GatewayEvent) -> None:
        """Keep an event."""
        self.events.append(event)
        self.changed.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A client of the gateway on the same computer."""

    connection: Connection
    feed: _Feed

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        gateway: GatewayProcess,
        *,
        scopes: tuple[str, ...] = DEFAULT_SCOPES,
        identity: DeviceIdentity | None = None,
    ) -> AsyncGenerator[Self]:
        """Connect while the block lasts, with a new device unless one is given."""
        settings = ConnectionSettings(
            url=f"ws://127.0.0.1:{gateway.port}",
            credentials=Credentials(secret=gateway.token),
            identity=identity or DeviceIdentity.create(),
            client_version="0.1.0",
            scopes=scopes,
            required_scopes=scopes,
            # With the capability an administrator would be asked what others wait for, too.
            caps=(),
        )
        feed = _Feed()
        async with Connection(settings, on_event=feed.take) as connection:
            yield cls(connection=connection, feed=feed)

    async def call(self, method: str, **params: object) -> JsonObject:
        """Call a method and return what it answers."""
        return await self.connection.request(method, params)

    async def until(
        self, name: str, is_wanted: Callable[[JsonObject], bool], *, after: int = 0
    ) -> JsonObject:
        """Wait for an event and return its payload; it may have come already.

        Args:
            name: Of the event.
            is_wanted: Whether a payload is the one.
            after: How many events had come before what is waited for was caused.

        Raises:
            TimeoutError: It did not come in time.
        """
        async with asyncio.timeout(EVENT_LIMIT):
            while True:
                self.feed.changed.clear()
                for event in self.feed.events[after:]:
                    if event.name == name and is_wanted(event.payload):
                        return event.payload
                await self.feed.changed.wait()

    async def begin(self, session_key: str, text: str) -> str:
        """Say something in a session, and return what names the run."""
        run_id = str(uuid.uuid4())
        await self.call("chat.send", sessionKey=session_key, message=text, idempotencyKey=run_id)
        return run_id

    async def chat(self, session_key: str, text: str) -> str:
        """Say something in a session, and return what the agent answers."""
        run_id = await self.begin(session_key, text)
        final = await self.until(
            "chat", lambda payload: payload["runId"] == run_id and payload["state"] == "final"
        )
        return "\n".join(part["text"] for part in final["message"]["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator(Operator):
    """The owner of the gateway."""

    async def run_job(self, name: str, text: str, *, agent_id: str = "main") -> JsonObject:
        """Have an agent do something by a scheduled job, and return what the gateway says at its end."""
        payload = {"kind": "agentTurn", "message": text}
        delivery = {"delivery": {"mode": "none"}}
        return await self._run(
            name, agent_id, sessionTarget="isolated", payload=payload, **delivery
        )

    async def run_reminder(self, name: str, text: str, *, agent_id: str = "main") -> JsonObject:
        """Put something before an agent by a scheduled job, and return what the gateway says at its end."""
        payload = {"kind": "systemEvent", "text": text}
        return await self._run(name, agent_id, sessionTarget="main", payload=payload)

    async def wake(self, text: str, *, agent_id: str = "main") -> None:
        """Wake an agent. What it says comes later."""
        await self.call("wake", mode="now", text=text, agentId=agent_id)

    async def inject(self, session_key: str, text: str, *, label: str | None = None) -> str:
        """Put a message of the agent into a session, and return its id."""
        labelled = {"label": label} if label else {}
        answer = await self.call("chat.inject", sessionKey=session_key, message=text, **labelled)
        return str(answer["messageId"])

    async def ask_before_commands(self, agent_id: str) -> None:
        """Let an agent run a command only when somebody allows it."""
        tools = {"exec": {"security": "full", "ask": "always"}}
        await self._configure({"agents": {"entries": {agent_id: {"tools": tools}}}})

    @asynccontextmanager
    async def without_speech_model(self) -> AsyncGenerator[None]:
        """Let the gateway have no key for its speech model while the block lasts."""
        await self._let_in_speech_model(None)
        try:
            yield
        finally:
            await self._let_in_speech_model("none")

    @asynccontextmanager
    async def heartbeats(self, prompt: str) -> AsyncGenerator[None]:
        """Have all agents look around once a day while the block lasts, and do this then.

        What they say is sent to no messenger. Those who have none would not be asked otherwise.
        """
        await self._beat({"every": "24h", "target": "none", "prompt": prompt})
        yield
        await self._beat({"every": "0m", "target": None, "prompt": None})

    async def run_heartbeat(self, agent_id: str = "main") -> None:
        """Let an agent look around now, and wait for the end."""
        listed = await self.call("cron.list", includeDisabled=True)
        key = f"heartbeat:{agent_id}"
        (job,) = [job for job in listed["jobs"] if job.get("declarationKey") == key]
        await self._run_job(job["id"])

    async def _beat(self, heartbeat: JsonObject) -> None:
        """Change how often agents look around, and wait until the gateway has planned it."""
        known = len(self.feed.events)
        if await self._configure({"agents": {"defaults": {"heartbeat": heartbeat}}}):
            await self.until(
                "cron",
                lambda payload: (
                    payload["action"] in {"added", "updated", "removed"}
                    and "heartbeat:main" in str(payload)
                ),
                after=known,
            )

    async def _let_in_speech_model(self, key: str | None) -> None:
        """Change the key of the speech model."""
        provider = {"openai": {"apiKey": key}}
        await self._configure({"talk": {"realtime": {"providers": provider}}})

    async def _configure(self, changes: JsonObject) -> bool:
        """Change the configuration, wait until it is so, and return whether it was not so before."""
        before = await self.call("config.get")
        known = len(self.feed.events)
        answer = await self.call("config.patch", raw=json.dumps(changes), baseHash=before["hash"])
        # What is so already is answered without a hash.
        is_new = bool(answer.get("hash", before["hash"]) != before["hash"])
        if is_new:
            await self.until("config.changed", lambda _: True, after=known)
        return is_new

    async def _run(self, name: str, agent_id: str, **job: object) -> JsonObject:
        """Make a job, run it now, wait for its end, and remove it."""
        due = (datetime.now(UTC) + LATER).isoformat(timespec="milliseconds")
        made = await self.call(
            "cron.add",
            name=name,
            agentId=agent_id,
            schedule={"kind": "at", "at": due},
            wakeMode="now",
            **job,
        )
        ended = await self._run_job(made["id"])
        await self.call("cron.remove", id=made["id"])
        return ended

    async def _run_job(self, job_id: str) -> JsonObject:
        """Run a job now and return what the gateway says at its end."""
        known = len(self.feed.events)
        await self.call("cron.run", id=job_id, mode="force")
        return await self.until(
            "cron",
            lambda payload: payload["jobId"] == job_id and payload["action"] == "finished",
            after=known,
        )


@asynccontextmanager
async def administrator(gateway: GatewayProcess) -> AsyncGenerator[Administrator]:
    """Return the owner, connected while the block lasts."""
    async with Administrator.connect(gateway, scopes=ADMIN_SCOPES) as owner:
        yield owner
