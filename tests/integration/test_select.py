"""Choosing the agent that answers at a satellite."""

from types import MappingProxyType

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.assist.memory import Memory
from custom_components.openclaw_voice.select import AS_THE_ASSISTANT_SAYS, SatelliteAgentSelect
from tests.fakes.gateway import ScriptedGateway

from .connection import NAME, lose
from .support import add_entry, agent_subentry, introduce

pytestmark = pytest.mark.usefixtures("home")

KITCHEN = "assist_satellite.kitchen"
SELECT = f"select.{NAME}_agent_of_the_kitchen"


def add_satellite(
    entities: er.EntityRegistry,
    name: str,
    *,
    disabled_by: er.RegistryEntryDisabler | None = None,
) -> er.RegistryEntry:
    """Register a satellite, called for instance "The kitchen"."""
    satellite = entities.async_get_or_create(
        "assist_satellite", "test", name, suggested_object_id=name, disabled_by=disabled_by
    )
    return entities.async_update_entity(satellite.entity_id, name=f"The {name}")


@pytest.fixture
def kitchen(entity_registry: er.EntityRegistry) -> er.RegistryEntry:
    """Return a satellite in the kitchen."""
    return add_satellite(entity_registry, "kitchen")


@pytest.fixture
async def entry(
    hass: HomeAssistant, gateway: ScriptedGateway, kitchen: er.RegistryEntry
) -> MockConfigEntry:
    """Return the entry of a gateway with two agents."""
    introduce(gateway, "main", "cook")
    return await add_entry(hass, gateway, "main", "cook")


def memory_of(entry: MockConfigEntry) -> Memory:
    """Return what the entry remembers."""
    memory: Memory = entry.runtime_data.memory
    return memory


def selects(entities: er.EntityRegistry, entry: MockConfigEntry) -> set[str]:
    """Return the entity ids of all selects of an entry."""
    known = er.async_entries_for_config_entry(entities, entry.entry_id)
    return {entity.entity_id for entity in known if entity.domain == "select"}


def shown(hass: HomeAssistant, entity_id: str = SELECT) -> tuple[str, list[str]]:
    """Return what is chosen, and from what."""
    state = hass.states.get(entity_id)
    assert state is not None
    return state.state, state.attributes["options"]


async def choose(hass: HomeAssistant, option: str) -> None:
    """Choose an agent, as a person does."""
    await hass.services.async_call(
        "select", "select_option", {"entity_id": SELECT, "option": option}, blocking=True
    )


