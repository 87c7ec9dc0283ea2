"""Which session a turn belongs to, what its agent is told, and how its run is started."""

import asyncio
from dataclasses import replace
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest

from custom_components.openclaw_voice.assist import agent as agent_module, agent_turn, options
from custom_components.openclaw_voice.assist.agent import Agent
from custom_components.openclaw_voice.assist.agent_turn import Manners
from custom_components.openclaw_voice.assist.session_key import SessionKind, SessionScope
from custom_components.openclaw_voice.gateway.run_request import Patience
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer, LateStatus
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    ended,
    response_aborted,
    response_ok,
    said,
    sent,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, wait_for
from tests.fakes.refusals import Refusal

from .support import add_entry, ask, speech_of
from .turns import KITCHEN, late_answer

pytestmark = pytest.mark.usefixtures("home")

OTHER = "conversation.kitchen"
BUSY = "I am still busy with your last question. Please ask me again in a moment."


def row(role: str, text: str, run_id: str) -> dict[str, Any]:
    """Return a row of a history."""
    key = {"idempotencyKey": f"{run_id}:user"} if role == "user" else {}
    return {"role": role, "content": text, "__openclaw": {"runId": run_id}, **key}


def keys_of(gateway: ScriptedGateway) -> list[str]:
    """Return the sessions that were asked, without what all have in common."""
    return [request.params["sessionKey"].split(":", 4)[4] for request in gateway.received("agent")]


async def test_two_agents_have_separate_sessions(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Each entity asks its own agent."""
    await add_entry(hass, friendly, "main", "kitchen")
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)])
    await ask(hass, conversation_id="x")
    await ask(hass, conversation_id="x", agent=OTHER)
    keys = [request.params["sessionKey"] for request in friendly.received("agent")]
    assert [key.split(":")[1] for key in keys] == ["main", "kitchen"]


async def test_the_scope_decides_what_turns_share(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Two conversations at one satellite go on in one session."""
    await add_entry(hass, friendly, options={"main": {"scope": "satellite"}})
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(3)])
    await ask(hass, conversation_id="x", satellite_id=KITCHEN)
    await ask(hass, conversation_id="y", satellite_id=KITCHEN)
    await ask(hass, conversation_id="z", satellite_id="assist_satellite.den")
    kitchen, same, den = keys_of(friendly)
    assert kitchen == same == "satellite:assist_satellite.kitchen"
    assert den == "satellite:assist_satellite.den"


async def test_the_agent_is_told_where_it_is_asked(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The room of the satellite, as its registry knows it."""
    await add_entry(hass, friendly)
    area = ar.async_get(hass).async_create("Wine cellar")
    entities = er.async_get(hass)
    entity = entities.async_get_or_create("assist_satellite", "test", "1")
    entities.async_update_entity(entity.entity_id, area_id=area.id)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    await ask(hass, satellite_id=entity.entity_id)
    [request] = friendly.received("agent")
    assert "- Room: Wine cellar" in request.params["extraSystemPrompt"]


async def test_the_agent_chosen_for_a_satellite_answers_there(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whichever the pipeline names; elsewhere nothing changes."""
    entry = await add_entry(hass, friendly, "main", "kitchen")
    entry.runtime_data.memory.choose_agent(KITCHEN, "subentry-kitchen")
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)])
    await ask(hass, satellite_id=KITCHEN)
    await ask(hass, satellite_id="assist_satellite.den")
    keys = [request.params["sessionKey"] for request in friendly.received("agent")]
    assert [key.split(":")[1] for key in keys] == ["kitchen", "main"]


async def test_an_agent_that_was_removed_answers_nowhere(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent of the pipeline takes its place."""
    entry = await add_entry(hass, friendly, "main", "kitchen")
    entry.runtime_data.memory.choose_agent(KITCHEN, "subentry-kitchen")
    hass.config_entries.async_remove_subentry(entry, "subentry-kitchen")
    await hass.async_block_till_done()
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "Yes."
    assert list(entry.runtime_data.agents) == ["subentry-main"]


async def test_an_agent_that_is_just_being_removed_still_answers(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Home Assistant takes its entity away a moment later."""
    entry = await add_entry(hass, friendly)
    entry.runtime_data.household.agents.clear()
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "Yes."


async def test_a_level_of_thinking_goes_with_every_run(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is an option of the agent."""
    await add_entry(hass, friendly, options={"main": {"thinking": "high"}})
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    await ask(hass)
    [request] = friendly.received("agent")
    assert request.params["thinking"] == "high"


async def test_a_session_is_told_its_model_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Before its first run; other sessions are told, too."""
    await add_entry(hass, friendly, options={"main": {"model": "stub/large"}})
    friendly.anytime(Expect("sessions.patch", reply={"ok": True, "key": "x", "entry": {}}))
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(3)])
    await ask(hass, conversation_id="x")
    await ask(hass, conversation_id="x")
    await ask(hass, conversation_id="y")
    patched = [request.params for request in friendly.received("sessions.patch")]
    keys = [request.params["sessionKey"] for request in friendly.received("agent")]
    assert patched == [{"key": key, "model": "stub/large"} for key in dict.fromkeys(keys)]


