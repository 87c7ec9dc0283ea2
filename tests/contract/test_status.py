"""What a gateway tells of itself, and which runs go on there."""

import asyncio
from datetime import UTC, datetime

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient

from .conftest import Server

pytestmark = pytest.mark.usefixtures("socket_enabled")

LIMIT = 60.0
"""Seconds until something must be told."""


async def told(client: GatewayClient, number: int) -> None:
    """Wait until so many runs go on."""
    changed = asyncio.Event()
    unsubscribe = client.activity.subscribe(changed.set)
    async with asyncio.timeout(LIMIT):
        while sum(client.activity.runs.values()) != number:
            changed.clear()
            await changed.wait()
    unsubscribe()


async def test_a_gateway_tells_of_its_machine_and_answers_soon(client: GatewayClient) -> None:
    """Its process has some memory; a small request takes no time to speak of."""
    memory = (await client.status.system_info()).memory
    assert memory is not None
    assert memory > 1_000_000
    assert 0 < await client.status.round_trip() < LIMIT


async def test_usage_is_told_when_it_is_counted(client: GatewayClient) -> None:
    """Of all and of one, for a day of any time zone; a gateway that has just begun tells nothing."""
    today = datetime.now(UTC).date()
    for agent_id in (None, "main"):
        usage = await client.status.usage(today, "UTC", agent_id)
        assert usage is None or usage.day == today


async def test_the_hello_says_what_a_model_and_a_door_there_is(client: GatewayClient) -> None:
    """Advice for people is made of it."""
    hello = client.snapshot.hello
    assert hello is not None
    assert hello.is_model_configured is True
    assert hello.auth_method == "token"
    assert hello.update is None


async def test_a_run_is_seen_by_others_from_its_beginning_to_its_end(
    server: Server, client: GatewayClient, session_key: str
) -> None:
    """Pushed to every client; whoever comes later finds it in the list."""
    run = client.chat.start(session_key=session_key, message="MODEL:HANG 60")
    async with server.client() as other:
        await other.wait_ready(LIMIT)
        await other.activity.read()
        async with run:
            await told(other, 1)
            assert other.activity.runs == {"main": 1}
            async with server.client() as third:
                await third.wait_ready(LIMIT)
                await third.activity.read()
                assert third.activity.runs == {"main": 1}
                await run.abort()
                await told(third, 0)
        await told(other, 0)
        assert other.activity.last.keys() == {"main"}
