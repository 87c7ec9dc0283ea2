"""An agent that is removed while we are connected, on the real gateway."""

import asyncio
from pathlib import Path

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import AgentNotFoundError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from demo.gateway import GatewayProcess

from .conftest import running

pytestmark = [pytest.mark.e2e("gateway"), pytest.mark.usefixtures("socket_enabled")]

NO_MODEL = "http://127.0.0.1:9/v1"
"""Nothing is asked."""

CHANGE_LIMIT = 90.0
"""Seconds until the gateway has noticed a change of its configuration."""


async def test_a_removed_agent_is_told_and_refused(tmp_path: Path) -> None:
    """The gateway says that its configuration has changed, and does not know the agent any more."""
    changed = asyncio.Event()

    def note(event: GatewayEvent) -> None:
        if event.name == "config.changed":
            changed.set()

    agents = ("main", "cook")
    async with GatewayProcess(tmp_path, NO_MODEL, agents=agents, default_agent="main") as gateway:
        settings = ConnectionSettings(
            url=gateway.url,
            credentials=Credentials(secret=gateway.token),
            identity=DeviceIdentity.create(),
            client_version="0.1.0",
        )
        async with running(GatewayClient(settings)) as client:
            await client.wait_ready(CHANGE_LIMIT)
            assert await ids(client) == {"main", "cook"}
            client.subscribe_events(note)
            await gateway.command("agents", "delete", "cook", "--force", limit=CHANGE_LIMIT)
            async with asyncio.timeout(CHANGE_LIMIT):
                await changed.wait()
            assert await ids(client) == {"main"}
            with pytest.raises(AgentNotFoundError):
                await client.request(
                    "agent",
                    {
                        "sessionKey": "agent:cook:homeassistant:00000000:shared:test",
                        "message": "Hello",
                        "idempotencyKey": "vanished-1",
                    },
                )


async def ids(client: GatewayClient) -> set[str]:
    """Return the ids of the agents the gateway has."""
    return {agent.agent_id for agent in (await client.status.agents()).agents}
