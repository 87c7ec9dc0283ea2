"""Answers that outlive what fails on the way: Home Assistant, or the gateway."""

import asyncio
import re

import pytest

from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer

from .aloud import HOLDING, LateAnswers, Room, late_answers, new_word
from .subentry_flow import Options

pytestmark = pytest.mark.e2e

MODEL_LIMIT = 15.0
"""Seconds until a question has reached the model."""

WORD = re.compile(r"\bword\d+\b")

STARTED_LIMIT = 90.0
"""Seconds until an answer must have come after something was started again."""


async def wait_until_asked(model_server: ModelServer, question: str) -> None:
    """Wait until the model works on a question."""
    await model_server.wait_for(
        lambda requests: any(request.user_text == question for request in requests),
        limit=MODEL_LIMIT,
    )


async def test_late_answers_are_said_after_home_assistant_restarted(
    kitchen_room: Room,
    bedroom_room: Room,
    options: Options,
    model_server: ModelServer,
    real_home_assistant: HomeAssistantProcess,
) -> None:
    """Both that of a turn that was over, and that of one that was going on when it stopped."""
    first, second = new_word(), new_word()
    await options.change(patience=1)
    said = await kitchen_room.ask(f"MODEL:HANG 30 {first}")
    assert said.answer.endswith(HOLDING)
    await options.change(patience=60)
    question = f"MODEL:HANG 30 {second}"
    turn = asyncio.create_task(bedroom_room.ask(question))
    await wait_until_asked(model_server, question)

    await real_home_assistant.terminate()
    assert (await turn).answer.endswith(HOLDING)
    await real_home_assistant.start()

    async with late_answers(real_home_assistant) as late:
        for room, word in ((kitchen_room, first), (bedroom_room, second)):
            event = await late.with_words(word)
            assert (event["status"], event["satellite"]) == ("answered", room.entity.entity_id)
            await room.wait_for_announcement(word)
            assert len(room.announcements(word)) == 1
    questions = [request.user_text for request in model_server.requests]
    assert questions.count(question) == 1, "it was asked again"


async def test_an_answer_survives_a_gateway_that_is_killed(
    kitchen_room: Room, late: LateAnswers, real_gateway: GatewayProcess, model_server: ModelServer
) -> None:
    """In mid-answer of a spoken turn: what was said is not said again, and the rest comes."""
    question = "MODEL:SLOW 400 20"
    known = len(model_server.requests)
    turn = asyncio.create_task(kitchen_room.ask(question))
    await model_server.wait_for(
        lambda requests: any("word4" in request.reply for request in requests[known:]),
        limit=MODEL_LIMIT,
    )

    real_gateway.kill()
    await real_gateway.start()

    said = await turn
    begun, holding = said.turn.messages
    assert begun.startswith("word1 word2")
    assert holding.endswith(HOLDING)
    event = await late.wait_for(lambda _: True, limit=STARTED_LIMIT)
    assert event["status"] == "answered"
    assert event["text"] == model_server.requests[-1].reply
    assert len(model_server.requests) == known + 2, "it was not the gateway that went on"

    await kitchen_room.wait_for_announcement("word20")
    (announced,) = kitchen_room.announcements("word20")
    heard = WORD.findall(begun) + WORD.findall(announced)
    assert heard == [f"word{number}" for number in range(1, 21)]


async def test_reloading_the_integration_loses_no_answer(
    kitchen_room: Room,
    options: Options,
    late: LateAnswers,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
) -> None:
    """A spoken turn that goes on is answered later."""
    await options.change(patience=60)
    word = new_word()
    question = f"MODEL:HANG 5 {word}"
    turn = asyncio.create_task(kitchen_room.ask(question))
    await wait_until_asked(model_server, question)

    async with real_home_assistant.connect() as other:
        await other.reload_entry(options.agent.entry_id)

    assert (await turn).answer.endswith(HOLDING)
    await late.with_words(word)
    await kitchen_room.wait_for_announcement(word)
    assert len(kitchen_room.announcements(word)) == 1


async def test_a_late_answer_survives_when_everything_is_killed(
    kitchen_room: Room,
    options: Options,
    real_gateway: GatewayProcess,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
) -> None:
    """The gateway and Home Assistant both come back without having ended in order."""
    await options.change(patience=1)
    word = new_word()
    said = await kitchen_room.ask(f"MODEL:HANG 12 {word}")
    assert said.answer.endswith(HOLDING)

    real_home_assistant.kill()
    real_gateway.kill()
    await asyncio.gather(real_gateway.start(), real_home_assistant.start())

    async with late_answers(real_home_assistant) as late:
        event = await late.wait_for(lambda _: True, limit=STARTED_LIMIT)
    assert (event["status"], event["text"]) == ("answered", word)
    await kitchen_room.wait_for_announcement(word)
    assert len(kitchen_room.announcements(word)) == 1
