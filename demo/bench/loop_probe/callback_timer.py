"""Times every callback of the event loops of this process, by what it belongs to."""

import asyncio
import time
from typing import Any
from unittest.mock import patch

type Row = dict[str, Any]


class CallbackTimer:
    """A wrapper around what runs callbacks, put in place while somebody measures."""

    def __init__(self) -> None:
        """Nothing is timed yet."""
        self._rows: dict[str, Row] = {}
        self._patch: Any = None

    def start(self) -> None:
        """Time from now on, and forget what was timed before."""
        self.stop()
        self._rows = {}
        original = asyncio.Handle._run  # noqa: SLF001 - the loop offers no other place for it

        def run(handle: asyncio.Handle) -> None:
            owner = owner_of(handle)
            cpu, start = time.thread_time(), time.perf_counter()
            original(handle)
            self._note(owner, time.perf_counter() - start, time.thread_time() - cpu)

        self._patch = patch.object(asyncio.Handle, "_run", run)
        self._patch.start()

    def stop(self) -> list[Row]:
        """Time no longer and return what was timed: times in seconds, by owner."""
        if self._patch is not None:
            self._patch.stop()
            self._patch = None
        return list(self._rows.values())

    def _note(self, owner: str, seconds: float, cpu: float) -> None:
        row = self._rows.setdefault(
            owner, {"owner": owner, "count": 0, "longest": 0.0, "cpu_of_longest": 0.0}
        )
        row["count"] += 1
        if seconds > row["longest"]:
            row["longest"] = seconds
            row["cpu_of_longest"] = cpu


def owner_of(handle: asyncio.Handle) -> str:
    """Return what a callback belongs to: a task and its coroutine, a transport's protocol, or its own name."""
    function = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public tells
    owner = getattr(function, "__self__", None)
    if isinstance(owner, asyncio.Task):
        coroutine = owner.get_coro()
        return f"task {owner.get_name()} {getattr(coroutine, '__qualname__', '')}"
    if isinstance(owner, asyncio.BaseTransport):
        protocol = type(owner.get_protocol())
        return f"protocol {protocol.__module__}.{protocol.__qualname__}"
    return f"callback {getattr(function, '__qualname__', type(function).__qualname__)}"
