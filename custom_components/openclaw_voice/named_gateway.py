"""Which gateways and agents an automation names in its triggers and conditions.

A gateway is named by its config entry or its device, an agent by one of its entities or its device. What is
named need not be loaded, only known: automations are set up before the gateways are connected.
"""

from collections.abc import Callable, Iterable
from typing import Final

from homeassistant.components.conversation import DOMAIN as CONVERSATION_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
import voluptuous as vol

from .agents import agents_of
from .const import CONF_AGENT_ID, DOMAIN, SUBENTRY_AGENT

CONF_AGENT: Final = "agent"
CONF_GATEWAY: Final = "gateway"

# An input of a blueprint that nobody filled in arrives as an empty text.
NAMES: Final = vol.All(vol.Any(vol.All("", lambda _: []), cv.ensure_list), [cv.string])
"""Validates a choice of some; an empty one is none."""

type NamedAgent = tuple[str, str]
"""Id of a config entry, and the gateway's id of the agent."""


@callback
def named_gateway(hass: HomeAssistant, name: str) -> str:
    """Return the id of the config entry of a gateway.

    Raises:
        vol.Invalid: There is no such gateway.
    """
    entry = hass.config_entries.async_get_entry(name)
    if entry is not None and entry.domain == DOMAIN:
        return entry.entry_id
    device, owner = dr.async_get_device_and_config_entry_for_domain(hass, name, domain=DOMAIN)
    if device is None or owner is None or device.config_subentry_id is not None:
        raise vol.Invalid(f"{name} is not an OpenClaw gateway: choose its device or config entry")
    return owner.entry_id


@callback
def named_agent(hass: HomeAssistant, name: str) -> NamedAgent:
    """Return the agent that an entity or a device belongs to.

    Raises:
        vol.Invalid: There is no such agent.
    """
    named = er.async_get(hass).async_get(name) or dr.async_get(hass).async_get(name)
    entry = hass.config_entries.async_get_entry((named and named.config_entry_id) or "")
    if named is not None and entry is not None and entry.domain == DOMAIN:
        subentry = entry.subentries.get(named.config_subentry_id or "")
        if subentry is not None and subentry.subentry_type == SUBENTRY_AGENT:
            return entry.entry_id, subentry.data[CONF_AGENT_ID]
    raise vol.Invalid(f"{name} is not an OpenClaw agent: choose its conversation entity or device")


@callback
def still_there[T](
    hass: HomeAssistant, find: Callable[[HomeAssistant, str], T], names: Iterable[str]
) -> frozenset[T]:
    """Return what `find` finds by these names, without what was removed meanwhile."""
    found = set()
    for name in names:
        try:
            found.add(find(hass, name))
        except vol.Invalid:
            continue
    return frozenset(found)


@callback
def conversation_entity_of(hass: HomeAssistant, agent: tuple[object, object]) -> str | None:
    """Return the entity id that the actions know an agent by, if it was added to Home Assistant."""
    entry_id, agent_id = agent
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in agents_of(entry):
            if (entry.entry_id, subentry.data[CONF_AGENT_ID]) == (entry_id, agent_id):
                return er.async_get(hass).async_get_entity_id(
                    CONVERSATION_DOMAIN, DOMAIN, subentry.subentry_id
                )
    return None
