"""What is spoken is fit for speech; what is read stays as the agent wrote it."""

from homeassistant.core import HomeAssistant
import pytest

from tests.fakes.frames import (
    aborted,
    accepted,
    answered,
    response_aborted,
    response_ok,
    response_silent,
    said,
    silent,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway

from .support import add_entry, ask, speech_of
from .turns import KITCHEN

pytestmark = pytest.mark.usefixtures("home")

LINK = "https://media.example/cat.png"


async def test_a_spoken_answer_has_no_markup(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nobody wants to hear asterisks; the agent is told so, too."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("It is *", "very* late.")))
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "It is very late."
    [request] = friendly.received("agent")
    assert "read aloud" in request.params["extraSystemPrompt"]


async def test_an_answer_that_is_read_keeps_its_markup(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The dialog shows it."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("It is *", "very* late.")))
    assert speech_of(await ask(hass)) == "It is *very* late."
    [request] = friendly.received("agent")
    assert "read aloud" not in request.params["extraSystemPrompt"]


@pytest.mark.parametrize(("style", "speech"), [("always", "very late"), ("never", "*very* late")])
async def test_the_style_can_be_set(
    hass: HomeAssistant, friendly: ScriptedGateway, style: str, speech: str
) -> None:
    """Whoever knows better than we where the answer goes says so."""
    await add_entry(hass, friendly, options={"main": {"spoken_style": style}})
    friendly.script(Expect("agent", reply=accepted(), emit=answered("*very* late")))
    satellite_id = KITCHEN if style == "never" else None
    assert speech_of(await ask(hass, satellite_id=satellite_id)) == speech


async def test_media_of_a_spoken_answer_are_mentioned(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Not read as addresses."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Look."), response_ok(LINK)])
    )
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "Look. I put a file in the chat."


@pytest.mark.parametrize(
    "emit",
    [
        [started(), silent(), response_silent()],
        [started(), aborted(), response_aborted()],
    ],
    ids=["the agent is silent", "somebody stopped it"],
)
async def test_nothing_is_said_and_nothing_has_failed(
    hass: HomeAssistant, friendly: ScriptedGateway, emit: list[object]
) -> None:
    """No speech, no tone of an error."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=emit))  # type: ignore[arg-type]  # any emission
    result = await ask(hass, satellite_id=KITCHEN)
    assert result.response.speech == {}
    assert result.response.error_code is None
    assert not result.continue_conversation
