"""One realtime voice session on the gateway, over a connection of its own.

The gateway tells what happens in a session only to the connection that made it, and ends the
session when that connection ends. What the agent does for it ends when the session is closed; it
goes on when only the connection is lost. Source: measured on gateway 2026.9.6.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
import contextlib
from typing import Any, Final, Self

from .connection import Connection
from .errors import (
    GatewayError,
    NotConnectedError,
    ProtocolError,
    RequestError,
    TalkUnavailableError,
)
from .frames import GatewayEvent, JsonObject, as_text, whole_characters
from .models import ConnectionSettings
from .talk_items import (
    BARGE_IN,
    CONSULT_TOOL,
    CancelStatus,
    SteerMode,
    SteerResult,
    TalkClosed,
    TalkInfo,
    TalkItem,
    TalkProblem,
    TalkRequest,
    TalkUnavailability,
)
from .talk_outgoing import TalkOutgoing
from .talk_queue import TalkQueue
from .talk_reader import (
    TALK_EVENT,
    ConsultReader,
    is_ready,
    read_cancel,
    read_info,
    read_steer,
    read_talk,
    refusal,
)

READY_LIMIT: Final = 15.0
"""Seconds from the connection until the provider must be connected, too."""

REQUEST_LIMIT: Final = 10.0
"""Seconds a request of a session may take; stopping an answer takes one."""

CLOSE_LIMIT: Final = 2.0
"""Seconds the gateway may take to end a session; it also ends with its connection."""

MAX_EARLY: Final = 256
"""Frames of runs that are kept while the gateway has not said which run answers a consult."""

_RUN_EVENTS: Final = frozenset({"chat", "agent"})


class TalkSession:
    """A voice session: enter it once, iterate it in one task, leave it.

    While the block lasts everything may be called from any task. Methods that ask the gateway raise
    what `Connection.request` raises.
    """

    def __init__(self, settings: ConnectionSettings, request: TalkRequest) -> None:
        """Made by `Talk.session`. Nothing happens before it is entered."""
        self._settings = settings
        self._request = request
        self._connection: Connection | None = None
        self._info: TalkInfo | None = None
        self._outgoing: TalkOutgoing | None = None
        self._queue = TalkQueue()
        self._begun = asyncio.Event()
        self._failure: GatewayError | None = None
        self._problem: TalkProblem | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._consults: dict[str, ConsultReader] = {}
        self._asking = 0
        self._early: deque[GatewayEvent] = deque(maxlen=MAX_EARLY)
        self._is_closed = False

    @property
    def info(self) -> TalkInfo:
        """What the session is like.

        Raises:
            NotConnectedError: It was not entered.
        """
        if self._info is None:
            raise NotConnectedError("the realtime session has not begun")
        return self._info

    @property
    def is_open(self) -> bool:
        """Whether something can still come of it."""
        return self._outgoing is not None and not self._queue.has_ended

    @property
    def dropped_input(self) -> float:
        """Seconds of sound that were appended and never sent."""
        return 0.0 if self._outgoing is None else self._outgoing.dropped

    @property
    def dropped_items(self) -> int:
        """Items that nobody fetched in time."""
        return self._queue.dropped

    @property
    def open_consults(self) -> tuple[str, ...]:
        """Ids of the runs that answer consults and go on."""
        return tuple(self._consults)

    def key_of(self, run_id: str) -> str:
        """Return the key of the agent's session that a consult's run belongs to."""
        consult = self._consults.get(run_id)
        return self._request.session_key if consult is None else consult.session_key

    async def __aenter__(self) -> Self:
        """Connect, create the session, and wait until its provider is connected.

        Raises:
            TalkUnavailableError: There is no such session to be had; `kind` says why.
            AgentNotFoundError: The session key names an agent that does not exist.
            GatewayError: There is no connection, as `Connection`.
        """
        connection = Connection(self._settings, on_event=self._on_event)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(connection)
            stack.push_async_callback(self.close)
            self._connection = connection
            self._spawn(self._watch(connection), "watch")
            self._info = await self._begin(connection)
            self._outgoing = TalkOutgoing(connection, self._info.session_id, self._queue.end)
            self._spawn(self._send(self._outgoing), "sound")
            stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self, *, is_left: bool = False) -> None:
        """End the session, what the agent does for it, and the connection.

        Idempotent, callable in every state. Whoever iterates gets what waits, then the end.

        Args:
            is_left: The agent is to go on: only the connection is ended.
        """
        self._queue.end(None)
        if self._is_closed or self._connection is None:
            return
        self._is_closed = True
        connection = self._connection
        has_session = self._info is not None and connection.is_open
        try:
            if has_session and not is_left:
                params = {"sessionId": self.info.session_id}
                with contextlib.suppress(GatewayError):
                    await connection.request("talk.session.close", params, timeout=CLOSE_LIMIT)
        finally:
            for task in self._tasks:
                task.cancel()
            try:
                await asyncio.wait(self._tasks)
            finally:
                await connection.close()

    async def __aiter__(self) -> AsyncIterator[TalkItem]:
        """Yield what happens. It ends with `TalkClosed`, or without when we close the session.

        Raises:
            GatewayError: The session is lost, mostly `ConnectionLostError`. Nothing can be resumed.
        """
        while (item := await self._queue.get()) is not None:
            yield item

    # sound

    def append(self, pcm: bytes, at: float) -> None:
        """Send what the microphone hears. Never waits; drops the oldest, which is counted.

        Args:
            pcm: Linear PCM, `TALK_RATE` samples a second; pieces of 40 to 100 ms are best.
            at: When its first sample was heard: seconds on a clock that only runs. Without it the
                gateway does not know what has been heard of an answer, and interrupts none.
        """
        if self._outgoing is not None:
            self._outgoing.append(pcm, at)

    def acknowledge(self, mark: str) -> None:
        """Say that the sound before a mark has been heard. Never waits."""
        if self._outgoing is not None:
            self._outgoing.acknowledge(mark)

    async def cancel_output(
        self, turn_id: str | None = None, reason: str = BARGE_IN
    ) -> CancelStatus:
        """Stop the answer that is being given, of this turn or of any."""
        params: JsonObject = {"reason": reason}
        if turn_id is not None:
            params["turnId"] = turn_id
        return read_cancel(await self._ask("talk.session.cancelOutput", params))

    # the agent

    async def consult(
        self,
        call_id: str,
        question: str,
        *,
        context: str = "",
        style: str | None = None,
        confirmation_id: str | None = None,
    ) -> str:
        """Have the agent answer a call of `CONSULT_TOOL`; return the id of its run.

        What becomes of it comes as `ConsultProgress` and `ConsultEnded`. The model gets the answer
        by `submit_result`.

        Args:
            call_id: Of the tool call.
            question: What the model wants to know.
            context: What the agent is told besides.
            style: The model's wish for the answer (`responseStyle`).
            confirmation_id: The user has said yes to what was asked under this id.
        """
        wishes = {"context": context, "responseStyle": style, "confirmationId": confirmation_id}
        args = {"question": whole_characters(question)} | {
            name: whole_characters(value) for name, value in wishes.items() if value
        }
        params: JsonObject = {
            "sessionKey": self._request.session_key,
            "relaySessionId": self.info.session_id,
            "callId": call_id,
            "name": CONSULT_TOOL,
            "args": args,
        }
        self._asking += 1
        try:
            answer = await self._open_connection.request(
                "talk.client.toolCall", params, timeout=REQUEST_LIMIT
            )
            run_id = as_text(answer.get("runId"))
            if run_id is None:
                raise ProtocolError("a consult without a run")
            key = as_text(answer.get("agentSessionKey")) or self._request.session_key
            self._consults[run_id] = ConsultReader(call_id, run_id, key)
            for event in tuple(self._early):
                if event.payload.get("runId") == run_id:
                    self._early.remove(event)
                    self._take_run(event)
        finally:
            self._asking -= 1
            if not self._asking:
                self._early.clear()
        return run_id

    async def submit_result(
        self,
        call_id: str,
        result: JsonObject,
        *,
        will_continue: bool = False,
        suppress: bool = False,
    ) -> None:
        """Give the model the result of a tool call.

        Args:
            call_id: Of the tool call. The gateway takes any.
            result: What the model sees.
            will_continue: It is not all of it: the model may say that it takes a moment.
            suppress: The model is not to say anything about it.
        """
        options = {"willContinue": will_continue, "suppressResponse": suppress}
        params: JsonObject = {"callId": call_id, "result": result}
        if any(options.values()):
            params["options"] = {name: True for name, is_set in options.items() if is_set}
        await self._ask("talk.session.submitToolResult", params)

    async def steer(self, text: str, mode: SteerMode | None = None) -> SteerResult:
        """Tell the agent that works for this session something."""
        params: JsonObject = {"text": whole_characters(text)}
        if mode is not None:
            params["mode"] = mode.value
        return read_steer(await self._ask("talk.session.steer", params))

    async def abort_run(self, run_id: str) -> bool:
        """Stop a run that answers a consult; return whether it was running."""
        params = {"sessionKey": self.key_of(run_id), "runId": run_id}
        answer = await self._open_connection.request("chat.abort", params, timeout=REQUEST_LIMIT)
        return answer.get("aborted") is True

    # beginning

    async def _begin(self, connection: Connection) -> TalkInfo:
        try:
            async with asyncio.timeout(READY_LIMIT):
                answer = await connection.request(
                    "talk.session.create", self._request.params(), timeout=READY_LIMIT
                )
                info = read_info(answer)
                await self._begun.wait()
        except RequestError as err:
            raise refusal(err) from None
        except TimeoutError:
            raise TalkUnavailableError(
                "the provider is not connected in time", kind=TalkUnavailability.UNREACHABLE
            ) from None
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return info

    async def _watch(self, connection: Connection) -> None:
        self._on_lost(await connection.wait_closed())

    def _on_lost(self, error: GatewayError) -> None:
        self._queue.end(error)
        if not self._begun.is_set():
            self._failure = error
            self._begun.set()

    # frames

    def _on_event(self, event: GatewayEvent) -> None:
        if event.name == TALK_EVENT:
            self._take_talk(event.payload)
        elif event.name in _RUN_EVENTS and not self._take_run(event) and self._asking:
            self._early.append(event)

    def _take_talk(self, payload: JsonObject) -> None:
        if is_ready(payload):
            self._begun.set()
            return
        item = read_talk(payload)
        if item is None:
            return
        if not self._begun.is_set():
            self._take_before_ready(item)
            return
        self._queue.put(item)
        if isinstance(item, TalkClosed):
            self._queue.end(None)

    def _take_before_ready(self, item: TalkItem) -> None:
        """The provider is not connected yet: it has a problem, and then the session ends."""
        if isinstance(item, TalkProblem):
            self._problem = item
        elif isinstance(item, TalkClosed):
            problem = self._problem
            self._on_lost(
                TalkUnavailableError(
                    "the session was closed" if problem is None else problem.message,
                    kind=TalkUnavailability.UNREACHABLE if problem is None else problem.kind,
                )
            )

    def _take_run(self, event: GatewayEvent) -> bool:
        """Take an event of a run; return whether it answers a consult."""
        consult = self._consults.get(as_text(event.payload.get("runId")) or "")
        if consult is None:
            return False
        for item in consult.read(event):
            self._queue.put(item)
        if consult.is_over:
            del self._consults[consult.run_id]
        return True

    # the rest

    @property
    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise NotConnectedError("the realtime session has not begun")
        return self._connection

    async def _ask(self, method: str, params: JsonObject) -> JsonObject:
        params = {"sessionId": self.info.session_id} | params
        return await self._open_connection.request(method, params, timeout=REQUEST_LIMIT)

    async def _send(self, outgoing: TalkOutgoing) -> None:
        # The connection has ended: `_watch` tells.
        with contextlib.suppress(GatewayError):
            await outgoing.run()

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"openclaw talk {what}"))
