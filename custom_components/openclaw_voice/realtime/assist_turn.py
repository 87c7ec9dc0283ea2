"""One turn with Home Assistant's speech engines: from the first word heard to the last one spoken."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
import logging
from typing import Any, Final

from homeassistant.components import stt
from homeassistant.components.assist_pipeline import (
    AudioSettings,
    PipelineEvent,
    PipelineEventType,
    async_pipeline_from_audio_stream,
)
from homeassistant.components.assist_pipeline.models import PipelineStage
from homeassistant.core import Context, HomeAssistant, callback

from .audio import SAMPLE_BYTES
from .backend import (
    Activity,
    ActivityCancelled,
    BackendError,
    BackendEvent,
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnEnded,
)
from .event_queue import EventQueue
from .protocol import Reason
from .tts_output import OUTPUT_RATE, SpokenAnswer, Voice

INPUT_RATE: Final = 16_000
"""Samples a second that speech engines hear: none of Home Assistant's takes 24 000."""

TURN_LIMIT: Final = 360.0
"""Seconds a turn may take in all."""

HEARING_LIMIT: Final = 60.0
"""Seconds of what one person says that are kept for the engine."""

MICROPHONE_LIMIT: Final = 5.0
"""Seconds without any audio after which nobody speaks any more."""

STOP_GRACE: Final = 1.0
"""Seconds that an engine has to end by itself when its audio has ended."""

STOP_LIMIT: Final = 5.0
"""Seconds that what was cancelled is waited for."""

_NOTHING_SAID: Final = {"stt-no-text-recognized", "wake-word-timeout"}
"""What pipelines call an error, and is none."""

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings:
    """What the turns of a session have in common."""

    pipeline_id: str
    voice: Voice
    context: Context
    device_id: str | None = None
    satellite_id: str | None = None
    instructions: str | None = field(default=None, repr=False)


