"""Delivery without an automation: what the gateway says is said where people have chosen."""

from collections.abc import AsyncGenerator

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.stage import Agent

from .administrator import Administrator
from .aloud import Room, new_word

pytestmark = pytest.mark.e2e

PATH = "/api/config/config_entries/options/flow"


@pytest.fixture
async def told_in_kitchen(kitchen_room: Room, agent: Agent) -> AsyncGenerator[Room]:
    """Return the kitchen, where what jobs say is told while the test lasts."""
    client = kitchen_room.client
    before = await _change(
        client, agent, satellites=[kitchen_room.entity.entity_id], kinds=["job_finished"]
    )
    yield kitchen_room
    await _change(client, agent, **before)


async def test_what_a_job_says_is_announced_where_somebody_wants_to_hear_it(
    told_in_kitchen: Room, bedroom_room: Room, owner: Administrator
) -> None:
    """There only, once, and as it is spoken; what is not among the chosen kinds is not."""
    word, other, fence = new_word(), new_word(), new_word()

    known = len(owner.feed.events)
    await owner.wake(f"MODEL:SAY {other}")
    await owner.until("heartbeat", lambda payload: payload.get("preview") == other, after=known)
    await owner.run_job("Bins", f"MODEL:SAY The **bins** {word} go out.")
    await told_in_kitchen.wait_for_announcement(f"The bins {word} go out.")
    await owner.run_job("Fence", f"MODEL:SAY {fence}")
    await told_in_kitchen.wait_for_announcement(fence)

    assert len(told_in_kitchen.announcements(word)) == 1
    assert told_in_kitchen.announcements(other) == []
    assert bedroom_room.announcements(word) == []


async def _change(
    client: HomeAssistantClient, agent: Agent, **changes: object
) -> dict[str, object]:
    """Change options of the gateway as the frontend does, and return what they were."""
    step = await client.rest("POST", PATH, {"handler": agent.entry_id})
    shown: dict[str, dict[str, object]] = {
        section["name"]: {field["name"]: _held(field) for field in section["schema"]}
        for section in step["data_schema"]
    }
    before = {
        name: value
        for fields in shown.values()
        for name, value in fields.items()
        if name in changes
    }
    assert before.keys() == changes.keys()
    typed = {
        section: {
            name: value
            for name, held in fields.items()
            if (value := changes.get(name, held)) is not None
        }
        for section, fields in shown.items()
    }
    end = await client.rest("POST", f"{PATH}/{step['flow_id']}", typed)
    assert end["type"] == "create_entry", end
    return before


def _held(field: JsonObject) -> object:
    """Return what a field of a form holds."""
    return field.get("default", (field.get("description") or {}).get("suggested_value"))
