"""A voice satellite that is connected, without a socket."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.realtime import server_events as say
from custom_components.openclaw_voice.realtime.backend import Backend, BackendInfo
from custom_components.openclaw_voice.realtime.hub import SessionInfo
from custom_components.openclaw_voice.realtime.session import RealtimeSession, SessionHooks
from custom_components.openclaw_voice.realtime.session_config import (
    AudioConfig,
    Feature,
    SatelliteInfo,
    SessionConfig,
    SessionMode,
)
from custom_components.openclaw_voice.voice_satellites import VoiceSatellite
from custom_components.openclaw_voice.voice_sessions import async_voice_sessions
from tests.realtime.scripted import ListChannel, ScriptedBackend

SATELLITE: Final = "kitchen-1"


def config_of(*features: Feature, name: str = "Kitchen satellite", **fields: Any) -> SessionConfig:  # noqa: ANN401
    """Return what a satellite says of itself; it plays audio as soon as it comes."""
    return SessionConfig(
        satellite_id=SATELLITE,
        satellite=SatelliteInfo(name=name, features=frozenset(features)),
        audio=AudioConfig(sample_rate=16_000, max_ahead=0.0),
        **fields,
    )


def admit(entry: MockConfigEntry, *features: Feature) -> VoiceSatellite:
    """Let a satellite in that offers `features`."""
    satellite: VoiceSatellite = entry.runtime_data.satellites.async_admit(config_of(*features))
    return satellite


class Talking:
    """A satellite in a session, between a scripted backend and what it was sent."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        config: SessionConfig,
        device_id: str | None,
    ) -> None:
        """The clock is the test's; without a device it is that of the satellite."""
        satellite = entry.runtime_data.satellites.get(config.satellite_id)
        device_id = device_id or satellite.device_id
        self.now = 100.0
        self.backend = ScriptedBackend()
        self.channel = ListChannel()
        self.hub = async_voice_sessions(hass).hub
        self.session = RealtimeSession(
            SessionInfo(
                session_id="s",
                entry_id=entry.entry_id,
                agent_id="main",
                agent_name="Main",
                satellite_id=config.satellite_id,
                device_id=device_id,
            ),
            config,
            self._start,
            self.channel,
            clock=lambda: self.now,
            hooks=SessionHooks(on_change=self.hub.changed),
        )

    async def _start(self) -> tuple[Backend, BackendInfo]:
        return self.backend, await self.backend.start()


@asynccontextmanager
async def talking(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *features: Feature,
    mode: SessionMode = SessionMode.CONVERSATION,
    device_id: str | None = None,
) -> AsyncGenerator[Talking]:
    """Have a session of `SATELLITE`, until the block ends."""
    made = Talking(hass, entry, config_of(*features, mode=mode), device_id)
    made.hub.add(made.session)
    running = hass.async_create_background_task(made.session.run(), "session")
    try:
        await made.channel.until(say.SessionReady)
        yield made
    finally:
        made.session.end("completed")
        made.hub.remove(made.session, await running)
        await hass.async_block_till_done()
