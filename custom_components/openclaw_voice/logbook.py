"""A line in the activity for everything that happens on a gateway. What was said stays out of it."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .agents import agents_of
from .const import CONF_AGENT_ID, DOMAIN, EVENT_NOTIFICATION
from .event import NOTIFICATION

type Description = dict[str, str]
type Describe = Callable[[Event[Mapping[str, Any]]], Description]


@callback
def async_describe_events(
    hass: HomeAssistant, async_describe_event: Callable[[str, str, Describe], None]
) -> None:
    """Describe the bus event."""

    @callback
    def describe(event: Event[Mapping[str, Any]]) -> Description:
        kind = str(event.data.get("kind"))
        title = str(event.data.get("title") or "")
        text = _text_of(hass, kind)
        return {
            LOGBOOK_ENTRY_NAME: _name_of(hass, event.data),
            LOGBOOK_ENTRY_MESSAGE: f"{text}: {title}" if title else text,
        }

    async_describe_event(DOMAIN, EVENT_NOTIFICATION, describe)


@callback
def _text_of(hass: HomeAssistant, kind: str) -> str:
    """Return what a kind is called in the language of Home Assistant."""
    texts = async_get_cached_translations(hass, hass.config.language, "entity", DOMAIN)
    key = f"component.{DOMAIN}.entity.event.{NOTIFICATION}.state_attributes.event_type.state.{kind}"
    return texts.get(key, kind)


@callback
def _name_of(hass: HomeAssistant, data: Mapping[str, Any]) -> str:
    """Return who it is from: the agent, or else the gateway."""
    entry = hass.config_entries.async_get_entry(str(data.get("entry_id")))
    if entry is None:
        return "OpenClaw"
    agents = {agent.data[CONF_AGENT_ID]: agent.title for agent in agents_of(entry)}
    return agents.get(data.get("agent"), entry.title)
