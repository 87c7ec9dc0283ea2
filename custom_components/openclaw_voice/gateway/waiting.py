"""What was told and nobody has fetched yet; whoever fills it sees to its bound."""

import asyncio
from collections import deque


class Waiting[Item]:
    """Keeps items in order until they are fetched, and then tells the end. One task may fetch."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can be put."""
        return self._has_ended

    def put(self, item: Item) -> None:
        """Add an item; after the end it is ignored."""
        if not self._has_ended:
            self._add(item)
            self._news.set()

    def drop(self, kind: type[Item]) -> None:
        """Drop all items of a kind."""
        self._items = deque(item for item in self._items if not isinstance(item, kind))

    def end(self, error: Exception | None) -> None:
        """Let the one who fetches get what waits, and then the end or `error`. Idempotent."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._news.set()

    async def get(self) -> Item | None:
        """Return the next item, None at the end; raises the error it was ended with."""
        while not self._items:
            if self._has_ended:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                return None
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()

    def _add(self, item: Item) -> None:
        """Add an item; what keeps the bound overrides this."""
        self._items.append(item)
