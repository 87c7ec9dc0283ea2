"""Speech engines and an agent that answer the moment they are asked."""

from array import array
from collections.abc import AsyncGenerator, AsyncIterable
import io
from typing import Final, Literal, override
import wave

from homeassistant.components import conversation, stt, tts
from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse

EARS: Final = "stt.instant_ears"
VOICE: Final = "tts.instant_voice"
AGENT: Final = "conversation.instant_agent"
LANGUAGE: Final = "en"

RATE: Final = 22_050
"""Samples a second of the voice: what many engines speak, so it has to be resampled."""

HEARD: Final = "what time is it"
ANSWER: Final = "It is twelve o'clock, and the kettle is on."
SECONDS: Final = 1.0
"""How long the voice takes for any text."""


class InstantEars(stt.SpeechToTextEntity):
    """Understands the same each time, when the last sound has come."""

    supported_languages = [LANGUAGE]  # noqa: RUF012 - as the base class has it
    supported_formats = [stt.AudioFormats.WAV]  # noqa: RUF012
    supported_codecs = [stt.AudioCodecs.PCM]  # noqa: RUF012
    supported_bit_rates = [stt.AudioBitRates.BITRATE_16]  # noqa: RUF012
    supported_sample_rates = [stt.AudioSampleRates.SAMPLERATE_16000]  # noqa: RUF012
    supported_channels = [stt.AudioChannels.CHANNEL_MONO]  # noqa: RUF012

    def __init__(self) -> None:
        """Be called so."""
        self.entity_id = EARS

    @override
    async def async_process_audio_stream(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> stt.SpeechResult:
        """Listen to the end."""
        async for _ in stream:
            pass
        return stt.SpeechResult(HEARD, stt.SpeechResultState.SUCCESS)


class InstantAgent(conversation.ConversationEntity):
    """Answers word by word, without a pause between them."""

    _attr_supports_streaming = True

    def __init__(self) -> None:
        """Be called so."""
        self.entity_id = AGENT

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Any."""
        return "*"

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        async for _ in chat_log.async_add_delta_content_stream(self.entity_id, _deltas()):
            pass
        return conversation.async_get_result_from_chat_log(user_input, chat_log)


class InstantVoice(tts.TextToSpeechEntity):
    """Hums, which begins with the first piece of a text."""

    _attr_name = "Instant voice"
    _attr_default_language = LANGUAGE
    _attr_supported_languages = [LANGUAGE]  # noqa: RUF012 - as the base class has it

    def __init__(self) -> None:
        """Be called so."""
        self.entity_id = VOICE

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        """Speak while the text still grows."""
        return TTSAudioResponse("wav", _speech(request.message_gen))


async def _deltas() -> AsyncGenerator[conversation.AssistantContentDeltaDict]:
    yield {"role": "assistant"}
    for word in ANSWER.split(" "):
        yield {"content": f"{word} "}


async def _speech(texts: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(RATE)
        writer.setnchannels(1)
        writer.setsampwidth(2)
    has_begun = False
    async for _ in texts:
        if not has_begun:
            yield file.getvalue()
            yield array("h", [500, -500] * round(RATE * SECONDS / 2)).tobytes()
        has_begun = True
