"""Answers that take longer than people want to stand and wait."""

from collections.abc import AsyncGenerator
from datetime import datetime
import time

import pytest

from demo.client import WITHOUT_VOICE, HomeAssistantClient, JsonObject
from demo.model_server import ModelServer
from demo.script import TOOL_PREFACE
from demo.stage import Agent
from demo.voice.room import SatelliteEntity
from demo.voice.satellite import text_of

from .aloud import HOLDING, LateAnswers, Room, new_word
from .heard import Heard, heard, turn_of
from .subentry_flow import Options

pytestmark = pytest.mark.e2e

AT_ONCE = 8.0
"""Seconds for an answer beside a task; it takes less than one, and more when the computer is busy."""


async def test_an_answer_of_half_a_minute_is_announced_where_it_was_asked(
    kitchen_room: Room, agent: Agent, late: LateAnswers
) -> None:
    """After eight seconds it is said that the answer comes later; then it does, and automations know."""
    word = new_word()
    begun = time.monotonic()

    said = await kitchen_room.ask(f"MODEL:HANG 30 The **parcel** {word} is here.")

    assert said.answer.endswith(HOLDING)
    assert 8 <= said.seconds < 8 + AT_ONCE
    event = await late.with_words(word)
    assert late.time_of(event) - begun > 30
    created, ended = (datetime.fromisoformat(event.pop(name)) for name in ("created", "ended"))
    assert 20 < (ended - created).total_seconds() < 40
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
    await options.change(patience=1.5)
    task, aside = new_word(), new_word()
    before = await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    same = before.conversation_id
    handed_over = await kitchen_room.ask(f"MODEL:HANG 14 {task}", same)
    assert handed_over.answer.endswith(HOLDING)

    meanwhile = await kitchen_room.ask(f"MODEL:SAY {aside}", same)

    assert (meanwhile.answer, late.events) == (aside, [])
    assert meanwhile.seconds < AT_ONCE
    seen = str(model_server.requests[-1].messages)
    assert f"MODEL:HANG 14 {task}" in seen, "it is not told of the task"
    assert before.answer in seen, "it is not told what was said before"

    await late.with_words(task)
    await kitchen_room.wait_for_announcement(task)
    after = await kitchen_room.ask("MODEL:SAY afterwards", same)
    assert after.answer == "afterwards"
    told = str(model_server.requests[-1].messages)
    assert aside in told, "it is not told what was said aside"
    assert task in told


async def test_a_tool_that_takes_long_is_named(
    kitchen_room: Room, options: Options, late: LateAnswers
) -> None:
    """What was said before the tool is not said again with the answer."""
    await options.change(patience=2)
    word = new_word()

    said = await kitchen_room.ask(f'MODEL:TOOL exec {{"command": "sleep 6; echo {word}"}}')

    assert said.turn.messages[0] == TOOL_PREFACE
    assert "exec" in said.turn.messages[-1]
    assert said.turn.messages[-1].endswith(HOLDING)
    await late.with_words(word)
    await kitchen_room.wait_for_announcement(word)
    (announced,) = kitchen_room.announcements(word)
    assert TOOL_PREFACE not in announced


async def test_a_satellite_that_is_busy_keeps_its_turn(
    kitchen_room: Room, options: Options, late: LateAnswers, model_server: ModelServer
) -> None:
    """Late answers that come while the satellite answers something else are said after it, together."""
    await options.change(patience=1.5)
    satellite = kitchen_room.satellite
    first, second = new_word(), new_word()
    story = "Tell me a long story about the garden"
    model_server.teach(story, "MODEL:SLOW 500 24")
    assert (await kitchen_room.ask(f"MODEL:HANG 12 {first}")).answer.endswith(HOLDING)
    assert (await kitchen_room.ask(f"MODEL:HANG 9 {second}")).answer.endswith(HOLDING)

    await satellite.ask(story)
    events = [await late.with_words(word) for word in (first, second)]
    turn = await satellite.wait_for_playback(
        after=kitchen_room.played, is_wanted=lambda playback: not playback.is_announcement
    )
    announced = await kitchen_room.wait_for_announcement(first, second)

    for event in events:
        assert late.time_of(event) < turn.received_at, "it came too late to meet the other turn"
    assert turn.text.endswith("word24")
    assert text_of(turn, kitchen_room.voice) == turn.text
    assert announced.started_at > turn.received_at
    assert satellite.errors == ()


async def test_an_agent_that_asks_before_risk_answers_later_too(
    kitchen_room: Room, options: Options, late: LateAnswers
) -> None:
    """The gateway runs it in another way, which people do not notice."""
    await options.change(asks_before_risk=True, patience=1)
    word = new_word()

    said = await kitchen_room.ask(f"MODEL:HANG 4 {word}")

    assert said.answer.endswith(HOLDING)
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

    later = await say("MODEL:HANG 60")
    stopped = await say("Hör auf damit", conversation_id=later.end.conversation_id)

    assert later.end.answer.startswith("Das dauert")
    assert stopped.end.answer == "Gut, ich arbeite nicht mehr daran."
    event = await late.wait_for(lambda event: event["language"] == "de")
    assert event["status"] == "cancelled"
