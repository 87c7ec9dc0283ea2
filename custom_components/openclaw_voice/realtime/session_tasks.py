"""The tasks of one session: each has a bound, an owner and an end."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any, Final

MAX_TASKS: Final = 16
STOP_LIMIT: Final = 5.0
"""Seconds the tasks may take to end when they are told to."""

_LOGGER = logging.getLogger(__name__)


class SessionTasks:
    """Runs coroutines until the session ends; what fails is told by its kind, never by its text."""

    def __init__(self, name: str, on_failure: Callable[[Exception], None]) -> None:
        """Call `on_failure` with what a task raises."""
        self._name = name
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run something; False when too much goes on."""
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            return False
        task = asyncio.create_task(self._guard(work), name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that is cancelled before its first step has not begun with it.
        task.add_done_callback(lambda _: work.close())
        return True

    async def stop(self) -> None:
        """Cancel what goes on, and wait for its end within a limit."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=STOP_LIMIT)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as err:  # noqa: BLE001 - whatever fails ends here
            _LOGGER.debug("%s: %s", self._name, type(err).__name__)
            self._on_failure(err)
