"""Where a question comes from, as the registries of Home Assistant know it. Nothing is guessed."""

import logging
from typing import Final

from homeassistant.core import HomeAssistant, callback

from .options import AgentOptions
from .question import Origin

_LOGGER: Final = logging.getLogger(__name__)


async def async_origin(
    hass: HomeAssistant, *, satellite_id: str | None, device_id: str | None, user_id: str | None
) -> Origin:
    """Return what is known about the place and the person a question comes from.

    Args:
        hass: Home Assistant.
        satellite_id: Entity id of an Assist satellite.
        device_id: A device; without a satellite, the one satellite of this device is meant.
        user_id: The user of Home Assistant who asks.
    """
    raise NotImplementedError


@callback
def async_render_instructions(
    hass: HomeAssistant, options: AgentOptions, origin: Origin, *, language: str
) -> str:
    """Return the agent's own instructions, with the template rendered; nothing when that fails."""
    raise NotImplementedError
