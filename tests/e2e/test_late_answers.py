"""Answers that take longer than people want to stand and wait."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.client import WITHOUT_VOICE, HomeAssistantClient, JsonObject
from demo.model_server import ModelServer
from demo.script import TOOL_PREFACE
from demo.stage import Agent
from demo.voice.room import SatelliteEntity
from demo.voice.satellite import text_of

from .aloud import HOLDING, MODEL_LIMIT, PATIENT, LateAnswers, Room, new_word
from .heard import Heard, heard, turn_of
from .subentry_flow import Options

pytestmark = pytest.mark.e2e

HALF_A_MINUTE = timedelta(seconds=29.5)
"""Measured by other clocks than the model's."""


async def test_an_answer_of_half_a_minute_is_announced_where_it_was_asked(
    kitchen_room: Room, agent: Agent, late: LateAnswers
) -> None:
    """After eight seconds it is said that the answer comes later; then it does, and automations know."""
    word = new_word()
    begun = datetime.now(UTC)

    said = await kitchen_room.ask(f"MODEL:HANG 30 The **parcel** {word} is here.")

    assert said.answer.endswith(HOLDING)
    assert 8 <= said.seconds < 25
    told = datetime.now(UTC)
    event = await late.with_words(word)
    created, ended = (datetime.fromisoformat(event.pop(name)) for name in ("created", "ended"))
    assert begun < created < told
    assert begun + HALF_A_MINUTE < ended < datetime.now(UTC)
    assert event.pop("id")
    assert event.pop("session").startswith("agent:main:homeassistant:")
    assert event == {
        "version": 1,
        "entry_id": agent.entry_id,
        "agent": "main",
        "status": "answered",
        "text": f"The **parcel** {word} is here.",
        "is_cut": False,
        "links": [],
        "language": "en",
        "satellite": kitchen_room.entity.entity_id,
        "error": None,
    }
    await kitchen_room.wait_for_announcement(f"The parcel {word} is here.")
    assert len(kitchen_room.announcements(word)) == 1


async def test_somebody_asks_something_else_while_a_task_goes_on(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """The answer comes at once and its agent knows of the task; afterwards it knows what was said."""
    await options.change(patience=PATIENT)
    task, aside = new_word(), new_word()
    before = await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    same = before.conversation_id
    await kitchen_room.ask_for_later(options, f"MODEL:HOLD {task}", same)

    meanwhile = await kitchen_room.ask(f"MODEL:SAY {aside}", same)

    assert (meanwhile.answer, late.events) == (aside, [])
    seen = str(model_server.requests[-1].messages)
    assert f"MODEL:HOLD {task}" in seen, "it is not told of the task"
    assert before.answer in seen, "it is not told what was said before"

    model_server.release(task)
    await late.with_words(task)
    await kitchen_room.wait_for_announcement(task)
    after = await kitchen_room.ask("MODEL:SAY afterwards", same)
    assert after.answer == "afterwards"
    told = str(model_server.requests[-1].messages)
    assert aside in told, "it is not told what was said aside"
    assert task in told


async def test_a_tool_that_takes_long_is_named(
    kitchen_room: Room, options: Options, late: LateAnswers, tmp_path: Path
) -> None:
    """What was said before the tool is not said again with the answer."""
    # Enough until the tool is known to run.
    await options.change(patience=6)
    word = new_word()
    done = tmp_path / "done"
    command = f"until [ -e {done} ]; do sleep 0.2; done; echo {word}"

    said = await kitchen_room.ask(f'MODEL:TOOL exec {{"command": "{command}"}}')

    assert said.turn.messages[0] == TOOL_PREFACE
    assert "exec" in said.turn.messages[-1]
    assert said.turn.messages[-1].endswith(HOLDING)
    done.touch()
    await late.with_words(word)
    await kitchen_room.wait_for_announcement(word)
    (announced,) = kitchen_room.announcements(word)
    assert TOOL_PREFACE not in announced


async def test_a_satellite_that_is_busy_keeps_its_turn(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """Late answers that come while the satellite answers something else are said after it, together."""
    satellite = kitchen_room.satellite
    first, second, third = new_word(), new_word(), new_word()
    question = "Tell me a long story about the garden"
    story = f"There was a garden where {third} grew beside the wall. Nobody knows why it was there."
    model_server.teach(question, f"MODEL:HOLD {story}")
    for word in (first, second):
        await kitchen_room.ask_for_later(options, f"MODEL:HOLD {word}")
    known = len(model_server.requests)

    await satellite.ask(question)
    await model_server.wait_for(lambda requests: len(requests) > known, limit=MODEL_LIMIT)
    for word in (first, second):
        model_server.release(word)
        await late.with_words(word)
    model_server.release(story)
    turn = await satellite.wait_for_playback(
        after=kitchen_room.played, is_wanted=lambda playback: not playback.is_announcement
    )
    announced = await kitchen_room.wait_for_announcement(first, second)

    assert turn.text == story
    assert text_of(turn, kitchen_room.voice) == turn.text
    assert announced.started_at > turn.received_at
    assert satellite.errors == ()


async def test_an_agent_that_asks_before_risk_answers_later_too(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """The gateway runs it in another way, which people do not notice."""
    await options.change(asks_before_risk=True)
    word = new_word()

    await kitchen_room.ask_for_later(options, f"MODEL:HOLD {word}")

    model_server.release(word)
    event = await late.with_words(word)
    assert (event["status"], event["text"]) == ("answered", word)
    await kitchen_room.wait_for_announcement(word)


@pytest.fixture
async def german_pipeline(client: HomeAssistantClient, agent: Agent) -> AsyncGenerator[str]:
    """Return an assistant of people who speak German."""
    created = await client.call(
        "assist_pipeline/pipeline/create",
        name="Deutsch",
        language="de",
        conversation_engine=agent.entity_id,
        conversation_language="de",
        wake_word_entity=None,
        wake_word_id=None,
        **WITHOUT_VOICE,
    )
    yield str(created["id"])
    await client.call("assist_pipeline/pipeline/delete", pipeline_id=created["id"])


async def test_people_are_told_in_their_language(
    client: HomeAssistantClient,
    german_pipeline: str,
    kitchen: SatelliteEntity,
    options: Options,
    late: LateAnswers,
) -> None:
    """Both that the answer comes later, and that it does not any more."""
    await options.change(patience=1)

    async def say(text: str, **fields: str) -> Heard:
        asked: JsonObject = {
            "pipeline": german_pipeline,
            "device_id": kitchen.device_id,
            "start_stage": "intent",
            "end_stage": "intent",
            "input": {"text": text},
        }
        return await heard(turn_of(client.run_pipeline(asked | fields)))

    later = await say(f"MODEL:HOLD {new_word()}")
    stopped = await say("Hör auf damit", conversation_id=later.end.conversation_id)

    assert later.end.answer.startswith("Das dauert")
    assert stopped.end.answer == "Gut, ich arbeite nicht mehr daran."
    event = await late.wait_for(lambda event: event["language"] == "de")
    assert event["status"] == "cancelled"
