"""What automations have an agent do: tasks with data and files, and messages to it."""

from base64 import b64decode, b64encode
from typing import Any
from uuid import uuid4

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.stage import Agent

pytestmark = pytest.mark.e2e

PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PERSON = {
    "name": {"description": "Who lives here", "required": True, "selector": {"text": {}}},
    "age": {"required": True, "selector": {"number": {"min": 0, "max": 120}}},
}
MODEL_LIMIT = 60.0
"""Seconds until the model is asked for something."""


def entity(agent: Agent, domain: str) -> str:
    """Return the agent's entity of another kind."""
    return f"{domain}.{agent.entity_id.partition('.')[2]}"


async def generate(client: HomeAssistantClient, agent: Agent, **fields: Any) -> Any:  # noqa: ANN401 - any data
    """Have the agent do a task as an automation does, and return the data."""
    answer = await client.rest(
        "POST",
        "/api/services/ai_task/generate_data?return_response",
        {"task_name": "residents", "entity_id": entity(agent, "ai_task"), **fields},
    )
    return answer["service_response"]["data"]


async def test_a_task_gives_data_with_its_structure(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """The model is told the structure; what it says around the data is left out."""
    data = await generate(
        client,
        agent,
        instructions='MODEL:SAY Sure: {"name": "Ann", "age": 31} Anything else?',
        structure=PERSON,
    )

    assert data == {"name": "Ann", "age": 31}
    assert "Who lives here" in model_server.requests[-1].user_text


async def test_tasks_know_nothing_of_each_other(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """Each has a session of its own."""
    word = uuid4().hex
    await generate(client, agent, instructions=f"MODEL:SAY {word}")

    assert await generate(client, agent, instructions="MODEL:SAY again") == "again"
    assert word not in str(model_server.requests[-1].messages)


async def test_the_model_sees_a_picture(
    client: HomeAssistantClient,
    agent: Agent,
    model_server: ModelServer,
    real_home_assistant: HomeAssistantProcess,
) -> None:
    """Byte by byte, from Home Assistant's local media."""
    (real_home_assistant.folder / "media" / "door.png").write_bytes(PIXEL)

    data = await generate(
        client,
        agent,
        instructions="MODEL:SAY A door.",
        attachments=[
            {
                "media_content_id": "media-source://media_source/local/door.png",
                "media_content_type": "image/png",
            }
        ],
    )

    assert data == "A door."
    assert b64encode(PIXEL).decode() in str(model_server.requests[-1].messages)


async def test_a_message_reaches_the_model(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """With its title, in the words of the automation."""
    word = uuid4().hex
    await client.rest(
        "POST",
        "/api/services/notify/send_message",
        {"entity_id": entity(agent, "notify"), "title": "Laundry", "message": f"Done: {word}"},
    )

    await model_server.wait_for(
        lambda requests: any(f"Laundry\n\nDone: {word}" in each.user_text for each in requests),
        limit=MODEL_LIMIT,
    )
