"""Automations made from the blueprints of the repository, by Home Assistant's own code."""

from collections.abc import Mapping
from pathlib import Path
import shutil
from typing import Final

from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.openclaw_voice.const import DOMAIN

ROOT: Final = Path(__file__).parents[2] / "blueprints" / "automation"
FILES: Final = sorted(ROOT.glob(f"{DOMAIN}/*.yaml"))
AUTOMATION: Final = "automation.made"


def install(hass: HomeAssistant, config_dir: Path) -> None:
    """Have the blueprints where a user who imports them has them."""
    hass.config.config_dir = str(config_dir)
    shutil.copytree(ROOT / DOMAIN, config_dir / "blueprints" / "automation" / DOMAIN)


async def load(hass: HomeAssistant, name: str) -> Blueprint:
    """Return a blueprint as Home Assistant reads it."""
    assert await async_setup_component(hass, "automation", {})
    return await async_get_blueprints(hass).async_get_blueprint(f"{DOMAIN}/{name}.yaml")


async def make(hass: HomeAssistant, name: str, inputs: Mapping[str, object]) -> None:
    """Make an automation from a blueprint, and check that Home Assistant accepts it."""
    config = {
        "alias": "Made",
        "use_blueprint": {"path": f"{DOMAIN}/{name}.yaml", "input": inputs},
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    state = hass.states.get(AUTOMATION)
    assert state is not None
    assert state.state == "on", "Home Assistant does not accept what the blueprint makes"


def running(hass: HomeAssistant) -> int:
    """Return how many runs of the automation go on."""
    state = hass.states.get(AUTOMATION)
    assert state is not None
    found: int = state.attributes["current"]
    return found
