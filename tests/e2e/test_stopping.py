"""Stopping an agent: by leaving, by asking something else, by saying so, by an action."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from demo.client import HomeAssistantClient
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelRequest, ModelServer
from demo.stage import Agent
from demo.turn import Delta
from demo.voice.room import SatelliteEntity, announce
from demo.voice.satellite import Satellite
from demo.voice.sound import Sound

from .aloud import MODEL_LIMIT, LateAnswers, Room, act, new_word, wait_until_asked
from .conftest import ask
from .subentry_flow import Options

pytestmark = pytest.mark.e2e

RIVER = "What is the longest river in the world"

ABORTED_LIMIT = 10.0
"""Seconds from what ends a turn until the model is left. It takes a tenth of one; otherwise the model would never be."""


CONNECTED_LIMIT = 90.0
"""Seconds until Home Assistant must have come back to a satellite. It waits ten."""


async def wait_until_left(model_server: ModelServer, question: str) -> None:
    """Wait until the gateway has left the model alone with a question, which may have been asked before."""

    def is_left(requests: Sequence[ModelRequest]) -> bool:
        return [each.is_abandoned for each in requests if each.user_text == question][-1:] == [True]

    await model_server.wait_for(is_left, limit=ABORTED_LIMIT)


async def ask_about_the_river(satellite: Satellite, model_server: ModelServer) -> str:
    """Speak a question that the model never answers; return what it is asked."""
    model_server.teach(RIVER, f"MODEL:HOLD {new_word()}")
    known = len(model_server.requests)
    await satellite.ask(RIVER)
    await model_server.wait_for(lambda requests: len(requests) > known, limit=MODEL_LIMIT)
    return model_server.requests[known].user_text


async def test_who_leaves_stops_the_agent(
    agent: Agent, real_home_assistant: HomeAssistantProcess, model_server: ModelServer
) -> None:
    """Closing the dialog, or the browser, in mid-answer ends the run at once."""
    question = f"MODEL:HOLD It begins | and {new_word()}"
    async with real_home_assistant.connect() as leaving, aclosing(leaving.ask(question)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break

    await wait_until_left(model_server, question)


async def test_using_a_satellite_again_stops_what_it_was_asked(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    model_server: ModelServer,
) -> None:
    """The run is ended as soon as somebody wakes the satellite, before they have said anything."""
    question = await ask_about_the_river(satellite, model_server)

    again = asyncio.create_task(satellite.ask(Sound.silence(1)))
    await wait_until_left(model_server, question)

    assert not again.done()
    again.cancel()
    await asyncio.wait((again,))
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
    question = await ask_about_the_river(satellite, model_server)

    await satellite.hang_up()
    await satellite.wait_for(lambda: not satellite.is_connected, limit=MODEL_LIMIT)

    await wait_until_left(model_server, question)
    await satellite.wait_until_connected(limit=CONNECTED_LIMIT)


async def test_saying_stop_ends_what_was_to_come_later(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """The task is ended on the gateway, and nothing is announced."""
    question = f"MODEL:HOLD {new_word()}"
    said = await kitchen_room.ask_for_later(options, question)

    stopped = await kitchen_room.ask("stop", said.conversation_id)

    assert stopped.answer == "Okay, I stopped working on that."
    await wait_until_left(model_server, question)
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
    question = f"MODEL:HOLD {new_word()}"
    async with real_home_assistant.connect() as listening:
        turn = asyncio.create_task(ask(listening, question))
        await wait_until_asked(model_server, question)

        response = await act(client, "stop", agent=agent.entity_id)

        assert response["stopped"] == "answer"
        await wait_until_left(model_server, question)
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
    question = f"MODEL:HOLD {new_word()}"
    await kitchen_room.ask_for_later(options, question)
    listed = await act(kitchen_room.client, "list_late_answers", agent=agent.entity_id)
    (running,) = [each for each in listed["late_answers"] if each["status"] == "running"]

    await act(
        kitchen_room.client,
        "cancel_late_answer",
        agent=agent.entity_id,
        late_answer_id=running["id"],
    )

    await wait_until_left(model_server, question)
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
    question, word = f"MODEL:HOLD {new_word()}", new_word()
    async with real_home_assistant.connect() as other:
        before = asyncio.create_task(ask(other, question))
        await wait_until_asked(model_server, question)

        heard = await ask(client, f"MODEL:SAY {word}")

        assert heard.end.answer == word
        await wait_until_left(model_server, question)
        assert "stopped" in (await before).end.answer
