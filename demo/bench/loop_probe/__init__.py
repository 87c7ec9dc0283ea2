"""An integration that times the callbacks of Home Assistant's event loop, for the bench alone.

WebSocket commands: `loop_probe/start` starts anew, `loop_probe/stop` ends it and returns one row per
kind of callback.
"""

from typing import Any

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .callback_timer import CallbackTimer

DOMAIN = "loop_probe"
_TIMER = CallbackTimer()


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Register the commands."""
    async_register_command(hass, _start)
    async_register_command(hass, _stop)
    return True


@callback
@websocket_command({vol.Required("type"): "loop_probe/start"})
def _start(_: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    _TIMER.start()
    connection.send_result(message["id"])


@callback
@websocket_command({vol.Required("type"): "loop_probe/stop"})
def _stop(_: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    connection.send_result(message["id"], _TIMER.stop())
