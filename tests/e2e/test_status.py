"""What the devices of a real gateway and its agent show."""

import pytest

from demo.client import HomeAssistantClient
from demo.model_server import ModelServer
from demo.stage import Agent

from .aloud import act, new_word
from .conftest import ask

pytestmark = pytest.mark.e2e

LIMIT = 60.0
"""Seconds until something must be shown."""


async def entities(client: HomeAssistantClient, agent: Agent) -> dict[str, str]:
    """Return the ids of the entities of an agent and its gateway, by what they show.

    That is what their unique ids end with. The gateway may have other agents, too.
    """
    listed = await client.call("config/entity_registry/list")
    own = next(row for row in listed if row["entity_id"] == agent.entity_id)
    return {
        row["unique_id"].partition("_")[2]: row["entity_id"]
        for row in listed
        if row["config_entry_id"] == agent.entry_id
        and row["config_subentry_id"] in (None, own["config_subentry_id"])
    }


async def state_of(client: HomeAssistantClient, entity_id: str) -> str:
    """Return the state of an entity."""
    return str((await client.rest("GET", f"/api/states/{entity_id}"))["state"])


async def test_a_run_is_shown_while_it_goes_on_and_can_be_stopped(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer
) -> None:
    """The button stops a task that nobody waits for any more."""
    ids = await entities(client, agent)
    word = new_word()
    await client.wait_for_state(ids["active_runs"], lambda state: state == "0", limit=LIMIT)
    response = await act(
        client, "ask", agent=agent.entity_id, message=f"MODEL:HOLD {word}", wait=False
    )
    assert response["status"] == "later"
    await client.wait_for_state(ids["active_runs"], lambda state: state == "1", limit=LIMIT)
    await client.call(
        "call_service",
        domain="button",
        service="press",
        target={"entity_id": ids["stop_runs"]},
    )
    await client.wait_for_state(ids["active_runs"], lambda state: state == "0", limit=LIMIT)
    model_server.release(word)


async def test_a_gateway_that_has_just_answered_is_well_and_up_to_date(
    client: HomeAssistantClient, agent: Agent
) -> None:
    """What a real gateway tells is understood; its times are those of the turn."""
    await ask(client, "MODEL:SAY Hello.")
    ids = await entities(client, agent)
    assert await state_of(client, ids["health"]) == "off"
    assert await state_of(client, ids["gateway"]) == "off"
    # Told once a minute: the session of the question may not be among them yet.
    assert (await state_of(client, ids["sessions"])).isdigit()
    assert (await state_of(client, ids["last_activity"])).startswith("20")
    assert "/" in await state_of(client, ids["model"])
    first = float(await state_of(client, ids["time_to_first_text"]))
    assert 0 < first <= float(await state_of(client, ids["time_to_end"])) < LIMIT
    for key in ("next_job", "tokens_today"):
        assert await state_of(client, ids[key]) != "unavailable"
