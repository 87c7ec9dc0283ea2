"""Microphone and loudspeaker of this machine, by the programs of ALSA."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
import shutil
from types import TracebackType
from typing import Final, Self

STOP_LIMIT: Final = 2.0
BUFFER: Final = 60_000
"""Microseconds a device holds: what is in there cannot be taken back."""


class DeviceError(Exception):
    """There is no program for it; the message is a sentence."""


def command(program: str, rate: int, device: str | None) -> list[str]:
    """Return what starts `arecord` or `aplay` on raw samples.

    Raises:
        DeviceError: It is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise DeviceError(f"{program} is missing (Debian: alsa-utils); or use --in and --out")
    named = ["-D", device] if device else []
    form = ["-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(rate)]
    return [path, "-q", *named, *form, f"--buffer-time={BUFFER}"]


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a program."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_LIMIT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def recorder(rate: int, device: str | None = None) -> AsyncIterator[asyncio.StreamReader]:
    """Record, and yield what is heard."""
    process = await asyncio.create_subprocess_exec(
        *command("arecord", rate, device), stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise DeviceError("arecord has no output")
        yield process.stdout
    finally:
        await stop(process)


class Player:
    """A sink that plays."""

    def __init__(self, rate: int, device: str | None = None) -> None:
        """Play so many samples a second."""
        self._command = command("aplay", rate, device)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start the program."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        if self._process is not None:
            await stop(self._process)

    async def write(self, pcm: bytes) -> None:
        """Play samples after all that came before."""
        if self._process is None or self._process.stdin is None:
            raise DeviceError("the loudspeaker is not open")
        self._process.stdin.write(pcm)
        await self._process.stdin.drain()
