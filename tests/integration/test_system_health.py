"""What system health tells about the gateways."""

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.openclaw_voice.const import DOMAIN
from tests.architecture.source import load_json
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway

from .connection import lose
from .support import add_entry, introduce, make_entry

pytestmark = pytest.mark.usefixtures("home")


async def test_gateways_are_counted_and_their_troubles_named(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """One is away, one is connected, one is not set up; no address is told."""
    assert await async_setup_component(hass, "system_health", {})
    async with ScriptedGateway() as other:
        introduce(other, "cook", gateway_id="cd" * 32)
        hello = hello_ok(version="2026.10.1")
        update = {"currentVersion": "2026.10.1", "latestVersion": "2026.11.1", "channel": "stable"}
        errors = [{"id": "x", "origin": "x", "activated": False, "error": "planted"}]
        health = {"ok": True, "plugins": {"loaded": [], "errors": errors}}
        hello["snapshot"] |= {"updateAvailable": update, "health": health}
        other.script(Expect("connect", reply=hello))
        await add_entry(hass, friendly)
        await add_entry(hass, other, "cook", gateway_id="cd" * 32)
        make_entry(hass, friendly, "third", gateway_id="ef" * 32)
        await lose(hass, friendly)
        info = await get_system_health_info(hass, DOMAIN)
    assert info == {
        "version": load_json("manifest.json")["version"],
        "gateways": 3,
        "connected": 1,
        "gateway_versions": "2026.10.1, 2026.9.6",
        "updates": 1,
        "unhealthy": 1,
        "active_runs": 0,
        "realtime_sessions": 0,
        "problems": "connection_lost",
    }
    texts = load_json("translations/en.json")["system_health"]["info"]
    assert texts.keys() == info.keys()


async def test_all_is_well(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Nothing is named as a problem."""
    assert await async_setup_component(hass, "system_health", {})
    await add_entry(hass, friendly)
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["gateways"], info["connected"], info["problems"]) == (1, 1, "–")
