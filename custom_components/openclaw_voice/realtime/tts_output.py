"""The answer of a pipeline, spoken while it is still being given."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from homeassistant.components import tts
from homeassistant.components.assist_pipeline import Pipeline
from homeassistant.components.tts.helper import get_engine_instance
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from .audio import Resampler
from .backend import BackendError
from .clauses import Clauses
from .wav import WavError, WavReader

OUTPUT_RATE: Final = 24_000
"""Samples a second of what is spoken."""

STALL_LIMIT: Final = 30.0
"""Seconds between two pieces of audio, once the whole text is known."""

NOTE_VOICE: Final = "voice_unavailable"
"""The voice that was asked for is none of this engine's: the pipeline's speaks."""

_CONVERTED: HassKey[set[str]] = HassKey("openclaw_voice_converted_speech")
"""Engines whose audio only Home Assistant's converter can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How answers are spoken."""

    engine: str
    language: str | None
    options: Mapping[str, Any]
    is_flowing: bool = False
    """Whether the engine takes a text while it still grows."""

    notes: tuple[str, ...] = ()

    def stream(self, hass: HomeAssistant) -> tts.ResultStream:
        """Return a new stream of WAV, without a text yet.

        The rate is only asked for where it must be: it costs a program in between.

        Raises:
            HomeAssistantError: The engine is gone, or does not speak the language.
        """
        options = {**self.options, tts.ATTR_PREFERRED_FORMAT: "wav"}
        if self.engine in hass.data.get(_CONVERTED, ()):
            options |= {
                tts.ATTR_PREFERRED_SAMPLE_RATE: OUTPUT_RATE,
                tts.ATTR_PREFERRED_SAMPLE_CHANNELS: 1,
                tts.ATTR_PREFERRED_SAMPLE_BYTES: 2,
            }
        return tts.async_create_stream(hass, self.engine, self.language, options)

    def check(self, hass: HomeAssistant) -> tts.ResultStream:
        """Return a stream that is not used, which tells what the engine can do.

        Raises:
            HomeAssistantError: As `stream`.
        """
        stream = self.stream(hass)
        stream.delete()
        return stream


def async_voice(hass: HomeAssistant, pipeline: Pipeline, wanted: str | None = None) -> Voice:
    """Return the voice of a pipeline, or the one that is wanted where its engine has it.

    Raises:
        BackendError: The engine cannot speak.
    """
    engine = str(pipeline.tts_engine)
    voice = Voice(
        engine=engine,
        language=pipeline.tts_language,
        options={} if pipeline.tts_voice is None else {tts.ATTR_VOICE: pipeline.tts_voice},
    )
    try:
        stream = voice.check(hass)
    except HomeAssistantError as error:
        raise BackendError("backend_start_failed") from error
    voice = replace(voice, is_flowing=stream.supports_streaming_input)
    if wanted is None:
        return voice
    instance = get_engine_instance(hass, engine)
    known = instance and instance.async_get_supported_voices(stream.language)
    if wanted in [each.voice_id for each in known or ()]:
        return replace(voice, options={tts.ATTR_VOICE: wanted})
    return replace(voice, notes=(NOTE_VOICE,))


