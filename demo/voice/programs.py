"""The programs of the system that make and convert sound: flite speaks, ffmpeg converts."""

import asyncio
import re
from typing import Final

from ..process import DemoError
from .sound import CHANNELS, RATE, Sound

USER_VOICE: Final = "rms"
"""The voice of flite in which questions are asked: the recogniser understands it best."""

AGENT_VOICE: Final = "awb"
"""The voice of flite in which answers are spoken."""

LIMIT: Final = 30.0
"""Seconds for one call; a sentence takes some hundredths."""


class SoundError(DemoError):
    """A program did not make a sound of what it was given."""


async def speak(text: str, *, voice: str) -> Sound:
    """Return a text as speech; a text without a letter or digit is silence.

    Raises:
        SoundError: The program is missing or failed.
    """
    if not re.search(r"[^\W_]", text):
        return Sound(samples=b"")
    content = await _run("flite", "-voice", voice, "-t", text, "-o", "/dev/stdout")
    try:
        return Sound.from_wav(content)
    except ValueError as err:
        raise SoundError(f"flite did not speak: {err}.") from err


async def decode(content: bytes, *, rate: int = RATE) -> Sound:
    """Return the sound of a file of any format, at the rate of Assist or another one.

    Raises:
        SoundError: It holds no sound, or the program is missing.
    """
    return Sound(samples=await _to_samples(content, rate), rate=rate)


async def resampled(sound: Sound, *, rate: int = RATE) -> Sound:
    """Return a sound at the rate of Assist or another one.

    Raises:
        SoundError: The program is missing.
    """
    if sound.rate == rate or not sound.samples:
        return sound
    return await decode(sound.wav(), rate=rate)


async def _to_samples(content: bytes, rate: int) -> bytes:
    form = ("-f", "s16le", "-ac", str(CHANNELS), "-ar", str(rate))
    samples = await _run(
        "ffmpeg", "-loglevel", "error", "-i", "pipe:0", *form, "pipe:1", given=content
    )
    if not samples:
        raise SoundError("ffmpeg found no sound.")
    return samples


async def _run(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """Run a program and return what it wrote to stdout."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise SoundError(f"{program} is not installed: run scripts/setup speech.") from None
    try:
        async with asyncio.timeout(LIMIT):
            output, complaint = await process.communicate(given)
    except TimeoutError:
        raise SoundError(f"{program} has not ended after {LIMIT:.0f} seconds.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        reason = complaint.decode(errors="replace").strip()[-300:]
        raise SoundError(f"{program} ended with exit code {process.returncode}: {reason}")
    return output
