"""What text-to-speech is given, and what those who read get instead."""

import pytest

from demo.client import HomeAssistantClient
from demo.model_server import ModelServer
from demo.script import MARKDOWN, TOOL_PREFACE
from demo.stage import Agent
from demo.voice.room import SatelliteEntity
from demo.voice.satellite import Satellite
from demo.voice.server import VoiceServer

from .aloud import ANNOUNCED_LIMIT, HOLDING, MODEL_LIMIT, Room, new_word
from .conftest import ask
from .subentry_flow import Options

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("patient")]

SPOKEN_MARKDOWN = (
    "Küchenlicht. Das Licht ist an. A list: one item. another item. I put the table in the chat. "
    "I put the code in the chat. See the manual. 台所 – done."
)


async def test_the_same_answer_is_spoken_clean_and_written_as_it_is(
    kitchen_room: Room, client: HomeAssistantClient
) -> None:
    """Signs, links and pictures are not read aloud; tables and code become a sentence."""
    spoken = await kitchen_room.ask("MODEL:MD")
    typed = await ask(client, "MODEL:MD")

    assert [" ".join(text.split()) for text in spoken.given] == [SPOKEN_MARKDOWN]
    assert typed.end.answer == MARKDOWN


async def test_text_before_a_tool_is_spoken_before_the_answer(
    kitchen_room: Room,
) -> None:
    """Five seconds of tool lie between them, which the patience allows."""
    word = new_word()

    said = await kitchen_room.ask(f'MODEL:TOOL exec {{"command": "sleep 5; echo {word}"}}')

    assert said.turn.messages == (TOOL_PREFACE, f"The tool answered: {word}")
    (given,) = said.given
    assert given.split() == f"{TOOL_PREFACE} The tool answered: {word}".split()
    assert said.seconds > 5
    assert HOLDING not in given


async def test_who_goes_on_speaking_is_not_cut_short(kitchen_room: Room, options: Options) -> None:
    """Patience counts from the last words, not from the question."""
    await options.change(patience=6)

    said = await kitchen_room.ask("MODEL:SLOW 700 12")

    assert said.seconds > 7
    assert said.answer.endswith("word12")
    assert HOLDING not in "".join(said.given)


async def test_an_agent_that_keeps_silent_says_nothing_and_is_no_error(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    voice_server: VoiceServer,
    model_server: ModelServer,
) -> None:
    """The satellite hears the question, then nothing, no tone either, and is idle again."""
    model_server.teach("We do not need you for this", "MODEL:NO_REPLY")
    known, spoken = len(satellite.playbacks), len(voice_server.spoken)
    asked = len(model_server.requests)

    await satellite.ask("We do not need you for this.")
    await model_server.wait_for(lambda requests: len(requests) > asked, limit=MODEL_LIMIT)
    await client.wait_for_state(
        kitchen.entity_id, lambda state: state == "idle", limit=ANNOUNCED_LIMIT
    )

    assert len(voice_server.spoken) == spoken
    assert len(satellite.playbacks) == known
    assert satellite.errors == ()


async def test_an_agent_that_keeps_silent_shows_that_there_is_no_answer(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """Who types sees that the turn has ended."""
    heard = await ask(client, "MODEL:NO_REPLY")

    assert heard.messages == ("(no answer)",)
    assert (heard.end.answer, heard.end.response_type) == ("(no answer)", "action_done")


async def test_a_model_that_says_nothing_is_an_error(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """That is no decision to be silent, and people are told."""
    heard = await ask(client, "MODEL:EMPTY")

    assert heard.end.response_type == "error"
    assert heard.end.answer
