"""Lines in the activity for what happens on a gateway. What was said stays out of them."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook.const import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_cached_translations

from .agents import agents_of
from .const import CONF_AGENT_ID, DOMAIN, EVENT_NOTIFICATION, EVENT_REALTIME_SESSION
from .event import NOTIFICATION, REALTIME_SESSION

type Description = dict[str, str]
type Describe = Callable[[Event[Mapping[str, Any]]], Description]


@callback
def async_describe_events(
    hass: HomeAssistant, async_describe_event: Callable[[str, str, Describe], None]
) -> None:
    """Describe the bus events."""

    @callback
    def describe(event: Event[Mapping[str, Any]]) -> Description:
        title = str(event.data.get("title") or "")
        text = _text_of(hass, NOTIFICATION, "event_type", event.data.get("kind"))
        return {
            LOGBOOK_ENTRY_NAME: _name_of(hass, event.data),
            LOGBOOK_ENTRY_MESSAGE: f"{text}: {title}" if title else text,
        }

    @callback
    def describe_session(event: Event[Mapping[str, Any]]) -> Description:
        text = _text_of(hass, REALTIME_SESSION, "event_type", event.data.get("type"))
        reason = _text_of(hass, REALTIME_SESSION, "reason", event.data.get("reason"))
        device_id = event.data.get("device_id")
        device = dr.async_get(hass).async_get(device_id) if isinstance(device_id, str) else None
        name = device.name_by_user or device.name if device else None
        line = {
            LOGBOOK_ENTRY_NAME: name or _name_of(hass, event.data),
            LOGBOOK_ENTRY_MESSAGE: f"{text} ({_length(event.data.get('seconds'))}): {reason}",
        }
        entity_id = event.data.get("entity_id")
        return line | {LOGBOOK_ENTRY_ENTITY_ID: entity_id} if entity_id else line

    async_describe_event(DOMAIN, EVENT_NOTIFICATION, describe)
    async_describe_event(DOMAIN, EVENT_REALTIME_SESSION, describe_session)


@callback
def _text_of(hass: HomeAssistant, entity: str, attribute: str, value: object) -> str:
    """Return what the value of an event is called in the language of Home Assistant."""
    texts = async_get_cached_translations(hass, hass.config.language, "entity", DOMAIN)
    path = f"entity.event.{entity}.state_attributes.{attribute}.state.{value}"
    return texts.get(f"component.{DOMAIN}.{path}", str(value))


def _length(seconds: object) -> str:
    """Return a duration as minutes and seconds."""
    minutes, rest = divmod(round(seconds) if isinstance(seconds, int | float) else 0, 60)
    return f"{minutes}:{rest:02}"


@callback
def _name_of(hass: HomeAssistant, data: Mapping[str, Any]) -> str:
    """Return who it is from: the agent, or else the gateway."""
    entry = hass.config_entries.async_get_entry(str(data.get("entry_id")))
    if entry is None:
        return "OpenClaw"
    agents = {agent.data[CONF_AGENT_ID]: agent.title for agent in agents_of(entry)}
    return agents.get(data.get("agent"), entry.title)
