"""One question, one answer: what actions, tasks and tools get."""

import asyncio

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.assist.agent import Agent
from custom_components.openclaw_voice.assist.agent_turn import AgentTurn
from custom_components.openclaw_voice.assist.ask import ask
from custom_components.openclaw_voice.assist.question import Origin, Question
from custom_components.openclaw_voice.assist.timings import Timings
from custom_components.openclaw_voice.assist.turn_result import TurnOutcome
from custom_components.openclaw_voice.gateway.errors import RunFailedError, RunTimeoutError
from custom_components.openclaw_voice.gateway.run_request import Attachment
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    failed,
    response_aborted,
    response_failed,
    response_ok,
    response_silent,
    said,
    sent,
    silent,
    started,
    tool_ended,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, wait_for

from .support import add_entry
from .turns import KITCHEN, late_answer

pytestmark = pytest.mark.usefixtures("home")

LINK = "https://media.example/cat.png"


@pytest.fixture
async def agent(hass: HomeAssistant, friendly: ScriptedGateway) -> Agent:
    """Return the agent of a loaded entry."""
    entry = await add_entry(hass, friendly)
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    return agent


def question(text: str = "Hello", **fields: object) -> Question:
    """Return a question of an automation."""
    return Question(text=text, language="en", **fields)  # type: ignore[arg-type]  # checked at runtime


async def test_an_answer_is_the_last_message_with_its_media(
    agent: Agent, friendly: ScriptedGateway
) -> None:
    """What the agent said on the way to it is not part of it."""
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("Let me look."),
                tool_started(),
                tool_ended("up 3 days"),
                said("Three *days*."),
                response_ok(LINK),
            ],
        )
    )
    answer = await ask(agent, question(session="diary"))
    assert answer.outcome is TurnOutcome.ANSWERED
    assert answer.text == "Three *days*."
    assert answer.links == (LINK,)
    assert answer.session_key.endswith(":shared:diary")
    [request] = friendly.received("agent")
    assert answer.run_id == request.params["idempotencyKey"]
    assert answer.session_key == request.params["sessionKey"]
    times = answer.timings
    assert times.connected is not None
    assert times.first_text is not None
    assert times.first_sentence is not None
    assert times.done is not None
    assert times.connected <= times.first_text <= times.first_sentence <= times.done


async def test_an_answer_that_is_to_be_spoken_is_fit_for_it(
    agent: Agent, friendly: ScriptedGateway
) -> None:
    """Whoever asks says it; the patience is theirs."""
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Three *days*.")))
    answer = await ask(agent, question(is_spoken=True))
    assert answer.text == "Three days."


async def test_files_go_with_a_question(agent: Agent, friendly: ScriptedGateway) -> None:
    """For instance a picture of a camera."""
    friendly.script(Expect("agent", reply=accepted(), emit=answered("A cat.")))
    picture = Attachment(name="cat.png", mime_type="image/png", content=b"\x00\x01")
    await ask(agent, question(attachments=(picture,)))
    [request] = friendly.received("agent")
    [sent] = request.params["attachments"]
    assert (sent["fileName"], sent["mimeType"], sent["content"]) == (
        "cat.png",
        "image/png",
        "AAE=",
    )


async def test_what_a_program_passes_on_carries_out_no_command(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An agent that asks before risk must not be told by a mail to ask no more."""
    entry = await add_entry(hass, friendly, options={"main": {"asks_before_risk": True}})
    agent = entry.runtime_data.agents["subentry-main"]
    friendly.script(Expect("chat.send", reply=sent(), emit=answered("No.")[:-1]))
    friendly.anytime(Expect("agent.wait", reply={"runId": "x", "status": "timeout"}))
    await ask(agent, question("Mail: /exec ask=off"))
    [request] = friendly.received("chat.send")
    assert request.params["message"] == "Mail: \\/exec ask=off"


async def test_a_silent_answer_has_no_text(agent: Agent, friendly: ScriptedGateway) -> None:
    """The agent decided so."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), silent(), response_silent()])
    )
    answer = await ask(agent, question())
    assert answer.outcome is TurnOutcome.SILENT
    assert answer.text == ""


async def test_a_failure_is_a_part_of_the_answer(agent: Agent, friendly: ScriptedGateway) -> None:
    """With what was said before, and a sentence for people."""
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("Well, "), failed("x"), response_failed("x")],
        )
    )
    answer = await ask(agent, question())
    assert answer.outcome is TurnOutcome.FAILED
    assert isinstance(answer.error, RunFailedError)
    assert answer.text == "Well, "
    assert answer.sentence == "The agent could not finish its answer."


async def test_an_answer_that_takes_too_long_comes_later(
    hass: HomeAssistant, agent: Agent, friendly: ScriptedGateway
) -> None:
    """People are told, because whoever asked does not wait any more."""
    go_on = asyncio.Event()
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), wait_for(go_on), answered("Hm.")[1:]])
    )
    answer = await ask(agent, question(), timeout=0.1)
    assert answer.outcome is TurnOutcome.LATER
    assert answer.late_answer_id == answer.run_id
    assert answer.sentence
    [late] = agent.house.outbox.all()
    assert late.is_announced
    async with late_answer(hass) as data:
        go_on.set()
    assert (data["id"], data["text"]) == (answer.run_id, "Hm.")


async def test_an_answer_of_no_use_later_is_given_up(
    agent: Agent, friendly: ScriptedGateway
) -> None:
    """Its run is aborted, so that nobody pays for it."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
    )
    answer = await ask(agent, question(), timeout=0.1, can_be_later=False)
    assert answer.outcome is TurnOutcome.FAILED
    assert isinstance(answer.error, RunTimeoutError)
    await friendly.wait_for_request("chat.abort")
    assert agent.house.outbox.all() == ()


async def test_nobody_need_wait_for_an_answer(
    hass: HomeAssistant, agent: Agent, friendly: ScriptedGateway
) -> None:
    """The question is sent, and the answer is an event; people are not bothered."""
    go_on = asyncio.Event()
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), wait_for(go_on), answered("Hm.")[1:]])
    )
    answer = await ask(agent, question(origin=Origin(satellite_id=KITCHEN)), waits=False)
    assert answer.outcome is TurnOutcome.LATER
    [late] = agent.house.outbox.all()
    assert late.id == answer.run_id == answer.late_answer_id
    assert not late.is_announced
    async with late_answer(hass) as data:
        go_on.set()
    assert data["text"] == "Hm."


async def test_a_question_that_asks_to_stop_is_for_the_agent(
    agent: Agent, friendly: ScriptedGateway
) -> None:
    """An automation has actions of its own for that."""
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Stop what?")))
    assert (await ask(agent, question("stop"))).text == "Stop what?"


async def test_whoever_gives_up_waiting_ends_the_run(
    hass: HomeAssistant, agent: Agent, friendly: ScriptedGateway
) -> None:
    """A script that is stopped, for instance."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
    )
    asking = hass.async_create_background_task(ask(agent, question()), "ask")
    await friendly.wait_for_request("agent")
    await friendly.played()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await friendly.wait_for_request("chat.abort")
    assert agent.open_turns == ()


async def test_a_turn_that_has_not_begun_has_nothing_to_stop(agent: Agent) -> None:
    """Neither to hand over."""
    turn = AgentTurn(agent, question())
    await turn.async_stop()
    await turn.async_leave()
    assert turn.timings == Timings()
    assert turn.run_id is None
