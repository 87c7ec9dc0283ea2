"""What a client makes of `chat.send` as a real gateway answers it."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import EmptyAnswerError, RunFailedError
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    RunItem,
    RunOutcome,
    ToolActivity,
)
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from tests.fakes.gateway import ScriptedGateway
from tests.fakes.replay import replay

KEY = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"
WORDS = "word1 word2 word3 word4 word5 word6 word7 word8"


async def play(gateway: ScriptedGateway, client: GatewayClient, name: str) -> list[RunItem]:
    """Replay the run of a recording and return what the client makes of it."""
    gateway.script(*replay(name))
    run = client.chat.start(session_key=KEY, message="Hello?", method=RunMethod.CHAT_SEND)
    async with asyncio.timeout(5), run:
        return [item async for item in run]


async def test_answer(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The text comes in pieces; what the gateway prepares is no text."""
    items = await play(gateway, client, "send-answer")
    assert "".join(item.text for item in items if isinstance(item, ChatDelta)) == WORDS
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text=WORDS)


async def test_messages_around_a_tool(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """They are told as those of an `agent` run."""
    items = await play(gateway, client, "send-tool")
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert final.text.split("\n\n") == ["Let me look that up.", "The tool answered: hello"]
    assert [item.name for item in items if isinstance(item, ToolActivity)] == ["exec", "exec"]


@pytest.mark.parametrize("name", ["send-silent", "send-stop-word"])
async def test_silence_is_a_result(
    gateway: ScriptedGateway, client: GatewayClient, name: str
) -> None:
    """Neither needs another request."""
    assert await play(gateway, client, name) == [ChatFinal(outcome=RunOutcome.SILENT)]


@pytest.mark.parametrize(
    ("name", "error"), [("send-empty", EmptyAnswerError), ("send-model-error", RunFailedError)]
)
async def test_run_without_answer(
    gateway: ScriptedGateway, client: GatewayClient, name: str, error: type[Exception]
) -> None:
    """The first end counts; the error that follows it changes nothing."""
    with pytest.raises(error):
        await play(gateway, client, name)
