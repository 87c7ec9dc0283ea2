"""Adds agents and changes their options through the subentry flow, as the frontend does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from demo.agent_options import AGENT, FLOW, Form, open_options, send_options
from demo.client import HomeAssistantClient, JsonObject
from demo.gateway import GatewayProcess
from demo.process import POLL_INTERVAL
from demo.stage import Agent

LISTED_LIMIT = 90.0
"""Seconds until the gateway has noticed a change of its configuration."""


@dataclass(slots=True)
class Options:
    """The options of one agent; what a test changes can be taken back."""

    client: HomeAssistantClient
    agent: Agent
    before: dict[str, object] = field(default_factory=dict)

    async def change(self, **changes: object) -> None:
        """Change some options; the next turn uses them."""
        form = await self.open()
        for name in changes:
            self.before.setdefault(name, form.held(name))
        await self.send(form, changes)

    async def open(self) -> Form:
        """Open the page of the options."""
        return await open_options(self.client, self.agent)

    async def send(self, form: Form, changes: Mapping[str, object]) -> None:
        """Send the page."""
        await send_options(self.client, form, changes)

    async def take_back(self, client: HomeAssistantClient) -> None:
        """Give what was changed the values it had."""
        self.client = client
        if self.before:
            await self.send(await self.open(), self.before)
            self.before.clear()


async def add_agent(
    client: HomeAssistantClient, first: Agent, gateway: GatewayProcess, name: str
) -> Agent:
    """Have the gateway make an agent, unless it has it, and add it from the list of agents."""
    agent = Agent(entry_id=first.entry_id, entity_id=f"conversation.{name}")

    async def is_added() -> bool:
        rows = await client.agents_of(first.entry_id)
        return agent.entity_id in {row["entity_id"] for row in rows}

    async def is_offered() -> bool:
        return _offers(await _begin(client, first), name)

    if not await is_added():
        if not await is_offered():
            folder = str(gateway.folder / f"workspace-{name}")
            arguments = ("agents", "add", name, "--workspace", folder, "--non-interactive")
            await gateway.command(*arguments, limit=LISTED_LIMIT)
            await eventually(is_offered)
        step = await _begin(client, first)
        step = await client.rest("POST", f"{FLOW}/{step['flow_id']}", {"agent_id": name})
        form = Form.of(step)
        end = await client.rest("POST", f"{FLOW}/{form.flow_id}", form.filled_in({}))
        assert end["type"] == "create_entry", end
        await eventually(is_added)
    await client.wait_for_state(agent.entity_id, lambda state: state != "unavailable")
    return agent


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so that nobody tells of."""
    async with asyncio.timeout(LISTED_LIMIT):
        while not await is_so():  # noqa: ASYNC110  neither program tells when it has read its files
            await asyncio.sleep(POLL_INTERVAL)


async def _begin(client: HomeAssistantClient, first: Agent) -> JsonObject:
    step: JsonObject = await client.rest("POST", FLOW, {"handler": [first.entry_id, AGENT]})
    return step


def _offers(step: JsonObject, name: str) -> bool:
    """Whether the form with the agents that can be added is shown, and has this one."""
    return step.get("step_id") == "user" and name in str(step["data_schema"])
