"""One run: start it, iterate it, abort it, get it back after a lost connection.

Which frame means what is the reader's business (`run_reader`), what a lost run left behind
the history's (`recovery`); here are the waits, their limits and the order of events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
import logging
from typing import TYPE_CHECKING, Final, Self

from .errors import (
    GatewayError,
    NotConnectedError,
    RequestError,
    RunLostError,
    RunTimeoutError,
    TransportError,
)
from .frames import GatewayEvent, Response
from .models import HelloOk
from .recovery import RunFate, trace_run
from .run_items import RunItem
from .run_reader import RunReader
from .run_request import Patience, RunRequest

if TYPE_CHECKING:
    from .client import GatewayClient

_LOGGER = logging.getLogger(__name__)

READY_LIMIT: Final = 5.0
"""Seconds a new run waits for a connection that is just being made."""

RECOVERY_LIMIT: Final = 30.0
"""Seconds from a lost connection until the run must be found again.

A gateway needs 11 to 15 s for a restart, and some more to continue what it had interrupted.
"""

RECOVERY_POLL: Final = 2.0
"""Seconds between attempts to connect while somebody waits for an answer."""

KEY_MEMORY: Final = 240.0
"""Seconds within which the same process of the gateway surely knows a run by its key.

Source: the gateway forgets a key about 5 minutes after the end of its run.
"""

RESPONSE_GRACE: Final = 5.0
"""Seconds the last response may come after the events that ended the run."""

ABORT_LIMIT: Final = 5.0
"""Seconds until an aborted run must have ended."""

MIN_RETRY_WAIT: Final = 0.1
"""Seconds before a refused run is sent again, when the gateway says "at once"."""

REQUEST_LIMIT: Final = 15.0
"""Seconds one request of a recovery or an abort may take."""

HISTORY_ROWS: Final = 50
HISTORY_CHARACTERS: Final = 500_000
"""The most `chat.history` returns of one text."""


class ChatRun:
    """A run of an agent. Enter it once, iterate it once.

    Leaving the block before the end aborts the run, unless it was detached.
    """

    def __init__(self, client: GatewayClient, request: RunRequest, patience: Patience) -> None:
        """Made by `Chat.start`."""
        self._client = client
        self._request = request
        self._patience = patience
        self._reader = RunReader()
        self._wake = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._started_at = loop.time()
        self._last_frame_at = loop.time()
        self._lost_at: float | None = None
        self._boot_id: str | None = None
        self._active_id = request.run_id
        self._is_abandoned = False
        self._is_running_there: bool | None = None
        self._expects_response = False
        self.awaits_continuation = False
        """The gateway was restarted and may run the turn again under another id."""

        self.is_detached = False

    @property
    def run_id(self) -> str:
        """The id of the run, as the gateway knows it now."""
        return self._active_id

    @property
    def session_key(self) -> str:
        """The session the run belongs to."""
        return self._request.session_key

    async def __aenter__(self) -> Self:
        """Send the request. Waits for the connection for `READY_LIMIT` seconds.

        Raises:
            GatewayError: What stands in the way of a connection, or why the request was not sent.
        """
        await self._client.chat.wait_for_ending(self.session_key)
        await self._client.wait_ready(READY_LIMIT)
        self._started_at = self._last_frame_at = self._clock()
        self._client.chat.register(self._request.run_id, self)
        try:
            await self._send()
        except TransportError, NotConnectedError:
            self.on_connection_lost()
        except BaseException:
            self._client.chat.unregister(self)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the run; abort it if it has neither ended nor been detached."""
        if self.is_detached:
            return
        self._let_go()

    def detach(self) -> None:
        """Let the run go on after the block is left. Somebody must iterate it to its end."""
        self.is_detached = True

    async def __aiter__(self) -> AsyncIterator[RunItem]:
        """Yield what the run says and does; the last item is a `ChatFinal`.

        Raises:
            RunError: The run ended without an answer, took too long or was lost.
            RequestError: The gateway refused the run.
        """
        while True:
            item = self._reader.take()
            if item is not None:
                yield item
            elif self._may_be_sent_again():
                await self._send_after_refusal()
            elif self._reader.error is not None:
                self._let_go()
                raise self._reader.error
            elif self._reader.final is not None:
                self._let_go()
                yield self._reader.final
                return
            elif self._lost_at is not None:
                await self._recover()
            else:
                await self._wait()

    async def abort(self) -> None:
        """Stop the run on the gateway and wait until it has ended. May be called again.

        Raises:
            RunTimeoutError: It has not ended within `ABORT_LIMIT` seconds.
            GatewayError: The gateway could not be asked.
        """
        if self._reader.has_ended or not await self._ask_to_abort():
            return
        try:
            async with asyncio.timeout(ABORT_LIMIT):
                while not self._reader.has_ended and self._lost_at is None:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise RunTimeoutError("the run does not end") from None

    async def _ask_to_abort(self) -> bool:
        """Ask once; return whether the run is, or was, running there."""
        if self._is_running_there is None:
            await self._client.wait_ready(RECOVERY_LIMIT)
            params = {"sessionKey": self.session_key, "runId": self._active_id}
            answer = await self._client.request("chat.abort", params, timeout=REQUEST_LIMIT)
            self._is_running_there = answer.get("aborted") is True
        return self._is_running_there

    # what comes in

    def take(self, event: GatewayEvent) -> None:
        """Take one event of this run."""
        self._last_frame_at = self._clock()
        self._reader.read_event(event)
        self._wake.set()

    def on_response(self, response: Response) -> bool:
        """Take one response of the `agent` call; return whether it is the last one."""
        self._last_frame_at = self._clock()
        if response.payload.get("status") == "in_flight":
            # The call that started the run was another one; its last response never comes here.
            self._expects_response = False
        is_last = self._reader.read_response(response)
        self._wake.set()
        return is_last

    def on_lost(self, _: GatewayError) -> None:
        """The call is gone with its connection, of which `on_connection_lost` tells."""

    def on_connection_lost(self) -> None:
        """The connection ended. The run goes on without us."""
        if self._lost_at is None:
            self._lost_at = self._clock()
        self._wake.set()

    def continue_as(self, run_id: str) -> None:
        """The gateway runs the turn again as `run_id`."""
        self.awaits_continuation = False
        self._active_id = run_id
        self._client.chat.register(run_id, self)
        self._reader.restart()
        self._wake.set()

    # waiting

    async def _wait(self) -> None:
        """Wait for the next frame, within the limits of the turn."""
        if self._reader.needs_response and not self._expects_response:
            await self._settle()
            return
        self._wake.clear()
        deadline = self._deadline()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            if self._reader.needs_response:
                await self._settle()
            elif self._clock() >= self._deadline():
                self._let_go()
                raise RunTimeoutError("no answer in time") from None

    def _deadline(self) -> float:
        if self._reader.needs_response:
            return self._last_frame_at + RESPONSE_GRACE
        return min(
            self._last_frame_at + self._patience.silence,
            self._started_at + self._patience.total,
        )

    async def _settle(self) -> None:
        """The run has ended, and its last response went to a connection that is gone."""
        try:
            if self._client.connection.hello.boot_id == self._boot_id:
                # The key is known there, so this starts nothing and brings the stored response.
                await self._send()
                async with asyncio.timeout(RESPONSE_GRACE):
                    await self._wait_while(lambda: True)
        except TimeoutError, GatewayError:
            pass
        self._reader.give_up_on_response()

    def _may_be_sent_again(self) -> bool:
        """Whether the gateway refused the run only for now, for instance while it restarts."""
        error = self._reader.error
        return (
            isinstance(error, RequestError)
            and error.retry_after is not None
            and self._clock() + error.retry_after < self._started_at + RECOVERY_LIMIT
        )

    async def _send_after_refusal(self) -> None:
        error = self._reader.error
        wait = error.retry_after if isinstance(error, RequestError) else None
        self._reader = RunReader()
        await asyncio.sleep(wait or MIN_RETRY_WAIT)
        # Nothing was running, so a connection lost meanwhile has lost nothing of it.
        self._lost_at = None
        try:
            await self._send()
        except TransportError, NotConnectedError:
            self.on_connection_lost()

    def _let_go(self) -> None:
        """Nobody listens any more: forget the run, and abort it if it goes on. Idempotent."""
        if self._reader.has_ended:
            self._client.chat.unregister(self)
        elif not self._is_abandoned:
            self._is_abandoned = True
            self._client.chat.abandon(self)

    async def _send(self) -> None:
        connection = self._client.connection
        self._boot_id = connection.hello.boot_id
        self._expects_response = True
        await connection.send("agent", self._request.params(self._patience), self)

    # recovery

    async def _recover(self) -> None:
        """Find the run again after the connection was lost.

        Returns as soon as its frames come again or its end is known.

        Raises:
            RunLostError: Not within `RECOVERY_LIMIT` seconds.
        """
        lost_at = self._lost_at or self._clock()
        _LOGGER.debug("Run %s lost its connection", self._active_id)
        try:
            async with asyncio.timeout_at(lost_at + RECOVERY_LIMIT):
                await self._recover_once_connected(lost_at)
        except TimeoutError:
            self._give_up("the run was not found again in time")
        except RunLostError:
            raise
        except TransportError, NotConnectedError:
            # Lost again on the way. The same limit goes on.
            if self._client.is_stopped:
                self._give_up("the connection was closed")
            self._lost_at = lost_at
        except GatewayError as err:
            self._give_up(f"the connection does not come back ({err.category})")

    def _give_up(self, reason: str) -> None:
        self.awaits_continuation = False
        self._let_go()
        raise RunLostError(reason) from None

    async def _recover_once_connected(self, lost_at: float) -> None:
        hello = await self._wait_for_connection()
        # From here on a further loss is a new one.
        self._lost_at = None
        is_same_process = hello.boot_id is not None and hello.boot_id == self._boot_id
        if is_same_process and self._clock() - lost_at < KEY_MEMORY:
            # The gateway knows the key: this starts nothing twice, and tells an end we missed.
            await self._send_again()
        else:
            await self._look_into_history(may_send=self._clock() - lost_at < KEY_MEMORY)

    async def _wait_for_connection(self) -> HelloOk:
        """Wait for the next connection without sitting out the growing waits between attempts."""
        while True:
            try:
                return await self._client.wait_ready(RECOVERY_POLL)
            except TransportError:
                self._client.warm()

    async def _send_again(self) -> None:
        frames_before = self._last_frame_at
        await self._send()
        await self._wait_while(lambda: self._last_frame_at == frames_before)

    async def _look_into_history(self, *, may_send: bool) -> None:
        params = {
            "sessionKey": self.session_key,
            "limit": HISTORY_ROWS,
            "maxChars": HISTORY_CHARACTERS,
        }
        # A run that continues is told by its events; they may come before the history does.
        self.awaits_continuation = True
        history = await self._client.request("chat.history", params, timeout=REQUEST_LIMIT)
        if not self.awaits_continuation:
            return
        trace = trace_run(history, self._active_id)
        _LOGGER.debug("Run %s is %s", self._active_id, trace.fate)
        match trace.fate:
            case RunFate.RUNNING:
                self.awaits_continuation = False
            case RunFate.CONTINUED if trace.run_id is not None:
                self.continue_as(trace.run_id)
            case RunFate.UNKNOWN if may_send:
                self.awaits_continuation = False
                await self._send_again()
            case RunFate.UNKNOWN:
                self._give_up("the history of the session does not have the run")
            case RunFate.INTERRUPTED | RunFate.CONTINUED:
                await self._wait_while(lambda: self.awaits_continuation)
            case _:
                self.awaits_continuation = False
                self._reader.read_trace(trace)

    async def _wait_while(self, condition: Callable[[], bool]) -> None:
        while condition() and self._lost_at is None and not self._reader.has_ended:
            self._wake.clear()
            await self._wake.wait()
