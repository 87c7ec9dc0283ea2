"""What agents ask people in the middle of their work: may I, and what do you want."""

import asyncio
from collections.abc import AsyncGenerator
import json
import uuid

import pytest

from custom_components.openclaw_voice.const import CONF_PRIVATE_KEY
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from demo.client import HomeAssistantClient, JsonObject
from demo.gateway import GatewayProcess
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.stage import Agent

from .administrator import Operator
from .aloud import act, new_word
from .asking import GUARD, ROOM, Turns, command, question, refused
from .subentry_flow import eventually
from .told import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAYS: JsonObject = {
    "id": "days",
    "header": "Days",
    "question": "Which days?",
    "options": [{"label": "Mon"}, {"label": "Tue"}],
    "multiSelect": True,
}


async def test_a_command_runs_after_somebody_allowed_it(
    client: HomeAssistantClient, guard: Agent, turns: Turns, seen: Told
) -> None:
    """It is told, it waits, it is allowed by the action, and the turn goes on."""
    word = new_word()
    turn = await turns.begin(guard, command(f"echo {word}"))

    asked = await seen.of_kind("approval_requested", word)

    facts = asked["data"]
    assert (facts["approval_kind"], facts["command"]) == ("exec", f"echo {word}")
    assert (facts["host"], facts["decisions"]) == ("gateway", ["allow-once", "deny"])
    assert asked["agent"] == GUARD
    assert await waiting(client, guard) == [facts["approval_id"]]

    await decide(client, facts["approval_id"], "allow-once")

    assert word in await turns.answer(turn)
    assert (await resolved(seen, facts["approval_id"]))["decision"] == "allow-once"
    assert await waiting(client, guard) == []


async def test_a_command_that_is_denied_does_not_run(
    client: HomeAssistantClient,
    guard: Agent,
    real_home_assistant: HomeAssistantProcess,
    turns: Turns,
    seen: Told,
) -> None:
    """The agent is told so, and nobody can change their mind afterwards."""
    done = real_home_assistant.folder / new_word()
    turn = await turns.begin(guard, command(f"touch {done}"))
    asked = (await seen.of_kind("approval_requested", str(done)))["data"]

    await decide(client, asked["approval_id"], "deny")

    assert "denied" in await turns.answer(turn)
    with refused("approval_gone"):
        await decide(client, asked["approval_id"], "allow-once")
    assert not done.exists()


async def test_an_approval_is_still_there_after_the_connection_was_lost(
    client: HomeAssistantClient,
    guard: Agent,
    real_home_assistant: HomeAssistantProcess,
    turns: Turns,
    seen: Told,
) -> None:
    """It is not told twice, and can be decided."""
    word = new_word()
    turn = await turns.begin(guard, command(f"echo {word}"))
    asked = (await seen.of_kind("approval_requested", word))["data"]

    async with real_home_assistant.connect() as other:
        await other.reload_entry(guard.entry_id)
        assert await waiting(other, guard) == [asked["approval_id"]]
        await decide(other, asked["approval_id"], "allow-once")

    await resolved(seen, asked["approval_id"])
    kinds = [
        event["kind"]
        for event in seen.events
        if event["data"].get("approval_id") == asked["approval_id"]
    ]
    assert kinds == ["approval_requested", "approval_resolved"]
    assert word in await turns.answer(turn)


@pytest.fixture
async def plugin(
    real_gateway: GatewayProcess, real_home_assistant: HomeAssistantProcess, agent: Agent
) -> AsyncGenerator[Operator]:
    """Return who asks for what a plugin wants to do: the device of Home Assistant, which alone is asked then."""
    stored = real_home_assistant.folder / ".storage" / "core.config_entries"

    def found() -> list[JsonObject]:
        entries = json.loads(stored.read_text())["data"]["entries"]
        return [entry["data"] for entry in entries if entry["entry_id"] == agent.entry_id]

    async def is_stored() -> bool:
        return bool(found())

    await eventually(is_stored)
    identity = DeviceIdentity.from_private_key(found()[0][CONF_PRIVATE_KEY])
    async with Operator.connect(real_gateway, identity=identity) as plugin:
        yield plugin


async def test_a_plugin_asks_before_it_acts(
    client: HomeAssistantClient, agent: Agent, plugin: Operator, seen: Told
) -> None:
    """What it wants to do is told and allowed; what nobody decides in time is over."""
    word = new_word()
    wish = {
        "title": f"Unlock the {word} door",
        "description": f"lock.unlock lock.{word}",
        "severity": "critical",
        "agentId": "main",
        "twoPhase": True,
    }

    await plugin.call("plugin.approval.request", timeoutMs=60_000, **wish)
    asked = await seen.of_kind("approval_requested", word)
    facts = asked["data"]
    assert (facts["approval_kind"], facts["severity"]) == ("plugin", "critical")
    assert await waiting(client, agent) == [facts["approval_id"]]
    await decide(client, facts["approval_id"], "allow-once")
    assert (await resolved(seen, facts["approval_id"]))["decision"] == "allow-once"

    await plugin.call("plugin.approval.request", timeoutMs=1_000, **wish)
    expired = await seen.wait_for(
        lambda event: (
            event["kind"] == "approval_resolved"
            and event["data"]["approval_id"] != facts["approval_id"]
        )
    )
    assert expired["data"]["resolved_by"] is None
    assert await waiting(client, agent) == []
    with refused("approval_gone"):
        await decide(client, expired["data"]["approval_id"], "allow-once")


