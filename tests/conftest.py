"""Fixtures of all tests.

Sockets are blocked. A test that talks to a server of its own asks for `socket_enabled`, and then
reaches 127.0.0.1 only.
"""

from homeassistant.core import HomeAssistant
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest

# The test plugin brings a package named custom_components of its own. The first import wins.
import custom_components.openclaw_voice  # noqa: F401  imported for that effect

pytest_plugins = ["tests.real", "tests.real_voice"]


@pytest.fixture
def hass(hass: HomeAssistant) -> HomeAssistant:
    """Let Home Assistant find this integration.

    Wraps the fixture of the test plugin, so tests without Home Assistant do not pay for one.
    """
    hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
    return hass
