"""Stopping an agent: by leaving, by asking something else, by saying so, by an action."""

import asyncio
from contextlib import aclosing
import time

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelRequest, ModelServer
from demo.stage import Agent
from demo.turn import Delta
from demo.voice.room import SatelliteEntity, announce
from demo.voice.satellite import Satellite
from demo.voice.sound import Sound

from .aloud import HOLDING, LateAnswers, Room, act, new_word
from .conftest import ask
from .subentry_flow import Options

pytestmark = pytest.mark.e2e

MODEL_LIMIT = 15.0
"""Seconds until a question has reached the model, or the gateway has left it."""

RIVER = "What is the longest river in the world"

ABORTED_LIMIT = 1.0
"""Seconds from what ends a turn until the model is left: half of it ours. It takes a tenth of one."""


def request_of(model_server: ModelServer, question: str) -> ModelRequest | None:
    """Return the model's request with this question."""
    found = [each for each in model_server.requests if each.user_text == question]
    return found[-1] if found else None


async def wait_until_asked(model_server: ModelServer, question: str) -> None:
    """Wait until the model works on a question."""
    await model_server.wait_for(
        lambda _: request_of(model_server, question) is not None, limit=MODEL_LIMIT
    )


async def wait_until_left(model_server: ModelServer, question: str) -> float:
    """Wait until the gateway has left the model alone with a question; return how long that took."""
    begun = time.monotonic()
    await model_server.wait_for(
        lambda _: (
            (request := request_of(model_server, question)) is not None and request.is_abandoned
        ),
        limit=MODEL_LIMIT,
    )
    return time.monotonic() - begun


async def test_who_leaves_stops_the_agent(
    agent: Agent, real_home_assistant: HomeAssistantProcess, model_server: ModelServer
) -> None:
    """Closing the dialog, or the browser, in mid-answer ends the run at once."""
    question = "MODEL:SLOW 100 300"
    async with real_home_assistant.connect() as leaving, aclosing(leaving.ask(question)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break

    assert await wait_until_left(model_server, question) < ABORTED_LIMIT


async def test_using_a_satellite_again_stops_what_it_was_asked(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    model_server: ModelServer,
) -> None:
    """The run is ended as soon as somebody wakes the satellite, before they have said anything."""
    model_server.teach(RIVER, "MODEL:HANG 60")
    known = len(model_server.requests)
    await satellite.ask(RIVER)
    await model_server.wait_for(lambda requests: len(requests) > known, limit=MODEL_LIMIT)

    again = asyncio.create_task(satellite.ask(Sound.silence(1)))
    taken = await wait_until_left(model_server, model_server.requests[known].user_text)
    again.cancel()
    await asyncio.wait((again,))

    assert taken < ABORTED_LIMIT
    # Home Assistant's own Wyoming integration drops the sound of a turn that ends another one, and
    # then listens for ever. An announcement ends that.
    await announce(client, kitchen, "Ready.")


async def test_a_satellite_that_goes_away_stops_what_it_was_asked(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    model_server: ModelServer,
) -> None:
    """Nobody is there any more to hear the answer."""
    model_server.teach(RIVER, "MODEL:HANG 60")
    known = len(model_server.requests)
    await satellite.ask(RIVER)
    await model_server.wait_for(lambda requests: len(requests) > known, limit=MODEL_LIMIT)

    await satellite.hang_up()
    await satellite.wait_for(lambda: not satellite.is_connected, limit=MODEL_LIMIT)

    left = model_server.requests[known].user_text
    assert await wait_until_left(model_server, left) < ABORTED_LIMIT
    await satellite.wait_until_connected()


async def test_saying_stop_ends_what_was_to_come_later(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """The task is ended on the gateway, and nothing is announced."""
    await options.change(patience=1)
    question = f"MODEL:HANG 60 {new_word()}"
    said = await kitchen_room.ask(question)
    assert said.answer.endswith(HOLDING)

    stopped = await kitchen_room.ask("stop", said.conversation_id)

    assert stopped.answer == "Okay, I stopped working on that."
    assert await wait_until_left(model_server, question) < ABORTED_LIMIT
    event = await late.wait_for(lambda _: True)
    assert (event["status"], event["text"]) == ("cancelled", "")
    again = await kitchen_room.ask("Stop!", said.conversation_id)
    assert again.answer == "There is nothing to stop right now."


async def test_an_automation_stops_an_answer(
    client: HomeAssistantClient,
    agent: Agent,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
) -> None:
    """Whoever listens hears that it was stopped."""
    question = f"MODEL:HANG 60 {new_word()}"
    async with real_home_assistant.connect() as listening:
        turn = asyncio.create_task(ask(listening, question))
        await wait_until_asked(model_server, question)

        response = await act(client, "stop", agent=agent.entity_id)

        assert response["stopped"] == "answer"
        assert await wait_until_left(model_server, question) < ABORTED_LIMIT
        heard = await turn
    assert heard.end.response_type == "error"
    assert "stopped" in heard.end.answer


async def test_an_automation_takes_back_a_late_answer(
    agent: Agent,
    kitchen_room: Room,
    options: Options,
    late: LateAnswers,
    model_server: ModelServer,
) -> None:
    """It is in the list, and after that its task is ended."""
    await options.change(patience=1)
    question = f"MODEL:HANG 60 {new_word()}"
    await kitchen_room.ask(question)
    listed = await act(kitchen_room.client, "list_late_answers", agent=agent.entity_id)
    (running,) = [each for each in listed["late_answers"] if each["status"] == "running"]

    await act(
        kitchen_room.client,
        "cancel_late_answer",
        agent=agent.entity_id,
        late_answer_id=running["id"],
    )

    assert await wait_until_left(model_server, question) < ABORTED_LIMIT
    assert (await late.wait_for(lambda _: True))["id"] == running["id"]


async def test_a_new_question_in_a_shared_session_ends_the_one_before(
    client: HomeAssistantClient,
    agent: Agent,
    options: Options,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
) -> None:
    """Whoever asked it hears that it was stopped; the new one is answered at once."""
    await options.change(scope="shared")
    question, word = f"MODEL:HANG 60 {new_word()}", new_word()
    async with real_home_assistant.connect() as other:
        before = asyncio.create_task(ask(other, question))
        await wait_until_asked(model_server, question)

        heard = await ask(client, f"MODEL:SAY {word}")

        assert heard.end.answer == word
        assert heard.end.seconds < MODEL_LIMIT
        assert await wait_until_left(model_server, question) < ABORTED_LIMIT
        assert "stopped" in (await before).end.answer
