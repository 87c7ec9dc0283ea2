"""What the agent is told besides the words, as its model receives it."""

from datetime import datetime
import json
import re
from zoneinfo import ZoneInfo

import pytest

from demo.client import HomeAssistantClient
from demo.model_server import ModelRequest, ModelServer

from .aloud import Room, new_word
from .conftest import ask
from .subentry_flow import Options

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("patient")]

FACT = re.compile(r"^(?:- )?(Room|Floor|Satellite|Person|Language|Local time): (.+)$", re.MULTILINE)
WORK_CONTEXT = re.compile(r"^\{\"page\".*\}$", re.MULTILINE)
ALOUD = "Your answer is read aloud"
HERE = ZoneInfo("Europe/Berlin")
"""Of the demo's Home Assistant, whatever the computer's own is."""


def told(request: ModelRequest) -> dict[str, str]:
    """Return what the model was told about the turn, by name."""
    texts = [_text(message["content"]) for message in request.messages]
    return {name: value for text in texts for name, value in FACT.findall(text)}


def _text(content: object) -> str:
    """Return the text of a message, whose content is a text or parts."""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return str(content or "")


@pytest.fixture
async def upstairs(client: HomeAssistantClient, kitchen_room: Room) -> None:
    """Put the kitchen upstairs."""
    floors = await client.call("config/floor_registry/list")
    known = [floor["floor_id"] for floor in floors if floor["name"] == "Upstairs"]
    if not known:
        made = await client.call("config/floor_registry/create", name="Upstairs")
        known = [made["floor_id"]]
    area_id = await client.area("Kitchen")
    await client.call("config/area_registry/update", area_id=area_id, floor_id=known[0])


@pytest.mark.usefixtures("upstairs")
async def test_the_agent_knows_room_person_language_and_time(
    kitchen_room: Room, model_server: ModelServer
) -> None:
    """All of it is in the prompt of a turn in the kitchen."""
    before = datetime.now(HERE).replace(second=0, microsecond=0)
    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    after = datetime.now(HERE)

    request = model_server.requests[-1]
    assert ALOUD in str(request.messages)
    facts = told(request)
    time = facts.pop("Local time")
    assert facts == {
        "Room": "Kitchen",
        "Floor": "Upstairs",
        "Satellite": kitchen_room.satellite.name,
        "Person": "Demo",
        "Language": "en",
    }
    weekday, moment, zone = time.split(", ", 2)
    said = datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=HERE)
    assert before <= said <= after
    assert weekday == f"{said:%A}"
    assert zone.startswith("Europe/Berlin")


async def test_a_question_that_is_typed_tells_of_no_room(
    client: HomeAssistantClient, kitchen_room: Room, model_server: ModelServer
) -> None:
    """What is not known is not guessed, although there is a satellite; nothing is read aloud."""
    await ask(client, "MODEL:SAY typed")

    assert ALOUD not in str(model_server.requests[-1].messages)
    assert set(told(model_server.requests[-1])) == {"Person", "Language", "Local time"}


async def test_what_is_switched_off_stays_at_home(
    kitchen_room: Room, options: Options, model_server: ModelServer
) -> None:
    """The page of the options shows what is told, before and after; the model is told the same."""
    before = FACT.findall((await options.open()).told)
    assert {"Room", "Person", "Satellite"} - dict(before).keys() == {"Person"}, "nobody asks there"

    await options.change(context=["floor", "satellite", "language"])

    shown = dict(FACT.findall((await options.open()).told))
    assert {"Room", "Local time"}.isdisjoint(shown)
    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    request = model_server.requests[-1]
    assert told(request).keys() == shown.keys()
    assert "- Room: Kitchen" not in str(request.messages)


async def test_instructions_of_your_own_reach_the_model(
    kitchen_room: Room, options: Options, model_server: ModelServer
) -> None:
    """They are a template, which knows the room."""
    word = new_word()
    await options.change(instructions=f"{word} is what the {{{{ area }}}} is called.")

    await kitchen_room.ask(f"MODEL:SAY {new_word()}")

    assert f"{word} is what the Kitchen is called." in str(model_server.requests[-1].messages)


async def test_an_agent_that_asks_before_risk_knows_room_and_person(
    kitchen_room: Room, options: Options, model_server: ModelServer
) -> None:
    """It takes no instructions, so the facts go another way, and the answer is spoken clean."""
    word = new_word()
    await options.change(asks_before_risk=True)

    said = await kitchen_room.ask(f"MODEL:SAY It is **{word}**.")

    assert said.given == (f"It is {word}.",)
    (context,) = WORK_CONTEXT.findall(_text(model_server.requests[-1].messages[-2]["content"]))
    facts = dict(FACT.findall(json.loads(context)["selection"]))
    assert (facts["Room"], facts["Person"]) == ("Kitchen", "Demo")
