"""Commands for frontends: a way into the endpoint of satellites, and what goes on there."""

from datetime import timedelta
from typing import Any, Final

from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.decorators import require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey
import voluptuous as vol

from .const import DOMAIN
from .realtime.endpoint import URL, RealtimeHub
from .realtime.hub import HubEvent
from .realtime.session import RealtimeSession

SIGNED_FOR: Final = timedelta(seconds=30)
"""How long a signed path lets somebody connect."""

DATA_HUB: Final[HassKey[RealtimeHub]] = HassKey(f"{DOMAIN}_realtime_hub")


@callback
def async_register_commands(hass: HomeAssistant, hub: RealtimeHub) -> None:
    """Register the commands, which tell of the sessions of `hub`."""
    hass.data[DATA_HUB] = hub
    for command in (sign, sessions, subscribe):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): f"{DOMAIN}/realtime/sign"})
@callback
def sign(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Return a path that lets the user connect, for browsers cannot send a token."""
    path = async_sign_path(hass, URL, SIGNED_FOR, refresh_token_id=connection.refresh_token_id)
    connection.send_result(msg["id"], {"path": path})


@websocket_command({vol.Required("type"): f"{DOMAIN}/realtime/sessions"})
@require_admin
@callback
def sessions(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Return the sessions that go on."""
    told = [_session(session) for session in hass.data[DATA_HUB].sessions]
    connection.send_result(msg["id"], {"sessions": told})


@websocket_command({vol.Required("type"): f"{DOMAIN}/realtime/subscribe"})
@require_admin
@callback
def subscribe(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell what happens to sessions, until the subscription ends."""

    @callback
    def tell(event: HubEvent[RealtimeSession]) -> None:
        told: dict[str, Any] = {"event": event.kind, "session": _session(event.session)}
        if event.summary is not None:
            told["summary"] = event.summary.as_data()
        connection.send_event(msg["id"], told)

    connection.subscriptions[msg["id"]] = hass.data[DATA_HUB].subscribe(tell)
    connection.send_result(msg["id"])


def _session(session: RealtimeSession) -> dict[str, Any]:
    """Return what is told of a session; nothing that was said."""
    info = session.info
    return {
        "session_id": info.session_id,
        "entry_id": info.entry_id,
        "agent_id": info.agent_id,
        "agent_name": info.agent_name,
        "satellite_id": info.satellite_id,
        "device_id": info.device_id,
        "user_id": info.user_id,
        "state": session.state,
        "backend": session.backend_info.name if session.backend_info else None,
    }
