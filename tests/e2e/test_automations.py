"""Automations of every form that run when the gateway says something, in a real Home Assistant."""

from collections.abc import AsyncGenerator
import uuid

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.stage import Agent

from .administrator import Administrator, administrator
from .aloud import new_word
from .told import Told, event_entities, told

pytestmark = pytest.mark.e2e

RAN = "e2e_automation_ran"
"""The event with which an automation of these tests says that it ran, and with what."""


@pytest.fixture
async def owner(real_gateway: GatewayProcess, agent: Agent) -> AsyncGenerator[Administrator]:
    """Return the owner of the gateway."""
    async with administrator(real_gateway) as owner:
        yield owner


@pytest.fixture
async def ran(agent: Agent, real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[Told]:
    """Return which automations have run."""
    async with told(real_home_assistant, RAN) as ran:
        yield ran


class Automations:
    """Automations that exist for one test."""

    def __init__(self, client: HomeAssistantClient) -> None:
        """There are none yet."""
        self._client = client
        self._ids: list[str] = []

    async def add(
        self, name: str, trigger: JsonObject, *, title: str, message: str, **more: object
    ) -> None:
        """Add one that tells under its name what it was run with.

        Args:
            name: What it tells as its `kind`.
            trigger: When it runs.
            title: A template of the title.
            message: A template of the message.
            more: Conditions, and actions to run instead of telling.
        """
        data = {"kind": name, "title": title, "message": message}
        automation: JsonObject = {
            "alias": f"{name} {uuid.uuid4().hex}",
            "mode": "queued",
            "triggers": [trigger],
            "actions": [{"event": RAN, "event_data": data}],
        }
        automation_id = uuid.uuid4().hex
        self._ids.append(automation_id)
        await self._client.rest(
            "POST", f"/api/config/automation/config/{automation_id}", automation | more
        )
        # What was written is read later unless somebody waits for it.
        await self._client.rest("POST", "/api/services/automation/reload", {})
        await self._wait_until_on(automation_id)

    async def _wait_until_on(self, automation_id: str) -> None:
        rows = await self._client.call("config/entity_registry/list")
        (entity_id,) = [row["entity_id"] for row in rows if row["unique_id"] == automation_id]
        await self._client.wait_for_state(entity_id, lambda state: state == "on")

    async def remove(self) -> None:
        """Remove them."""
        for automation_id in self._ids:
            path = f"/api/config/automation/config/{automation_id}"
            await self._client.rest("DELETE", path)


@pytest.fixture
async def automations(client: HomeAssistantClient) -> AsyncGenerator[Automations]:
    """Return the automations of the test."""
    automations = Automations(client)
    yield automations
    await automations.remove()


def our_trigger(**options: object) -> JsonObject:
    """Return our own trigger."""
    return {"trigger": "openclaw_voice.notification_received", "options": options}


OF_OUR_TRIGGER = {
    "title": "{{ trigger.notification.title }}",
    "message": "{{ trigger.notification.message }}",
}


async def test_every_form_of_automation_runs_when_a_job_has_ended(
    client: HomeAssistantClient,
    agent: Agent,
    owner: Administrator,
    automations: Automations,
    ran: Told,
) -> None:
    """Our trigger, the event on the bus, and the event entities of the gateway and the agent."""
    await automations.add("trigger", our_trigger(), **OF_OUR_TRIGGER)
    await automations.add(
        "bus",
        {
            "trigger": "event",
            "event_type": "openclaw_voice_notification",
            "event_data": {"kind": "job_finished", "entry_id": agent.entry_id},
        },
        title="{{ trigger.event.data.title }}",
        message="{{ trigger.event.data.message }}",
    )
    gateway_entity, agent_entity = await event_entities(client, agent)
    for form, entity_id in (("gateway", gateway_entity), ("agent", agent_entity)):
        await automations.add(
            form,
            {"trigger": "state", "entity_id": entity_id},
            title="{{ trigger.to_state.attributes.title }}",
            message="{{ trigger.to_state.attributes.message }}",
        )
    name, word = new_word(), new_word()

    await owner.run_job(name, f"MODEL:SAY {word}")

    for form in ("trigger", "bus", "gateway", "agent"):
        run = await ran.of_kind(form, word)
        assert (run["title"], run["message"]) == (name, word)
    assert len(ran.with_words(word)) == 4


async def test_filters_let_through_what_is_wanted(
    agent: Agent, owner: Administrator, automations: Automations, ran: Told
) -> None:
    """The kind, the agent, the text: one of them that does not fit is enough."""
    fence, word = new_word(), new_word()
    await automations.add(
        "wanted",
        our_trigger(kind=["job_finished"], agent=[agent.entity_id], text=word),
        **OF_OUR_TRIGGER,
    )
    await automations.add("other kind", our_trigger(kind=["heartbeat"]), **OF_OUR_TRIGGER)
    await automations.add("other text", our_trigger(text=new_word()), **OF_OUR_TRIGGER)
    await automations.add("fence", our_trigger(text=fence), **OF_OUR_TRIGGER)

    await owner.run_job("Mail", f"MODEL:SAY There is an {word} for you.")
    await owner.run_job("Fence", f"MODEL:SAY {fence}")

    await ran.of_kind("fence", fence)
    assert [run["kind"] for run in ran.with_words(word)] == ["wanted"]


async def test_a_condition_knows_whether_the_gateway_is_connected(
    agent: Agent, owner: Administrator, automations: Automations, ran: Told
) -> None:
    """As it is when it says something."""
    fence, word = new_word(), new_word()
    condition = {"condition": "openclaw_voice.is_connected"}
    negated = {"condition": "not", "conditions": [condition]}
    for name, conditions in (("connected", [condition]), ("away", [negated])):
        await automations.add(name, our_trigger(text=word), **OF_OUR_TRIGGER, conditions=conditions)
    await automations.add("fence", our_trigger(text=fence), **OF_OUR_TRIGGER)

    await owner.run_job("Mail", f"MODEL:SAY {word}")
    await owner.run_job("Fence", f"MODEL:SAY {fence}")

    await ran.of_kind("fence", fence)
    assert [run["kind"] for run in ran.with_words(word)] == ["connected"]