class SpokenAnswer:
    """Takes an answer as text, and gives it as audio.

    An engine that takes text as it grows is given one stream. Any other begins only with the last
    word of a text: it is given one sentence after the other, the next while the one before plays.
    """

    def __init__(self, hass: HomeAssistant, voice: Voice) -> None:
        """Nothing to be said yet."""
        self._hass = hass
        self._voice = voice
        self._clauses = Clauses(is_flowing=voice.is_flowing)
        self._waiting: deque[str] = deque()
        self._begun: deque[_Speech] = deque()
        self._speaking: _Speech | None = None
        self._is_complete = False
        self._news = asyncio.Event()
        self._patience: asyncio.Timeout | None = None

    def say(self, text: str) -> None:
        """Take more of the answer; after its end it is ignored."""
        if self._is_complete:
            return
        for piece in self._clauses.feed(text):
            self._take(piece)

    def finish(self) -> None:
        """There is no more of the answer. Idempotent."""
        if self._is_complete:
            return
        if rest := self._clauses.rest():
            self._take(rest)
        self._is_complete = True
        if self._voice.is_flowing:
            self._end_texts()
        self._news.set()
        if self._patience is not None:
            self._patience.reschedule(self._hass.loop.time() + STALL_LIMIT)

    def stop(self) -> None:
        """Say nothing more: what engines wait for ends, so that nothing of them stays. Idempotent."""
        self._waiting.clear()
        self._clauses.rest()
        self._is_complete = True
        self._end_texts()
        for speech in self._begun:
            speech.stream.delete()
        self._begun.clear()
        self._speaking = None
        self._news.set()

    async def audio(self) -> AsyncGenerator[bytes]:
        """Return the audio of the answer as PCM at `OUTPUT_RATE`, up to its end.

        Raises:
            HomeAssistantError: It cannot be spoken; engines raise other errors as well.
            WavError: It cannot be read.
            TimeoutError: The engine has stalled.
        """
        try:
            while (speech := await self._next()) is not None:
                async with aclosing(self._audio_of(speech)) as pieces:
                    async for pcm in pieces:
                        yield pcm
        finally:
            self.stop()

    @property
    def _speeches(self) -> list[_Speech]:
        return [*([self._speaking] if self._speaking else []), *self._begun]

    def _take(self, piece: str) -> None:
        if self._voice.is_flowing and (speeches := self._speeches):
            speeches[-1].add(piece)
        elif piece.strip():
            self._waiting.append(piece)
            self._begin()

    def _begin(self) -> None:
        """Let the engine speak the next piece if nothing is ready after what plays now."""
        if self._waiting and not self._begun:
            speech = _Speech(self._voice.stream(self._hass))
            speech.add(self._waiting.popleft())
            if not self._voice.is_flowing:
                speech.end()
            self._begun.append(speech)
            self._news.set()

    def _end_texts(self) -> None:
        for speech in self._speeches:
            speech.end()

    async def _next(self) -> _Speech | None:
        while not self._begun:
            if self._is_complete:
                return None
            self._news.clear()
            await self._news.wait()
        self._speaking = self._begun.popleft()
        self._begin()
        return self._speaking

    async def _audio_of(self, speech: _Speech) -> AsyncGenerator[bytes]:
        """Return the audio of a piece; one that cannot be read is asked for again, converted."""
        try:
            async with aclosing(self._read(speech)) as pieces:
                async for pcm in pieces:
                    yield pcm
        except WavError:
            if speech.is_converted:
                raise
            self._hass.data.setdefault(_CONVERTED, set()).add(self._voice.engine)
            speech.restart(self._voice.stream(self._hass))
            async with aclosing(self._read(speech)) as pieces:
                async for pcm in pieces:
                    yield pcm

    async def _read(self, speech: _Speech) -> AsyncGenerator[bytes]:
        reader, resampler = WavReader(), None
        pieces = speech.stream.async_stream_result()
        try:
            while (piece := await self._patiently(pieces)) is not None:
                pcm = reader.feed(piece)
                if reader.rate is None:
                    continue
                resampler = resampler or _resampler(reader.rate)
                if pcm := resampler.process(pcm):
                    yield pcm
        finally:
            await pieces.aclose()
            speech.stream.delete()
        if resampler is not None and (pcm := resampler.flush()):
            yield pcm

    async def _patiently(self, pieces: AsyncGenerator[bytes]) -> bytes | None:
        """Return the next piece of audio, None after the last."""
        limit = STALL_LIMIT if self._is_complete else None
        try:
            async with asyncio.timeout(limit) as self._patience:
                return await anext(pieces, None)
        finally:
            self._patience = None


class _Speech:
    """A text that an engine speaks, and that may still grow."""

    def __init__(self, stream: tts.ResultStream) -> None:
        """Nothing to be spoken yet."""
        self._text: list[str] = []
        self._is_complete = False
        self._begin(stream)

    def add(self, piece: str) -> None:
        """Let it speak more."""
        self._text.append(piece)
        self._pieces.put_nowait(piece)

    def end(self) -> None:
        """Let it know that this was all. Idempotent."""
        if not self._is_complete:
            self._is_complete = True
            self._pieces.put_nowait(None)

    def restart(self, stream: tts.ResultStream) -> None:
        """Let another stream speak it, from the beginning."""
        self._pieces.put_nowait(None)
        self._begin(stream)
        for piece in self._text:
            self._pieces.put_nowait(piece)
        if self._is_complete:
            self._pieces.put_nowait(None)

    def _begin(self, stream: tts.ResultStream) -> None:
        self.stream = stream
        self.is_converted = tts.ATTR_PREFERRED_SAMPLE_RATE in stream.options
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        # As a stream it is neither cached nor quoted in the log.
        stream.async_set_message_stream(_until_none(self._pieces))


async def _until_none(pieces: asyncio.Queue[str | None]) -> AsyncGenerator[str]:
    while (piece := await pieces.get()) is not None:
        yield piece


def _resampler(rate: int) -> Resampler:
    try:
        return Resampler(rate, OUTPUT_RATE)
    except ValueError as error:
        raise WavError("a rate that nothing here converts") from error
