"""What scripts about a run's fate are made of: requests, rows of a history, what is heard."""

import asyncio
from collections.abc import Callable
from typing import Any

from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.gateway.run_items import ChatDelta, ChatFinal, RunItem
from tests.fakes.agent_run import AgentRun
from tests.fakes.gateway import Answer, Expect

type JsonObject = dict[str, Any]
type Rows = Callable[[str], list[JsonObject]]

SESSION = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"


def ask(client: GatewayClient, **options: object) -> ChatRun:
    """Return a run in the session of these tests."""
    return client.chat.start(session_key=SESSION, message="Hello?", **options)  # type: ignore[arg-type]  # named by the test


async def heard(run: ChatRun) -> list[RunItem]:
    """Return everything a run still says and does."""
    async with asyncio.timeout(10):
        return [item async for item in run]


async def final_of(run: ChatRun) -> ChatFinal:
    """Run to the end; what was said must be the text of the end."""
    async with run:
        items = await heard(run)
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert text_of(items) == final.text
    return final


async def error_of(run: ChatRun) -> GatewayError:
    """Return why a run fails."""
    try:
        async with run:
            await heard(run)
    except GatewayError as err:
        return err
    raise AssertionError("the run has not failed")


async def first_word(run: ChatRun) -> str:
    """Return the first text of a run, and stop listening."""
    async with asyncio.timeout(10):
        async for item in run:
            if isinstance(item, ChatDelta):
                return item.text
    raise AssertionError("the run says nothing")


def text_of(items: list[RunItem]) -> str:
    """Return what was said."""
    return "".join(item.text for item in items if isinstance(item, ChatDelta))


def user_row(run_id: str) -> JsonObject:
    """Return the row of what the user said."""
    return {"role": "user", "content": "Hello?", "idempotencyKey": f"{run_id}:user"}


def answer_row(run_id: str, text: str, **fields: object) -> JsonObject:
    """Return the row of an answer."""
    row: JsonObject = {
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stopReason": "stop",
        "__openclaw": {"runId": run_id},
    }
    return row | fields


def history(rows: Rows = lambda _: [], **fields: object) -> Expect:
    """Expect a look into the history; rows, and fields that are functions, are made for its run."""

    def payload(run: AgentRun) -> JsonObject:
        made = {
            key: value(run.run_id) if callable(value) else value for key, value in fields.items()
        }
        return {"sessionKey": SESSION, "messages": rows(run.run_id), **made}

    return Expect("chat.history", emit=[Answer(payload)])


def waited(**outcome: object) -> Expect:
    """Expect a look into the gateway's memory; without an outcome it knows of no end."""
    end = {"endedAt": 1_795_168_783_261} if outcome else {"status": "timeout"}
    return Expect(
        "agent.wait",
        params={"timeoutMs": 0},
        emit=[Answer(lambda run: {"runId": run.run_id, **end, **outcome})],
    )


def reply(disposition: str, text: str | None = None) -> JsonObject:
    """Return the reply that `agent.wait` tells of."""
    return {"disposition": disposition} | ({} if text is None else {"text": text})
