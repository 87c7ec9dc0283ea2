"""Stopping, starting afresh and changing the agent, by saying so; and what a cancelled turn stops."""

import asyncio

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.assist import options
from custom_components.openclaw_voice.assist.agent import Agent, Stopped
from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.outbox.late_answer import LateStatus
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    response_aborted,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, respond, wait_for
from tests.fakes.refusals import Refusal

from .support import add_entry, ask, speech_of
from .turns import KITCHEN

pytestmark = pytest.mark.usefixtures("home", "impatience")

DEN = "assist_satellite.den"
SHARED = {"main": {"scope": "shared", "patience": 0.1}}
PATIENT = {"main": {"scope": "shared"}}


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let agents have less patience than people may set."""
    monkeypatch.setattr(options, "PATIENCE_BOUNDS", (0.0, 240.0))


def an_abort() -> Expect:
    """Return the request that stops the last run, which obeys."""
    return Expect(
        "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
    )


@pytest.mark.parametrize(
    ("language", "words", "confirmation"),
    [("en", "Stop!", "Okay, I stopped."), ("de", "Stopp", None)],
)
async def test_stop_ends_the_answer_of_the_session(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    language: str,
    words: str,
    confirmation: str | None,
) -> None:
    """Whoever listens to it hears no more; nothing else is sent to the agent."""
    await add_entry(hass, friendly, options=PATIENT)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Once upon a time ")]), an_abort()
    )
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    result = await ask(hass, words, language=language, satellite_id=DEN)
    if confirmation is not None:
        assert speech_of(result) == confirmation
    assert not result.continue_conversation
    assert speech_of(await turn) == "Once upon a time"
    assert len(friendly.received("agent")) == 1


async def test_stop_after_the_wake_word_is_confirmed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The wake word has ended the turn before anybody could say it."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Once upon a time ")]), an_abort()
    )
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    turn.cancel()
    await friendly.wait_for_request("chat.abort")
    nothing = "There is nothing to stop right now."
    assert speech_of(await ask(hass, "Stop!", satellite_id=DEN)) == nothing
    assert speech_of(await ask(hass, "Stop!", satellite_id=KITCHEN)) == "Okay, I stopped."
    assert speech_of(await ask(hass, "Stop!", satellite_id=KITCHEN)) == nothing


async def test_stop_ends_a_task_that_goes_on(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Its answer will not come."""
    entry = await add_entry(hass, friendly, options=SHARED)
    friendly.script(Expect("agent", reply=accepted(), emit=[started()]), an_abort())
    await ask(hass, satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "stop", satellite_id=DEN)) == (
        "Okay, I stopped working on that."
    )
    [answer] = entry.runtime_data.outbox.all()
    assert answer.status is LateStatus.CANCELLED


async def test_stop_finds_the_task_of_its_satellite(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Also in another conversation; tasks of other satellites are left alone."""
    entry = await add_entry(hass, friendly, options={"main": {"patience": 0.1}})
    friendly.script(
        *[Expect("agent", reply=accepted(), emit=[started()]) for _ in range(2)],
        Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}),
    )
    await ask(hass, satellite_id=KITCHEN)
    await ask(hass, satellite_id=DEN)
    await ask(hass, "stop", satellite_id=KITCHEN)
    stati = {answer.satellite_id: answer.status for answer in entry.runtime_data.outbox.all()}
    assert stati == {KITCHEN: LateStatus.CANCELLED, DEN: LateStatus.RUNNING}


async def test_stop_without_anything_to_stop_says_so(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent is not bothered."""
    await add_entry(hass, friendly)
    assert speech_of(await ask(hass, "stop")) == "There is nothing to stop right now."


async def test_a_task_that_cannot_be_stopped_is_told(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A confirmation would be a lie."""
    await add_entry(hass, friendly, options=SHARED)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect("chat.abort", reply=Refusal(code="UNAVAILABLE", message="no", details={})),
    )
    await ask(hass, satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "stop", satellite_id=KITCHEN)) == (
        "The OpenClaw gateway refused the request."
    )


async def test_a_new_conversation_can_be_asked_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The next turn at the satellite begins a session afresh."""
    await add_entry(hass, friendly, options={"main": {"scope": "satellite"}})
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)])
    await ask(hass, satellite_id=KITCHEN)
    result = await ask(hass, "New conversation", satellite_id=KITCHEN)
    assert speech_of(result) == "Okay, let's start over."
    await ask(hass, satellite_id=KITCHEN)
    before, after = [request.params["sessionKey"] for request in friendly.received("agent")]
    assert after == f"{before}:1"