async def test_a_satellite_has_a_select_on_the_device_of_the_gateway(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """It names the satellite, and at first chooses no agent."""
    select = entity_registry.async_get(SELECT)
    assert select is not None
    assert select.device_id == entry.runtime_data.device_id
    assert select.entity_category == "config"
    assert select.config_subentry_id is None
    assert shown(hass) == (AS_THE_ASSISTANT_SAYS, [AS_THE_ASSISTANT_SAYS, "main", "cook"])
    state = hass.states.get(SELECT)
    assert state is not None
    assert state.name == f"{entry.title} Agent of The kitchen"


async def test_a_choice_is_remembered_and_taken_back(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Here or by saying so."""
    await choose(hass, "cook")
    assert memory_of(entry).agent_for(KITCHEN) == "subentry-cook"
    assert shown(hass)[0] == "cook"
    memory_of(entry).choose_agent(KITCHEN, "subentry-main")
    assert shown(hass)[0] == "main"
    await choose(hass, AS_THE_ASSISTANT_SAYS)
    assert memory_of(entry).agent_for(KITCHEN) is None
    with pytest.raises(ServiceValidationError):
        await choose(hass, "nobody")


async def test_a_choice_is_there_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It is stored with the entry."""
    await choose(hass, "cook")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass)[0] == "cook"


async def test_it_is_available_while_the_gateway_is_away(
    hass: HomeAssistant, gateway: ScriptedGateway, entry: MockConfigEntry
) -> None:
    """The choice is ours, not the gateway's."""
    await lose(hass, gateway)
    await choose(hass, "cook")
    assert shown(hass)[0] == "cook"


async def test_agents_come_and_go(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """A new one can be chosen at once; the one that was chosen may be removed."""
    hass.config_entries.async_add_subentry(entry, _subentry("poet"))
    await hass.async_block_till_done()
    assert shown(hass)[1] == [AS_THE_ASSISTANT_SAYS, "main", "cook", "poet"]
    await choose(hass, "cook")
    hass.config_entries.async_remove_subentry(entry, "subentry-cook")
    await hass.async_block_till_done()
    assert shown(hass) == (AS_THE_ASSISTANT_SAYS, [AS_THE_ASSISTANT_SAYS, "main", "poet"])


async def test_agents_are_told_apart_when_they_are_called_alike(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The first one keeps its name."""
    for title, labels in (
        ("main", ["main", "main (cook)"]),
        (AS_THE_ASSISTANT_SAYS, ["main", f"{AS_THE_ASSISTANT_SAYS} (cook)"]),
    ):
        cook = entry.subentries["subentry-cook"]
        hass.config_entries.async_update_subentry(entry, cook, title=title)
        await hass.async_block_till_done()
        assert shown(hass)[1] == [AS_THE_ASSISTANT_SAYS, *labels]
        await choose(hass, labels[1])
        assert memory_of(entry).agent_for(KITCHEN) == "subentry-cook"


async def test_one_agent_is_no_choice(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    gateway: ScriptedGateway,
    kitchen: er.RegistryEntry,
) -> None:
    """The select comes with the second agent, and goes with it."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway, "main")
    assert selects(entity_registry, entry) == set()
    hass.config_entries.async_add_subentry(entry, _subentry("cook"))
    await hass.async_block_till_done()
    assert selects(entity_registry, entry) == {SELECT}
    assert shown(hass)[1] == [AS_THE_ASSISTANT_SAYS, "main", "cook"]
    hass.config_entries.async_remove_subentry(entry, "subentry-cook")
    await hass.async_block_till_done()
    assert selects(entity_registry, entry) == set()
    assert hass.states.get(SELECT) is None


async def test_satellites_come_and_go(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """Each has its select as long as it is there and not disabled."""
    disabled = er.RegistryEntryDisabler.USER
    add_satellite(entity_registry, "attic", disabled_by=disabled)
    add_satellite(entity_registry, "bath")
    await hass.async_block_till_done()
    bath = f"select.{NAME}_agent_of_assist_satellite_bath"
    assert selects(entity_registry, entry) == {SELECT, bath}
    entity_registry.async_update_entity(KITCHEN, disabled_by=disabled)
    entity_registry.async_remove("assist_satellite.bath")
    await hass.async_block_till_done()
    assert selects(entity_registry, entry) == set()
    assert hass.states.get(SELECT) is None
    entity_registry.async_update_entity(KITCHEN, disabled_by=None)
    await hass.async_block_till_done()
    assert selects(entity_registry, entry) == {SELECT}


async def test_a_satellite_that_went_while_the_entry_was_not_loaded_leaves_nothing(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """Its select is removed when the entry is set up again."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    entity_registry.async_remove(KITCHEN)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert selects(entity_registry, entry) == set()


async def test_a_satellite_that_is_renamed_keeps_its_agent(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """The select goes on, for the new entity id."""
    await choose(hass, "cook")
    entity_registry.async_update_entity(KITCHEN, new_entity_id="assist_satellite.cellar")
    await hass.async_block_till_done()
    assert shown(hass)[0] == "cook"
    await choose(hass, "main")
    assert memory_of(entry).agent_for("assist_satellite.cellar") == "subentry-main"


async def test_a_choice_for_a_satellite_that_is_just_gone_does_nothing(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """Nothing is remembered for a satellite that is not there."""
    select = hass.data[DATA_INSTANCES]["select"].get_entity(SELECT)
    assert isinstance(select, SatelliteAgentSelect)
    entity_registry.async_remove(KITCHEN)
    changes: list[None] = []
    memory_of(entry).subscribe(lambda: changes.append(None))
    await select.async_select_option("cook")
    assert changes == []
    assert select.current_option == AS_THE_ASSISTANT_SAYS


def _subentry(agent_id: str) -> ConfigSubentry:
    """Return the subentry of an agent that is added later."""
    made = agent_subentry(agent_id)
    return ConfigSubentry(
        subentry_id=made["subentry_id"],
        subentry_type=made["subentry_type"],
        title=made["title"],
        unique_id=made["unique_id"],
        data=MappingProxyType(made["data"]),
    )
