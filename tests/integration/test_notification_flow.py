"""Choosing who is told what the gateway says on its own."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.outbox.notification_options import (
    DEFAULT_EXPIRES,
    DEFAULT_KINDS,
    NotificationOptions,
)
from tests.fakes.gateway import ScriptedGateway

from .support import add_entry, make_entry

pytestmark = pytest.mark.usefixtures("home")

WHERE = {"satellites": ["assist_satellite.kitchen"], "notify": ["notify.phone"], "persistent": True}
NOTHING: dict[str, dict[str, Any]] = {
    "where": {},
    "what": {},
    "when": {},
    "reply": {},
    "realtime": {},
}


def shown(form: ConfigFlowResult) -> dict[str, Any]:
    """Return the fields of a form with what is filled in."""
    assert form["data_schema"] is not None
    return {
        str(field): field.description["suggested_value"]
        if field.description is not None
        else field.default()
        for part in form["data_schema"].schema.values()
        for field in part.schema.schema
    }


async def submit(
    hass: HomeAssistant, entry: MockConfigEntry, **sections: dict[str, Any]
) -> ConfigFlowResult:
    """Press the gear, fill in the form, and submit it."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["step_id"] == "init"
    result = await hass.config_entries.options.async_configure(form["flow_id"], NOTHING | sections)
    await hass.async_block_till_done()
    return result


async def test_nothing_is_told_until_somebody_chooses_where(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Submitting the form as it is changes nothing."""
    entry = await add_entry(hass, friendly)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert shown(form)["satellites"] == []
    assert shown(form)["expires"] == DEFAULT_EXPIRES
    assert set(shown(form)["kinds"]) == DEFAULT_KINDS
    result = await submit(hass, entry)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert NotificationOptions.from_data(entry.options) == NotificationOptions()


async def test_what_is_chosen_counts_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The entry is not loaded anew, and the form shows it the next time."""
    entry = await add_entry(hass, friendly)
    coordinator = entry.runtime_data
    await submit(
        hass,
        entry,
        where=WHERE,
        what={"kinds": ["heartbeat"]},
        when={"quiet_from": "22:00:00", "quiet_to": "07:00:00", "expires": 30},
        reply={"listens": True, "asks_approvals": False},
        realtime={"price_per_minute": 0.25},
    )
    assert entry.runtime_data is coordinator
    assert coordinator.realtime_usage.price == 0.25
    options = coordinator.household.announcer.options
    assert options.satellites == ("assist_satellite.kitchen",)
    assert options.listens
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert shown(form) == options.as_data() | {"price_per_minute": 0.25}


async def test_what_is_emptied_is_gone(hass: HomeAssistant, gateway: ScriptedGateway) -> None:
    """A gateway that is away does not keep anybody from that; options of others stay."""
    entry = make_entry(hass, gateway)
    options = NotificationOptions.from_data(WHERE | {"quiet_from": "1:00", "quiet_to": "02:00"})
    others = {"other": 1, "price_per_minute": 0.25}
    hass.config_entries.async_update_entry(entry, options=options.as_data() | others)
    await submit(hass, entry)
    assert entry.options == NotificationOptions(persistent=True).as_data() | {"other": 1}


@pytest.mark.parametrize(
    "hours",
    [
        {"quiet_from": "22:00:00"},
        {"quiet_to": "07:00:00"},
        {"quiet_from": "07:00:00", "quiet_to": "07:00:00"},
    ],
)
async def test_quiet_hours_need_both_ends(
    hass: HomeAssistant, gateway: ScriptedGateway, hours: dict[str, str]
) -> None:
    """The form comes back with what was typed, and takes it once it is whole."""
    entry = make_entry(hass, gateway)
    result = await submit(hass, entry, where=WHERE, when=hours)
    assert result["errors"] == {"base": "quiet_hours"}
    whole = NOTHING | {"where": WHERE, "when": {"quiet_from": "22:00", "quiet_to": "07:00:00"}}
    result = await hass.config_entries.options.async_configure(result["flow_id"], whole)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["quiet_from"] == "22:00:00"


async def test_agents_are_not_told_what_agents_say(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Their own notify entities are not offered."""
    entry = await add_entry(hass, friendly)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["data_schema"] is not None
    selector = form["data_schema"].schema["where"].schema.schema["notify"]
    assert selector.config["exclude_entities"] == ["notify.main"]
