"""What happens on a gateway, as event entities show it."""

from types import MappingProxyType

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.outbox.notification import (
    MAX_EVENT_TEXT,
    NotificationKind,
)
from tests.fakes.gateway import ScriptedGateway

from .connection import NAME, lose
from .notifications import SESSION, notification, tell, tell_listeners
from .support import add_entry, agent_subentry, introduce

pytestmark = pytest.mark.usefixtures("home")

GATEWAY = f"event.{NAME}_notification"
SESSION_END = f"event.{NAME}_realtime_session"
MAIN = "event.main_notification"
COOK = "event.cook_notification"


@pytest.fixture
async def entry(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return the entry of a gateway with two agents."""
    introduce(gateway, "main", "cook")
    return await add_entry(hass, gateway, "main", "cook")


def shown(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state


async def test_they_belong_to_the_gateway_and_to_the_agents(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    """They are not diagnostics: they are what automations and dashboards are made of."""
    found = {
        entity.entity_id: (entity.unique_id, entity.config_subentry_id, entity.entity_category)
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if entity.domain == "event"
    }
    assert found == {
        GATEWAY: (f"{entry.entry_id}_notification", None, None),
        MAIN: ("subentry-main_notification", "subentry-main", None),
        COOK: ("subentry-cook_notification", "subentry-cook", None),
        SESSION_END: (f"{entry.entry_id}_realtime_session", None, None),
    }
    assert shown(hass, GATEWAY).state == "unknown"


async def test_a_notification_is_shown_with_all_it_has(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """By the names of the bus event."""
    tell(hass, entry, notification(data={"run_id": "r-1"}))
    state = shown(hass, GATEWAY)
    told = {key: value for key, value in state.attributes.items() if key != "event_types"}
    assert told == {
        "event_type": "message",
        "title": "Garden",
        "message": "The **tomatoes** are ripe.",
        "id": "message:1",
        "time": "2026-11-01T07:30:01+00:00",
        "agent": "main",
        "session": SESSION,
        "data": {"run_id": "r-1"},
        "friendly_name": f"{entry.title} Notification",
    }


async def test_every_kind_is_shown(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """An unknown type would raise."""
    for kind in NotificationKind:
        assert kind.value in shown(hass, GATEWAY).attributes["event_types"]
        tell(hass, entry, notification(kind))
        assert shown(hass, GATEWAY).attributes["event_type"] == kind.value


async def test_agents_show_what_is_theirs(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """The gateway shows all of it, also of agents that were not added."""
    for number, agent_id in enumerate(("main", "cook", "other", None)):
        tell(hass, entry, notification(agent_id=agent_id, number=number))
        assert shown(hass, GATEWAY).attributes["id"] == f"message:{number}"
        assert shown(hass, GATEWAY).attributes["agent"] == agent_id
    assert shown(hass, MAIN).attributes["id"] == "message:0"
    assert shown(hass, COOK).attributes["id"] == "message:1"


async def test_a_burst_is_as_many_changes_in_order(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Automations that follow the state miss none."""
    seen: list[str] = []

    @callback
    def see(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.entity_id == MAIN:
            seen.append(state.attributes["id"])

    stop = hass.bus.async_listen("state_changed", see)
    ids = []
    for number in range(50):
        told = notification(number=number)
        ids.append(told.id)
        tell(hass, entry, told)
    await hass.async_block_till_done()
    stop()
    assert seen == ids


async def test_what_is_said_as_the_gateway_goes_is_not_lost(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """An entity that was unavailable would start no automation when it comes back."""
    await lose(hass, gateway)
    tell(hass, entry, notification(NotificationKind.GATEWAY_STOPPING, agent_id=None))
    assert shown(hass, GATEWAY).attributes["event_type"] == "gateway_stopping"
    assert shown(hass, MAIN).state == "unknown"


async def test_a_long_message_is_cut(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """As in the bus event."""
    tell(hass, entry, notification(message="x" * (MAX_EVENT_TEXT + 1)))
    assert len(shown(hass, GATEWAY).attributes["message"]) == MAX_EVENT_TEXT


async def test_what_was_said_is_not_recorded(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """The history knows that something came, not what."""
    tell(hass, entry, notification(data={"command": "rm"}))
    for entity_id in (GATEWAY, MAIN):
        info = shown(hass, entity_id).state_info
        assert info is not None
        assert {"title", "message", "data"} <= info["unrecorded_attributes"]


async def test_the_last_one_is_there_after_a_reload(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Home Assistant restores it; it does not count as told again."""
    tell(hass, entry, notification())
    before = shown(hass, GATEWAY)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    after = shown(hass, GATEWAY)
    assert (after.state, after.attributes) == (before.state, before.attributes)


async def test_an_agent_that_is_added_later_has_one(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Without a reload."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway, "main")
    assert hass.states.get(COOK) is None
    new = agent_subentry("cook")
    hass.config_entries.async_add_subentry(
        entry, ConfigSubentry(**new | {"data": MappingProxyType(new["data"])})
    )
    await hass.async_block_till_done()
    tell(hass, entry, notification(agent_id="cook"))
    assert shown(hass, COOK).attributes["event_type"] == "message"


async def test_a_renamed_entity_follows_once(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    """Under its new name."""
    entity_registry.async_update_entity(GATEWAY, new_entity_id="event.house")
    await hass.async_block_till_done()
    tell(hass, entry, notification())
    assert shown(hass, "event.house").attributes["id"] == "message:1"
    assert hass.states.get(GATEWAY) is None


async def test_nothing_is_followed_after_an_unload(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Whatever is told then reaches nobody."""
    notifier = entry.runtime_data.notifier
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    tell_listeners(notifier, notification())
    assert shown(hass, GATEWAY).state == "unavailable"


async def test_the_last_one_is_a_sensor_of_the_gateway(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """With what it was, not with what was said; also while the gateway is away."""
    sensor = f"sensor.{NAME}_last_notification"
    assert shown(hass, sensor).state == "unknown"
    assert shown(hass, sensor).attributes["kind"] is None
    await lose(hass, gateway)
    told = notification(NotificationKind.HEARTBEAT)
    entry.runtime_data.notifier.last = told
    tell(hass, entry, told)
    state = shown(hass, sensor)
    assert state.state == "2026-11-01T07:30:01+00:00"
    assert (state.attributes["kind"], state.attributes["title"]) == ("heartbeat", "Garden")
    assert told.message not in str(state.attributes)
    assert state.state_info is not None
    assert {"kind", "title"} <= state.state_info["unrecorded_attributes"]
