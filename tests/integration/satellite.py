"""A satellite and somebody to be sent a text, for tests."""

import asyncio
from pathlib import Path
from typing import Any, Final, override

from homeassistant.components import assist_satellite, notify, tts
from homeassistant.components.assist_pipeline import PipelineEvent, PipelineEventType
from homeassistant.components.assist_satellite import (
    AssistSatelliteAnnouncement,
    AssistSatelliteConfiguration,
    AssistSatelliteEntityFeature,
)
from homeassistant.components.assist_satellite.const import DATA_COMPONENT
from homeassistant.components.notify import NotifyEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_component import EntityComponent
from homeassistant.setup import async_setup_component
import pytest

from .support import WAIT_LIMIT

VOICE: Final = "tts.voice"


class Satellite(assist_satellite.AssistSatelliteEntity):
    """A satellite that remembers what it was to say."""

    _attr_should_poll = False

    def __init__(self, name: str, *, can_announce: bool = True, can_listen: bool = False) -> None:
        """Be idle, and say at once what is to be said."""
        self.entity_id = f"assist_satellite.{name}"
        self._attr_unique_id = name
        if can_announce:
            self._attr_supported_features = AssistSatelliteEntityFeature.ANNOUNCE
        if can_listen:
            self._attr_supported_features |= AssistSatelliteEntityFeature.START_CONVERSATION
        self.said: list[str] = []
        """What was said to its end."""

        self.asked: list[str] = []
        """After what of it somebody was listened to."""

        self.begun: asyncio.Queue[str] = asyncio.Queue()
        """What it began to say."""

        self.may_end = asyncio.Event()
        """Cleared: playback goes on."""

        self.may_end.set()
        self.failures: list[Exception] = []
        """Raised instead of playing, one each time."""

    @override
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        """Have no wake words."""
        return AssistSatelliteConfiguration([], [], 0)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        """Have nothing to set."""

    @override
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        """Have nothing to show."""

    @override
    async def async_announce(self, announcement: AssistSatelliteAnnouncement) -> None:
        """Say something, for as long as the test wants."""
        self.begun.put_nowait(announcement.message)
        if self.failures:
            raise self.failures.pop(0)
        await self.may_end.wait()
        self.said.append(announcement.message)

    @override
    async def async_start_conversation(
        self, start_announcement: AssistSatelliteAnnouncement
    ) -> None:
        """Say something, and listen."""
        await self.async_announce(start_announcement)
        self.asked.append(start_announcement.message)

    async def begins(self) -> str:
        """Return what it begins to say next."""
        async with asyncio.timeout(WAIT_LIMIT):
            return await self.begun.get()

    def hears(self) -> None:
        """Begin a turn: somebody has said the wake word."""
        self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.STT_START))

    def thinks(self) -> None:
        """Go on with a turn: somebody has said something."""
        self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.INTENT_START))

    def falls_silent(self) -> None:
        """End a turn with its answer; in the middle of one, end the answer before it."""
        self.tts_response_finished()

    def answers(self) -> None:
        """Begin to say an answer."""
        self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.TTS_START))

    def leave(self, *, is_available: bool = False) -> None:
        """Go away, or come back."""
        self._attr_available = is_available
        self.async_write_ha_state()


class Phone(NotifyEntity):
    """Somebody who can be sent a text."""

    def __init__(self, name: str) -> None:
        """Have been sent nothing."""
        self.entity_id = f"notify.{name}"
        self._attr_unique_id = name
        self._attr_supported_features = notify.NotifyEntityFeature.TITLE
        self.sent: list[tuple[str | None, str]] = []
        """Title and text of each message."""

        self.error: Exception | None = None

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Take a message."""
        if self.error is not None:
            raise self.error
        self.sent.append((title, message))


class _Voice(tts.TextToSpeechEntity):
    """A voice that is never heard: satellites fetch it, and these do not."""

    _attr_default_language = "en"

    def __init__(self) -> None:
        """Speak English."""
        self.entity_id = VOICE
        self._attr_supported_languages = ["en"]


async def add_voice(hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pipelines speak."""
    monkeypatch.setattr(tts, "_init_tts_cache_dir", lambda *_: str(tmp_path))
    await hass.config.async_update(internal_url="http://127.0.0.1:8123")
    # It would look for the program, which only converts what satellites fetch.
    hass.config.components.add("ffmpeg")
    assert await async_setup_component(hass, "tts", {})
    await _add(hass.data[tts.DATA_COMPONENT], _Voice())
    assert await async_setup_component(hass, "assist_pipeline", {})
    assert await async_setup_component(hass, "assist_satellite", {})


async def add_satellite(hass: HomeAssistant, name: str, **options: bool) -> Satellite:
    """Return a satellite that has been added to Home Assistant."""
    satellite = Satellite(name, **options)
    await _add(hass.data[DATA_COMPONENT], satellite)
    return satellite


async def add_phone(hass: HomeAssistant, name: str) -> Phone:
    """Return somebody who has been added to Home Assistant."""
    assert await async_setup_component(hass, "notify", {})
    phone = Phone(name)
    await _add(hass.data[notify.DATA_COMPONENT], phone)
    return phone


async def _add(component: EntityComponent[Any], entity: Entity) -> None:
    await component.async_add_entities([entity])
