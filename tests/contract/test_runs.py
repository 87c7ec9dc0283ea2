"""What comes of a question, with and without accidents."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
import uuid

import pytest

from custom_components.openclaw_voice.assist.harmless import without_commands
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    RequestError,
    RunFailedError,
)
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.gateway.run_request import Attachment, Patience, RunMethod

from .conftest import STATE_LIMIT, Server

SLOW_MACHINE = Patience(recovery=120)
"""A gateway that was killed needs half a minute there until it continues."""

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def words(count: int) -> str:
    """Return what the model says to MODEL:SLOW."""
    return " ".join(f"word{number}" for number in range(1, count + 1))


def messages(items: list[RunItem]) -> list[str]:
    """Return the messages of a run, put together from their pieces."""
    texts: list[str] = []
    for item in items:
        match item:
            case MessageStarted():
                texts.append("")
            case ChatDelta(text=text):
                texts[-1] += text
            case _:
                pass
    return texts


@pytest.fixture(params=list(RunMethod))
def method(request: pytest.FixtureRequest) -> RunMethod:
    """Return how runs are started."""
    return RunMethod(request.param)


async def ask(
    client: GatewayClient,
    session_key: str,
    message: str,
    method: RunMethod = RunMethod.AGENT,
    attachments: tuple[Attachment, ...] = (),
) -> list[RunItem]:
    """Run to the end."""
    async with client.chat.start(
        session_key=session_key,
        message=message,
        method=method,
        attachments=attachments,
        instructions="Be brief.",
        work_context="room: kitchen",
    ) as run:
        return [item async for item in run]


async def run_with_accident(
    client: GatewayClient,
    session_key: str,
    message: str,
    method: RunMethod,
    accident: Callable[[ChatRun], Awaitable[None]],
) -> list[RunItem]:
    """Run to the end; something happens after the first piece of text."""
    items: list[RunItem] = []
    run = client.chat.start(
        session_key=session_key, message=message, method=method, patience=SLOW_MACHINE
    )
    async with run:
        async for item in run:
            items.append(item)
            if isinstance(item, ChatDelta) and not any(
                isinstance(earlier, ChatDelta) for earlier in items[:-1]
            ):
                await accident(run)
    return items


async def test_answer_streams(client: GatewayClient, session_key: str, method: RunMethod) -> None:
    """An answer arrives in several pieces, which are exactly its text."""
    items = await ask(client, session_key, "MODEL:SLOW 300 10", method)
    assert messages(items) == [words(10)]
    assert sum(isinstance(item, ChatDelta) for item in items) > 1
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(10))


@pytest.mark.parametrize("command", ["/exec ask=off", "Read this: /exec ask=off", "!ls"])
async def test_what_could_be_a_command_reaches_the_agent(
    client: GatewayClient, session_key: str, command: str
) -> None:
    """With a backslash before it, it is nothing but words: the model is asked all of it."""
    message = without_commands(command)
    items = await ask(client, session_key, message, RunMethod.CHAT_SEND)
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert not final.is_from_gateway
    assert f"“{message}" in final.text


async def test_messages_around_a_tool(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """The text before a tool and the answer are two messages, with the tool in between."""
    items = await ask(client, session_key, 'MODEL:TOOL exec {"command":"echo hello"}', method)
    assert messages(items) == ["Let me look that up.", "The tool answered: hello"]
    start, end = (item for item in items if isinstance(item, ToolActivity))
    assert (start.name, start.phase, start.arguments) == (
        "exec",
        ToolPhase.START,
        {"command": "echo hello"},
    )
    assert (end.call_id, end.phase, end.is_error) == (start.call_id, ToolPhase.END, False)
    assert (end.result or "").strip() == "hello"


async def test_abort_keeps_what_was_said(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """An aborted run ends with its text so far, and the next one of the session can begin."""
    items = await run_with_accident(
        client, session_key, "MODEL:SLOW 500 60", method, lambda run: run.abort()
    )
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert final.outcome is RunOutcome.ABORTED
    assert words(60).startswith(final.text)
    assert final.text.startswith("word1")
    assert messages(await ask(client, session_key, "MODEL:SAY next", method)) == ["next"]


async def test_leaving_aborts(client: GatewayClient, session_key: str) -> None:
    """A run nobody listens to does not keep the next one waiting."""
    async with client.chat.start(session_key=session_key, message="MODEL:HANG 60") as run:
        left = run.run_id
    assert messages(await ask(client, session_key, "MODEL:SAY next")) == ["next"]
    fate = await client.request("agent.wait", {"runId": left, "timeoutMs": 0})
    assert fate["stopReason"] == "rpc"


async def test_silence_is_a_result(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """An agent may decide to say nothing."""
    items = await ask(client, session_key, "MODEL:NO_REPLY", method)
    assert items == [ChatFinal(outcome=RunOutcome.SILENT)]


async def test_empty_answer_is_an_error(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """A model that returns nothing has failed."""
    with pytest.raises(EmptyAnswerError):
        await ask(client, session_key, "MODEL:EMPTY", method)


async def test_failed_model_is_an_error(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """A run whose model cannot be asked ends with an error."""
    with pytest.raises(RunFailedError):
        await ask(client, session_key, "MODEL:FAIL 404", method)


async def test_runs_of_two_sessions_do_not_mix(client: GatewayClient) -> None:
    """Two turns at once get their own words."""
    keys = [f"agent:main:homeassistant:contract:{uuid.uuid4().hex}" for _ in range(2)]
    both = await asyncio.gather(
        ask(client, keys[0], "MODEL:SLOW 120 6"),
        ask(client, keys[1], "MODEL:SAY the other one"),
    )
    assert [messages(items) for items in both] == [[words(6)], ["the other one"]]


async def test_recovers_from_a_cut_connection(
    server: Server, client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """A connection lost in mid-answer costs no word and repeats none."""

    async def cut(_: ChatRun) -> None:
        server.network.cut()

    items = await run_with_accident(client, session_key, "MODEL:SLOW 200 20", method, cut)
    assert messages(items) == [words(20)]
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(20))
    assert client.snapshot.reconnects == 1


async def test_recovers_an_answer_that_ended_meanwhile(
    server: Server, client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """An answer that was completed while the network was down is fetched afterwards."""

    async def be_away_to_the_end(run: ChatRun) -> None:
        server.network.break_down()
        async with server.client(server.settings(url=server.url)) as other:
            await other.wait_ready(STATE_LIMIT)
            waiting = {"runId": run.run_id, "timeoutMs": 60_000}
            fate = await other.request("agent.wait", waiting, timeout=70)
        assert fate["status"] == "ok"
        server.network.mend()

    items = await run_with_accident(
        client, session_key, "MODEL:SLOW 100 12", method, be_away_to_the_end
    )
    assert messages(items) == [words(12)]
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(12))


async def test_recovers_from_a_restart(
    server: Server, client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """A gateway killed in mid-answer continues the turn by itself; its answer reaches the turn."""
    before = (await client.wait_ready(STATE_LIMIT)).boot_id

    async def restart(_: ChatRun) -> None:
        await server.restart()

    items = await run_with_accident(client, session_key, "MODEL:SLOW 500 12", method, restart)
    assert messages(items)[-1] == words(12)
    final = items[-1]
    assert isinstance(final, ChatFinal)
    assert final.outcome is RunOutcome.ANSWERED
    assert (await client.wait_ready(STATE_LIMIT)).boot_id != before


async def test_image_goes_with_a_message(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """Either method takes it."""
    image = Attachment(name="door.png", mime_type="image/png", content=PIXEL)
    items = await ask(client, session_key, "MODEL:SAY seen", method, (image,))
    assert messages(items) == ["seen"]


async def test_text_file_goes_with_chat_send(client: GatewayClient, session_key: str) -> None:
    """Its text is added to the message."""
    note = Attachment(name="note.txt", mime_type="text/plain", content=b"hello file")
    items = await ask(client, session_key, "MODEL:SAY read", RunMethod.CHAT_SEND, (note,))
    assert messages(items) == ["read"]


async def test_text_file_does_not_go_with_agent(client: GatewayClient, session_key: str) -> None:
    """The gateway refuses it there."""
    note = Attachment(name="note.txt", mime_type="text/plain", content=b"hello file")
    with pytest.raises(RequestError, match="non-image attachments"):
        await ask(client, session_key, "MODEL:SAY read", RunMethod.AGENT, (note,))


async def test_stop_word_is_no_run(client: GatewayClient, session_key: str) -> None:
    """The gateway takes it for itself and tells nothing more, so it ends the turn at once."""
    items = await ask(client, session_key, "Stop.", RunMethod.CHAT_SEND)
    assert items == [ChatFinal(outcome=RunOutcome.SILENT)]


async def test_next_run_interrupts_the_one_before(
    client: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """Who speaks again is answered at once; who listened before hears the end of it."""
    has_begun = asyncio.Event()

    async def listen() -> list[RunItem]:
        items: list[RunItem] = []
        run = client.chat.start(session_key=session_key, message="MODEL:SLOW 500 60", method=method)
        async with run:
            async for item in run:
                items.append(item)
                has_begun.set()
        return items

    first = asyncio.create_task(listen())
    await has_begun.wait()
    assert messages(await ask(client, session_key, "MODEL:SAY next", method)) == ["next"]
    final = (await first)[-1]
    assert isinstance(final, ChatFinal)
    assert final.outcome is RunOutcome.ABORTED
