"""Waits for the next item of an iteration without taking it, so that the wait can be given up.

Cancelling an iteration to stop waiting for it would end it. Here the next item is taken ahead, by
a task of its own, and whoever goes on with the iteration finds it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Self


class PatientItems[T]:
    """An iteration that one after the other may go on with; one at a time.

    Whoever has it last iterates it to its end, or calls `aclose`.
    """

    def __init__(self, items: AsyncIterable[T]) -> None:
        """Nothing is taken before somebody waits."""
        self._items = aiter(items)
        self.has_ended = False
        """There is nothing more to come, whatever the reason."""

        self._ahead: asyncio.Task[T] | None = None
        self._changed = asyncio.Event()
        self._is_woken = False

    async def wait(self, until: float | None) -> bool:
        """Wait until there is an item, or the end; return whether there is.

        Args:
            until: Loop time at which the wait is given up; None: never.
        """
        task = self._take_ahead()
        self._is_woken = False
        try:
            async with asyncio.timeout_at(until):
                while not task.done() and not self._is_woken:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return task.done()

    def wake(self) -> None:
        """Have a wait that goes on given up now."""
        self._is_woken = True
        self._changed.set()

    def __aiter__(self) -> Self:
        """Go on with the iteration."""
        return self

    async def __anext__(self) -> T:
        """Return the next item. Being cancelled here ends the iteration, as for any other."""
        task = self._take_ahead()
        try:
            return await task
        finally:
            self._ahead = None

    async def aclose(self) -> None:
        """End the iteration here. Idempotent."""
        task, self._ahead = self._ahead, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # Nobody is interested any more.
        if isinstance(self._items, AsyncGenerator):
            await self._items.aclose()

    def _take_ahead(self) -> asyncio.Task[T]:
        if self._ahead is None:
            # Eager: what is there already costs no round of the loop.
            self._ahead = asyncio.Task(
                self._take(),
                loop=asyncio.get_running_loop(),
                name="openclaw_voice next item",
                eager_start=True,
            )
        return self._ahead

    async def _take(self) -> T:
        try:
            return await anext(self._items)
        except BaseException:
            self.has_ended = True
            raise
        finally:
            self._changed.set()  # Whoever waits goes on when this task is done, a moment later.
