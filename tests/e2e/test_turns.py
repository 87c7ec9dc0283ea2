"""Turns as a satellite has them: where it stands, silence, long tools, tasks, stopping."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
import time

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelRequest, ModelServer
from demo.script import TOOL_PREFACE
from demo.stage import Agent
from demo.turn import Delta, JsonObject, MessageStarted, TurnEnded, turn_events
from tests.e2e.conftest import Heard, ask

pytestmark = pytest.mark.e2e

AREA = "Wine cellar"
MODEL_LIMIT = 10.0
"""Seconds until the model server has seen something."""


@pytest.fixture
async def device_id(client: HomeAssistantClient, agent: Agent) -> AsyncGenerator[str]:
    """Return a device that stands in an area; whoever asks from it is heard, not read."""
    rows = await client.call("config/entity_registry/list")
    (device,) = {row["device_id"] for row in rows if row["entity_id"] == agent.entity_id}
    await client.assign_area(device, AREA)
    yield device
    await client.assign_area(device, None)


async def say(
    client: HomeAssistantClient, text: str, device_id: str, conversation_id: str | None = None
) -> Heard:
    """Ask from a device, and return what came."""
    messages: list[str] = []
    deltas: list[Delta] = []
    end: TurnEnded | None = None
    fields: JsonObject = {
        "start_stage": "intent",
        "end_stage": "intent",
        "input": {"text": text},
        "device_id": device_id,
    }
    if conversation_id is not None:
        fields["conversation_id"] = conversation_id
    async with aclosing(client.run_pipeline(fields)) as events:
        async for event in events:
            for told in turn_events(event.kind, event.data, event.seconds):
                match told:
                    case MessageStarted():
                        messages.append("")
                    case Delta():
                        messages[-1] += told.text
                        deltas.append(told)
                    case TurnEnded():
                        end = told
    assert end is not None, "the pipeline ended without an answer"
    return Heard(messages=tuple(filter(None, messages)), deltas=tuple(deltas), end=end)


def last_about(model_server: ModelServer, text: str) -> ModelRequest:
    """Return the last request of the model for an utterance."""
    return [request for request in model_server.requests if request.user_text == text][-1]


async def test_the_model_is_told_the_room(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer, device_id: str
) -> None:
    """Of the device that was spoken to, and that the answer is heard; a dialog has no room."""
    assert (await ask(client, "MODEL:SAY there")).end.answer == "there"
    read = str(last_about(model_server, "MODEL:SAY there").messages)
    assert AREA not in read
    assert "read aloud" not in read

    assert (await say(client, "MODEL:SAY here", device_id)).end.answer == "here"
    heard = str(last_about(model_server, "MODEL:SAY here").messages)
    assert f"Room: {AREA}" in heard
    assert "read aloud" in heard


async def test_nothing_is_heard_of_a_silent_agent(
    client: HomeAssistantClient, device_id: str
) -> None:
    """No word, and no error."""
    heard = await say(client, "MODEL:NO_REPLY", device_id)

    assert heard.messages == ()
    assert (heard.end.answer, heard.end.response_type) == ("", "action_done")


async def test_a_tool_that_takes_some_seconds_is_waited_for(
    client: HomeAssistantClient, device_id: str
) -> None:
    """What was said before it fills the time; nobody hears twice that it takes longer."""
    heard = await say(client, 'MODEL:TOOL exec {"command": "sleep 5; echo found"}', device_id)

    assert heard.messages == (TOOL_PREFACE, "The tool answered: found")
    assert heard.end.seconds > 5


async def test_a_task_is_stopped_by_saying_so(
    client: HomeAssistantClient, model_server: ModelServer, device_id: str
) -> None:
    """It has outlived its turn; meanwhile questions are answered, afterwards there is nothing left."""
    task = "MODEL:HANG 60"
    holding = await say(client, task, device_id)
    assert "tell you as soon as" in holding.end.answer
    assert 7 < holding.end.seconds < 12

    conversation = holding.end.conversation_id
    meanwhile = await say(client, "MODEL:SAY noon", device_id, conversation)
    assert meanwhile.end.answer == "noon"
    assert task in str(last_about(model_server, "MODEL:SAY noon").messages)
    assert not last_about(model_server, task).is_abandoned

    stopped = await say(client, "Stop!", device_id, conversation)
    assert stopped.end.answer == "Okay, I stopped working on that."
    await model_server.wait_for(
        lambda _: last_about(model_server, task).is_abandoned, limit=MODEL_LIMIT
    )
    again = await say(client, "Stop!", device_id, conversation)
    assert again.end.answer == "There is nothing to stop right now."


async def test_the_model_stops_when_nobody_listens(
    client: HomeAssistantClient,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
    agent: Agent,
) -> None:
    """A dialog that is closed in mid-answer aborts the run, in half a second."""
    question = "MODEL:SLOW 100 300"
    async with real_home_assistant.connect() as dialog, aclosing(dialog.ask(question)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
    left = time.monotonic()
    await model_server.wait_for(
        lambda _: last_about(model_server, question).is_abandoned, limit=MODEL_LIMIT
    )
    # The model server sees it with its next word at the latest.
    assert time.monotonic() - left < 1.0
