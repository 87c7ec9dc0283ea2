"""Automations of every form that run when the gateway says something, in a real Home Assistant."""

from collections.abc import AsyncGenerator

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.home_assistant import HomeAssistantProcess
from demo.stage import Agent

from .administrator import Administrator
from .aloud import new_word
from .automations import RAN, Automations
from .told import Told, event_entities, told

pytestmark = pytest.mark.e2e


@pytest.fixture
async def ran(agent: Agent, real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[Told]:
    """Return which automations have run."""
    async with told(real_home_assistant, RAN) as ran:
        yield ran


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
    await automations.tell("trigger", our_trigger(), **OF_OUR_TRIGGER)
    await automations.tell(
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
        await automations.tell(
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
    await automations.tell(
        "wanted",
        our_trigger(kind=["job_finished"], agent=[agent.entity_id], text=word),
        **OF_OUR_TRIGGER,
    )
    await automations.tell("other kind", our_trigger(kind=["heartbeat"]), **OF_OUR_TRIGGER)
    await automations.tell("other text", our_trigger(text=new_word()), **OF_OUR_TRIGGER)
    await automations.tell("fence", our_trigger(text=fence), **OF_OUR_TRIGGER)

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
        await automations.tell(
            name, our_trigger(text=word), **OF_OUR_TRIGGER, conditions=conditions
        )
    await automations.tell("fence", our_trigger(text=fence), **OF_OUR_TRIGGER)

    await owner.run_job("Mail", f"MODEL:SAY {word}")
    await owner.run_job("Fence", f"MODEL:SAY {fence}")

    await ran.of_kind("fence", fence)
    assert [run["kind"] for run in ran.with_words(word)] == ["connected"]
