"""What is said without an announcement of Home Assistant: sentences of our own."""

from dataclasses import replace
from pathlib import Path
from typing import Any, override
from unittest.mock import AsyncMock, patch

from homeassistant.components import tts
from homeassistant.components.assist_pipeline.pipeline import Pipeline, async_get_pipeline
from homeassistant.components.http import ApiConfig
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.openclaw_voice import announcement_audio
from custom_components.openclaw_voice.announcement_audio import RATE, async_media, async_say

from .assist_backend.engines import WholeMouth, add_engines, add_pipeline, set_up_voice, text_of


class Mouth(WholeMouth):
    """Speaks two languages, each with voices of its own."""

    def __init__(self) -> None:
        """Say which one it speaks."""
        super().__init__()
        self._attr_supported_languages = ["de", "en"]
        self.languages: list[str] = []

    @override
    async def async_get_tts_audio(
        self, message: str, language: str, options: dict[str, Any]
    ) -> tts.TtsAudioType:
        self.languages.append(language)
        return await super().async_get_tts_audio(message, language, options)


@pytest.fixture
async def mouth(hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mouth:
    """Return an engine."""
    await set_up_voice(hass, tmp_path, monkeypatch)
    mouth = Mouth()
    await add_engines(hass, mouth)
    return mouth


@pytest.fixture
async def pipeline(hass: HomeAssistant, mouth: Mouth) -> Pipeline:
    """Return a pipeline with that engine, in German."""
    return async_get_pipeline(hass, await add_pipeline(hass, tts_voice="ada"))


@pytest.mark.parametrize(
    ("language", "used"),
    [
        (None, ("de", "ada")),
        ("de", ("de", "ada")),
        ("en", ("en", None)),
        ("fr", ("de", "ada")),
    ],
)
async def test_a_sentence_is_spoken(
    hass: HomeAssistant,
    mouth: Mouth,
    pipeline: Pipeline,
    language: str | None,
    used: tuple[str, str | None],
) -> None:
    """In its language where the engine speaks that, else in the one of the pipeline."""
    pcm, rate = await async_say(hass, pipeline, "Bist du noch da?", language)
    assert (text_of(pcm), rate) == ("Bist du noch da?", RATE)
    assert [*zip(mouth.languages, mouth.voices, strict=True)] == [used]


async def test_an_engine_that_fails_is_an_error(
    hass: HomeAssistant, mouth: Mouth, pipeline: Pipeline
) -> None:
    """Whatever it raises."""
    mouth.error = RuntimeError("broken")
    assert await fails(hass, pipeline)


async def test_an_engine_that_is_slow_is_an_error(
    hass: HomeAssistant, mouth: Mouth, pipeline: Pipeline
) -> None:
    """Somebody waits for it."""
    mouth.goes_on.clear()
    with patch.object(announcement_audio, "SPEAK_LIMIT", 0.05):
        assert await fails(hass, pipeline)
    mouth.goes_on.set()


async def test_an_engine_that_is_gone_is_an_error(hass: HomeAssistant, pipeline: Pipeline) -> None:
    """Its integration may have been removed."""
    assert await fails(hass, replace(pipeline, tts_engine="tts.gone"))


async def test_nothing_cannot_be_said(hass: HomeAssistant, pipeline: Pipeline) -> None:
    """There is no audio of it."""
    assert await fails(hass, pipeline, "")


async def fails(hass: HomeAssistant, pipeline: Pipeline, text: str = "Hallo?") -> bool:
    """Tell whether a text cannot be spoken, for the reason people are told."""
    with pytest.raises(HomeAssistantError) as raised:
        await async_say(hass, pipeline, text)
    return raised.value.translation_key == "nothing_to_play"


@pytest.mark.parametrize(
    ("url", "listens", "read"),
    [
        (
            "http://home.local:8123/a%2Fb?s=1",
            ("192.0.2.9", False),
            "http://192.0.2.9:8124/a%2Fb?s=1",
        ),
        ("http://home.local:8123/bell.mp3", ("::", True), "https://127.0.0.1:8124/bell.mp3"),
        ("http://music.local:8123/song", ("192.0.2.9", False), "http://music.local:8123/song"),
    ],
)
async def test_home_assistants_own_media_do_not_need_its_name(
    hass: HomeAssistant,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    listens: tuple[str, bool],
    read: str,
) -> None:
    """Which the computer it runs on may not know."""
    hass.config.internal_url = "http://home.local:8123"
    host, use_ssl = listens
    hass.config.api = ApiConfig("192.0.2.9", host, 8124, use_ssl)
    ffmpeg = AsyncMock(return_value=b"ab")
    monkeypatch.setattr(announcement_audio, "_async_ffmpeg", ffmpeg)
    assert await async_media(hass, url) == (b"ab", RATE)
    assert ffmpeg.await_args is not None
    assert ffmpeg.await_args.args[-1] == read
