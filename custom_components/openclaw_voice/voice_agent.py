"""Which agent answers a realtime satellite.

The one it names, the one chosen for it, the only one, that of its pipeline.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.components.conversation import DOMAIN as CONVERSATION_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .agents import agents_of
from .assist.agent import Agent
from .const import CONF_AGENT_ID, DOMAIN
from .realtime.pipelines import async_agent_of
from .realtime.protocol import ProtocolProblem, Reason
from .voice_satellites import identifier_of

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator, OpenClawConfigEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """An agent that may answer."""

    coordinator: GatewayCoordinator
    agent: Agent
    entity_id: str
    """Of its conversation entity."""


@callback
def async_choose_agent(
    hass: HomeAssistant,
    user: User,
    *,
    named: str | None = None,
    satellite: str | None = None,
    near: str | None = None,
    pipeline_id: str | None = None,
) -> Answering:
    """Return who answers.

    Args:
        hass: Home Assistant.
        user: Has to have the right to use the agent.
        named: An agent's id, or the entity id of its conversation entity.
        satellite: Entity id of the satellite, for which an agent may have been chosen.
        near: Id of the entry that is meant when agents of several have the name, or were chosen.
        pipeline_id: Of the pipeline that was named, or chosen for the satellite; its agent is meant
            when there are several and none was chosen.

    Raises:
        ProtocolProblem: Nobody, not here, or not yet.
    """
    everybody = _everybody(hass)
    if named is not None:
        found = _named(everybody, named)
    else:
        found = [each for each in everybody if _is_chosen(each, satellite)]
    if len(found) > 1:
        found = [each for each in found if each.coordinator.entry_id == near]
    if named is None and not found:
        found = _unchosen(hass, everybody, pipeline_id)
    if len(found) != 1:
        raise nobody(hass, named) if not found else ProtocolProblem(Reason.NO_AGENT)
    answering = found[0]
    if not answering.agent.options.reachable_by_realtime or not may_use(user, answering):
        raise ProtocolProblem(Reason.AGENT_UNREACHABLE)
    return answering


@callback
def async_home_of(
    hass: HomeAssistant, user: User, satellite_id: str, named: str | None
) -> GatewayCoordinator | None:
    """Return the entry that a satellite belongs to, as it names itself; None: nobody can tell.

    That is the one that knows it, else that of the agent it names, else the only one.

    Raises:
        ProtocolProblem: The user has no right to use an agent of that entry, or it is not set up.
    """
    everybody, agents = list(coordinators(hass)), _everybody(hass)
    of_agent = [each.coordinator for each in _named(agents, named)] if named is not None else []
    known = [each for each in everybody if each.satellites.get(satellite_id)]
    if not known and any(_knows(hass, entry, satellite_id) for entry in _away(hass)):
        raise ProtocolProblem(Reason.GATEWAY_LOST)
    # Two know one that came while the first of them was switched off.
    homes = [each for each in known if each in of_agent][:1] or known[:1] or of_agent or everybody
    theirs = [each for each in agents if each.coordinator in homes]
    if len(homes) != 1 or not theirs:
        return None
    if not any(may_use(user, each) for each in theirs):
        raise ProtocolProblem(Reason.AGENT_UNREACHABLE)
    return homes[0]


@callback
def coordinators(hass: HomeAssistant) -> Iterable[GatewayCoordinator]:
    """Yield those of the entries that are set up."""
    entries: list[OpenClawConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return (entry.runtime_data for entry in entries)


@callback
def nobody(hass: HomeAssistant, named: str | None = None) -> ProtocolProblem:
    """Return why there is no agent, or none of a name: perhaps it is not there yet."""
    is_away = any(named is None or _may_have(hass, entry, named) for entry in _away(hass))
    return ProtocolProblem(Reason.GATEWAY_LOST if is_away else Reason.NO_AGENT)


def may_use(user: User, answering: Answering) -> bool:
    """Tell whether a user has the right to talk with an agent."""
    return user.permissions.check_entity(answering.entity_id, POLICY_CONTROL)


def _everybody(hass: HomeAssistant) -> list[Answering]:
    """Return all agents; one whose entity is disabled answers nobody."""
    entities = er.async_get(hass)
    found = []
    for coordinator in coordinators(hass):
        for subentry_id, agent in coordinator.agents.items():
            entity_id = entities.async_get_entity_id(CONVERSATION_DOMAIN, DOMAIN, subentry_id)
            entity = entities.async_get(entity_id) if entity_id else None
            if entity is not None and entity.disabled_by is None:
                found.append(
                    Answering(coordinator=coordinator, agent=agent, entity_id=entity.entity_id)
                )
    return found


def _named(everybody: Iterable[Answering], name: str) -> list[Answering]:
    return [each for each in everybody if name in (each.entity_id, each.agent.agent_id)]


def _unchosen(
    hass: HomeAssistant, everybody: list[Answering], pipeline_id: str | None
) -> list[Answering]:
    """Return who may be meant where none was chosen: of several that of the pipeline, if it can."""
    name = async_agent_of(hass, pipeline_id) if len(everybody) > 1 and pipeline_id else None
    if name is None:
        return everybody
    if any(_may_have(hass, entry, name) for entry in _away(hass)):
        raise ProtocolProblem(Reason.GATEWAY_LOST)
    found = [each for each in everybody if each.entity_id == name]
    return found if found and found[0].agent.options.reachable_by_realtime else everybody


def _is_chosen(answering: Answering, satellite: str | None) -> bool:
    return answering.coordinator.household.agent_at(satellite) is answering.agent


def _away(hass: HomeAssistant) -> list[ConfigEntry]:
    """Return the entries that are not set up, and may be later."""
    entries = hass.config_entries.async_entries(DOMAIN, include_disabled=False)
    loaded = hass.config_entries.async_loaded_entries(DOMAIN)
    return [entry for entry in entries if entry not in loaded]


def _knows(hass: HomeAssistant, entry: ConfigEntry, satellite_id: str) -> bool:
    identifier = identifier_of(entry.entry_id, satellite_id)
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id) is not None


def _may_have(hass: HomeAssistant, entry: ConfigEntry, named: str) -> bool:
    entity = er.async_get(hass).async_get(named)
    ids = {agent.data[CONF_AGENT_ID] for agent in agents_of(entry)}
    return named in ids or (entity is not None and entity.config_entry_id == entry.entry_id)
