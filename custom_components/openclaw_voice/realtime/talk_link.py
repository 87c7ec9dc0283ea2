"""One voice session on the gateway as the backend uses it, from its beginning to its end."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
import contextlib
from datetime import UTC, datetime
import json
import logging
from typing import Any, Final

from ..gateway.errors import GatewayError
from ..gateway.talk_items import (
    CONSULT_TOOL,
    CONTROL_TOOL,
    ConsultEnded,
    ConsultProgress,
    TalkClosed,
    TalkItem,
    TalkProblem,
    TalkToolCall,
    TalkToolCancelled,
)
from ..gateway.talk_session import TalkSession
from .backend import BackendError, BackendEvent, ClientToolCall
from .consults import Consults
from .rotation import has_expired, rotates_in
from .sound import Loudspeaker, Microphone
from .talk_turns import CONNECT_PHASE, TalkTurns, reason_of

_LOGGER = logging.getLogger(__name__)

SILENCE_LIMIT: Final = 20.0
"""Seconds without any news after which an answer is not waited for any longer."""

IDLE_STEP: Final = 1.0
"""Seconds after which it is looked again whether nobody speaks, to replace the session."""

INTERRUPTED: Final = "interrupted"
"""Why an answer is cut off, for the gateway: somebody pressed something."""


class TalkLink:
    """Passes on what happens, and serves the tools the model calls."""

    def __init__(
        self,
        session: TalkSession,
        consults: Consults,
        *,
        turns: TalkTurns,
        speaker: Loudspeaker,
        emit: Callable[[Iterable[BackendEvent]], None],
    ) -> None:
        """`session` has been entered; it is closed by whoever did that."""
        self.session = session
        self.consults = consults
        self._turns = turns
        self._speaker = speaker
        self._emit = emit
        self._group: asyncio.TaskGroup | None = None
        self._tools: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._stir = asyncio.Event()
        self._problem: BackendError | None = None

    async def serve(self, microphone: Microphone) -> None:
        """Work until the session is lost, or old and idle.

        Raises:
            BackendError: It has ended, and another would do no better.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            pump = group.create_task(self._pump())
            due = group.create_task(self._until_due())
            fill = group.create_task(microphone.fill(self._speaker))
            watch = group.create_task(self._watch())
            try:
                await asyncio.wait({pump, due}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._group = None
            for task in (pump, due, fill, watch, *self._tools):
                task.cancel()
        if not pump.cancelled() and (failure := pump.result()) is not None:
            raise failure

    def cut_off(self, turn_id: str | None) -> None:
        """Stop the answer of a turn, and what the agent does for it."""
        self.consults.mute()
        self._spawn(self._cut_off(turn_id))

    # tasks

    async def _cut_off(self, turn_id: str | None) -> None:
        with contextlib.suppress(GatewayError):
            await self.session.cancel_output(turn_id, INTERRUPTED)
        await self.consults.abort()

    async def _until_due(self) -> None:
        """Wait until the session is old, and then until nobody would notice."""
        await asyncio.sleep(rotates_in(self.session.info.expires, datetime.now(UTC)))
        while not self._turns.is_idle or self._speaker.is_playing:
            self._stir.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_STEP):
                    await self._stir.wait()

    async def _pump(self) -> BackendError | None:
        """Pass on what happens until the session has ended; return why no other is to follow."""
        try:
            async for item in self.session:
                self._news.set()
                self._stir.set()
                if isinstance(item, TalkClosed):
                    return self._why_closed(item)
                self._take(item)
        except GatewayError as err:
            _LOGGER.debug("A voice session is lost: %s", err.category)
        return None

    async def _watch(self) -> None:
        """Give up an answer of which nothing is heard any more."""
        while True:
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE_LIMIT):
                    await self._news.wait()
            except TimeoutError:
                # A tool has a limit of its own.
                if self._turns.is_waiting and not self._turns.has_calls:
                    self._emit(self._turns.fail("provider_unavailable"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(work)
        self._tools.add(task)
        task.add_done_callback(self._tools.discard)

    # items

    def _take(self, item: TalkItem) -> None:
        match item:
            case TalkToolCall():
                self._call(item)
            case TalkToolCancelled():
                self._spawn(self.consults.drop(item.call_id))
            case ConsultProgress() | ConsultEnded():
                self.consults.take(item)
            case TalkProblem(phase=phase, kind=kind) if phase == CONNECT_PHASE:
                self._problem = BackendError(reason_of(kind))
            case _:
                self._emit(self._turns.read(item))

    def _call(self, call: TalkToolCall) -> None:
        # At once: what follows must not end the turn.
        self._turns.open_call(call.call_id)
        if call.name == CONSULT_TOOL:
            self._spawn(self.consults.consult(call))
        elif call.name == CONTROL_TOOL:
            self._spawn(self.consults.control(call))
        else:
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            self._emit((ClientToolCall(call_id=call.call_id, name=call.name, arguments=arguments),))

    def _why_closed(self, item: TalkClosed) -> BackendError | None:
        if has_expired(self.session.info.expires, datetime.now(UTC)):
            return None
        if self._problem is not None:
            return self._problem
        is_complete = item.reason == "completed"
        return BackendError("session_expired" if is_complete else "provider_unavailable")