async def test_a_model_that_cannot_be_used_costs_no_answer(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent answers with the one it has; the next turn tries again."""
    await add_entry(hass, friendly, options={"main": {"model": "stub/large"}})
    refused = Refusal(code="INVALID_REQUEST", message="model not allowed", details={})
    friendly.anytime(Expect("sessions.patch", reply=refused))
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)])
    assert speech_of(await ask(hass, conversation_id="x")) == "Yes."
    await ask(hass, conversation_id="x")
    assert len(friendly.received("sessions.patch")) == 2


async def test_a_gateway_that_is_slow_to_change_a_model_costs_no_answer(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn goes on without it."""
    monkeypatch.setattr(agent_module, "MODEL_LIMIT", 0.05)
    await add_entry(hass, friendly, options={"main": {"model": "stub/large"}})
    friendly.anytime(Expect("sessions.patch"))
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    assert speech_of(await ask(hass)) == "Yes."


async def test_a_model_does_not_prolong_the_wait_for_a_connection(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is left without an answer hears so after one wait, not after two."""
    now = hass.loop.time()
    waits: list[float] = []

    async def wait_for_model(*_: object) -> None:
        nonlocal now
        now += 7.0

    def note_patience(_: Manners, outage_wait: float) -> Patience:
        waits.append(outage_wait)
        return Patience()

    monkeypatch.setattr(agent_module.Agent, "async_use_model", wait_for_model)
    monkeypatch.setattr(agent_turn.AgentTurn, "_now", staticmethod(lambda: now))
    monkeypatch.setattr(agent_turn, "run_patience", note_patience)
    await add_entry(hass, friendly, options={"main": {"model": "x/y", "outage_wait": 10.0}})
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    await ask(hass)
    assert waits == [3.0]


async def test_an_agent_that_asks_before_risk_is_asked_another_way(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It takes no instructions; the little that fits goes as data."""
    await add_entry(hass, friendly, options={"main": {"asks_before_risk": True}})
    friendly.script(Expect("chat.send", reply=sent(), emit=answered("Yes.")[:-1]))
    friendly.anytime(Expect("agent.wait", reply={"runId": "x", "status": "timeout"}))
    await ask(hass)
    [request] = friendly.received("chat.send")
    assert "extraSystemPrompt" not in request.params
    assert "Language: en" in request.params["workContext"]["selection"]


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let agents have less patience than people may set."""
    monkeypatch.setattr(options, "PATIENCE_BOUNDS", (0.0, 240.0))


@pytest.mark.usefixtures("impatience")
async def test_a_question_during_a_task_is_asked_aside(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is answered at once; the agent knows the task, and afterwards what was said aside."""
    await add_entry(hass, friendly, options={"main": {"patience": 0.1, "scope": "satellite"}})
    is_done = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), wait_for(is_done), said("It is clean."), ended(), response_ok()],
        ),
        Expect(
            "chat.history",
            reply={"messages": [row("user", "Clean up!", "r0"), row("assistant", "Soon.", "r0")]},
        ),
        Expect("agent", reply=accepted(), emit=answered("It is noon.")),
    )
    await ask(hass, "Clean up!", satellite_id=KITCHEN)
    result = await ask(hass, "What time is it?", satellite_id=KITCHEN)
    assert speech_of(result) == "It is noon."
    key, aside = keys_of(friendly)
    assert aside == f"{key}:aside"
    told = friendly.received("agent")[1].params["extraSystemPrompt"]
    assert "Clean up!" in told
    assert "- You: Soon." in told

    async with late_answer(hass):
        is_done.set()
    run_id = friendly.received("agent")[1].params["idempotencyKey"]
    friendly.script(
        Expect(
            "chat.history",
            reply={
                "messages": [
                    row("user", "An old question", "r1"),
                    row("user", "What time is it?", run_id),
                    row("assistant", "It is noon.", run_id),
                ]
            },
        ),
        *[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)],
    )
    await ask(hass, "Is it clean?", satellite_id=KITCHEN)
    await ask(hass, "Really?", satellite_id=KITCHEN)
    assert keys_of(friendly)[2:] == [key, key]
    first, second = [
        request.params["extraSystemPrompt"] for request in friendly.received("agent")[2:]
    ]
    assert "- You: It is noon." in first
    assert "An old question" not in first
    assert "It is noon." not in second


