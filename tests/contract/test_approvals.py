"""Who is asked for approvals, and what becomes of them."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
import json

import pytest

from custom_components.openclaw_voice.gateway.approvals import (
    APPROVAL_REQUESTED,
    APPROVAL_RESOLVED,
    Approval,
    ApprovalKind,
    ApprovalResolved,
)
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import ApprovalGoneError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import DEFAULT_SCOPES
from custom_components.openclaw_voice.gateway.run_items import ChatFinal
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.gateway.state import ClientState

from .conftest import Server, reached

LIMIT = 90
"""Seconds until something that waits for the gateway must have happened."""


class Heard:
    """What a client is told of approvals."""

    def __init__(self, client: GatewayClient) -> None:
        """Listen from now on."""
        self.asked: asyncio.Queue[Approval] = asyncio.Queue()
        self.over: asyncio.Queue[ApprovalResolved] = asyncio.Queue()
        client.subscribe_events(self._on_event)

    def _on_event(self, event: GatewayEvent) -> None:
        if (kind := APPROVAL_REQUESTED.get(event.name)) is not None:
            approval = Approval.from_payload(kind, event.payload)
            assert approval is not None
            self.asked.put_nowait(approval)
        if (kind := APPROVAL_RESOLVED.get(event.name)) is not None:
            resolved = ApprovalResolved.from_payload(kind, event.payload, now=datetime.now(UTC))
            assert resolved is not None
            self.over.put_nowait(resolved)


@pytest.fixture
async def cautious(server: Server, session_key: str) -> str:
    """Return a session whose commands wait for an approval, as an administrator has set it."""
    settings = server.settings(
        identity=DeviceIdentity.create(), scopes=(*DEFAULT_SCOPES, "operator.admin")
    )
    async with server.client(settings) as admin:
        await admin.wait_ready(LIMIT)
        await admin.request("sessions.patch", {"key": session_key, "permissionMode": "guarded"})
    return session_key


@pytest.fixture
async def stranger(server: Server) -> AsyncGenerator[GatewayClient]:
    """Return a client of another device."""
    async with server.client(server.settings(identity=DeviceIdentity.create())) as client:
        await client.wait_ready(LIMIT)
        yield client


async def run_command(client: GatewayClient, session_key: str, command: str) -> str:
    """Have an agent run a command, and return its answer."""
    message = f"MODEL:TOOL exec {json.dumps({'command': command})}"
    async with client.chat.start(
        session_key=session_key, message=message, method=RunMethod.CHAT_SEND
    ) as run:
        items = [item async for item in run]
    final = items[-1]
    assert isinstance(final, ChatFinal)
    return final.text


async def test_a_command_waits_for_its_approval(client: GatewayClient, cautious: str) -> None:
    """It is told with all that people decide by; then it runs."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(run_command(client, cautious, "echo allowed-one"))
        approval = await heard.asked.get()
        assert await client.approvals.list() == (approval,)
        await client.approvals.resolve(approval, "allow-once")
        resolved = await heard.over.get()

    assert approval.kind is ApprovalKind.EXEC
    assert (approval.command, approval.title, approval.is_cut) == (
        "echo allowed-one",
        "echo",
        False,
    )
    assert (approval.agent_id, approval.session_key) == ("main", cautious)
    assert approval.run_id
    assert approval.host == "gateway"
    assert {"allow-once", "deny"} <= set(approval.decisions)
    assert approval.created < datetime.now(UTC) < approval.expires
    assert (resolved.id, resolved.decision) == (approval.id, "allow-once")
    assert resolved.resolved_by
    assert resolved.approval is not None
    assert resolved.approval.command == approval.command
    assert "allowed-one" in answer.result()
    assert await client.approvals.list() == ()


