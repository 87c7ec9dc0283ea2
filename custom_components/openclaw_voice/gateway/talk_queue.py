"""What a realtime voice session has told and nobody has fetched yet: bounded."""

import asyncio
from collections import deque
from typing import Final

from .errors import ConnectionLostError, GatewayError
from .talk_items import TalkAudio, TalkClear, TalkItem, TalkTranscript

MAX_WAITING: Final = 6_000
"""Items that may wait; two minutes of speech. The oldest sound is dropped then, as the gateway does it."""

TOO_SLOW_CODE: Final = 1008
"""The close code of a client that does not keep up. Source: the gateway's own slow consumers."""


class TalkQueue:
    """Keeps items in order until they are fetched. One task may fetch."""

    def __init__(self) -> None:
        """Start empty and open."""
        self.dropped = 0
        """Items that nobody will get."""

        self._items: deque[TalkItem] = deque()
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: GatewayError | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can be put."""
        return self._has_ended

    def put(self, item: TalkItem) -> None:
        """Add an item; after the end it is ignored."""
        if self._has_ended:
            return
        if isinstance(item, TalkClear):
            # What nobody is to hear any more need not be fetched.
            self._drop_audio()
        if len(self._items) >= MAX_WAITING and not self._make_room():
            self.end(ConnectionLostError(TOO_SLOW_CODE, "items are not fetched"))
            return
        self._items.append(item)
        self._news.set()

    def end(self, error: GatewayError | None) -> None:
        """Let the one who fetches get what waits, and then the end or `error`. Idempotent."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._news.set()

    async def get(self) -> TalkItem | None:
        """Return the next item, None at the end.

        Raises:
            GatewayError: The session was lost.
        """
        while not self._items:
            if self._has_ended:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                return None
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()

    def _drop_audio(self) -> None:
        kept = [item for item in self._items if not isinstance(item, TalkAudio)]
        self._items = deque(kept)

    def _make_room(self) -> bool:
        """Drop the oldest item that can be done without; return whether there was one."""
        for index, item in enumerate(self._items):
            if isinstance(item, TalkAudio) or (
                isinstance(item, TalkTranscript) and not item.is_final
            ):
                del self._items[index]
                self.dropped += 1
                return True
        return False
