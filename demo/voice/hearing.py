"""The recogniser as a child process, and what it hears."""

import asyncio
from pathlib import Path
from typing import Final, Self

from ..process import CHECKOUT, ChildProcess, DemoError, StartError, clean_environment, free_port
from .programs import resampled
from .sound import Sound

PYTHON: Final = CHECKOUT / ".speech" / "bin" / "python"
PROGRAM: Final = Path(__file__).parent / "recogniser.py"

START_LIMIT: Final = 60.0
"""Seconds until it listens. It takes one."""

STOP_LIMIT: Final = 3.0
HEARING_LIMIT: Final = 120.0
"""Seconds for one utterance. It takes a fifth of its length, and longer under load."""


class HearingError(DemoError):
    """The recogniser did not answer."""


class Recogniser:
    """Speech to text by a process of its own, which belongs to no event loop."""

    def __init__(self, folder: Path) -> None:
        """Prepare a recogniser that keeps its log in a folder, which is made when it is missing."""
        self.folder = folder
        self.port = 0
        self._child: ChildProcess | None = None

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.terminate()

    @property
    def log_path(self) -> Path:
        """What the process printed."""
        return self.folder / "output.log"

    async def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            StartError: It is not set up, ended, or was not ready in time.
        """
        if not PYTHON.exists():
            raise StartError("The recogniser is not there: run scripts/setup speech.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._child = ChildProcess.start(
            "The recogniser",
            [PYTHON, PROGRAM, str(self.port)],
            env=clean_environment(without=("PYTHON",)),
            cwd=self.folder,
            log_path=self.log_path,
        )
        try:
            await self._child.wait_until(self._listens, limit=START_LIMIT)
        except BaseException:
            await self.terminate()
            raise

    async def terminate(self) -> None:
        """Stop it. Idempotent."""
        if self._child:
            await self._child.stop(limit=STOP_LIMIT)
            self._child = None

    async def hear(self, sound: Sound) -> str:
        """Return the words of an utterance, empty when there are none.

        Raises:
            HearingError: It is gone, or did not answer in time.
            SoundError: The sound has another rate and cannot be converted.
        """
        samples = (await resampled(sound)).samples
        try:
            async with asyncio.timeout(HEARING_LIMIT):
                return await self._exchange(samples)
        except TimeoutError:
            raise HearingError(
                f"The recogniser has not answered after {HEARING_LIMIT:.0f} seconds.", self.log_path
            ) from None
        except OSError as err:
            raise HearingError(f"The recogniser is gone: {err}.", self.log_path) from err

    async def _exchange(self, samples: bytes) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(samples)
            writer.write_eof()
            return (await reader.read()).decode()
        finally:
            writer.close()

    async def _listens(self) -> bool:
        try:
            await self._exchange(b"")
        except OSError:
            return False
        return True
