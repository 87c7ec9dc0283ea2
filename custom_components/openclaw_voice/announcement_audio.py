"""What is to be announced -> the audio of it: texts by speech engines, media by FFmpeg.

Audio is linear PCM: signed 16 bits, little endian, mono; with its samples a second.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
import logging
from typing import Final

from homeassistant.components import tts
from homeassistant.components.assist_pipeline import Pipeline
from homeassistant.components.assist_satellite import AssistSatelliteAnnouncement
from homeassistant.components.ffmpeg import get_ffmpeg_manager
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.network import is_hass_url
from homeassistant.util.hass_dict import HassKey
from yarl import URL

from .exceptions import SatelliteProblem, satellite_error
from .realtime.audio import AudioFormat, Resampler
from .realtime.session_output import BOUND
from .realtime.tts_output import SpokenAnswer, Voice, async_voice
from .realtime.wav import WavError, WavReader

RATE: Final = 24_000
"""Samples a second, unless others are asked for."""

MAX_SECONDS: Final = int(BOUND)
"""The rest of longer media, and of longer texts, is not played."""

SPEAK_LIMIT: Final = 60.0
"""Seconds an engine may take for a text."""

CONVERT_LIMIT: Final = 60.0
"""Seconds FFmpeg may take for media."""

KEPT: Final = 4
"""So many preannouncements are kept: they are always the same."""

TTS_OPTIONS: Final = {tts.ATTR_PREFERRED_FORMAT: "wav"}
"""For streams that `async_announcement` is to read."""

_PROTOCOLS: Final = "http,https,tcp,tls,crypto"
_LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - what Home Assistant may listen on
_KEPT: HassKey[dict[tuple[str, int], bytes]] = HassKey("openclaw_voice_preannouncements")
_LOGGER = logging.getLogger(__name__)

type Sound = tuple[bytes, int]
"""Audio, and its rate."""


async def async_say(
    hass: HomeAssistant, pipeline: Pipeline, text: str, language: str | None = None
) -> Sound:
    """Return a text, spoken by the engine of a pipeline.

    In another language than the pipeline's where its engine speaks it.

    Raises:
        HomeAssistantError: It cannot be spoken.
    """
    try:
        voice = _in_language(hass, async_voice(hass, pipeline), language)
        answer = SpokenAnswer(hass, voice)
        answer.say(text)
        answer.finish()
        async with asyncio.timeout(SPEAK_LIMIT):
            pcm = b"".join([piece async for piece in answer.audio()])
    except Exception as err:
        # Engines raise what they like.
        raise satellite_error(SatelliteProblem.NOTHING_TO_PLAY) from err
    return _some(pcm), RATE


async def async_announcement(
    hass: HomeAssistant, announcement: AssistSatelliteAnnouncement, rate: int = RATE
) -> Sound:
    """Return all of an announcement, with the sound before it where that can be had.

    At the rate of whoever plays it, so that nothing is left to be done in the loop.

    Raises:
        HomeAssistantError: There is nothing to be heard.
    """
    before, pcm = await asyncio.gather(
        _async_preannouncement(hass, announcement.preannounce_media_id, rate),
        _async_main(hass, announcement, rate),
    )
    return (before + pcm)[: AudioFormat(rate).size(MAX_SECONDS)], rate


async def async_media(hass: HomeAssistant, url: str, rate: int = RATE) -> Sound:
    """Return the audio of media that has an address; its beginning, when it is long.

    Raises:
        HomeAssistantError: It cannot be played.
    """
    near = _from_here(hass, url)
    return await _async_ffmpeg(hass, rate, "-protocol_whitelist", _PROTOCOLS, "-i", near), rate


def _from_here(hass: HomeAssistant, url: str) -> str:
    """Return an address of Home Assistant as this computer reaches it, others as they are.

    The name that the network has for it may mean nothing here, or lead through a proxy.
    """
    api = hass.config.api
    if api is None or not is_hass_url(hass, url):
        return url
    scheme = "https" if api.use_ssl else "http"
    host = _LOOPBACK if api.host in _EVERYWHERE else api.host
    return str(URL(url, encoded=True).with_scheme(scheme).with_host(host).with_port(api.port))


def _in_language(hass: HomeAssistant, voice: Voice, language: str | None) -> Voice:
    if language is None or language == voice.language:
        return voice
    # A voice is one of its language.
    other = replace(voice, language=language, options={})
    with suppress(HomeAssistantError):
        other.check(hass)
        return other
    return voice


async def _async_main(
    hass: HomeAssistant, announcement: AssistSatelliteAnnouncement, rate: int
) -> bytes:
    token = announcement.tts_token
    stream = tts.async_get_stream(hass, token) if token is not None else None
    if stream is None:
        return (await async_media(hass, announcement.media_id, rate))[0]
    try:
        async with asyncio.timeout(SPEAK_LIMIT):
            wav = b"".join([piece async for piece in stream.async_stream_result()])
    except Exception as err:
        # Engines raise what they like.
        raise satellite_error(SatelliteProblem.NOTHING_TO_PLAY) from err
    try:
        return await hass.async_add_executor_job(_read, wav, rate)
    except WavError, ValueError:
        # A kind of WAV, or a rate, that nothing here reads.
        return await _async_ffmpeg(hass, rate, "-i", "pipe:0", given=wav)


def _read(wav: bytes, rate: int) -> bytes:
    """Return the audio of a WAV file; raises WavError or ValueError."""
    reader = WavReader()
    pcm = reader.feed(wav)
    if not pcm or reader.rate is None:
        raise WavError("nothing to be heard")
    resampler = Resampler(reader.rate, rate)
    return resampler.process(pcm) + resampler.flush()


async def _async_preannouncement(hass: HomeAssistant, url: str | None, rate: int) -> bytes:
    """Return the sound before an announcement; none is no reason to say nothing."""
    if url is None:
        return b""
    kept = hass.data.setdefault(_KEPT, {})
    if (pcm := kept.get((url, rate))) is None:
        try:
            pcm, _ = await async_media(hass, url, rate)
        except HomeAssistantError as err:
            _LOGGER.debug("Nothing is played before an announcement: %s", type(err).__name__)
            return b""
        if len(kept) >= KEPT:
            del kept[next(iter(kept))]
        kept[url, rate] = pcm
    return pcm


async def _async_ffmpeg(
    hass: HomeAssistant, rate: int, *source: str, given: bytes | None = None
) -> bytes:
    """Return what FFmpeg makes of a source; raises HomeAssistantError."""
    # What it complains about may be an address with a token in it.
    command = [get_ffmpeg_manager(hass).binary, "-loglevel", "quiet", "-nostdin", *source]
    command += ["-t", str(MAX_SECONDS), "-f", "s16le", "-ac", "1", "-ar", str(rate), "pipe:1"]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            close_fds=False,
        )
    except OSError as err:
        raise satellite_error(SatelliteProblem.NOTHING_TO_PLAY) from err
    try:
        async with asyncio.timeout(CONVERT_LIMIT):
            pcm, _ = await process.communicate(given)
    except TimeoutError as err:
        raise satellite_error(SatelliteProblem.NOTHING_TO_PLAY) from err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _some(pcm)


def _some(pcm: bytes) -> bytes:
    """Return audio there is; raises HomeAssistantError when there is none."""
    if not pcm:
        raise satellite_error(SatelliteProblem.NOTHING_TO_PLAY)
    return pcm
