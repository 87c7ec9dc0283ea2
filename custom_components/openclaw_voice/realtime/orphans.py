"""Questions to the agent that go on when the satellite has left.

The gateway stops what the agent does for a voice session that is closed. So the session is kept,
without sound, until the agent has answered. When it cannot be kept any longer only its connection
is ended: then the agent goes on, too. Whoever wants the answer iterates the question.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
import logging
from typing import Final

from ..gateway.errors import ConnectionLostError, GatewayError, RunFailedError
from ..gateway.run_items import ChatDelta, ChatFinal, MessageStarted, RunItem, RunOutcome
from ..gateway.talk_items import ConsultEnded
from ..gateway.talk_session import TalkSession

_LOGGER = logging.getLogger(__name__)

MAX_KEPT: Final = 1800.0
"""Seconds a session is kept at most. Source: no session of the gateway gets older."""

_GONE_CODE: Final = 1001
"""The close code of somebody who goes away, for a session that was closed before its answer."""


class Orphan:
    """A run of the agent whose answer nobody at a satellite waits for any more.

    It is what a late answer follows: iterate it once for what it says, which comes at its end.
    """

    def __init__(
        self,
        session: TalkSession,
        *,
        run_id: str,
        session_key: str,
        question: str,
        end: ConsultEnded | None = None,
    ) -> None:
        """Begin to wait, unless the end is known.

        `question` is what the speech model has asked, in its words.
        """
        self.run_id: Final = run_id
        """Of the gateway; it runs as if it was started by `chat.send`."""

        self.session_key: Final = session_key
        self.question: Final = question
        self._session = session
        self._ended = asyncio.Event()
        self._end: ConsultEnded | None = None
        self._error: GatewayError = ConnectionLostError(_GONE_CODE, "the session was closed")
        if end is not None:
            self.take(end)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._ended.is_set()

    def take(self, end: ConsultEnded) -> None:
        """Take its end."""
        self._end = end
        self._ended.set()

    def lose(self, error: GatewayError | None = None) -> None:
        """Note that its session is gone; after its end that does not matter."""
        if error is not None:
            self._error = error
        self._ended.set()

    async def abort(self) -> None:
        """Stop it on the gateway; raises GatewayError."""
        await self._session.abort_run(self.run_id)

    async def __aiter__(self) -> AsyncIterator[RunItem]:
        """Yield the answer.

        Raises:
            RunFailedError: The agent could not answer.
            ConnectionLostError: The session is gone. The run can be looked for by its id.
        """
        await self._ended.wait()
        end = self._end
        if end is None:
            raise self._error.with_traceback(None)
        if end.is_aborted:
            yield ChatFinal(outcome=RunOutcome.ABORTED, text=end.text or "")
            return
        if end.text is None:
            raise RunFailedError(end.error or "the agent could not answer")
        if end.text:
            yield MessageStarted()
            yield ChatDelta(end.text)
        outcome = RunOutcome.ANSWERED if end.text else RunOutcome.SILENT
        yield ChatFinal(outcome=outcome, text=end.text)


type OnOrphan = Callable[[Orphan], None]


async def keep_open(session: TalkSession, orphans: Iterable[Orphan]) -> None:
    """Keep a voice session until the agent has answered, or the gateway ends it; then close it.

    Cancelled before that, it leaves the agent alone.
    """
    open_runs = {each.run_id: each for each in orphans if not each.has_ended}
    try:
        async with asyncio.timeout(MAX_KEPT):
            if open_runs:
                await _until_answered(session, open_runs)
    except GatewayError as err:
        _LOGGER.debug("A voice session without a satellite is lost: %s", err.category)
        for orphan in open_runs.values():
            orphan.lose(err)
    except TimeoutError:
        _LOGGER.debug("A voice session without a satellite does not end")
    finally:
        for orphan in open_runs.values():
            orphan.lose()
        await session.close(is_left=bool(open_runs))


async def _until_answered(session: TalkSession, open_runs: dict[str, Orphan]) -> None:
    async for item in session:
        if isinstance(item, ConsultEnded) and item.run_id in open_runs:
            open_runs.pop(item.run_id).take(item)
            if not open_runs:
                break
