"""Which agent answers at an Assist satellite, whatever agent its assistant names.

A satellite of this integration has its select on its own device, beside those of `voice_selects.py`.
"""

from typing import Final, override

from homeassistant.components.select import SelectEntity
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .agents import agents_of
from .assist.surroundings import async_place
from .const import CONF_AGENT_ID
from .coordinator import OpenClawConfigEntry
from .entity import GatewayEntity
from .voice_satellites import VoiceSatellite
from .voice_selects import VoiceFinishedSelect, VoicePipelineSelect

PARALLEL_UPDATES = 0

AS_THE_ASSISTANT_SAYS: Final = "as_the_assistant_says"
"""The option that chooses no agent."""

_AGENT: Final = "satellite_agent"
_OWN_AGENT: Final = "agent"
"""Names the texts on the device of the satellite itself."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the selects of every satellite; that of the agent when there are several."""
    SatelliteSelects(hass, entry, async_add_entities).async_start()
    coordinator = entry.runtime_data

    @callback
    def add(satellite: VoiceSatellite) -> None:
        kinds = (VoicePipelineSelect, VoiceFinishedSelect)
        async_add_entities(kind(hass, coordinator, satellite) for kind in kinds)

    entry.async_on_unload(coordinator.satellites.async_for_each(add))


class SatelliteSelects:
    """Adds and removes the selects of agents as satellites and agents come and go."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OpenClawConfigEntry,
        async_add_entities: AddConfigEntryEntitiesCallback,
    ) -> None:
        """Nothing happens before `async_start`."""
        self._hass = hass
        self._entry = entry
        self._add = async_add_entities
        self._added: set[str] = set()
        """Unique ids."""

    @callback
    def async_start(self) -> None:
        """Follow satellites and agents until the entry is unloaded."""
        self._entry.async_on_unload(
            self._hass.bus.async_listen(
                er.EVENT_ENTITY_REGISTRY_UPDATED, self._on_registry, event_filter=_is_of_satellite
            )
        )
        self._entry.async_on_unload(self._entry.add_update_listener(self._async_entry_updated))
        self._update()

    @callback
    def _on_registry(self, _: Event[er.EventEntityRegistryUpdatedData]) -> None:
        self._update()

    async def _async_entry_updated(self, _: HomeAssistant, __: OpenClawConfigEntry) -> None:
        self._update()

    @callback
    def _update(self) -> None:
        """Add what is missing, remove what is of no use any more, also from earlier runs."""
        wanted = self._wanted()
        registry = er.async_get(self._hass)
        known = er.async_entries_for_config_entry(registry, self._entry.entry_id)
        for select in [entity for entity in known if _chooses_agent(entity)]:
            if select.unique_id not in wanted:
                registry.async_remove(select.entity_id)
        self._added &= wanted.keys()
        new = [select for unique_id, select in wanted.items() if unique_id not in self._added]
        self._added |= wanted.keys()
        if new:
            self._add(new)

    def _wanted(self) -> dict[str, SatelliteAgentSelect]:
        """Return the selects there should be, by unique id; none when there is nothing to choose."""
        if len(agents_of(self._entry)) < 2:
            return {}
        selects = [
            SatelliteAgentSelect(self._hass, self._entry, entity)
            for entity in er.async_get(self._hass).entities.values()
            if entity.domain == Platform.ASSIST_SATELLITE and entity.disabled_by is None
        ]
        return {select.satellite_key: select for select in selects}


class SatelliteAgentSelect(GatewayEntity, SelectEntity):
    """The agent that answers at one satellite, if its assistant uses an agent of this gateway."""

    _attr_entity_category = EntityCategory.CONFIG

    def __init__(
        self, hass: HomeAssistant, entry: OpenClawConfigEntry, satellite: er.RegistryEntry
    ) -> None:
        """Know the satellite by what does not change when it is renamed."""
        super().__init__(entry.runtime_data, _AGENT, tells_when_away=True)
        self._entry = entry
        self._satellite = satellite.id
        ours = {each.device_id: each for each in entry.runtime_data.satellites.all}
        if (own := ours.get(satellite.device_id or "")) is not None:
            self._attr_translation_key = _OWN_AGENT
            self._attr_device_info = DeviceInfo(identifiers={own.identifier})
        else:
            name = async_place(hass, satellite_id=satellite.entity_id).satellite_name
            self._attr_translation_placeholders = {"satellite": name or satellite.entity_id}
        self.satellite_key: Final = f"{self._attr_unique_id}_{satellite.id}"
        self._attr_unique_id = self.satellite_key

    @property
    @override
    def options(self) -> list[str]:
        """No agent in particular, and those of the gateway that were added."""
        return [AS_THE_ASSISTANT_SAYS, *self._labels().values()]

    @property
    @override
    def current_option(self) -> str:
        """The agent that was chosen, here or by saying so."""
        satellite_id = self._satellite_id()
        chosen = self.coordinator.memory.agent_for(satellite_id) if satellite_id else None
        return self._labels().get(chosen or "", AS_THE_ASSISTANT_SAYS)

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the choice and the names of agents."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.memory.subscribe(self.async_write_ha_state))
        self.async_on_remove(self._entry.add_update_listener(self._async_entry_updated))

    @override
    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; the choice belongs to the satellite."""

    @override
    async def async_select_option(self, option: str) -> None:
        """Let the agent answer from the next turn on; a turn that goes on is left alone."""
        if satellite_id := self._satellite_id():
            agents = {label: subentry_id for subentry_id, label in self._labels().items()}
            self.coordinator.memory.choose_agent(satellite_id, agents.get(option))

    async def _async_entry_updated(self, _: HomeAssistant, __: OpenClawConfigEntry) -> None:
        self.async_write_ha_state()

    def _satellite_id(self) -> str | None:
        """Return the entity id the satellite has now."""
        entity = er.async_get(self.hass).async_get(self._satellite)
        return entity.entity_id if entity else None

    def _labels(self) -> dict[str, str]:
        """Return what the agents are called, each differently, by the ids of their subentries."""
        labels: dict[str, str] = {}
        for agent in agents_of(self._entry):
            is_taken = agent.title in (*labels.values(), AS_THE_ASSISTANT_SAYS)
            name = f"{agent.title} ({agent.data[CONF_AGENT_ID]})" if is_taken else agent.title
            labels[agent.subentry_id] = name
        return labels


@callback
def _is_of_satellite(data: er.EventEntityRegistryUpdatedData) -> bool:
    return data["entity_id"].startswith(f"{Platform.ASSIST_SATELLITE}.")


def _chooses_agent(entity: er.RegistryEntry) -> bool:
    return entity.domain == Platform.SELECT and entity.translation_key in (_AGENT, _OWN_AGENT)
