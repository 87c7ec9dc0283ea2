"""What the gateway's own device shows: binary sensor, sensors, button."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.openclaw_voice import coordinator
from custom_components.openclaw_voice.binary_sensor import BINARY_SENSORS
from custom_components.openclaw_voice.button import BUTTONS
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.event import NOTIFICATION, REALTIME_SESSION
from custom_components.openclaw_voice.gateway_sensors import SENSORS
from custom_components.openclaw_voice.update import UPDATE
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import (
    PairingRequest,
    Refusal,
    pairing_required,
    protocol_mismatch,
    rate_limited,
)

from .connection import NAME, STATE, lose, reconnect, try_now
from .support import add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

CONNECTED = f"binary_sensor.{NAME}_connected"
VERSION = f"sensor.{NAME}_gateway_version"
SINCE = f"sensor.{NAME}_connected_since"
ERROR = f"sensor.{NAME}_last_error"
RECONNECTS = f"sensor.{NAME}_reconnects"
BUTTON = f"button.{NAME}_reconnect"
PAIRING = PairingRequest(request_id="r-1", device_id="d", scopes=("operator.read",))


def value_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state


def is_(entity_id: str, value: str) -> Callable[[HomeAssistant], bool]:
    """Return what tells whether an entity has a state."""
    return lambda hass: value_of(hass, entity_id) == value


async def press(hass: HomeAssistant, button: str = BUTTON) -> None:
    """Press a button."""
    await hass.services.async_call("button", "press", {"entity_id": button}, blocking=True)


async def test_they_belong_to_the_gateway_and_keep_their_ids(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    """Every row of the tables is an entity of the gateway's device, none of an agent's."""
    entry = await add_entry(hass, friendly)
    device = device_registry.async_get(entry.runtime_data.device_id)
    assert device is not None
    entities = {
        entity.entity_id: entity
        for entity in er.async_entries_for_device(
            entity_registry, device.id, include_disabled_entities=True
        )
    }
    keys = {
        *(row.key for row in (*SENSORS, *BINARY_SENSORS, *BUTTONS, UPDATE)),
        NOTIFICATION,
        REALTIME_SESSION,
    }
    assert {entity.unique_id for entity in entities.values()} == {
        f"{entry.entry_id}_{key}" for key in keys
    }
    connection = {
        CONNECTED: "connected",
        STATE: "connection_state",
        VERSION: "gateway_version",
        SINCE: "connected_since",
        ERROR: "last_error",
        RECONNECTS: "reconnects",
        BUTTON: "reconnect",
    }
    for entity_id, key in connection.items():
        assert entities[entity_id].unique_id == f"{entry.entry_id}_{key}"
        assert entities[entity_id].entity_category == "diagnostic"
    assert {key for key, entity in entities.items() if entity.disabled} == {
        RECONNECTS,
        f"sensor.{NAME}_memory",
        f"sensor.{NAME}_connected_clients",
        f"sensor.{NAME}_round_trip",
    }
    assert (device.name, device.model) == ("OpenClaw (127.0.0.1)", "Gateway")


async def test_a_connected_gateway_is_shown(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Nothing has gone wrong yet, so the last error is not known."""
    before = dt_util.utcnow()
    await add_entry(hass, friendly)
    assert value_of(hass, CONNECTED) == "on"
    assert value_of(hass, STATE) == "ready"
    assert value_of(hass, VERSION) == "2026.9.6"
    assert value_of(hass, ERROR) == "none"
    assert before.replace(microsecond=0) <= datetime.fromisoformat(value_of(hass, SINCE))
    state = hass.states.get(STATE)
    assert state is not None
    assert state.attributes["attempts"] == 0
    assert state.attributes["next_try"] is None
    assert "ready" in state.attributes["options"]


