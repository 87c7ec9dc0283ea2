"""Runs that nobody waits for: they outlive their turn, the connection, the gateway and us."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    NotConnectedError,
    RunFailedError,
    RunLostError,
)
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    RunOutcome,
)
from custom_components.openclaw_voice.gateway.run_request import RunMethod

from .conftest import STATE_LIMIT, Server
from .test_runs import method, words

__all__ = ["method"]

RUN_LIMIT = 180.0
"""Seconds until a run must have ended, also one that a restarted gateway continues."""

TOOL = 'MODEL:TOOL exec {"command":"echo hello"}'
WITH_TOOL = "Let me look that up.\n\nThe tool answered: hello"


async def leave_running(
    client: GatewayClient, session_key: str, message: str, method: RunMethod
) -> ChatRun:
    """Start a run, hear its first word, and leave it."""
    run = client.chat.start(session_key=session_key, message=message, method=method)
    async with run:
        async for item in run:
            if isinstance(item, ChatDelta):
                break
        run.detach()
    return run


async def start_and_go(server: Server, session_key: str, message: str, method: RunMethod) -> str:
    """Start a run and vanish, as Home Assistant does when it is restarted; return its id."""
    async with server.client() as client:
        await client.wait_ready(STATE_LIMIT)
        return (await leave_running(client, session_key, message, method)).run_id


async def until_its_end(server: Server, run_id: str) -> None:
    """Wait until the gateway has ended a run."""
    async with server.client(server.settings(url=server.url)) as other:
        await other.wait_ready(STATE_LIMIT)
        await other.request("agent.wait", {"runId": run_id, "timeoutMs": 60_000}, timeout=70)


async def final_of(client: GatewayClient, key: str, run_id: str, method: RunMethod) -> ChatFinal:
    """Return the end of a run that was started earlier."""
    async with (
        asyncio.timeout(RUN_LIMIT),
        client.chat.resume(session_key=key, run_id=run_id, method=method) as run,
    ):
        items = [item async for item in run]
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert "".join(item.text for item in items if isinstance(item, ChatDelta)) == final.text
    return final


async def test_detached_run_outlives_a_killed_gateway(
    server: Server, client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """The gateway continues it under another id, and its answer is whole."""
    run = await leave_running(client, session_key, "MODEL:SLOW 500 12", method)
    await server.restart()
    async with asyncio.timeout(RUN_LIMIT):
        final = [item async for item in run][-1]
    assert final == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(12))


async def test_stopped_client_leaves_a_detached_run_alone(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """Whoever iterates it is told that it has not ended; it is found again afterwards."""
    async with server.client() as client:
        await client.wait_ready(STATE_LIMIT)
        run = await leave_running(client, session_key, "MODEL:SLOW 200 25", method)
        rest = asyncio.create_task(anext(item async for item in run if isinstance(item, ChatFinal)))
    with pytest.raises(NotConnectedError):
        await rest
    async with server.client() as client:
        final = await final_of(client, session_key, run.run_id, method)
    assert final == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(25))


async def test_resumed_run_that_still_works(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """Its answer is whole although its beginning was heard by nobody."""
    run_id = await start_and_go(server, session_key, "MODEL:SLOW 200 25", method)
    async with server.client() as client:
        final = await final_of(client, session_key, run_id, method)
    assert final == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(25))


async def test_resumed_run_that_has_ended_meanwhile(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """What was said before the tool belongs to the answer."""
    run_id = await start_and_go(server, session_key, TOOL, method)
    await until_its_end(server, run_id)
    async with server.client() as client:
        final = await final_of(client, session_key, run_id, method)
    assert (final.outcome, final.text.strip()) == (RunOutcome.ANSWERED, WITH_TOOL)


@pytest.mark.parametrize(
    ("message", "end"),
    [
        ("MODEL:NO_REPLY", RunOutcome.SILENT),
        ("MODEL:EMPTY", EmptyAnswerError),
        ("MODEL:FAIL 404", RunFailedError),
    ],
)
async def test_resumed_run_that_has_ended_without_an_answer(
    client: GatewayClient,
    session_key: str,
    method: RunMethod,
    message: str,
    end: RunOutcome | type[Exception],
) -> None:
    """The gateway remembers for some minutes how it ended."""
    run = client.chat.start(session_key=session_key, message=message, method=method)
    async with run:
        run.detach()
    await client.request("agent.wait", {"runId": run.run_id, "timeoutMs": 60_000}, timeout=70)
    if isinstance(end, RunOutcome):
        assert (await final_of(client, session_key, run.run_id, method)).outcome is end
    else:
        with pytest.raises(end):
            await final_of(client, session_key, run.run_id, method)


async def test_resumed_run_that_ended_before_the_gateway_was_restarted(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """Only the history has it, as for one that ended long ago."""
    run_id = await start_and_go(server, session_key, TOOL, method)
    await until_its_end(server, run_id)
    await server.restart()
    async with server.client() as client:
        final = await final_of(client, session_key, run_id, method)
    assert (final.outcome, final.text.strip()) == (RunOutcome.ANSWERED, WITH_TOOL)


async def test_resumed_run_that_a_restarted_gateway_continues(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """Both of us were away."""
    run_id = await start_and_go(server, session_key, "MODEL:SLOW 500 12", method)
    await server.restart()
    async with server.client() as client:
        final = await final_of(client, session_key, run_id, method)
    assert final == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(12))


async def test_resumed_run_can_be_aborted(
    server: Server, session_key: str, method: RunMethod
) -> None:
    """The user does not want the answer any more."""
    run_id = await start_and_go(server, session_key, "MODEL:SLOW 500 60", method)
    async with server.client() as client:
        run = client.chat.resume(session_key=session_key, run_id=run_id, method=method)
        async with run:
            rest = asyncio.create_task(
                anext(item async for item in run if isinstance(item, ChatFinal))
            )
            await asyncio.wait_for(run.abort(), STATE_LIMIT)
            final = await asyncio.wait_for(rest, STATE_LIMIT)
    assert final.outcome is RunOutcome.ABORTED


async def test_run_nobody_knows_is_lost(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """It is not waited for, and nothing is started in its place."""
    with pytest.raises(RunLostError):
        await final_of(client, session_key, "0b7f4e5c-no-such-run", method)
