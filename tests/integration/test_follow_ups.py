"""Whether a satellite listens again after an answer, and what it must not take for a question."""

from homeassistant.core import HomeAssistant
import pytest

from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    response_aborted,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response

from .support import add_entry, ask, speech_of
from .turns import KITCHEN

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("policy", "answer", "listens"),
    [
        ("auto", "Which one?", True),
        ("auto", "Done.", False),
        ("always", "Done.", True),
        ("never", "Which one?", False),
    ],
)
async def test_the_policy_of_the_agent_decides(
    hass: HomeAssistant, friendly: ScriptedGateway, policy: str, answer: str, listens: bool
) -> None:
    """By itself it listens after a question."""
    await add_entry(hass, friendly, options={"main": {"follow_up": policy}})
    friendly.script(Expect("agent", reply=accepted(), emit=answered(answer)))
    assert (await ask(hass, satellite_id=KITCHEN)).continue_conversation is listens


async def test_a_satellite_does_not_listen_again_for_ever(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A television would keep it going."""
    await add_entry(hass, friendly, options={"main": {"follow_up_limit": 2}})
    friendly.script(
        *[Expect("agent", reply=accepted(), emit=answered(f"Is it {n}?")) for n in range(3)]
    )
    heard = [await ask(hass, f"Ask me {n}", satellite_id=KITCHEN) for n in range(3)]
    assert [result.continue_conversation for result in heard] == [True, True, False]


async def test_a_satellite_does_not_listen_after_an_answer_that_was_stopped(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whoever stopped it wants no more of it, not even its question."""
    entry = await add_entry(hass, friendly, options={"main": {"follow_up": "always"}})
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Which one?")]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
    )
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    await entry.runtime_data.agents["subentry-main"].async_stop()
    result = await turn
    assert speech_of(result) == "Which one?"
    assert not result.continue_conversation


async def test_an_echo_of_the_answer_is_no_question(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The satellite has heard itself: nothing is sent or said. It listens on, but not for ever."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=answered("Shall I turn on the lights in the den?"))
    )
    await ask(hass, satellite_id=KITCHEN)
    heard = [await ask(hass, "the lights in the den?", satellite_id=KITCHEN) for _ in range(2)]
    for result in heard:
        assert result.response.speech == {}
        assert result.response.error_code is None
    assert [result.continue_conversation for result in heard] == [True, False]
    assert len(friendly.received("agent")) == 1


async def test_whoever_types_our_words_means_them(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A keyboard hears nothing."""
    await add_entry(hass, friendly)
    friendly.script(
        *[Expect("agent", reply=accepted(), emit=answered("Shall I turn on the lights?"))] * 2
    )
    await ask(hass, conversation_id="x")
    await ask(hass, "Shall I turn on the lights?", conversation_id="x")
    assert len(friendly.received("agent")) == 2
