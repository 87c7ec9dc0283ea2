"""Questions through Assist to a real gateway, and what can happen to the connection in between."""

import asyncio
from uuid import uuid4

import pytest

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.model_server import ModelServer
from demo.script import TOOL_PREFACE
from demo.stage import Agent
from tests.e2e.aloud import MODEL_LIMIT, new_word
from tests.e2e.conftest import FOUND_LIMIT, ask
from tests.e2e.heard import heard as follow

pytestmark = pytest.mark.e2e


async def test_answer_streams_while_the_model_speaks(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """The first words reach the client of Assist before the model has said the last; all are the model's own."""
    rest = f"and ends with {new_word()}."
    question = f"MODEL:HOLD It begins with some words | {rest}"
    known = len(model_server.requests)
    begins = asyncio.Event()

    turn = asyncio.create_task(follow(client.ask(question), lambda _: begins.set()))
    async with asyncio.timeout(MODEL_LIMIT):
        await begins.wait()
    model_server.release(rest)
    heard = await turn

    (request,) = model_server.requests[known:]
    assert request.user_text == question
    assert heard.messages == (request.reply,)
    assert heard.end.answer == request.reply
    assert not heard.end.was_local
    assert len(heard.deltas) > 1


async def test_text_before_a_tool_is_a_message_of_its_own(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """What is said before a tool runs streams too; the answer is what is said after it."""
    word = uuid4().hex
    known = len(model_server.requests)

    heard = await ask(client, f'MODEL:TOOL exec {{"command": "echo {word}"}}')

    answer = f"The tool answered: {word}"
    assert [request.reply for request in model_server.requests[known:]] == [TOOL_PREFACE, answer]
    assert heard.messages == (TOOL_PREFACE, answer)
    assert heard.end.answer == answer


async def test_a_conversation_goes_on(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """The agent knows the earlier turns of the same conversation, and only of that."""
    word = uuid4().hex
    first = await ask(client, f"MODEL:SAY {word}")

    await ask(client, "MODEL:SAY again", conversation_id=first.end.conversation_id)
    same = model_server.requests[-1]
    await ask(client, "MODEL:SAY elsewhere")
    other = model_server.requests[-1]

    assert word in str(same.messages)
    assert word not in str(other.messages)


async def test_markup_and_umlauts_arrive_as_sent(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """Nothing on the way changes the text."""
    heard = await ask(client, "MODEL:MD")

    assert heard.end.answer == model_server.requests[-1].reply


async def test_a_silent_agent_is_shown_to_whoever_reads(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """An agent may decide not to answer, which is no error."""
    heard = await ask(client, "MODEL:NO_REPLY")

    assert heard.messages == ("(no answer)",)
    assert (heard.end.answer, heard.end.response_type) == ("(no answer)", "action_done")


async def test_a_failing_model_becomes_a_sentence(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """An error of the model ends the turn with something to say."""
    heard = await ask(client, "MODEL:FAIL 400")

    assert heard.end.response_type == "error"
    assert heard.end.answer


async def test_reloading_and_unloading_leave_it_working(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """An entry that was reloaded, and one that was switched off and on, answers again."""
    await client.rest("POST", f"/api/config/config_entries/entry/{agent.entry_id}/reload")
    await client.wait_for_entry(agent.entry_id, "loaded")
    assert (await ask(client, "MODEL:SAY reloaded")).end.answer == "reloaded"

    await client.call("config_entries/disable", entry_id=agent.entry_id, disabled_by="user")
    await client.wait_for_entry(agent.entry_id, "not_loaded")
    await client.call("config_entries/disable", entry_id=agent.entry_id, disabled_by=None)
    await client.wait_for_entry(agent.entry_id, "loaded")
    assert (await ask(client, "MODEL:SAY enabled")).end.answer == "enabled"


async def test_a_restarted_gateway_is_found_again(
    client: HomeAssistantClient, agent: Agent, real_gateway: GatewayProcess
) -> None:
    """The agent is unavailable while the gateway is away, and answers when it is back."""
    await real_gateway.terminate()
    await client.wait_for_state(agent.entity_id, lambda state: state == "unavailable")

    await real_gateway.start()
    await client.wait_for_state(
        agent.entity_id, lambda state: state != "unavailable", limit=FOUND_LIMIT
    )

    assert (await ask(client, "MODEL:SAY back")).end.answer == "back"
