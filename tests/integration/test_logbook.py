"""Lines in the activity for what happens on a gateway."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.recorder import Recorder
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.openclaw_voice import logbook
from custom_components.openclaw_voice.const import (
    DOMAIN,
    EVENT_NOTIFICATION,
    EVENT_REALTIME_SESSION,
)
from custom_components.openclaw_voice.outbox.notification import (
    Notification,
    NotificationKind,
    event_data,
)
from tests.fakes.gateway import ScriptedGateway

from .notifications import notification, tell
from .support import add_entry


@pytest.fixture
async def entry(home: HomeAssistant, friendly: ScriptedGateway) -> MockConfigEntry:
    """Return the entry of a gateway with one agent."""
    return await add_entry(home, friendly)


def line(
    hass: HomeAssistant, data: Mapping[str, Any], kind: str = EVENT_NOTIFICATION
) -> dict[str, str]:
    """Return the line about an event."""
    described: dict[str, Callable[[Event[Mapping[str, Any]]], dict[str, str]]] = {}

    def describe(domain: str, event_type: str, call: Callable[[Any], dict[str, str]]) -> None:
        assert domain == DOMAIN
        described[event_type] = call

    logbook.async_describe_events(hass, describe)
    assert described.keys() == {EVENT_NOTIFICATION, EVENT_REALTIME_SESSION}
    return described[kind](Event(kind, data))


def line_of(hass: HomeAssistant, entry: MockConfigEntry, told: Notification) -> dict[str, str]:
    """Return the line about a notification."""
    return line(hass, event_data(told, entry_id=entry.entry_id))


async def test_a_line_says_who_what_and_the_title(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """And nothing of the message."""
    told = notification(NotificationKind.JOB_FINISHED)
    assert line_of(hass, entry, told) == {
        "name": "main",
        "message": "Scheduled job finished: Garden",
    }


async def test_what_is_of_no_agent_is_of_the_gateway(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A kind without a title stands alone."""
    told = notification(NotificationKind.GATEWAY_STOPPING, agent_id=None, title="")
    assert line_of(hass, entry, told) == {"name": entry.title, "message": "Gateway stopping"}
    told = notification(NotificationKind.UPDATE_AVAILABLE, agent_id="unknown")
    assert line_of(hass, entry, told)["name"] == entry.title


async def test_old_lines_and_odd_ones_are_shown_all_the_same(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The gateway was removed, or a later version knew another kind."""
    assert line(hass, {"kind": "gossip", "entry_id": "gone", "title": None}) == {
        "name": "OpenClaw",
        "message": "gossip",
    }
    assert line(hass, {})["name"] == "OpenClaw"


async def test_a_session_that_has_ended_is_told_with_its_satellite(
    hass: HomeAssistant, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    """How long it was, and why it is over."""
    device = device_registry.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, "kitchen")}, name="Kitchen"
    )
    told = {
        "type": "ended",
        "entry_id": entry.entry_id,
        "agent": "main",
        "device_id": device.id,
        "reason": "idle",
        "seconds": 83.4,
    }
    assert line(hass, told, EVENT_REALTIME_SESSION) == {
        "name": "Kitchen",
        "message": "Realtime session ended (1:23): nobody spoke any more",
    }
    device_registry.async_update_device(device.id, name_by_user="Stove")
    assert line(hass, told, EVENT_REALTIME_SESSION)["name"] == "Stove"
    told |= {"entity_id": "assist_satellite.kitchen"}
    shown = line(hass, told, EVENT_REALTIME_SESSION)
    assert (shown["name"], shown["entity_id"]) == ("Stove", "assist_satellite.kitchen")
    told |= {"device_id": None, "entity_id": None, "type": "failed", "reason": "gateway_lost"}
    assert line(hass, told, EVENT_REALTIME_SESSION) == {
        "name": "main",
        "message": "Realtime session failed (1:23): the gateway was lost",
    }
    assert line(hass, {"device_id": "gone"}, EVENT_REALTIME_SESSION) == {
        "name": "OpenClaw",
        "message": "None (0:00): None",
    }


async def test_the_activity_of_home_assistant_shows_it(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """With its own line, that has the title and not the message."""
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "logbook", {})
    entry = await add_entry(hass, friendly)
    start = dt_util.utcnow()
    tell(hass, entry, notification())
    await async_wait_recording_done(hass)
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "logbook/get_events", "start_time": start.isoformat()})
    answer = await client.receive_json()
    assert answer["success"]
    [shown] = [each for each in answer["result"] if each.get("domain") == DOMAIN]
    assert (shown["name"], shown["message"]) == ("main", "Message: Garden")
    assert "tomatoes" not in str(answer["result"])
