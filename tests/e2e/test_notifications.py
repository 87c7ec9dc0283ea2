"""What the gateway and its agents say on their own: each kind comes from its own source, once."""

from datetime import UTC, datetime
from functools import partial
import json
import uuid

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.stage import Agent

from .administrator import Administrator, Operator
from .aloud import act, new_word, wait_until_asked
from .subentry_flow import Options
from .told import Told, event_entities

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PREVIEW = 200
"""Characters of a heartbeat that the gateway pushes."""


STARTED_LIMIT = 180.0
"""Seconds until something must have been told after a start."""


async def new_session(client: HomeAssistantClient, agent: Agent) -> str:
    """Return the key of a session of this Home Assistant in which something was said."""
    response = await act(
        client, "ask", agent=agent.entity_id, session=uuid.uuid4().hex, message="MODEL:SAY seed"
    )
    assert response["answer"] == "seed"
    return str(response["session_key"])


async def test_what_a_scheduled_job_says_is_told(
    owner: Administrator, seen: Told, agent: Agent
) -> None:
    """With its name as the title and all that automations may want to know."""
    name, word = new_word(), new_word()

    ended = await owner.run_job(name, f"MODEL:SAY The **bins** {word} go out.")

    event = await seen.of_kind("job_finished", word)
    job, started = ended["jobId"], ended["runAtMs"]
    assert event.pop("time") == _time(started + ended["durationMs"])
    assert event == {
        "version": 1,
        "kind": "job_finished",
        "id": f"job:{job}:{started}",
        "title": name,
        "message": f"The **bins** {word} go out.",
        "is_cut": False,
        "agent": "main",
        "session": ended["sessionKey"],
        "entry_id": agent.entry_id,
        "data": {
            "job_id": job,
            "status": "ok",
            "error": None,
            "duration": ended["durationMs"] / 1000,
        },
    }


async def test_an_agent_that_is_woken_tells_all_it_has_to_say(
    owner: Administrator, seen: Told
) -> None:
    """The gateway pushes only the beginning of it, and not who says it."""
    word = new_word()
    text = f"{word} {'knows more. ' * 30}".strip()

    await owner.wake(f"MODEL:SAY {text}")

    event = await seen.of_kind("heartbeat", word)
    assert len(text) > PREVIEW
    assert (event["message"], event["agent"]) == (text, "main")
    assert event["session"] == "agent:main:main"


async def test_an_agent_that_looks_around_by_itself_is_heard(
    owner: Administrator, seen: Told
) -> None:
    """A scheduled heartbeat, on a gateway without any messenger."""
    word, fence = new_word(), new_word()

    async with owner.heartbeats(f"MODEL:SAY {word}"):
        await owner.run_heartbeat()
    await owner.run_job("Fence", f"MODEL:SAY {fence}")

    event = await seen.of_kind("heartbeat", word)
    assert (event["message"], event["agent"]) == (word, "main")
    await seen.of_kind("job_finished", fence)
    assert [told["kind"] for told in seen.events] == ["heartbeat", "job_finished"]


async def test_an_agent_is_woken_by_an_action(
    client: HomeAssistantClient, agent: Agent, seen: Told
) -> None:
    """As when a door opens; what it says comes as a heartbeat."""
    word = new_word()

    await client.rest(
        "POST",
        "/api/services/openclaw_voice/wake",
        {"agent": agent.entity_id, "text": f"MODEL:SAY {word}"},
    )

    assert (await seen.of_kind("heartbeat", word))["agent"] == "main"


async def test_a_reminder_is_told_once(owner: Administrator, seen: Told) -> None:
    """It is a scheduled job that puts something before an agent, whose answer is a heartbeat."""
    name, word, fence = new_word(), new_word(), new_word()

    await owner.run_reminder(name, f"MODEL:SAY {word}")
    await owner.run_job(fence, f"MODEL:SAY {fence}")

    await seen.of_kind("job_finished", fence)
    assert [event["kind"] for event in seen.with_words(word)] == ["heartbeat"]
    assert seen.with_words(name) == []


async def test_a_message_nobody_asked_for_is_told_with_its_session(
    client: HomeAssistantClient, owner: Administrator, agent: Agent, seen: Told
) -> None:
    """Where the owner of the gateway says something in the agent's name."""
    session, word = await new_session(client, agent), new_word()

    message_id = await owner.inject(session, f"The laundry {word} is done.", label="Laundry")

    event = await seen.of_kind("message", word)
    assert event["id"].endswith(message_id)
    assert (event["agent"], event["session"]) == ("main", session)
    assert (event["title"], event["message"]) == ("Laundry", f"The laundry {word} is done.")
    assert event["data"] == {"run_id": None, "label": "Laundry", "links": []}


async def test_conversations_of_others_are_nobody_elses(
    client: HomeAssistantClient,
    owner: Administrator,
    real_gateway: GatewayProcess,
    agent: Agent,
    seen: Told,
) -> None:
    """A chat of somebody at the gateway, also where we talk, or a session of another Home Assistant."""
    ours, fence, secret = await new_session(client, agent), new_word(), new_word()
    theirs = [
        f"agent:main:chat:{uuid.uuid4().hex}",
        f"agent:main:homeassistant:ffffffff:named:{uuid.uuid4().hex}",
    ]
    async with Operator.connect(real_gateway) as other:
        for session in theirs:
            assert await other.chat(session, f"MODEL:SAY {secret}") == secret
            await owner.inject(session, secret, label=secret)
        assert await other.chat(ours, f"MODEL:SAY {secret}") == secret

    await owner.inject(ours, fence)

    assert await seen.of_kind("message", fence)
    assert secret not in str(seen.events)


