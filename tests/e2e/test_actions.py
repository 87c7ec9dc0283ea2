"""What scripts and automations do with an agent by our actions."""

from base64 import b64encode
from uuid import uuid4

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.stage import Agent

from .aloud import LateAnswers, Room, act, new_word
from .conftest import ask
from .test_tasks import PIXEL

pytestmark = pytest.mark.e2e

STAGES = {"connected", "first_text", "first_sentence", "done"}


async def test_a_picture_that_goes_with_a_question_is_seen_by_the_model(
    client: HomeAssistantClient,
    agent: Agent,
    model_server: ModelServer,
    real_home_assistant: HomeAssistantProcess,
) -> None:
    """Byte by byte; the answer is what the action returns."""
    (real_home_assistant.folder / "media" / "garden.png").write_bytes(PIXEL)

    response = await act(
        client,
        "ask",
        agent=agent.entity_id,
        message="MODEL:SAY A garden.",
        attachments=[
            {
                "media_content_id": "media-source://media_source/local/garden.png",
                "media_content_type": "image/png",
            }
        ],
    )

    assert (response["status"], response["answer"]) == ("answered", "A garden.")
    assert b64encode(PIXEL).decode() in str(model_server.requests[-1].messages)


async def test_a_question_nobody_waits_for_ends_in_an_event(
    client: HomeAssistantClient,
    agent: Agent,
    kitchen_room: Room,
    late: LateAnswers,
    model_server: ModelServer,
) -> None:
    """The action returns at once; the answer is not announced."""
    word = new_word()
    known = len(kitchen_room.satellite.playbacks)

    response = await act(
        client, "ask", agent=agent.entity_id, message=f"MODEL:HOLD {word}", wait=False
    )

    assert response["status"] == "later"
    model_server.release(word)
    event = await late.with_words(word)
    assert event["id"] == response["late_answer_id"]
    listed = await act(client, "list_late_answers", agent=agent.entity_id)
    (kept,) = [each for each in listed["late_answers"] if each["id"] == event["id"]]
    assert kept["status"] == "delivered"
    assert len(kitchen_room.satellite.playbacks) == known


async def test_the_slow_stage_of_a_turn_is_named(client: HomeAssistantClient, agent: Agent) -> None:
    """A model that thinks for three seconds is the reason."""
    response = await act(client, "test", agent=agent.entity_id, message="MODEL:HANG 3 Hello.")

    assert (response["status"], response["answer"]) == ("answered", "Hello.")
    assert response["slowest"] == "first_text"
    assert response["stages"]["first_text"] > 3
    assert response["stages"].keys() == STAGES
    assert sum(response["stages"].values()) == pytest.approx(response["seconds"], abs=0.01)


async def test_a_named_session_starts_anew_when_an_automation_says_so(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """What was said before is forgotten; it can be continued by its key."""
    session, first, second = uuid4().hex, new_word(), new_word()

    async def say(word: str) -> str:
        await act(
            client, "ask", agent=agent.entity_id, session=session, message=f"MODEL:SAY {word}"
        )
        return str(model_server.requests[-1].messages)

    await say(first)
    assert first in await say(second)

    response = await act(client, "new_conversation", agent=agent.entity_id, session=session)

    assert response["session_key"] != response["previous_session_key"]
    assert first not in await say("anew")
    listed = await act(client, "list_sessions", agent=agent.entity_id)
    keys = [each["session_key"] for each in listed["sessions"]]
    assert {response["session_key"], response["previous_session_key"]} <= set(keys)


async def test_somebody_starts_anew_by_saying_so(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """In one and the same conversation of Assist, the agent forgets."""
    word = new_word()
    first = await ask(client, f"MODEL:SAY {word}")
    same = first.end.conversation_id

    started = await ask(client, "start a new conversation", conversation_id=same)
    await ask(client, "MODEL:SAY anew", conversation_id=same)

    assert started.end.answer == "Okay, let's start over."
    assert word not in str(model_server.requests[-1].messages)