@pytest.mark.usefixtures("impatience")
async def test_a_history_that_cannot_be_read_holds_up_nobody(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The task itself is known without it."""
    await add_entry(hass, friendly, options={"main": {"patience": 0.1, "scope": "satellite"}})
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect("chat.history", reply=Refusal(code="UNAVAILABLE", message="no", details={})),
        Expect("agent", reply=accepted(), emit=answered("It is noon.")),
    )
    await ask(hass, "Clean up!", satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "What time?", satellite_id=KITCHEN)) == "It is noon."
    assert "Clean up!" in friendly.received("agent")[1].params["extraSystemPrompt"]


@pytest.mark.usefixtures("impatience")
async def test_a_third_question_waits_for_one_of_two_tasks(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nothing is sent, because it would wait in the gateway for the tasks."""
    await add_entry(hass, friendly, options={"main": {"patience": 0.1, "scope": "satellite"}})
    friendly.anytime(Expect("chat.history", reply={"messages": []}))
    friendly.script(*[Expect("agent", reply=accepted(), emit=[started()]) for _ in range(2)])
    await ask(hass, "Clean up!", satellite_id=KITCHEN)
    await ask(hass, "Cook!", satellite_id=KITCHEN)
    assert speech_of(await ask(hass, "Dance!", satellite_id=KITCHEN)) == BUSY
    assert len(friendly.received("agent")) == 2


async def test_what_nobody_heard_is_told_by_the_next_turn(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Once, and also what was answered aside, or asked in another conversation at the satellite."""
    entry = await add_entry(hass, friendly, options={"main": {"scope": "satellite"}})
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    scope = SessionScope(kind=SessionKind.SATELLITE, value=KITCHEN)
    key, aside = (agent.key_of(replace(scope, is_aside=is_aside)) for is_aside in (False, True))
    places = ((key, None), (aside, None), ("x", KITCHEN), ("x", "assist_satellite.den"))
    for number, (session_key, satellite_id) in enumerate(places):
        answer = LateAnswer(
            id=f"late-{number}",
            agent_id="main",
            subentry_id=agent.subentry_id,
            session_key=session_key,
            satellite_id=satellite_id,
            run_id=f"late-{number}",
            question="?",
            language="en",
            created=dt_util.utcnow(),
            status=LateStatus.UNHEARD,
            text=f"It is clean {number}.",
        )
        entry.runtime_data.outbox._answers.put(answer, dt_util.utcnow())
    friendly.script(*[Expect("agent", reply=accepted(), emit=answered("Yes.")) for _ in range(2)])
    await ask(hass, satellite_id=KITCHEN)
    await ask(hass, satellite_id=KITCHEN)
    first, second = [request.params["extraSystemPrompt"] for request in friendly.received("agent")]
    assert [f"It is clean {number}." in first for number in range(4)] == [True, True, True, False]
    assert "It is clean" not in second
    stati = [answer.status for answer in reversed(entry.runtime_data.outbox.all())]
    assert stati == [LateStatus.DELIVERED] * 3 + [LateStatus.UNHEARD]


async def test_what_a_stopped_turn_was_told_is_told_again(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It had not said a word, so nobody knows whether it has read it."""
    entry = await add_entry(hass, friendly, options={"main": {"scope": "satellite"}})
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    answer = LateAnswer(
        id="late",
        agent_id="main",
        subentry_id=agent.subentry_id,
        session_key="x",
        satellite_id=KITCHEN,
        run_id="late",
        question="?",
        language="en",
        created=dt_util.utcnow(),
        status=LateStatus.UNHEARD,
        text="It is clean.",
    )
    entry.runtime_data.outbox._answers.put(answer, dt_util.utcnow())
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started()]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
        Expect("agent", reply=accepted(), emit=answered("Yes.")),
    )
    turn = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    await agent.async_stop()
    await turn
    await hass.async_block_till_done()
    assert entry.runtime_data.outbox.get("late") == answer
    await ask(hass, satellite_id=KITCHEN)
    assert "It is clean." in friendly.received("agent")[1].params["extraSystemPrompt"]


@pytest.mark.usefixtures("impatience")
async def test_an_agent_that_asks_before_risk_is_told_its_task_in_short(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """There is no room for a history, so none is read."""
    await add_entry(
        hass,
        friendly,
        options={"main": {"patience": 0.1, "scope": "satellite", "asks_before_risk": True}},
    )
    friendly.script(
        Expect("chat.send", reply=sent(), emit=[started()]),
        Expect("chat.send", reply=sent(), emit=answered("Yes.")[:-1]),
    )
    friendly.anytime(Expect("agent.wait", reply={"runId": "x", "status": "timeout"}))
    await ask(hass, "Clean up!", satellite_id=KITCHEN)
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "Yes."
    request = friendly.received("chat.send")[1]
    assert request.params["sessionKey"].endswith(":aside")
    assert "Clean up!" in request.params["workContext"]["selection"]


async def test_a_new_conversation_can_be_an_old_one(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An action lets a satellite go on with what was said elsewhere."""
    entry = await add_entry(hass, friendly, options={"main": {"scope": "satellite"}})
    agent: Agent = entry.runtime_data.agents["subentry-main"]
    scope = SessionScope(kind=SessionKind.SATELLITE, value=KITCHEN)
    den = agent.key_of(replace(scope, value="assist_satellite.den"))
    agent.continue_conversation(scope, den)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    await ask(hass, satellite_id=KITCHEN)
    assert friendly.received("agent")[0].params["sessionKey"] == den
