"""Several agents of one gateway: each with a memory of its own, each where it was chosen."""

import re

import pytest

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.model_server import ModelServer
from demo.stage import Agent

from .aloud import PATIENT, Room, new_word
from .conftest import ask
from .subentry_flow import Options, add_agent

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("patient")]

GARDENER = "gardener"
RUNTIME = re.compile(r"Runtime: agent=([a-z]+)")
NOBODY_CHOSEN = "as_the_assistant_says"


@pytest.fixture
async def gardener(
    client: HomeAssistantClient, agent: Agent, real_gateway: GatewayProcess
) -> Agent:
    """Return a second agent, added from the gateway's list."""
    gardener = await add_agent(client, agent, real_gateway, GARDENER)
    await Options(client, gardener).change(patience=PATIENT)
    return gardener


@pytest.fixture
async def gardener_pipeline(client: HomeAssistantClient, gardener: Agent) -> str:
    """Return an assistant with that agent, which is not the preferred one."""
    known = await client.call("assist_pipeline/pipeline/list")
    ours = [
        row["id"] for row in known["pipelines"] if row["conversation_engine"] == gardener.entity_id
    ]
    return ours[0] if ours else await client.create_pipeline(gardener.entity_id, GARDENER)


async def test_each_agent_remembers_only_what_it_was_told(
    client: HomeAssistantClient, gardener_pipeline: str, model_server: ModelServer
) -> None:
    """In one and the same conversation, an agent sees its own turns and not those of the other."""
    first, second = new_word(), new_word()
    turn = await ask(client, f"MODEL:SAY {first}")
    same = turn.end.conversation_id
    other = await ask(
        client, f"MODEL:SAY {second}", conversation_id=same, pipeline_id=gardener_pipeline
    )
    assert other.end.conversation_id == same

    await ask(client, "MODEL:SAY yes", conversation_id=same)
    seen_by_first = str(model_server.requests[-1].messages)
    await ask(client, "MODEL:SAY no", conversation_id=same, pipeline_id=gardener_pipeline)
    seen_by_second = str(model_server.requests[-1].messages)

    assert (first in seen_by_first, second in seen_by_first) == (True, False)
    assert (first in seen_by_second, second in seen_by_second) == (False, True)


async def test_a_satellite_is_answered_by_the_agent_chosen_for_it(
    gardener: Agent,
    kitchen_room: Room,
    bedroom_room: Room,
    model_server: ModelServer,
) -> None:
    """The choice holds at this satellite only, whatever its assistant says, until it is taken back."""
    await choose(kitchen_room, GARDENER)

    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    assert answered_by(model_server) == GARDENER
    await bedroom_room.ask(f"MODEL:SAY {new_word()}")
    assert answered_by(model_server) == "main"

    await choose(kitchen_room, NOBODY_CHOSEN)
    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    assert answered_by(model_server) == "main"


async def test_somebody_switches_agents_by_saying_so(
    gardener: Agent, kitchen_room: Room, model_server: ModelServer
) -> None:
    """It is said who listens from now on, the select shows it, and the other agent answers."""
    said = await kitchen_room.ask(f"switch to {GARDENER}")
    assert GARDENER in said.answer
    await kitchen_room.client.wait_for_state(
        await select_of(kitchen_room), lambda state: state == GARDENER
    )

    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    assert answered_by(model_server) == GARDENER

    await kitchen_room.ask("switch to main")
    await kitchen_room.ask(f"MODEL:SAY {new_word()}")
    assert answered_by(model_server) == "main"
    await choose(kitchen_room, NOBODY_CHOSEN)


async def select_of(room: Room) -> str:
    """Return the entity that chooses the agent of a room's satellite."""
    states = await room.client.call("get_states")
    (found,) = [
        state["entity_id"]
        for state in states
        if state["entity_id"].startswith("select.")
        and state["attributes"]["friendly_name"].endswith(f"Agent of {room.satellite.name}")
    ]
    return str(found)


async def choose(room: Room, option: str) -> None:
    """Choose the agent of a room's satellite, as its select does."""
    entity_id = await select_of(room)
    await room.client.call(
        "call_service",
        domain="select",
        service="select_option",
        service_data={"option": option},
        target={"entity_id": entity_id},
    )
    await room.client.wait_for_state(entity_id, lambda state: state == option)


def answered_by(model_server: ModelServer) -> str:
    """Return the id of the agent whose model was asked last."""
    found = RUNTIME.findall(str(model_server.requests[-1].messages))
    assert found, "the gateway does not tell the model which agent it is"
    return str(found[-1])
