"""An integration that times the callbacks of Home Assistant's event loop, for the bench alone.

WebSocket commands: `loop_probe/start` starts anew, `loop_probe/stop` ends it and returns one row per
kind of callback. `loop_probe/start_frames` and `loop_probe/stop_frames` do the same for the sound of
realtime sessions: how late each piece was, in seconds, up and down. `loop_probe/usage` returns what this
process has used of processor and memory.
"""

from typing import Any

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .callback_timer import CallbackTimer
from .frame_timer import FrameTimer
from .usage import usage

DOMAIN = "loop_probe"
_TIMER = CallbackTimer()
_FRAMES = FrameTimer()


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Register the commands."""
    for command in (_start, _stop, _start_frames, _stop_frames, _usage):
        async_register_command(hass, command)
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


@callback
@websocket_command({vol.Required("type"): "loop_probe/start_frames"})
def _start_frames(_: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    _FRAMES.start()
    connection.send_result(message["id"])


@callback
@websocket_command({vol.Required("type"): "loop_probe/stop_frames"})
def _stop_frames(_: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    connection.send_result(message["id"], _FRAMES.stop())


@callback
@websocket_command({vol.Required("type"): "loop_probe/usage"})
def _usage(_: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    connection.send_result(message["id"], usage())
