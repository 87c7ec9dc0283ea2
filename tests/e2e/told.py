"""What Home Assistant tells automations on its bus, as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from demo.client import HomeAssistantClient, HomeAssistantError, JsonObject
from demo.home_assistant import HomeAssistantProcess
from demo.stage import Agent

NOTIFICATION: Final = "openclaw_voice_notification"

TOLD_LIMIT: Final = 90.0
"""Seconds until something must have been told."""


@dataclass(slots=True)
class Told:
    """The data of events of one type."""

    events: list[JsonObject] = field(default_factory=list)
    error: HomeAssistantError | None = None
    """Why no more can come."""

    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(
        self, is_wanted: Callable[[JsonObject], bool], *, limit: float = TOLD_LIMIT
    ) -> JsonObject:
        """Return the first event that is wanted.

        Raises:
            TimeoutError: There is none after `limit` seconds.
            HomeAssistantError: No more can come.
        """
        async with asyncio.timeout(limit), self.changed:
            await self.changed.wait_for(lambda: self.error or any(map(is_wanted, self.events)))
        found = next(filter(is_wanted, self.events), None)
        if found is None:
            assert self.error is not None
            raise self.error
        return found

    async def of_kind(self, kind: str, *words: str, limit: float = TOLD_LIMIT) -> JsonObject:
        """Return the first event of a kind whose title or message has these words."""
        return await self.wait_for(
            lambda data: data["kind"] == kind and _has(data, words), limit=limit
        )

    def with_words(self, *words: str) -> list[JsonObject]:
        """Return the events so far whose title or message has these words."""
        return [data for data in self.events if _has(data, words)]


@asynccontextmanager
async def told(home: HomeAssistantProcess, event_type: str = NOTIFICATION) -> AsyncGenerator[Told]:
    """Collect the events of a type while the block lasts; when it begins none is missed any more."""
    seen = Told()
    async with home.connect() as client:
        events = await client.subscribe(event_type)

        async def collect() -> None:
            try:
                async with aclosing(events):
                    async for data in events:
                        async with seen.changed:
                            seen.events.append(data)
                            seen.changed.notify_all()
            except HomeAssistantError as err:
                async with seen.changed:
                    seen.error = err
                    seen.changed.notify_all()

        collecting = asyncio.create_task(collect(), name=f"events {event_type}")
        try:
            yield seen
        finally:
            collecting.cancel()
            with suppress(asyncio.CancelledError):
                await collecting


async def event_entities(client: HomeAssistantClient, agent: Agent) -> tuple[str, str]:
    """Return the entities that show notifications, of the gateway and of the agent."""
    rows = await client.call("config/entity_registry/list")
    ours = [row for row in rows if row["config_entry_id"] == agent.entry_id]
    subentries = {row["entity_id"]: row["config_subentry_id"] for row in ours}
    events = {
        row["config_subentry_id"]: str(row["entity_id"])
        for row in ours
        if row["entity_id"].startswith("event.") and row["translation_key"] == "notification"
    }
    return events[None], events[subentries[agent.entity_id]]


def _has(data: JsonObject, words: tuple[str, ...]) -> bool:
    text = f"{data['title']}\n{data['message']}"
    return all(word in text for word in words)
