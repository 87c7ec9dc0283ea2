"""Answers that outlive what fails on the way: Home Assistant, or the gateway.

The model holds each answer until what fails has failed and somebody listens, however long that takes.
"""

import asyncio
import re

import pytest

from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer

from .aloud import (
    HOLDING,
    MODEL_LIMIT,
    PATIENT,
    LateAnswers,
    Room,
    late_answers,
    new_word,
    wait_until_asked,
)
from .subentry_flow import Options

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORD = re.compile(r"\bword\d+\b")

STARTED_LIMIT = 180.0
"""Seconds until an answer must have come after something was started again."""


async def test_late_answers_are_said_after_home_assistant_restarted(
    kitchen_room: Room,
    bedroom_room: Room,
    options: Options,
    model_server: ModelServer,
    real_home_assistant: HomeAssistantProcess,
) -> None:
    """Both that of a turn that was over, and that of one that was going on when it stopped."""
    first, second = new_word(), new_word()
    await kitchen_room.ask_for_later(options, f"MODEL:HOLD {first}")
    question = f"MODEL:HOLD {second}"
    turn = asyncio.create_task(bedroom_room.ask(question))
    await wait_until_asked(model_server, question)

    await real_home_assistant.terminate()
    assert (await turn).answer.endswith(HOLDING)
    await real_home_assistant.start()

    async with late_answers(real_home_assistant) as late:
        for room, word in ((kitchen_room, first), (bedroom_room, second)):
            model_server.release(word)
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
    words = [f"word{number}" for number in range(1, 21)]
    rest = f"{new_word()} {' '.join(words[6:])}"
    known = len(model_server.requests)
    begins = asyncio.Event()
    turn = asyncio.create_task(
        kitchen_room.ask(
            f"MODEL:HOLD {' '.join(words[:6])} | {rest}",
            on_text=lambda text: begins.set() if words[1] in text else None,
        )
    )
    async with asyncio.timeout(MODEL_LIMIT):
        await begins.wait()

    real_gateway.kill()
    said = await turn
    model_server.release(rest)
    await real_gateway.start()

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
    assert heard == words


async def test_reloading_the_integration_loses_no_answer(
    kitchen_room: Room,
    options: Options,
    late: LateAnswers,
    real_home_assistant: HomeAssistantProcess,
    model_server: ModelServer,
) -> None:
    """A spoken turn that goes on is answered later."""
    await options.change(patience=PATIENT)
    word = new_word()
    question = f"MODEL:HOLD {word}"
    turn = asyncio.create_task(kitchen_room.ask(question))
    await wait_until_asked(model_server, question)

    async with real_home_assistant.connect() as other:
        await other.reload_entry(options.agent.entry_id)

    assert (await turn).answer.endswith(HOLDING)
    model_server.release(word)
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
    word = new_word()
    await kitchen_room.ask_for_later(options, f"MODEL:HOLD {word}")

    real_home_assistant.kill()
    real_gateway.kill()
    await asyncio.gather(real_gateway.start(), real_home_assistant.start())

    async with late_answers(real_home_assistant) as late:
        model_server.release(word)
        event = await late.wait_for(lambda _: True, limit=STARTED_LIMIT)
    assert (event["status"], event["text"]) == ("answered", word)
    await kitchen_room.wait_for_announcement(word)
    assert len(kitchen_room.announcements(word)) == 1
