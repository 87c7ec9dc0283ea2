"""What a backend has told and its session has not fetched yet: bounded."""

import asyncio
from collections import deque
from typing import Final

from .backend import BackendError, BackendEvent, OutputAudio, OutputCleared

MAX_EVENTS: Final = 6_000
"""Events that may wait; two minutes of speech in pieces of 20 ms. More is a fault of the session."""


class EventQueue:
    """Keeps events in order until they are fetched. One task may fetch."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._events: deque[BackendEvent] = deque()
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: BackendError | None = None

    def put(self, event: BackendEvent) -> None:
        """Add an event; after the end it is ignored."""
        if self._has_ended:
            return
        if isinstance(event, OutputCleared):
            self.drop_audio()
        self._events.append(event)
        self._news.set()
        if len(self._events) > MAX_EVENTS:
            self.end(BackendError("slow_consumer"))

    def drop_audio(self) -> None:
        """Drop what nobody is to hear any more."""
        self._events = deque(each for each in self._events if not isinstance(each, OutputAudio))

    def end(self, error: BackendError | None) -> None:
        """Let the one who fetches get what waits, and then the end or `error`. Idempotent."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._news.set()

    async def get(self) -> BackendEvent | None:
        """Return the next event, None at the end.

        Raises:
            BackendError: The backend cannot go on.
        """
        while not self._events:
            if self._has_ended:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                return None
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()
