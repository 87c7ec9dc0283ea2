"""Everything that hears and speaks without the internet: for Assist, and in place of a speech model."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import shutil
import socket

from .voice.hearing import PYTHON, Recogniser
from .voice.realtime_provider import RealtimeProvider
from .voice.server import VoiceServer


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineVoice:
    """What runs."""

    recogniser: Recogniser
    server: VoiceServer
    """Speech to text and text to speech, for pipelines of Assist."""

    provider: RealtimeProvider
    """The provider of speech models, for the gateway."""


def is_installed() -> bool:
    """Return whether this computer has all that it needs."""
    return PYTHON.exists() and all(shutil.which(program) for program in ("flite", "ffmpeg"))


@asynccontextmanager
async def offline_voice(folder: Path, *, port: int = 0) -> AsyncIterator[OfflineVoice]:
    """Start it, and stop it when the block is left.

    Args:
        folder: Takes the log of the recogniser.
        port: Where Home Assistant finds the voice; a free one by default.

    Raises:
        StartError: The recogniser does not start.
        OSError: The port is in use.
    """
    async with AsyncExitStack() as stack:
        recogniser = await stack.enter_async_context(Recogniser(folder / "recogniser"))
        listener = socket.create_server(("127.0.0.1", port))
        server = await stack.enter_async_context(VoiceServer(recogniser, listener=listener))
        provider = await stack.enter_async_context(RealtimeProvider.offline(recogniser))
        yield OfflineVoice(recogniser=recogniser, server=server, provider=provider)
