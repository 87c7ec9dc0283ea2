"""Runs as the client of the gateway hands them out, played by hand."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from custom_components.openclaw_voice.gateway.errors import GatewayError
from custom_components.openclaw_voice.gateway.run_items import ChatFinal, RunItem, RunOutcome
from custom_components.openclaw_voice.gateway.run_request import RunMethod


class HandRun:
    """A run whose items a test hands out."""

    def __init__(self, run_id: str = "run-1") -> None:
        """Have said nothing yet."""
        self.run_id = run_id
        self.is_aborted = False
        self.abort_error: GatewayError | None = None
        self.refusal: GatewayError | None = None
        """Raised when it is entered."""

        self.is_entered = asyncio.Event()
        self._items: asyncio.Queue[RunItem | GatewayError | None] = asyncio.Queue()

    def say(self, *items: RunItem) -> None:
        """Hand out more items."""
        for item in items:
            self._items.put_nowait(item)

    def answer(self, text: str) -> None:
        """End with an answer."""
        self.say(ChatFinal(outcome=RunOutcome.ANSWERED, text=text))

    def fail(self, error: GatewayError) -> None:
        """End with an error."""
        self._items.put_nowait(error)

    def stop(self) -> None:
        """End without an end."""
        self._items.put_nowait(None)

    async def abort(self) -> None:
        """End as the gateway does."""
        self.is_aborted = True
        if self.abort_error is not None:
            raise self.abort_error
        self.say(ChatFinal(outcome=RunOutcome.ABORTED))

    async def __aiter__(self) -> AsyncIterator[RunItem]:
        """Hand out the items up to the end."""
        while (item := await self._items.get()) is not None:
            if isinstance(item, GatewayError):
                raise item
            yield item
            if isinstance(item, ChatFinal):
                return

    async def __aenter__(self) -> Self:
        """Be followed again."""
        self.is_entered.set()
        if self.refusal is not None:
            raise self.refusal
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Go on: a run that was found is detached."""


class HandClient:
    """A client that finds the runs it was given, in order."""

    def __init__(self, *found: HandRun) -> None:
        """Find these runs."""
        self.is_stopped = False
        self.found = list(found)
        self.asked: list[tuple[str, str, RunMethod]] = []
        """Session key, run id and method of each run that was looked for."""

    @property
    def chat(self) -> Self:
        """Where runs are found."""
        return self

    def resume(self, *, session_key: str, run_id: str, method: RunMethod) -> HandRun:
        """Return the next run."""
        self.asked.append((session_key, run_id, method))
        return self.found.pop(0)