async def test_another_agent_can_be_asked_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It answers at this satellite from then on."""
    entry = await add_entry(hass, friendly, "main", "kitchen")
    result = await ask(hass, "talk to kitchen", satellite_id=KITCHEN)
    assert speech_of(result) == "From now on, you are talking to kitchen."
    assert entry.runtime_data.memory.agent_for(KITCHEN) == "subentry-kitchen"
    assert not friendly.received("agent")


async def test_another_agent_cannot_be_asked_for_in_a_dialog(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The dialog has a choice of its own, so the agent is asked what it makes of it."""
    await add_entry(hass, friendly, "main", "kitchen")
    friendly.script(Expect("agent", reply=accepted(), emit=answered("I am your kitchen.")))
    assert speech_of(await ask(hass, "talk to kitchen")) == "I am your kitchen."


async def test_a_new_turn_interrupts_the_one_of_its_session(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Two satellites share it: the first one falls silent, the second is answered."""
    await add_entry(hass, friendly, options=PATIENT)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        an_abort(),
        Expect("agent", reply=accepted(), emit=answered("Noon.")),
    )
    first = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    assert speech_of(await ask(hass, satellite_id=DEN)) == "Noon."
    assert (await first).response.speech == {}


async def test_a_cancelled_turn_aborts_its_run(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The satellite was triggered again, or is gone; nothing is promised."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=[started(), said("One, ")]), an_abort())
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await friendly.wait_for_request("chat.abort")
    assert entry.runtime_data.outbox.all() == ()
    assert entry.runtime_data.agents["subentry-main"].open_turns == ()


async def test_a_turn_that_is_stopped_before_it_is_sent_is_not_sent(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It was still telling the session its model; else the agent would go on unheard."""
    entry = await add_entry(hass, friendly, options={"main": {"model": "stub/large"}})
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    go_on = asyncio.Event()
    reply = {"ok": True, "key": "x", "entry": {}}
    friendly.script(Expect("sessions.patch", emit=[wait_for(go_on), respond(reply)]))
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("sessions.patch")
    assert await agent.async_stop() is Stopped.ANSWER
    go_on.set()
    assert (await turn).response.speech == {}
    assert not friendly.received("agent")


async def test_an_action_can_stop_all_an_agent_does(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whatever the session."""
    entry = await add_entry(hass, friendly, options={"main": {"patience": 0.1}})
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    assert await agent.async_stop() is Stopped.NOTHING
    friendly.script(
        *[Expect("agent", reply=accepted(), emit=[started()]) for _ in range(2)],
        *[
            Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []})
            for _ in range(2)
        ],
    )
    await ask(hass, satellite_id=KITCHEN)
    await ask(hass, satellite_id=DEN)
    assert len(agent.open_tasks()) == 2
    assert await agent.async_stop() is Stopped.TASK
    assert agent.open_tasks() == ()


async def test_an_answer_that_cannot_be_stopped_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """For the action, which tells so."""
    entry = await add_entry(hass, friendly)
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect("chat.abort", reply=Refusal(code="UNAVAILABLE", message="no", details={})),
        an_abort(),
    )
    turn = hass.async_create_background_task(ask(hass), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    with pytest.raises(GatewayError):
        await agent.async_stop(agent.open_turns[0].session_key)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await friendly.wait_for_request("chat.abort", number=2)