async def resolved(seen: Told, approval_id: str) -> JsonObject:
    """Return what became of an approval."""
    event = await seen.wait_for(
        lambda event: (
            event["kind"] == "approval_resolved" and event["data"]["approval_id"] == approval_id
        )
    )
    data: JsonObject = event["data"]
    return data


async def test_a_question_is_answered(
    client: HomeAssistantClient, agent: Agent, turns: Turns, seen: Told
) -> None:
    """All its parts, and the agent goes on with the answer."""
    turn = await turns.begin(agent, question(ROOM, DAYS))

    asked = await seen.of_kind("question_asked", "Which room?")

    parts = asked["data"]["questions"]
    assert [part["id"] for part in parts] == ["room", "days"]
    assert [part["options"] for part in parts] == [["Kitchen", "Bath"], ["Mon", "Tue"]]
    assert [part["is_multiple"] for part in parts] == [False, True]
    question_id = asked["data"]["question_id"]
    with refused("wrong_answer_missing", part="days"):
        await answer(client, question_id, answers={"room": "Kitchen"})
    await answer(client, question_id, answers={"room": "Cellar", "days": ["Mon", "Tue"]})

    assert (await turns.answer(turn)).startswith("Let me look that up.")
    told_answer = await seen.of_kind("question_answered")
    assert told_answer["data"] == {"question_id": question_id, "status": "answered"}
    assert told_answer["session"] == asked["session"]


async def test_a_question_that_somebody_else_answers_is_over(
    client: HomeAssistantClient,
    agent: Agent,
    real_gateway: GatewayProcess,
    turns: Turns,
    seen: Told,
) -> None:
    """At the gateway itself, for example; then nothing waits any more."""
    turn = await turns.begin(agent, question(ROOM))
    asked = (await seen.of_kind("question_asked"))["data"]
    assert await waiting(client, agent) == [asked["question_id"]]

    async with Operator.connect(real_gateway) as other:
        await other.call(
            "question.resolve",
            id=asked["question_id"],
            answers={"answers": {"room": ["Bath"]}},
        )

    await turns.answer(turn)
    await seen.of_kind("question_answered")
    assert await waiting(client, agent) == []
    with refused("question_gone"):
        await answer(client, asked["question_id"], answer="Kitchen")


async def test_what_another_home_assistant_asks_is_not_told(
    agent: Agent,
    real_gateway: GatewayProcess,
    turns: Turns,
    client: HomeAssistantClient,
    seen: Told,
) -> None:
    """The gateway tells questions to everybody."""
    theirs = f"agent:main:homeassistant:ffffffff:named:{uuid.uuid4().hex}"
    async with Operator.connect(real_gateway) as other:
        chat = asyncio.create_task(other.chat(theirs, question(ROOM | {"question": "Theirs?"})))
        foreign = await other.until(
            "question.requested", lambda payload: payload["sessionKey"] == theirs
        )
        turn = await turns.begin(agent, question(ROOM | {"question": "Ours?"}))
        ours = await seen.of_kind("question_asked", "Ours?")

        assert await waiting(client, agent) == [ours["data"]["question_id"]]
        for question_id in (foreign["id"], ours["data"]["question_id"]):
            await other.call("question.resolve", id=question_id, cancel=True)
        await chat
        await turns.answer(turn)
    ended = await seen.of_kind("question_answered")
    assert ended["data"] == {"question_id": ours["data"]["question_id"], "status": "cancelled"}
    assert foreign["id"] not in str(seen.events)


async def waiting(client: HomeAssistantClient, agent: Agent) -> list[str]:
    """Return the ids of what waits for people, by the sensor and by the action, which agree."""
    rows = await client.call("config/entity_registry/list")
    (entity_id,) = [
        row["entity_id"]
        for row in rows
        if row["config_entry_id"] == agent.entry_id and row["unique_id"].endswith("waiting_answers")
    ]
    listed = (await act(client, "list_requests"))["requests"]
    ids = [
        request["data"].get("approval_id") or request["data"]["question_id"] for request in listed
    ]
    await client.wait_for_state(entity_id, lambda state: state == str(len(ids)))
    state = await client.rest("GET", f"/api/states/{entity_id}")
    assert state["attributes"]["ids"] == ids
    return ids


async def decide(client: HomeAssistantClient, approval_id: str, decision: str) -> None:
    """Decide an approval by our action."""
    await _run(client, "resolve_approval", approval_id=approval_id, decision=decision)


async def answer(client: HomeAssistantClient, question_id: str, **how: object) -> None:
    """Answer a question by our action."""
    await _run(client, "answer_question", question_id=question_id, **how)


async def _run(client: HomeAssistantClient, action: str, **data: object) -> None:
    """Run an action the way the frontend does, which is told why one is refused."""
    await client.call("call_service", domain=DOMAIN, service=action, service_data=data)
