"""What answers in a session: started, told what it has to know, and closed, each within a limit."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
import logging
from typing import Final

from .backend import Backend, BackendError, BackendInfo
from .protocol import Reason

MAX_NOTES: Final = 8
"""Things the agent has to know that are kept until it can be told: the last ones."""

_LOGGER = logging.getLogger(__name__)

type StartBackend = Callable[[], Awaitable[tuple[Backend, BackendInfo]]]
"""Chooses a backend and starts it; raises BackendError."""


class SessionBackend:
    """The backend of one session."""

    def __init__(self, start: StartBackend) -> None:
        """Nothing has started."""
        self._start = start
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self.backend: Backend | None = None
        """None until it has started."""

        self.info: BackendInfo | None = None
        """None as long as that."""

    @property
    def dropped(self) -> float:
        """Seconds that it had to drop of what was heard."""
        return 0.0 if self.backend is None else self.backend.dropped

    async def start(self, limit: float) -> tuple[Backend, BackendInfo]:
        """Start it within so many seconds.

        Raises:
            BackendError: It cannot answer.
        """
        try:
            async with asyncio.timeout(limit):
                self.backend, self.info = backend, info = await self._start()
        except TimeoutError as err:
            raise BackendError(Reason.BACKEND_START_FAILED) from err
        for text in self._notes:
            backend.note(text)
        return backend, info

    def note(self, text: str) -> None:
        """Have the agent know something with the next question."""
        if self.backend is None:
            self._notes.append(text)
        else:
            self.backend.note(text)

    def interrupt(self, heard: float) -> None:
        """Stop the answer, of which so many seconds were heard."""
        if self.backend is not None:
            self.backend.interrupt(heard)

    def played(self, mark: str) -> None:
        """Audio with a mark was heard."""
        if self.backend is not None:
            self.backend.played(mark)

    def drained(self) -> None:
        """All audio was heard."""
        if self.backend is not None:
            self.backend.drained()

    async def tool_result(self, call_id: str, output: str) -> None:
        """Give the result of a tool."""
        if self.backend is not None:
            await self.backend.tool_result(call_id, output)

    async def close(self, limit: float) -> None:
        """Close it; the session is over, whatever it says."""
        if self.backend is None:
            return
        try:
            async with asyncio.timeout(limit):
                await self.backend.close()
        except Exception as err:  # noqa: BLE001 - see above
            _LOGGER.debug("A backend did not close: %s", type(err).__name__)
