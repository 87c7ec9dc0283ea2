"""How soon an answer of Home Assistant's own speech engines is heard, when they need no time."""

from array import array
import asyncio
from typing import Final

from ...client import HomeAssistantClient
from ...satellite.protocol import Options
from ...voice.programs import USER_VOICE, resampled, speak
from .line import satellite

AGENT: Final = "conversation.instant_agent"
"""Of `instant_voice`, which is not imported: it brings all of Home Assistant with it."""

VOICE: Final = {
    "stt_engine": "stt.instant_ears",
    "stt_language": "en",
    "tts_engine": "tts.instant_voice",
    "tts_language": "en",
}
RATE: Final = 16_000
QUESTION: Final = "What time is it in the kitchen?"
ROUNDS: Final = 12
WARM_UPS: Final = 2
"""The first question of all loads what tells speech from noise, and what the pipeline needs."""

LOUD: Final = 500
"""From here on a sample belongs to speech."""

SPOKEN: Final = 1.0
"""Seconds until the answer has been heard, and some silence after it."""


async def measure_assist(home: HomeAssistantClient) -> list[float]:
    """Return the seconds from the end of each of some questions to the first sound of its answer.

    Raises:
        DemoError: There was no answer.
    """
    pipeline = await home.create_pipeline(AGENT, "Instant", VOICE)
    question = trimmed(
        (await resampled(await speak(QUESTION, voice=USER_VOICE), rate=RATE)).samples
    )
    options = Options(rate=RATE, satellite_id="bench-assist", name="Bench", backend="assist")
    found = []
    async with satellite(home.url, home.token, options, pipeline=pipeline) as (line, _):
        for number in range(WARM_UPS + ROUNDS):
            pieces, heard = len(line.heard), line.heard_seconds
            await line.say(question)
            spoken_at = line.sent_at
            await line.wait_heard(heard + 0.01)
            if number >= WARM_UPS:
                found.append(line.heard[pieces].at - spoken_at)
            await line.wait_for("audio.done", since=spoken_at)
            await asyncio.sleep(SPOKEN)
    return found


def trimmed(pcm: bytes) -> bytes:
    """Return speech that ends with its last loud sample."""
    samples = array("h", pcm)
    last = max((index for index, sample in enumerate(samples) if abs(sample) >= LOUD), default=-1)
    return samples[: last + 1].tobytes()
