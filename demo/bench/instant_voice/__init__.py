"""An integration with speech engines and an agent that need no time, for the bench alone.

What they would add elsewhere is theirs; what is left is what lies between them.
"""

from homeassistant.components.conversation.const import DATA_COMPONENT as AGENTS
from homeassistant.components.stt.const import DATA_COMPONENT as EARS
from homeassistant.components.tts.const import DATA_COMPONENT as VOICES
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

from .engines import InstantAgent, InstantEars, InstantVoice

DOMAIN = "instant_voice"


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Add one of each."""
    await hass.data[EARS].async_add_entities([InstantEars()])
    await hass.data[VOICES].async_add_entities([InstantVoice()])
    await hass.data[AGENTS].async_add_entities([InstantAgent()])
    return True
