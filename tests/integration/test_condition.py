"""The condition for automations: gateways are connected."""

from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition as condition_helper
from homeassistant.helpers.condition import ConditionChecker
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.gateway import ScriptedGateway

from .connection import lose
from .support import add_entry, make_entry

pytestmark = pytest.mark.usefixtures("home")

CONDITION = f"{DOMAIN}.is_connected"


async def checker(hass: HomeAssistant, **options: object) -> ConditionChecker:
    """Return the condition as an automation has it."""
    config = {"condition": CONDITION} | ({"options": options} if options else {})
    validated = await condition_helper.async_validate_condition_config(hass, config)
    return await condition_helper.async_from_config(hass, validated)


async def test_it_follows_the_connection(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Over losses and unloads, for a gateway that is chosen either way."""
    entry = await add_entry(hass, friendly)
    checks = [
        await checker(hass),
        await checker(hass, gateway=entry.entry_id),
        await checker(hass, gateway=[entry.runtime_data.device_id]),
    ]
    assert [check.async_check() for check in checks] == [True] * 3
    await lose(hass, friendly)
    assert [check.async_check() for check in checks] == [False] * 3
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert [check.async_check() for check in checks] == [False] * 3


async def test_all_gateways_must_be_connected(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """One that is disabled is not missed, one that was removed is."""
    entry = await add_entry(hass, friendly)
    other = make_entry(hass, friendly, gateway_id="cd" * 32)
    every, one = await checker(hass), await checker(hass, gateway=[entry.entry_id])
    both = await checker(hass, gateway=[entry.entry_id, other.entry_id])
    assert (every.async_check(), one.async_check(), both.async_check()) == (False, True, False)
    await hass.config_entries.async_set_disabled_by(other.entry_id, ConfigEntryDisabler.USER)
    assert (every.async_check(), both.async_check()) == (True, False)
    await hass.config_entries.async_remove(other.entry_id)
    assert (every.async_check(), both.async_check()) == (True, False)


async def test_without_a_gateway_none_is_connected(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """All of none would be true."""
    entry = await add_entry(hass, friendly)
    every = await checker(hass, gateway=[])
    await hass.config_entries.async_remove(entry.entry_id)
    assert every.async_check() is False


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"gateway": "nowhere"}, "nowhere is not an OpenClaw gateway"), ({"colour": "red"}, "colour")],
)
async def test_a_gateway_that_is_not_there_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway, options: dict[str, Any], problem: str
) -> None:
    """Before the automation runs."""
    await add_entry(hass, friendly)
    with pytest.raises(vol.Invalid, match=problem):
        await checker(hass, **options)


async def test_home_assistant_can_show_it(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Its field has a selector that exists."""
    entry: MockConfigEntry = await add_entry(hass, friendly)
    await checker(hass, gateway=entry.entry_id)
    described = await condition_helper.async_get_all_descriptions(hass)
    found = described[CONDITION]
    assert found is not None
    assert set(found["fields"]) == {"gateway"}
