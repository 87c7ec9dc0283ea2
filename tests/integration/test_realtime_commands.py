"""The commands of frontends about realtime sessions."""

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.openclaw_voice.realtime.backend import Backend, BackendInfo
from custom_components.openclaw_voice.realtime.endpoint import URL, RealtimeHub
from custom_components.openclaw_voice.realtime.hub import Hub, SessionInfo
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session import RealtimeSession
from custom_components.openclaw_voice.realtime.session_config import SessionConfig
from custom_components.openclaw_voice.websocket_api import async_register_commands
from tests.realtime.scripted import ListChannel, ScriptedBackend

INFO = SessionInfo(session_id="s", entry_id="e", agent_id="main", agent_name="Main")


@pytest.fixture
async def hub(hass: HomeAssistant) -> RealtimeHub:
    """Return a hub that the commands tell of."""
    assert await async_setup_component(hass, "websocket_api", {})
    made: RealtimeHub = Hub(replaced=Reason.REPLACED)
    async_register_commands(hass, made)
    return made


def make_session(hass: HomeAssistant) -> RealtimeSession:
    """Return a session that does not run."""
    backend = ScriptedBackend()

    async def start() -> tuple[Backend, BackendInfo]:
        return backend, await backend.start()

    return RealtimeSession(
        INFO,
        SessionConfig(),
        start,
        ListChannel(),
        clock=hass.loop.time,
    )


async def test_a_path_is_signed(hub: RealtimeHub, hass_ws_client: WebSocketGenerator) -> None:
    """For whoever is logged in."""
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "openclaw_voice/realtime/sign"})
    path = (await client.receive_json())["result"]["path"]
    assert path.startswith(f"{URL}?authSig=")
    assert not hub.sessions


async def test_sessions_are_told(
    hass: HomeAssistant, hub: RealtimeHub, hass_ws_client: WebSocketGenerator
) -> None:
    """Those that go on, then what happens to them."""
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "openclaw_voice/realtime/subscribe"})
    assert (await client.receive_json())["success"]
    session = make_session(hass)
    hub.add(session)
    told = (await client.receive_json())["event"]
    assert (told["event"], told["session"]["session_id"]) == ("started", "s")
    await client.send_json_auto_id({"type": "openclaw_voice/realtime/sessions"})
    (listed,) = (await client.receive_json())["result"]["sessions"]
    assert (listed["agent_id"], listed["state"], listed["backend"]) == ("main", "idle", None)
    session.end(Reason.IDLE)
    hub.remove(session, await session.run())
    told = (await client.receive_json())["event"]
    assert (told["event"], told["summary"]["reason"]) == ("ended", "idle")


@pytest.mark.parametrize("command", ["sessions", "subscribe"])
async def test_only_administrators_see_sessions(
    hub: RealtimeHub,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    command: str,
) -> None:
    """Others would see who talks where."""
    client = await hass_ws_client(access_token=hass_read_only_access_token)
    await client.send_json_auto_id({"type": f"openclaw_voice/realtime/{command}"})
    assert (await client.receive_json())["error"]["code"] == "unauthorized"
    assert not hub.sessions