async def test_what_was_said_meanwhile_is_told_once_and_in_order(
    client: HomeAssistantClient,
    owner: Administrator,
    real_home_assistant: HomeAssistantProcess,
    agent: Agent,
    seen: Told,
) -> None:
    """While Home Assistant was not connected: a job, a message, an agent that was woken."""
    session = await new_session(client, agent)
    before, job, message, woken, after = (new_word() for _ in range(5))
    await owner.inject(session, before)
    await seen.of_kind("message", before)

    await _disable(client, agent, by="user")
    await owner.run_job(job, f"MODEL:SAY {job}")
    await owner.inject(session, message)
    known = len(owner.feed.events)
    await owner.wake(f"MODEL:SAY {woken}")
    await owner.until("heartbeat", lambda payload: payload.get("preview") == woken, after=known)
    assert seen.with_words(job) + seen.with_words(message) + seen.with_words(woken) == []
    await _disable(client, agent, by=None)
    await seen.of_kind("heartbeat", woken)
    # It comes live, after all that was missed.
    await owner.inject(session, after)
    await seen.of_kind("message", after)

    words = (before, job, message, woken, after)
    told_words = [word for event in seen.events for word in words if word in event["message"]]
    assert told_words == list(words)


async def test_what_was_said_while_home_assistant_was_off_is_told_when_it_starts(
    client: HomeAssistantClient,
    owner: Administrator,
    real_home_assistant: HomeAssistantProcess,
    agent: Agent,
) -> None:
    """The entities show it, whether or not an automation was up yet."""
    entities = await event_entities(client, agent)
    before = {entity_id: (await _shown(client, entity_id))["state"] for entity_id in entities}
    word = new_word()

    await real_home_assistant.terminate()
    await owner.run_job("Bins", f"MODEL:SAY {word}")
    await real_home_assistant.start()

    async with real_home_assistant.connect() as later:
        for entity_id, old in before.items():
            await later.wait_for_state(entity_id, partial(_is_new, old), limit=STARTED_LIMIT)
            assert (await _shown(later, entity_id))["attributes"]["message"] == word


async def test_what_an_agent_says_besides_its_answer_is_told(
    client: HomeAssistantClient, agent: Agent, options: Options, seen: Told
) -> None:
    """With its tool for messages, which goes to whoever asked, in a turn that could ask before risk."""
    await options.change(asks_before_risk=True)
    word = new_word()
    call = {"id": "message", "args": {"action": "send", "message": f"By the way, {word}."}}

    response = await act(
        client,
        "ask",
        agent=agent.entity_id,
        session=uuid.uuid4().hex,
        message=f"MODEL:TOOL tool_call {json.dumps(call)}",
    )

    event = await seen.of_kind("message", word)
    assert (event["message"], event["session"]) == (f"By the way, {word}.", response["session_key"])
    assert event["data"]["run_id"] == response["run_id"]
    assert word not in response["answer"]


async def test_a_turn_that_the_gateway_goes_on_with_is_told_when_nobody_waits_for_it(
    client: HomeAssistantClient,
    real_gateway: GatewayProcess,
    agent: Agent,
    model_server: ModelServer,
    seen: Told,
) -> None:
    """After it was killed: whoever asked in a session of ours is gone."""
    session, word = await new_session(client, agent), new_word()
    question = f"MODEL:HOLD {word}"
    async with Operator.connect(real_gateway) as other:
        await other.begin(session, question)
        await wait_until_asked(model_server, question)
        real_gateway.kill()

    await real_gateway.start()
    model_server.release(word)

    event = await seen.of_kind("message", word, limit=STARTED_LIMIT)
    assert (event["message"], event["session"]) == (word, session)


async def test_the_gateway_says_that_it_stops(
    real_gateway: GatewayProcess, owner: Administrator, seen: Told
) -> None:
    """As long as it still can."""
    await real_gateway.terminate()

    event = await seen.of_kind("gateway_stopping")
    assert event["data"]["reason"] == "gateway stopping"
    await real_gateway.start()


async def test_entities_show_what_is_told_and_no_log_has_it(
    client: HomeAssistantClient,
    owner: Administrator,
    real_home_assistant: HomeAssistantProcess,
    agent: Agent,
    seen: Told,
) -> None:
    """The entity of the gateway, and that of the agent whose message it is."""
    word = new_word()

    await owner.run_job("Bins", f"MODEL:SAY {word}")

    event = await seen.of_kind("job_finished", word)
    for entity_id in await event_entities(client, agent):
        shown = (await _shown(client, entity_id))["attributes"]
        assert shown["event_type"] == "job_finished"
        assert (shown["id"], shown["title"], shown["message"]) == (event["id"], "Bins", word)
    assert word not in real_home_assistant.log_path.read_text(errors="replace")


async def _shown(client: HomeAssistantClient, entity_id: str) -> JsonObject:
    """Return the state of an entity, with its attributes."""
    state: JsonObject = await client.rest("GET", f"/api/states/{entity_id}")
    return state


async def _disable(client: HomeAssistantClient, agent: Agent, *, by: str | None) -> None:
    """Have somebody disable the entry, or enable it again, and wait until it is so."""
    await client.call("config_entries/disable", entry_id=agent.entry_id, disabled_by=by)
    await client.wait_for_entry(agent.entry_id, "not_loaded" if by else "loaded")


def _is_new(old: str, state: str) -> bool:
    """Tell whether the state of an event entity says that there is another event."""
    return state not in {old, "unknown", "unavailable"}


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