async def test_what_is_denied_does_not_run(client: GatewayClient, cautious: str) -> None:
    """The agent is told, and goes on. The same decision again is no error, another one is."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(run_command(client, cautious, "echo denied-one"))
        approval = await heard.asked.get()
        await client.approvals.resolve(approval, "deny")
        await heard.over.get()

    assert "Exec denied" in answer.result()
    await client.approvals.resolve(approval, "deny")
    with pytest.raises(ApprovalGoneError):
        await client.approvals.resolve(approval, "allow-once")


async def test_another_device_neither_sees_nor_decides_it(
    client: GatewayClient, stranger: GatewayClient, cautious: str
) -> None:
    """To it there is no such approval."""
    heard, other = Heard(client), Heard(stranger)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_command(client, cautious, "echo mine"))
        approval = await heard.asked.get()
        assert await stranger.approvals.list() == ()
        with pytest.raises(ApprovalGoneError):
            await stranger.approvals.resolve(approval, "deny")
        await client.approvals.resolve(approval, "deny")
    assert other.asked.empty()
    assert other.over.empty()


async def test_what_waits_is_listed_after_a_lost_connection(
    client: GatewayClient, server: Server, cautious: str
) -> None:
    """It is not told again, and the run waits on."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(run_command(client, cautious, "echo still-there"))
        approval = await heard.asked.get()
        server.network.break_down()
        await reached(client, ClientState.RETRY_WAIT)
        server.network.mend()
        await client.wait_ready(LIMIT)
        assert await client.approvals.list() == (approval,)
        await client.approvals.resolve(approval, "allow-once")
    assert "still-there" in answer.result()
    assert heard.asked.empty()


async def test_a_plugin_asks_the_other_connections_of_its_device(
    client: GatewayClient, server: Server
) -> None:
    """With a title and a description; it offers every decision."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), server.client(server.settings(caps=())) as plugin:
        await plugin.wait_ready(LIMIT)
        await plugin.request(
            "plugin.approval.request",
            {
                "title": "Unlock the front door",
                "description": "lock.unlock lock.front_door",
                "severity": "critical",
                "timeoutMs": 60_000,
                "twoPhase": True,
            },
        )
        approval = await heard.asked.get()
        assert await client.approvals.list() == (approval,)
        await client.approvals.resolve(approval, "allow-once")
        resolved = await heard.over.get()

    assert approval.kind is ApprovalKind.PLUGIN
    assert (approval.title, approval.severity) == ("Unlock the front door", "critical")
    assert approval.command == "lock.unlock lock.front_door"
    assert approval.decisions == ("allow-once", "allow-always", "deny")
    assert (resolved.id, resolved.decision) == (approval.id, "allow-once")


async def test_what_nobody_decides_is_denied_in_time(client: GatewayClient, server: Server) -> None:
    """By nobody; afterwards there is no such approval."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), server.client(server.settings(caps=())) as asker:
        await asker.wait_ready(LIMIT)
        await asker.request(
            "exec.approval.request",
            {"command": "echo too-late", "timeoutMs": 1_000, "twoPhase": True},
        )
        approval = await heard.asked.get()
        resolved = await heard.over.get()

    assert (resolved.id, resolved.decision, resolved.resolved_by) == (approval.id, "deny", None)
    assert abs((resolved.at - approval.expires).total_seconds()) < 5
    with pytest.raises(ApprovalGoneError):
        await client.approvals.resolve(approval, "allow-once")


async def test_a_restarted_gateway_has_forgotten_what_waited(
    client: GatewayClient, server: Server
) -> None:
    """Nobody is told, so the list after the connect has to."""
    heard = Heard(client)
    async with asyncio.timeout(2 * LIMIT):
        async with server.client(server.settings(caps=())) as asker:
            await asker.wait_ready(LIMIT)
            await asker.request(
                "exec.approval.request",
                {"command": "echo forgotten", "timeoutMs": 60_000, "twoPhase": True},
            )
            approval = await heard.asked.get()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reached(client, ClientState.RETRY_WAIT))
            await server.restart()
        await client.wait_ready(LIMIT)
        assert await client.approvals.list() == ()
        with pytest.raises(ApprovalGoneError):
            await client.approvals.resolve(approval, "deny")
    assert heard.over.empty()
