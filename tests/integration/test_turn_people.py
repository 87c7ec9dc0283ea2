"""A turn whose agent waits for people: they hear why, and may answer at once."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.assist import options
from tests.fakes.agent_run import AgentRun, now_ms
from tests.fakes.frames import (
    Piece,
    accepted,
    answered,
    ended,
    lifecycle,
    said,
    sent,
    started,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, wait_for
from tests.fakes.refusals import Refusal

from .support import add_entry, ask, speech_of
from .turns import KITCHEN, late_answer

pytestmark = pytest.mark.usefixtures("home")

MAY_I = "I need permission for the next step. I will go on as soon as somebody has decided."
WHICH_ROOM = "You can choose between Kitchen, Bath. Which room?"
THANKS = "Thank you, I will go on with that."

ANSWERED = {"status": "answered", "answers": {"answers": {"room": ["Kitchen"]}}}


def asks(**fields: object) -> Piece:
    """Ask people which room."""

    def frames(run: AgentRun) -> list[dict[str, Any]]:
        part = {
            "questionId": "room",
            "header": "Room",
            "question": "Which **room**?",
            "options": [{"label": "Kitchen"}, {"label": "Bath"}],
            "isOther": True,
        }
        payload = {
            "id": "ask_1",
            "questions": [part | fields],
            "agentId": "main",
            "sessionKey": run.session_key,
            "runId": run.run_id,
            "createdAtMs": now_ms(),
            "expiresAtMs": now_ms() + 900_000,
            "status": "pending",
        }
        return [{"type": "event", "event": "question.requested", "payload": payload}]

    return frames


@pytest.mark.parametrize("satellite_id", [None, KITCHEN])
async def test_people_hear_that_the_agent_needs_permission(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    satellite_id: str | None,
) -> None:
    """As soon as the gateway asks; the turn goes on as any other that takes its time."""
    monkeypatch.setattr(options, "PATIENCE_BOUNDS", (0.0, 240.0))
    agent = {"asks_before_risk": True, "patience": 0.1 if satellite_id else 60}
    await add_entry(hass, friendly, options={"main": agent})
    waits = lifecycle("waiting-approval", approvalId="a", toolCallId="c")
    goes_on = [] if satellite_id else [lifecycle("approval-resolved"), said("Done."), ended()]
    friendly.script(
        Expect(
            "chat.send", reply=sent(), emit=[started(), tool_started("exec", {}), waits, *goes_on]
        )
    )
    result = await ask(hass, satellite_id=satellite_id)
    spoken = f"{MAY_I} This is taking a while. I will tell you as soon as I know."
    assert speech_of(result) == (spoken if satellite_id else "Done.")


async def test_the_next_words_answer_the_question_of_the_agent(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The satellite listens; the agent goes on with the answer, and tells what it made of it."""
    entry = await add_entry(hass, friendly)
    go_on = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), asks(), wait_for(go_on), *answered("It is clean.")[1:]],
        ),
        Expect("question.resolve", reply=ANSWERED),
    )
    result = await ask(hass, "Clean up", satellite_id=KITCHEN)
    assert speech_of(result) == WHICH_ROOM
    assert result.continue_conversation
    result = await ask(hass, "The kitchen, please", satellite_id=KITCHEN)
    assert speech_of(result) == THANKS
    assert not result.continue_conversation
    [request] = friendly.received("question.resolve")
    assert request.params == {"id": "ask_1", "answers": {"answers": {"room": ["Kitchen"]}}}
    assert len(friendly.received("agent")) == 1
    async with late_answer(hass) as data:
        go_on.set()
    assert data["text"] == "It is clean."
    assert entry.runtime_data.outbox.all()


@pytest.mark.parametrize(
    ("reason", "speech", "runs"),
    [
        ("QUESTION_ALREADY_TERMINAL", "Noon.", 2),
        ("SOMETHING_ELSE", "The OpenClaw gateway refused the request.", 1),
    ],
)
async def test_an_answer_nobody_takes(
    hass: HomeAssistant, friendly: ScriptedGateway, reason: str, speech: str, runs: int
) -> None:
    """Somebody was faster: then the words are for the agent. Other errors are told."""
    await add_entry(hass, friendly)
    refusal = Refusal(message="no", details={"reason": reason})
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), asks()]),
        Expect("question.resolve", reply=refusal),
        *([Expect("agent", reply=accepted(), emit=answered("Noon."))] if runs == 2 else []),
    )
    await ask(hass, "Clean up", satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "The kitchen", satellite_id=KITCHEN)) == speech
    assert len(friendly.received("agent")) == runs


async def test_what_is_no_answer_is_for_the_agent(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Only an option is taken, and another conversation was asked nothing."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), asks(isOther=False)]),
        *[Expect("agent", reply=accepted(), emit=answered("Noon.")) for _ in range(2)],
    )
    await ask(hass, "Clean up", satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "Bath", conversation_id="typed")) == "Noon."
    assert speech_of(await ask(hass, "What time is it", satellite_id=KITCHEN)) == "Noon."


async def test_what_cannot_be_said_is_answered_elsewhere(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A secret must not pass through Home Assistant."""
    await add_entry(hass, friendly)
    emit = [started(), asks(isSecret=True, options=[]), *answered("Noon.")[1:]]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))
    result = await ask(hass, satellite_id=KITCHEN)
    assert speech_of(result) == "Noon."
    assert not result.continue_conversation
