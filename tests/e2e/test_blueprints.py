"""Our blueprints, imported and used as people do, in a real Home Assistant."""

from collections.abc import AsyncGenerator

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.process import CHECKOUT
from demo.stage import Agent

from .administrator import Administrator
from .aloud import Room, new_word
from .asking import ROOM, Turns, command, question
from .automations import Automations
from .phone import Phone, phone
from .told import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FOLDER = CHECKOUT / "blueprints" / "automation" / "openclaw_voice"


@pytest.fixture
async def my_phone(client: HomeAssistantClient, agent: Agent) -> AsyncGenerator[Phone]:
    """Return a phone."""
    async with phone(client) as found:
        yield found


async def test_what_is_said_is_announced_somewhere(
    owner: Administrator, automations: Automations, kitchen_room: Room
) -> None:
    """In the kitchen, because nobody is seen anywhere."""
    word = new_word()
    await automations.use(
        FOLDER / "announce_where_someone_is.yaml",
        satellites=[kitchen_room.entity.entity_id],
        sensors=[],
        fallback=[kitchen_room.entity.entity_id],
        quiet_from="00:00:00",
        quiet_to="00:00:00",
    )

    await owner.run_job("Bins", f"MODEL:SAY The **bins** {word} go out.")

    await kitchen_room.wait_for_announcement(f"The bins {word} go out.")


async def test_a_briefing_is_read_out_when_somebody_is_up(
    client: HomeAssistantClient,
    owner: Administrator,
    automations: Automations,
    kitchen_room: Room,
    seen: Told,
) -> None:
    """Not before."""
    job, word = new_word(), new_word()
    sensor = f"binary_sensor.{job.lower()}"
    await client.rest("POST", f"/api/states/{sensor}", {"state": "off"})
    await automations.use(
        FOLDER / "morning_briefing.yaml",
        job=job,
        sensors=[sensor],
        satellites=[kitchen_room.entity.entity_id],
        earliest="00:00:00",
        latest="23:59:59",
        greeting="Good morning!",
    )

    await owner.run_job(job, f"MODEL:SAY The sun {word} shines.")
    await seen.of_kind("job_finished", word)
    assert kitchen_room.announcements(word) == []
    await client.rest("POST", f"/api/states/{sensor}", {"state": "on"})

    await kitchen_room.wait_for_announcement(f"Good morning! The sun {word} shines.")


async def test_a_command_is_allowed_on_a_phone(
    automations: Automations, guard: Agent, turns: Turns, my_phone: Phone
) -> None:
    """The button is pressed, the command runs, and the notification goes."""
    word = new_word()
    await automations.use(FOLDER / "approval_on_phone.yaml", phone=my_phone.device_id)

    turn = await turns.begin(guard, command(f"echo {word}"))
    asked = await my_phone.wait_for(lambda pushed: word in pushed["message"])
    await my_phone.press(asked, "Allow once")

    assert word in await turns.answer(turn)
    tag = asked["data"]["tag"]
    await my_phone.wait_for(lambda pushed: _is_cleared(pushed, tag))


async def test_a_question_is_answered_on_a_phone(
    automations: Automations, agent: Agent, turns: Turns, my_phone: Phone, seen: Told
) -> None:
    """With one of its options."""
    await automations.use(FOLDER / "approval_on_phone.yaml", phone=my_phone.device_id)

    turn = await turns.begin(agent, question(ROOM))
    asked = await my_phone.wait_for(lambda pushed: "Which room?" in pushed["message"])
    await my_phone.press(asked, "Bath")

    await turns.answer(turn)
    assert (await seen.of_kind("question_answered"))["data"]["status"] == "answered"
    tag = asked["data"]["tag"]
    await my_phone.wait_for(lambda pushed: _is_cleared(pushed, tag))


async def test_what_a_job_says_is_on_the_phone(
    automations: Automations, owner: Administrator, my_phone: Phone
) -> None:
    """With the name of the job."""
    word = new_word()
    await automations.use(FOLDER / "phone_notification.yaml", phone=my_phone.device_id)

    await owner.run_job("Bins", f"MODEL:SAY The bins {word} go out.")

    pushed = await my_phone.wait_for(lambda pushed: word in pushed["message"])
    assert "Bins" in pushed["title"]


def _is_cleared(pushed: JsonObject, tag: str) -> bool:
    return (pushed["message"], pushed.get("data", {}).get("tag")) == ("clear_notification", tag)