async def test_what_is_about_the_connection_stays_when_the_gateway_is_away(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The rest follows the gateway."""
    entry = await add_entry(hass, friendly)
    await enable(hass, entry, RECONNECTS)
    assert value_of(hass, RECONNECTS) == "0"
    await lose(hass, friendly)
    await hass.async_block_till_done()
    assert value_of(hass, CONNECTED) == "off"
    assert value_of(hass, ERROR) == "connection_lost"
    assert value_of(hass, RECONNECTS) == "0"
    assert value_of(hass, BUTTON) == "unknown"
    assert value_of(hass, VERSION) == "unavailable"
    assert value_of(hass, SINCE) == "unavailable"
    state = hass.states.get(STATE)
    assert state is not None
    assert state.attributes["attempts"] == 1
    assert state.attributes["next_try"] > dt_util.utcnow()

    await friendly.start()
    await try_now(hass, entry, "ready")
    await hass.async_block_till_done()
    assert value_of(hass, STATE) == "ready"
    assert value_of(hass, ERROR) == "connection_lost"
    assert value_of(hass, RECONNECTS) == "1"
    assert value_of(hass, VERSION) == "2026.9.6"


async def enable(hass: HomeAssistant, entry: MockConfigEntry, entity_id: str) -> None:
    """Enable an entity, as a user does."""
    er.async_get(hass).async_update_entity(entity_id, disabled_by=None)
    await hass.async_block_till_done()
    async_fire_time_changed(
        hass, dt_util.utcnow() + timedelta(seconds=RELOAD_AFTER_UPDATE_DELAY + 1)
    )
    await hass.async_block_till_done()
    assert hass.states.get(entity_id) is not None, entry.state


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        (pairing_required(PAIRING), "pairing", "pairing_required"),
        (protocol_mismatch(), "refused", "unsupported_version"),
        (rate_limited(300_000), "rate_limited", "rate_limited"),
        (hello_ok(scopes=()), "refused", "missing_rights"),
    ],
)
async def test_a_closed_door_is_told_by_its_kind(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    answer: Refusal | dict[str, Any],
    state: str,
    error: str,
) -> None:
    """The states are those of the client, the error is a category, not a text."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, answer, state)
    assert value_of(hass, ERROR) == error
    assert value_of(hass, CONNECTED) == "off"


async def test_the_button_ends_the_wait(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Somebody has approved Home Assistant and does not want to wait for the next poll."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, pairing_required(PAIRING), "pairing")
    await press(hass)
    await hass.async_block_till_done()
    assert value_of(hass, CONNECTED) == "on"


async def test_the_button_says_why_there_is_still_no_connection(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An action that fails raises."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, protocol_mismatch(), "refused")
    friendly.script(Expect("connect", reply=protocol_mismatch()))
    with pytest.raises(HomeAssistantError) as raised:
        await press(hass)
    assert raised.value.translation_domain == DOMAIN
    assert raised.value.translation_key == "unsupported_version"
    assert len(friendly.received("connect")) == 3


async def test_the_button_does_not_prolong_a_lockout(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The client waits its time, and the user is told how long that is."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, rate_limited(300_000), "rate_limited")
    with pytest.raises(HomeAssistantError) as raised:
        await press(hass)
    assert raised.value.translation_key == "rate_limited"
    assert raised.value.translation_placeholders == {"minutes": "5"}
    assert len(friendly.received("connect")) == 2


async def test_the_button_leaves_a_connection_alone(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Turns run on it."""
    await add_entry(hass, friendly)
    await press(hass)
    assert value_of(hass, CONNECTED) == "on"
    assert friendly.connections.total == 1


async def test_the_button_gives_up_in_time(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that is away answers nobody."""
    entry = await add_entry(hass, friendly)
    await lose(hass, friendly)
    monkeypatch.setattr(coordinator, "CONNECT_TIMEOUT", 0.1)
    async with asyncio.timeout(5):
        with pytest.raises(HomeAssistantError) as raised:
            await press(hass)
    assert raised.value.translation_key in {"cannot_connect", "connection_lost"}
    assert entry.runtime_data.last_error in {"cannot_connect", "connection_lost"}


async def test_renaming_one_keeps_it_in_place(
    hass: HomeAssistant, friendly: ScriptedGateway, entity_registry: er.EntityRegistry
) -> None:
    """It goes on following the connection under its new name."""
    await add_entry(hass, friendly)
    entity_registry.async_update_entity(CONNECTED, new_entity_id="binary_sensor.molty")
    await hass.async_block_till_done()
    async with state_change(hass, is_("binary_sensor.molty", "off")):
        await friendly.drop()
