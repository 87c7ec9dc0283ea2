"""What the client makes of exchanges recorded from a real gateway."""

import asyncio
from collections.abc import Sequence

import pytest

from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    RunFailedError,
)
from custom_components.openclaw_voice.gateway.models import HelloOk
from custom_components.openclaw_voice.gateway.recovery import RunFate, trace_run
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)
from tests.fakes.gateway import ScriptedGateway
from tests.fakes.replay import replay
from tests.recordings import Recording

KEY = "agent:main:homeassistant:0123abcd:conversation:x"
ANSWER = "word1 word2 word3 word4 word5 word6 word7 word8"


def told(items: Sequence[RunItem]) -> list[str]:
    """Return the messages and tools of a run, in order, in words."""
    story: list[str] = []
    for item in items:
        match item:
            case MessageStarted():
                story.append("")
            case ChatDelta(text=text):
                story[-1] += text
            case ToolActivity(phase=ToolPhase.START):
                story.append(f"> {item.name} {item.arguments}")
            case ToolActivity():
                story.append(f"< {item.result} {item.is_error}")
            case ChatFinal():
                story.append(item.outcome)
    return story


async def play(gateway: ScriptedGateway, client: GatewayClient, name: str) -> list[RunItem]:
    """Replay the run of a recording and return what the client makes of it."""
    gateway.script(*replay(name)[:1])
    async with client.chat.start(session_key=KEY, message="Hello") as run:
        return [item async for item in run]


async def next_delta(run: ChatRun) -> None:
    """Iterate a run to its next piece of text."""
    async for item in run:
        if isinstance(item, ChatDelta):
            return


async def test_answer(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """A plain answer arrives once, although it is sent as two kinds of frames."""
    items = await play(gateway, client, "agent-answer")
    assert told(items) == [ANSWER, "answered"]
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text=ANSWER)


async def test_messages_around_a_tool(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The text before a tool and the answer are two messages, the tool is told in between."""
    items = await play(gateway, client, "agent-tool")
    assert told(items) == [
        "Let me look that up.",
        "> exec {'command': 'echo hello'}",
        "< hello False",
        "The tool answered: hello",
        "answered",
    ]


async def test_failed_tool(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """A command that fails says so in its item only; it is an error all the same."""
    story = told(await play(gateway, client, "agent-failed-tool"))
    assert story[2].startswith("< (no output)")
    assert story[2].endswith("True")


async def test_silence_is_a_result(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """An agent that decides to say nothing has not failed, although it looks so."""
    items = await play(gateway, client, "agent-silent")
    assert items == [ChatFinal(outcome=RunOutcome.SILENT)]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("agent-empty", EmptyAnswerError),
        ("agent-model-error", RunFailedError),
        ("agent-deadline", RunFailedError),
    ],
)
async def test_run_without_answer(
    gateway: ScriptedGateway, client: GatewayClient, name: str, error: type[Exception]
) -> None:
    """A run that ends without an answer is an error of its own kind."""
    with pytest.raises(error):
        await play(gateway, client, name)


async def test_aborted_run_keeps_what_was_said(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """An abort ends the run with its partial text; what the gateway adds later is no error."""
    gateway.script(*replay("agent-abort")[:2])
    async with client.chat.start(session_key=KEY, message="Hello") as run:
        await next_delta(run)
        await run.abort()
        items = [item async for item in run]
    assert items[-1] == ChatFinal(outcome=RunOutcome.ABORTED, text="word1 word2")


async def test_run_aborted_before_its_acknowledgement(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Such a run has one response and no events at all."""
    gateway.script(*replay("agent-abort-at-once")[:2])
    async with client.chat.start(session_key=KEY, message="Hello") as run:
        await run.abort()
        assert [item async for item in run] == [ChatFinal(outcome=RunOutcome.ABORTED)]


async def test_serial_runs(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Two runs of a session are told apart by their ids."""
    gateway.script(*replay("agent-serial"))

    async def text_of(run: ChatRun) -> str:
        async with run:
            return [item async for item in run][-1].text  # type: ignore[union-attr]  # a ChatFinal

    detached = client.chat.start(session_key=KEY, message="first")
    detached.detach()
    first = asyncio.create_task(text_of(detached))
    await gateway.wait_for_request("agent")
    assert await text_of(client.chat.start(session_key=KEY, message="second")) == "second"
    assert await first == "word1 word2 word3 word4 word5"


def test_hello() -> None:
    """The recorded hello is read to its last used field."""
    hello = HelloOk.from_payload(Recording.load("hello").answer("connect"))
    assert hello.server_version == "2026.9.6"
    assert "operator.write" in hello.scopes
    assert hello.policy.tick_interval == 30


@pytest.mark.parametrize(
    ("name", "connection", "number", "fate"),
    [
        ("agent-recovery", "conn-2", 1, RunFate.RUNNING),
        ("agent-recovery", "conn-2", 2, RunFate.ANSWERED),
        ("agent-recovery-after-tool", "conn-2", 1, RunFate.ANSWERED),
        ("agent-recovery-during-tool", "conn-2", 1, RunFate.RUNNING),
        ("agent-terminated", "after", 1, RunFate.ANSWERED),
        ("agent-abort", "conn-1", 1, RunFate.ABORTED),
        ("agent-model-error", "conn-1", 1, RunFate.FAILED),
        ("agent-empty", "conn-1", 1, RunFate.FAILED),
        ("agent-killed", "after", 1, RunFate.CONTINUED),
        ("agent-killed", "after", 2, RunFate.ANSWERED),
    ],
)
def test_traces_of_a_lost_run(name: str, connection: str, number: int, fate: RunFate) -> None:
    """The history of a session tells what became of a run."""
    recording = Recording.load(name)
    started = next(line for line in recording.lines if line.frame.get("method") == "agent")
    history = recording.answer("chat.history", number=number, connection=connection)
    assert trace_run(history, started.frame["params"]["idempotencyKey"]).fate is fate


def test_recovered_text_has_all_messages() -> None:
    """The text of a recovered run is that of its final frame: all messages, joined."""
    recording = Recording.load("agent-recovery-after-tool")
    started = next(line for line in recording.lines if line.frame.get("method") == "agent")
    history = recording.answer("chat.history", connection="conn-2")
    trace = trace_run(history, started.frame["params"]["idempotencyKey"])
    assert trace.text == "Let me look that up.\n\nThe tool answered: hello"