class Turn:
    """A run of a pipeline, and its answer spoken by a stream of our own.

    `run` in one task; everything else at any time, also before.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        settings: TurnSettings,
        events: EventQueue,
        turn_id: str,
        conversation_id: str | None,
    ) -> None:
        """Hear nothing yet."""
        self.turn_id = turn_id
        self.conversation_id = conversation_id
        """Of the next turn, once this one has begun."""

        self.failure: BackendError | None = None
        self.has_answered = False
        self.is_stopped = False
        self.is_over = False
        self.is_heard = True
        """Whether nothing that was handed out waits to be heard."""

        self.sent = 0.0
        """Seconds of audio that were handed out."""

        self._hass = hass
        self._settings = settings
        self._events = events
        self._microphone = _Microphone()
        self._speech_over = asyncio.Event()
        self._stopping = asyncio.Event()
        self._answer = SpokenAnswer(hass, settings.voice)
        self._text = ""
        self._is_assistant = False
        self._is_understood = False
        self._tools: dict[str, None] = {}
        """The calls of tools that have not ended."""

    @property
    def is_hearing(self) -> bool:
        """Whether the user has not ended yet."""
        return not self._speech_over.is_set()

    def hear(self, pcm: bytes) -> None:
        """Take more of what the user says, at `INPUT_RATE`."""
        if self.is_hearing and self._microphone.add(pcm) > HEARING_LIMIT:
            self.end_of_speech()

    def end_of_speech(self) -> None:
        """The user has ended. Idempotent."""
        if self.is_hearing:
            self._speech_over.set()
            self._microphone.end()
            self._tell(SpeechEnded(turn_id=self.turn_id))

    def stop(self) -> None:
        """End the turn; nothing more is told about it, except that it has ended. Idempotent."""
        if self.is_over:
            return
        self.is_stopped = True
        self.is_heard = True
        self._speech_over.set()
        self._microphone.end()
        self._stopping.set()
        self._answer.stop()
        self._events.drop_audio()
        self._end()

    async def run(self) -> None:
        """Run it to its end; `failure` tells how it went.

        An engine that still listens is not cancelled before it had a chance to end: some leave
        tasks behind. Everything else is cancelled at once.
        """
        work = asyncio.create_task(self._answer_what_is_said())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self._is_understood:
                await asyncio.wait({work}, timeout=STOP_GRACE)
            if work.done():
                # What is still said belongs to this turn, also when nobody takes it any more.
                await self._speech_over.wait()
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.wait({work, stopping}, timeout=STOP_LIMIT)
        error = work.exception() if work.done() and not work.cancelled() else None
        if self.is_stopped:
            return
        if error is not None:
            _LOGGER.warning("A turn of a realtime session has failed: %s", type(error).__name__)
            self._fail()
        self._end()

    async def _answer_what_is_said(self) -> None:
        # Nobody is asked anything whose answer could not be heard.
        self._settings.voice.check(self._hass)
        speaking = asyncio.create_task(self._speak())
        try:
            async with asyncio.timeout(TURN_LIMIT):
                await self._run_pipeline()
                self._answer.finish()
                await speaking
        finally:
            self._answer.stop()
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)

    async def _run_pipeline(self) -> None:
        settings = self._settings
        await async_pipeline_from_audio_stream(
            self._hass,
            context=settings.context,
            event_callback=self._on_event,
            stt_metadata=stt.SpeechMetadata(
                language="",
                format=stt.AudioFormats.WAV,
                codec=stt.AudioCodecs.PCM,
                bit_rate=stt.AudioBitRates.BITRATE_16,
                sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
                channel=stt.AudioChannels.CHANNEL_MONO,
            ),
            stt_stream=self._heard(),
            pipeline_id=settings.pipeline_id,
            conversation_id=self.conversation_id,
            audio_settings=AudioSettings(is_vad_enabled=False),
            device_id=settings.device_id,
            satellite_id=settings.satellite_id,
            end_stage=PipelineStage.INTENT,
            conversation_extra_system_prompt=settings.instructions,
        )

    async def _heard(self) -> AsyncGenerator[bytes]:
        while (pcm := await self._microphone.next()) is not None:
            yield pcm
        self.end_of_speech()

    async def _speak(self) -> None:
        async with aclosing(self._answer.audio()) as pieces:
            async for pcm in pieces:
                self.sent += len(pcm) / (OUTPUT_RATE * SAMPLE_BYTES)
                self.is_heard = self.is_stopped
                self._tell(OutputAudio(turn_id=self.turn_id, pcm=pcm))
        if self.sent:
            self._tell(OutputEnded(turn_id=self.turn_id))

    @callback
    def _on_event(self, event: PipelineEvent) -> None:
        data = event.data or {}
        match event.type:
            case PipelineEventType.RUN_START:
                self.conversation_id = data["conversation_id"]
            case PipelineEventType.STT_END:
                self._on_understood(data["stt_output"]["text"])
            case PipelineEventType.INTENT_START:
                self._tell(ResponseStarted(turn_id=self.turn_id))
            case PipelineEventType.INTENT_PROGRESS:
                self._on_delta(data.get("chat_log_delta") or {})
            case PipelineEventType.INTENT_END:
                self._on_answer(data["intent_output"]["response"])
            case PipelineEventType.ERROR if (code := data["code"]) not in _NOTHING_SAID:
                _LOGGER.warning("A turn of a realtime session has failed: %s", code)
                self._fail()

    def _on_understood(self, text: str) -> None:
        if self.is_stopped:
            raise _StoppedError
        self._is_understood = True
        self.end_of_speech()
        self._tell(Transcript(speaker=Speaker.USER, text=text, is_final=True))

    def _on_delta(self, delta: Mapping[str, Any]) -> None:
        """Say what the agent says, and tell which tools it uses."""
        if role := delta.get("role"):
            self._is_assistant = role == "assistant"
            if self._is_assistant and self._text and not self._text[-1].isspace():
                self._say(" ")
        if role == "tool_result":
            call_id, name = delta["tool_call_id"], delta["tool_name"]
            self._tools.pop(call_id, None)
            self._tell(Activity(call_id=call_id, summary=name, is_final=True))
        if not self._is_assistant:
            return
        if text := delta.get("content"):
            self._say(text)
        for call in delta.get("tool_calls") or ():
            self._tools[call.id] = None
            self._tell(Activity(call_id=call.id, summary=call.tool_name))

    def _on_answer(self, response: Mapping[str, Any]) -> None:
        """Say what was not said in pieces: an answer that came at once, or why there is none."""
        speech = response.get("speech", {}).get("plain", {}).get("speech") or ""
        is_lost = response.get("response_type") == "error" and speech not in self._text
        if speech and (is_lost or not self._text.strip()):
            self._say(f" {speech}" if self._text else speech)
        if text := self._text.strip():
            self._tell(Transcript(speaker=Speaker.ASSISTANT, text=text, is_final=True))
        self.has_answered = True
        self._answer.finish()

    def _say(self, text: str) -> None:
        self._text += text
        self._tell(Transcript(speaker=Speaker.ASSISTANT, text=text))
        self._answer.say(text)

    def _fail(self) -> None:
        self.failure = BackendError(Reason.PIPELINE_ERROR, is_recoverable=True)

    def _end(self) -> None:
        self.is_over = True
        if self._tools:
            self._events.put(ActivityCancelled(call_ids=tuple(self._tools)))
        self._events.put(TurnEnded(turn_id=self.turn_id))

    def _tell(self, event: BackendEvent) -> None:
        if not self.is_stopped:
            self._events.put(event)


class _StoppedError(Exception):
    """Ends a run between hearing and answering, where nobody waits for the answer."""


class _Microphone:
    """What is heard on its way to the engine; bounded by what a turn takes of it."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self._pieces: deque[bytes] = deque()
        self._seconds = 0.0
        self._is_ended = False
        self._news = asyncio.Event()

    def add(self, pcm: bytes) -> float:
        """Take audio; return how many seconds there were in all."""
        self._pieces.append(pcm)
        self._seconds += len(pcm) / (INPUT_RATE * SAMPLE_BYTES)
        self._news.set()
        return self._seconds

    def end(self) -> None:
        """There is no more. Idempotent."""
        self._is_ended = True
        self._news.set()

    async def next(self) -> bytes | None:
        """Return the next audio, None after the last, or when none comes for a while."""
        if not self._pieces and not self._is_ended:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(MICROPHONE_LIMIT):
                    await self._news.wait()
        return self._pieces.popleft() if self._pieces else None
