"""Speech engines and an agent that do what a test says, for pipelines."""

from array import array
import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
import io
from pathlib import Path
from typing import Any, Final, Literal, override
import wave

from homeassistant.components import conversation, stt, tts
from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.setup import async_setup_component
import pytest

EAR: Final = "stt.ear"
MOUTH: Final = "tts.mouth"
MIND: Final = "conversation.mind"
RATE: Final = 24_000
PAUSE: Final = None
"""Among the deltas of an agent: wait until the test lets it go on."""


def wav(pcm: bytes, *, rate: int = RATE, width: int = 2) -> bytes:
    """Return a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(rate)
        writer.setnchannels(1)
        writer.setsampwidth(width)
        writer.writeframes(pcm)
    return file.getvalue()


def sound_of(text: str) -> bytes:
    """Return audio in which each sample is a letter."""
    return array("h", map(ord, text)).tobytes()


def text_of(pcm: bytes) -> str:
    """Return the text of such audio."""
    return "".join(map(chr, array("h", pcm)))


class Ear(stt.SpeechToTextEntity):
    """Hears what it is told to have heard, and remembers the audio."""

    def __init__(self) -> None:
        """Understand the same each time."""
        self.entity_id = EAR
        self.text = "Wie spät ist es?"
        self.heard: list[bytes] = []
        self.listening = asyncio.Event()
        self.error: Exception | None = None
        self.ends_after = 1 << 30
        """Bytes after which it has heard enough."""

        self.was_cancelled = False
        self.ends = asyncio.Event()
        self.ends.set()

    supported_languages = ["de"]  # noqa: RUF012 - as the base class has it
    supported_formats = [stt.AudioFormats.WAV]  # noqa: RUF012
    supported_codecs = [stt.AudioCodecs.PCM]  # noqa: RUF012
    supported_bit_rates = [stt.AudioBitRates.BITRATE_16]  # noqa: RUF012
    supported_sample_rates = [stt.AudioSampleRates.SAMPLERATE_16000]  # noqa: RUF012
    supported_channels = [stt.AudioChannels.CHANNEL_MONO]  # noqa: RUF012

    @override
    async def async_process_audio_stream(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> stt.SpeechResult:
        """Listen to the end."""
        self.listening.set()
        audio = b""
        try:
            if self.error is not None:
                raise self.error
            async for piece in stream:
                audio += piece
                if len(audio) >= self.ends_after:
                    break
            await self.ends.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        self.heard.append(audio)
        return stt.SpeechResult(self.text, stt.SpeechResultState.SUCCESS)


class Mind(conversation.ConversationEntity):
    """Answers with the deltas it was given; `PAUSE` waits for the test."""

    _attr_supports_streaming = True

    def __init__(self, entity_id: str = MIND) -> None:
        """Tell the time."""
        self.entity_id = entity_id
        self.deltas: Sequence[Any] = [{"role": "assistant"}, {"content": "Es ist zwölf."}]
        self.asked: list[conversation.ConversationInput] = []
        self.thinking = asyncio.Event()
        self.pausing = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.was_cancelled = asyncio.Event()
        self.error: Exception | None = None
        self.speech: str | None = None
        """Said at the end, without a delta."""

        self.when_asked: Callable[[], None] = lambda: None

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        return "*"

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        self.asked.append(user_input)
        self.thinking.set()
        self.when_asked()
        try:
            async for _ in chat_log.async_add_delta_content_stream(self.entity_id, self._stream()):
                pass
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        if self.speech is None:
            return conversation.async_get_result_from_chat_log(user_input, chat_log)
        response = intent.IntentResponse(language="de")
        if self.speech:
            response.async_set_speech(self.speech)
        return conversation.ConversationResult(response, chat_log.conversation_id)

    async def _stream(self) -> AsyncGenerator[Any]:
        for delta in self.deltas:
            if delta is PAUSE:
                self.pausing.set()
                await self.goes_on.wait()
                self.goes_on.clear()
            else:
                yield delta


class _Mouth(tts.TextToSpeechEntity):
    """Says a text as samples that are its letters."""

    _attr_default_language = "de"

    def __init__(self) -> None:
        """Speak German."""
        self.entity_id = MOUTH
        self._attr_name = "Mouth"
        self._attr_supported_languages = ["de"]
        self._attr_supported_options = [tts.ATTR_VOICE, tts.ATTR_PREFERRED_FORMAT]
        self.said: list[str] = []
        self.voices: list[str | None] = []
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.error: Exception | None = None
        self.rate = RATE
        self.width = 2

    @override
    def async_get_supported_voices(self, language: str) -> list[tts.Voice] | None:
        return [tts.Voice("ada", "Ada")]

    def _file(self, text: str) -> bytes:
        self.said.append(text)
        if self.error is not None:
            raise self.error
        return wav(sound_of(text), rate=self.rate, width=self.width)


class WholeMouth(_Mouth):
    """Needs the whole text before it begins."""

    @override
    async def async_get_tts_audio(
        self, message: str, language: str, options: dict[str, Any]
    ) -> tts.TtsAudioType:
        self.voices.append(options.get(tts.ATTR_VOICE))
        self.begun.set()
        await self.goes_on.wait()
        return "wav", self._file(message)


class FlowingMouth(_Mouth):
    """Speaks while the text still grows, with a header that tells no length."""

    @override
    async def async_stream_tts_audio(self, request: tts.TTSAudioRequest) -> tts.TTSAudioResponse:
        self.voices.append(request.options.get(tts.ATTR_VOICE))

        async def speak() -> AsyncGenerator[bytes]:
            header = wav(b"", rate=self.rate, width=self.width)
            yield header[:5]
            yield header[5:]
            text = ""
            async for piece in request.message_gen:
                text += piece
                self.begun.set()
                sound = sound_of(piece)
                yield sound[:1]
                yield sound[1:]
            self._file(text)
            self.ended.set()

        return tts.TTSAudioResponse("wav", speak())


async def set_up_voice(
    hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set up what pipelines are made of."""
    monkeypatch.setattr(tts, "_init_tts_cache_dir", lambda *_: str(tmp_path))
    # It would look for the program, which only converts what engines give in another format.
    hass.config.components.add("ffmpeg")
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "assist_pipeline", {})


async def add_engines(hass: HomeAssistant, *engines: Ear | Mind | _Mouth) -> None:
    """Add engines to Home Assistant."""
    for engine in engines:
        domain = engine.entity_id.partition(".")[0]
        await hass.data[DATA_INSTANCES][domain].async_add_entities([engine])


async def add_pipeline(hass: HomeAssistant, **fields: str | None) -> str:
    """Return the id of a new pipeline, which has our engines unless told otherwise."""
    store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    pipeline = await store.async_create_item(
        {
            "name": "Ours",
            "language": "de",
            "conversation_engine": MIND,
            "conversation_language": "*",
            "stt_engine": EAR,
            "stt_language": "de",
            "tts_engine": MOUTH,
            "tts_language": "de",
            "tts_voice": None,
            "wake_word_entity": None,
            "wake_word_id": None,
        }
        | fields
    )
    return pipeline.id
