"""Adding and removing agents of a gateway that is set up."""

import asyncio

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.fakes.frames import accepted, ended, response_ok, said, started
from tests.fakes.gateway import Expect, ScriptedGateway, drop, wait_for
from tests.fakes.refusals import missing_scope

from .support import add_entry, ask, introduce, make_entry, speech_of

pytestmark = pytest.mark.usefixtures("home")


async def begin(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    """Press the button that adds an agent."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "agent"), context={"source": SOURCE_USER}
    )


async def choose(
    hass: HomeAssistant, form: SubentryFlowResult, agent_id: str
) -> SubentryFlowResult:
    """Choose an agent."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"agent_id": agent_id}
    )
    await hass.async_block_till_done()
    return result


def offered(form: SubentryFlowResult) -> list[str]:
    """Return the agents a form offers."""
    assert form["data_schema"] is not None
    return [option["value"] for option in form["data_schema"].schema["agent_id"].config["options"]]


async def test_an_agent_is_added_and_answers(hass: HomeAssistant, gateway: ScriptedGateway) -> None:
    """Only agents that are not there yet are offered; the new one answers at once."""
    introduce(gateway, "main", "cook", "poet", names={"cook": "Cook"})
    entry = await add_entry(hass, gateway)
    form = await begin(hass, entry)
    assert form["type"] is FlowResultType.FORM
    assert offered(form) == ["cook", "poet"]
    result = await choose(hass, form, "cook")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["unique_id"]) == ("Cook", "cook")
    gateway.script(
        Expect(
            "agent",
            params=lambda params: params["sessionKey"].startswith("agent:cook:homeassistant:"),
            reply=accepted(),
            emit=[started(), said("Soup."), ended(), response_ok()],
        )
    )
    assert speech_of(await ask(hass, agent="conversation.cook")) == "Soup."
    assert gateway.connections.total == 1


async def test_adding_and_removing_an_agent_does_not_disturb_a_turn(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
) -> None:
    """The connection and the turns of other agents go on."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway)
    go_on = asyncio.Event()
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One, "), wait_for(go_on), said("two."), ended(), response_ok()],
        )
    )
    turn = hass.async_create_background_task(ask(hass), "turn")
    await gateway.wait_for_request("agent")
    result = await choose(hass, await begin(hass, entry), "cook")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entity_registry.async_get("conversation.cook") is not None
    [added] = [s for s in entry.subentries.values() if s.unique_id == "cook"]
    assert hass.config_entries.async_remove_subentry(entry, added.subentry_id)
    await hass.async_block_till_done()
    assert entity_registry.async_get("conversation.cook") is None
    assert hass.states.get("conversation.cook") is None
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 2
    go_on.set()
    assert speech_of(await turn) == "One, two."
    assert gateway.connections.total == 1


async def test_nothing_is_offered_when_all_agents_are_there(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """There is nothing to choose from."""
    result = await begin(hass, await add_entry(hass, friendly))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_further_agents"


async def test_an_agent_that_was_added_meanwhile_is_refused(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Two people may have the form open."""
    introduce(gateway, "main", "cook", "poet")
    entry = await add_entry(hass, gateway)
    first, second = await begin(hass, entry), await begin(hass, entry)
    assert (await choose(hass, first, "cook"))["type"] is FlowResultType.CREATE_ENTRY
    result = await choose(hass, second, "cook")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_an_agent_that_has_gone_meanwhile_is_not_added(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The form comes back with what there is now."""
    introduce(gateway, "main", "cook", "poet")
    entry = await add_entry(hass, gateway)
    form = await begin(hass, entry)
    introduce(gateway, "main", "poet")
    form = await choose(hass, form, "cook")
    assert form["type"] is FlowResultType.FORM
    assert offered(form) == ["poet"]
    assert (await choose(hass, form, "poet"))["type"] is FlowResultType.CREATE_ENTRY


async def test_agents_cannot_be_added_before_the_entry_is_loaded(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The gateway must be asked which agents it has."""
    result = await begin(hass, make_entry(hass, gateway))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "entry_not_loaded"


@pytest.mark.parametrize(
    "step",
    [
        Expect("agents.list", reply=missing_scope("operator.read")),
        Expect("agents.list", emit=[drop()]),
    ],
    ids=["refused", "connection lost"],
)
async def test_a_gateway_that_does_not_tell_its_agents_ends_the_flow(
    hass: HomeAssistant, friendly: ScriptedGateway, step: Expect
) -> None:
    """The next try finds them."""
    introduce(friendly, "main", "cook")
    entry = await add_entry(hass, friendly)
    friendly.script(step)
    result = await begin(hass, entry)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_agent_list"
    entry.runtime_data.client.warm()
    await entry.runtime_data.client.wait_ready(10)
    assert (await begin(hass, entry))["type"] is FlowResultType.FORM
