"""Follows a run whose turn has ended to the end of the run, over outages and restarts."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
import logging
from typing import Final, Protocol

from homeassistant.util import dt as dt_util

from ..gateway.errors import (
    AccessError,
    GatewayError,
    NotConnectedError,
    RateLimitedError,
    RequestTimeoutError,
    RunLostError,
    TransportError,
)
from ..gateway.run_items import RunItem, RunOutcome
from ..gateway.run_request import RunMethod
from .late_answer import LateAnswer
from .reply import Ended, Reply

_LOGGER = logging.getLogger(__name__)

RUN_LIFETIME: Final = timedelta(hours=6)
"""How long a run is looked for while the gateway cannot be reached. Source: its own limit."""

RESUME_WAIT: Final = 60.0
"""Seconds between two looks for a run while the gateway cannot be reached."""

ABORT_LIMIT: Final = 15.0
"""Seconds until a run that is aborted must have ended."""

_OUTAGES = (
    TransportError,
    AccessError,
    RateLimitedError,
    NotConnectedError,
    RequestTimeoutError,
)
"""They say nothing about the run: it is looked for again."""


class Run(Protocol):
    """What is needed of a run that goes on."""

    @property
    def run_id(self) -> str:
        """The id the gateway runs it under now."""

    async def abort(self) -> None:
        """Stop it on the gateway; raises GatewayError."""


class FoundRun(Run, AsyncIterable[RunItem], Protocol):
    """A run that was started earlier, followed again."""


class Chat(Protocol):
    """Finds runs again."""

    def resume(
        self, *, session_key: str, run_id: str, method: RunMethod
    ) -> AbstractAsyncContextManager[FoundRun]:
        """Return a run that was started earlier, to be entered."""


class Client(Protocol):
    """What is needed of the gateway's client."""

    @property
    def chat(self) -> Chat:
        """Where runs are found."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped by us: then no run has ended, we only stopped listening."""


class Watch:
    """One run, followed to its end."""

    def __init__(
        self,
        client: Client,
        answer: LateAnswer,
        run: Run | None,
        on_run_id: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """Nothing happens before `follow`.

        Args:
            client: The client of the entry.
            answer: What was promised.
            run: None when it has to be found first.
            on_run_id: Is told the id of the answer and the new one of its run.
        """
        self.task: asyncio.Task[None] | None = None
        """Follows the run; it belongs to whoever made the watch."""

        self.has_ended = False
        """Only the end of the run has still to be noted; that must not be interrupted."""

        self._client = client
        self._answer = answer
        self._run = run
        self._run_id = answer.run_id
        self._on_run_id = on_run_id

    @property
    def run_id(self) -> str:
        """The id the gateway runs it under, as far as it is known."""
        return self._run_id if self._run is None else self._run.run_id

    def cancel(self) -> None:
        """Stop following, unless the run has ended."""
        if self.task is not None and not self.has_ended:
            self.task.cancel()

    async def follow(self, items: AsyncIterable[RunItem] | None) -> Ended:
        """Iterate the run to its end; look for it again when it cannot be reached meanwhile.

        Raises:
            GatewayError: The run has ended without an answer, or, see `is_our_doing`, it goes on
                and only we are stopping.
        """
        reply = Reply(self._answer.said, is_whole=items is not None)
        while True:
            try:
                await self._iterate(items, reply)
            except _OUTAGES as err:
                is_too_old = dt_util.utcnow() > self._answer.created + RUN_LIFETIME
                if self._client.is_stopped or (items is None and is_too_old):
                    raise
                _LOGGER.debug("Run %s is looked for again: %s", self._answer.id, err.category)
            else:
                return self._checked(reply.ended, is_found=items is None)
            if items is None:
                await asyncio.sleep(RESUME_WAIT)
            items, reply = None, Reply(self._answer.said, is_whole=False)

    def is_our_doing(self, error: GatewayError) -> bool:
        """Whether the run has not ended: only we have stopped listening."""
        return self._client.is_stopped and isinstance(error, (RunLostError, *_OUTAGES))

    async def abort(self) -> None:
        """Stop the run on the gateway.

        Raises:
            GatewayError: The gateway could not be asked, or the run does not end.
        """
        try:
            async with asyncio.timeout(ABORT_LIMIT):
                if self._run is not None:
                    await self._run.abort()
                else:
                    async with self._found() as run:
                        await run.abort()
        except TimeoutError:
            raise RequestTimeoutError("the run does not end") from None

    async def _iterate(self, items: AsyncIterable[RunItem] | None, reply: Reply) -> None:
        if items is not None:
            await self._take(items, reply)
            return
        async with self._found() as run:
            self._run = run
            await self._take(run, reply)

    def _checked(self, ended: Ended | None, *, is_found: bool) -> Ended:
        if ended is None:
            raise RunLostError("the run ended without an end")
        is_stopped = ended.final.outcome is RunOutcome.ABORTED
        if is_found and is_stopped and self._answer.is_consult:
            raise RunLostError("the run was stopped with its voice session")
        return ended

    async def _take(self, items: AsyncIterable[RunItem], reply: Reply) -> None:
        async for item in items:
            reply.take(item)
            if self._run is not None and self._run.run_id != self._run_id:
                self._run_id = self._run.run_id
                await self._on_run_id(self._answer.id, self._run_id)

    def _found(self) -> AbstractAsyncContextManager[FoundRun]:
        return self._client.chat.resume(
            session_key=self._answer.session_key,
            run_id=self.run_id,
            method=RunMethod.CHAT_SEND if self._answer.is_chat_send else RunMethod.AGENT,
        )
