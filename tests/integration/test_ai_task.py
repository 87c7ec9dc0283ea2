"""An agent does tasks for automations and other integrations."""

from base64 import b64decode
from pathlib import Path
from typing import Any

from homeassistant.components import ai_task
from homeassistant.components.conversation.chat_log import async_subscribe_chat_logs
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import selector
import pytest
import voluptuous as vol

from custom_components.openclaw_voice.gateway.models import DEFAULT_IMAGE_BYTES
from tests.fakes.frames import (
    accepted,
    answered,
    ended,
    failed as told_failed,
    response_failed,
    response_silent,
    said,
    sent,
    silent,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway

from .support import add_entry

pytestmark = pytest.mark.usefixtures("home", "media")

TASK_ENTITY = "ai_task.main"
PERSON = vol.Schema(
    {
        vol.Required("name", description="Who it is"): selector.TextSelector(),
        vol.Required("age"): selector.NumberSelector(selector.NumberSelectorConfig(min=0)),
    }
)


@pytest.fixture
def media(home: HomeAssistant, tmp_path: Path) -> Path:
    """Return the folder of the local media."""
    home.config.media_dirs = {"local": str(tmp_path)}
    return tmp_path


async def generate(
    hass: HomeAssistant,
    instructions: str = "Who lives here?",
    *,
    structure: vol.Schema | None = None,
    files: tuple[str, ...] = (),
) -> ai_task.GenDataTaskResult:
    """Have the agent do a task."""
    return await ai_task.async_generate_data(
        hass,
        task_name="residents",
        entity_id=TASK_ENTITY,
        instructions=instructions,
        structure=structure,
        attachments=[
            {"media_content_id": f"media-source://media_source/local/{file}"} for file in files
        ],
    )


async def failure(
    hass: HomeAssistant, *, structure: vol.Schema | None = None, files: tuple[str, ...] = ()
) -> HomeAssistantError:
    """Return the error a task ends with."""
    with pytest.raises(HomeAssistantError) as caught:
        await generate(hass, structure=structure, files=files)
    return caught.value


def answers(*texts: str) -> list[Expect]:
    """Script a run for each answer."""
    return [Expect("agent", reply=accepted(), emit=answered(text)) for text in texts]


async def test_the_answer_is_the_data(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """The agent gets the instructions as they are."""
    await add_entry(hass, friendly)
    friendly.script(*answers("Ann does."))

    result = await generate(hass)

    assert result.data == "Ann does."
    [request] = friendly.received("agent")
    assert request.params["message"] == "Who lives here?"


async def test_a_task_can_be_followed(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Question and answer are in a chat log as those of a conversation are."""
    await add_entry(hass, friendly)
    friendly.script(*answers("Ann does."))
    seen: list[dict[str, Any]] = []

    def look(_: str, __: object, change: dict[str, Any]) -> None:
        if content := change.get("content"):
            seen.append(content)

    unsubscribe = async_subscribe_chat_logs(hass, look)
    await generate(hass)
    unsubscribe()

    assert [(each["role"], each["content"]) for each in seen[-2:]] == [
        ("user", "Who lives here?"),
        ("assistant", "Ann does."),
    ]


@pytest.mark.parametrize("scope", ["conversation", "shared"])
async def test_each_task_has_a_session_of_its_own(
    hass: HomeAssistant, friendly: ScriptedGateway, scope: str
) -> None:
    """Whatever the conversations of the agent share."""
    entry = await add_entry(hass, friendly)
    subentry = entry.subentries["subentry-main"]
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "scope": scope}
    )
    friendly.script(*answers("Ann.", "Bob."))

    await generate(hass)
    await generate(hass)

    first, second = (request.params["sessionKey"] for request in friendly.received("agent"))
    assert first != second


async def test_data_has_the_structure_that_was_asked_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent is told the structure, and its JSON is found in what it says."""
    await add_entry(hass, friendly)
    friendly.script(*answers('Here you are:\n```json\n{"name": "Ann", "age": 31}\n```'))

    result = await generate(hass, structure=PERSON)

    assert result.data == {"name": "Ann", "age": 31}
    [request] = friendly.received("agent")
    assert request.params["message"].startswith("Who lives here?\n\n")
    assert '"description": "Who it is"' in request.params["message"]


async def test_another_structure_is_mended_once(
    hass: HomeAssistant, friendly: ScriptedGateway, media: Path
) -> None:
    """In the same session, and told what was wrong; files are not sent twice."""
    (media / "door.png").write_bytes(b"png")
    await add_entry(hass, friendly)
    friendly.script(*answers('{"name": "Ann"}', '{"name": "Ann", "age": 31}'))

    result = await generate(hass, structure=PERSON, files=("door.png",))

    assert result.data == {"name": "Ann", "age": 31}
    first, second = (request.params for request in friendly.received("agent"))
    assert first["sessionKey"] == second["sessionKey"]
    assert "- age: required key not provided" in second["message"]
    assert ("attachments" in first, "attachments" in second) == (True, False)


async def test_a_structure_that_stays_wrong_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It names the fields, and nothing the agent has said."""
    await add_entry(hass, friendly)
    friendly.script(*answers("I will not.", '{"name": 7, "age": "secret"}'))

    error = await failure(hass, structure=PERSON)

    assert (error.translation_key, error.translation_placeholders) == (
        "wrong_form",
        {"fields": "age, name"},
    )
    assert "secret" not in str(error)


async def test_an_agent_that_is_silent_has_done_nothing(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whoever wants data cannot go on without."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), silent(), response_silent()])
    )

    assert (await failure(hass)).translation_key == "no_answer"


async def test_a_failed_run_is_an_error(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """With the sentence for what failed."""
    await add_entry(hass, friendly)
    emit = [started(), told_failed(kind="refusal"), response_failed()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))

    assert (await failure(hass)).translation_key == "run_failed_refusal"


async def test_files_go_with_the_task(
    hass: HomeAssistant, friendly: ScriptedGateway, media: Path
) -> None:
    """As they are on the disk."""
    (media / "door.png").write_bytes(b"png")
    await add_entry(hass, friendly)
    friendly.script(*answers("A door."))

    await generate(hass, files=("door.png",))

    [request] = friendly.received("agent")
    [attachment] = request.params["attachments"]
    assert (attachment["mimeType"], attachment["fileName"]) == ("image/png", "door.png")
    assert b64decode(attachment["content"]) == b"png"


async def test_a_file_that_is_no_image_goes_another_way(
    hass: HomeAssistant, friendly: ScriptedGateway, media: Path
) -> None:
    """Runs that take instructions take images only."""
    (media / "door.png").write_bytes(b"png")
    (media / "list.txt").write_bytes(b"milk")
    hass.config.language = "de"
    await add_entry(hass, friendly)
    friendly.script(Expect("chat.send", reply=sent(), emit=[started(), said("Milk."), ended()]))

    result = await generate(hass, files=("door.png", "list.txt"))

    assert result.data == "Milk."
    [request] = friendly.received("chat.send")
    assert [file["mimeType"] for file in request.params["attachments"]] == [
        "image/png",
        "text/plain",
    ]
    assert "Language: de" in request.params["workContext"]["selection"]


async def test_a_file_that_is_too_large_is_not_sent(
    hass: HomeAssistant, friendly: ScriptedGateway, media: Path
) -> None:
    """The error names it, and what the gateway takes."""
    (media / "door.png").write_bytes(bytes(DEFAULT_IMAGE_BYTES + 1))
    await add_entry(hass, friendly)

    error = await failure(hass, files=("door.png",))

    assert (error.translation_key, error.translation_placeholders) == (
        "attachment_too_large",
        {"name": "door.png", "limit": "6.29"},
    )
    assert friendly.received("agent") == []


async def test_data_and_files_are_what_an_agent_can_do(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Home Assistant offers it for those."""
    await add_entry(hass, friendly)

    state = hass.states.get(TASK_ENTITY)

    assert state is not None
    assert state.attributes["supported_features"] == (
        ai_task.AITaskEntityFeature.GENERATE_DATA | ai_task.AITaskEntityFeature.SUPPORT_ATTACHMENTS
    )
