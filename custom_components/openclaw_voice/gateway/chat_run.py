"""One run as its caller sees it: enter it, iterate it, leave it, abort it.

Here are the waits and their limits. What a frame means is the reader's business (`run_reader`),
how a lost run is found again that of `run_recovery`.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Self

from .errors import (
    GatewayError,
    NotConnectedError,
    RequestError,
    RunTimeoutError,
    TransportError,
)
from .run_items import RunItem
from .run_link import RunLink
from .run_lookup import MIN_RETRY_WAIT, REQUEST_LIMIT, look_for, probe, settle
from .run_recovery import connected, recover
from .run_request import DETACHED, Patience, RunRequest

if TYPE_CHECKING:
    from .client import GatewayClient

RESPONSE_GRACE: Final = 5.0
"""Seconds the last response may come after the events that ended the run."""

ABORT_LIMIT: Final = 5.0
"""Seconds until an aborted run must have ended."""

ABORT_RECOVERY_LIMIT: Final = 30.0
"""Seconds an abort waits for the gateway, and for the run to be found again."""


class ChatRun:
    """A run of an agent. Enter it once, iterate it once.

    Leaving the block before the end aborts the run, unless it was detached.
    """

    def __init__(
        self,
        client: GatewayClient,
        request: RunRequest,
        patience: Patience,
        *,
        is_resumed: bool = False,
    ) -> None:
        """Made by `Chat.start` and `Chat.resume`."""
        self.link: Final = RunLink(client, request, is_resumed=is_resumed)
        """For the client, which gives it the frames."""

        self.is_detached = False
        self._client = client
        self._patience = patience
        self._patient_since = self.link.now()
        self._is_abandoned = False
        self._may_run = is_resumed
        """The gateway may know of it."""

        self._is_running_there: bool | None = None
        self._lost_at = 0.0
        self._recovery: asyncio.Timeout | None = None
        """The limit of the recovery that goes on."""

    @property
    def run_id(self) -> str:
        """The id of the run, as the gateway knows it now."""
        return self.link.run_id

    @property
    def session_key(self) -> str:
        """The session the run belongs to."""
        return self.link.session_key

    @property
    def waits_for_approval(self) -> bool:
        """Whether a tool of the run waits until a person allows it. That may take half an hour."""
        return self.link.reader.waits_for_approval

    async def __aenter__(self) -> Self:
        """Interrupt what else goes on in the session, then send the request.

        Waits for a connection as long as the patience says. A resumed run sends nothing and waits
        for nothing.

        Raises:
            GatewayError: What stands in the way of a connection, or why the request was not sent.
        """
        if not self.link.is_resumed:
            await connected(self._client, self._patience.connect)
            await self._client.chat.make_room(self.session_key)
        if self._client.is_stopped:
            # There is a connection only until what ran before has been aborted.
            raise NotConnectedError("the client is being stopped")
        if self.link.reader.has_ended:
            return self  # It was aborted before there was anything to send it with.
        self._may_run = True
        self._patient_since = self.link.last_frame_at = self.link.now()
        self._client.chat.register(self)
        if self.link.is_resumed:
            self.link.on_connection_lost()
            return self
        try:
            await self._send()
        except asyncio.CancelledError:
            # The frame may be on its way all the same.
            self._let_go()
            raise
        except BaseException:
            self._client.chat.unregister(self)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the run; abort it if it has neither ended nor been detached."""
        if not self.is_detached:
            self._let_go()

    def detach(self, patience: Patience | None = None) -> None:
        """Let the run go on after the block is left. Somebody must iterate it to its end.

        An iteration that is under way goes on. From now on `patience` counts (`DETACHED` by
        default), silence makes it ask the gateway instead of failing, and the connection is waited
        for even when a person must act first. When the client is stopped, the run stays alive on
        the gateway, and iterating raises `NotConnectedError`.
        """
        self.is_detached = self.link.is_patient = True
        self._patience = patience or DETACHED
        self._patient_since = self.link.now()
        if self._recovery is not None and not self._recovery.expired():
            self._recovery.reschedule(self._lost_at + self._patience.recovery)
        self.link.wake()

    def interrupt(self) -> None:
        """Another run takes its place: abort it in the background; who iterates it gets its end."""
        if not self._is_abandoned:
            self._is_abandoned = True
            self._client.chat.abandon(self)

    async def __aiter__(self) -> AsyncIterator[RunItem]:
        """Yield what the run says and does; the last item is a `ChatFinal`.

        Raises:
            RunError: The run ended without an answer, took too long or was lost.
            RequestError: The gateway refused the run.
            NotConnectedError: The client was stopped; the run is detached and goes on.
        """
        reader = self.link.reader
        while True:
            item = reader.take()
            if item is not None:
                yield item
            elif self._may_be_sent_again():
                await self._send_after_refusal()
            elif reader.error is not None:
                self._let_go()
                raise reader.error
            elif reader.final is not None:
                self._let_go()
                yield reader.final
                return
            elif self.link.lost_at is not None:
                await self._recover()
            else:
                await self._wait()

    async def abort(self) -> None:
        """Stop the run on the gateway and wait until it has ended. May be called again.

        A run that was not sent yet will not be sent any more; it ends without a text.

        Raises:
            RunTimeoutError: It has not ended within `ABORT_LIMIT` seconds.
            GatewayError: The gateway could not be asked.
        """
        if not self._may_run:
            self.link.give_up()
        if self.link.reader.has_ended or not await self._ask_to_abort():
            return
        try:
            async with asyncio.timeout(ABORT_LIMIT):
                await self.link.wait_while(lambda: True)
        except TimeoutError:
            raise RunTimeoutError("the run does not end") from None

    async def _ask_to_abort(self) -> bool:
        """Ask once; return whether the run is, or was, running there."""
        if self._is_running_there is None:
            await self._client.wait_ready(ABORT_RECOVERY_LIMIT)
            if self._recovery is not None:
                await self._wait_until_found()
            elif self.link.lost_at is not None:
                await look_for(self.link)
            was_interrupted = self.link.awaits_continuation
            self._is_running_there = await self._request_abort()
            if not self._is_running_there and was_interrupted and await self._is_continued():
                self._is_running_there = await self._request_abort()
        return self._is_running_there

    async def _request_abort(self) -> bool:
        params = {"sessionKey": self.session_key, "runId": self.run_id}
        answer = await self._client.request("chat.abort", params, timeout=REQUEST_LIMIT)
        return answer.get("aborted") is True

    async def _wait_until_found(self) -> None:
        """Wait for a recovery that goes on: it may bring another id."""
        try:
            async with asyncio.timeout(ABORT_RECOVERY_LIMIT):
                while self._recovery is not None and not self.link.reader.has_ended:
                    await self.link.wait_frame()
        except TimeoutError:
            pass

    async def _is_continued(self) -> bool:
        """Wait until the gateway continues the interrupted turn; return whether it does."""
        try:
            async with asyncio.timeout(ABORT_RECOVERY_LIMIT):
                await self.link.wait_while(lambda: self.link.awaits_continuation)
        except TimeoutError:
            return False
        return self.link.lost_at is None

    def _let_go(self) -> None:
        """Nobody listens any more: forget the run, and abort it if it goes on. Idempotent."""
        if self.link.reader.has_ended:
            self._client.chat.unregister(self)
        else:
            self.interrupt()

    # sending

    async def _send(self) -> None:
        """Send the request; a connection that ends meanwhile is a lost one."""
        try:
            await self.link.send()
        except TransportError, NotConnectedError:
            self.link.on_connection_lost()

    def _may_be_sent_again(self) -> bool:
        """Whether the gateway refused the run only for now, or only for its context."""
        error = self.link.reader.error
        if not isinstance(error, RequestError):
            return False
        if error.retry_after is None:
            return self.link.leave_out_context()
        if self.link.refused_since is None:
            self.link.refused_since = self.link.now()
        return (
            self.link.now() + error.retry_after < self.link.refused_since + self._patience.recovery
        )

    async def _send_after_refusal(self) -> None:
        link = self.link
        error, link.reader.error = link.reader.error, None
        wait = error.retry_after if isinstance(error, RequestError) else None
        await asyncio.sleep(wait or MIN_RETRY_WAIT)
        if link.lost_at is not None and link.has_begun:
            return  # It is recovered like any other lost run.
        # Nothing was running, so a connection lost meanwhile has lost nothing of it.
        link.lost_at = None
        await self._send()

    # waiting

    async def _wait(self) -> None:
        """Wait for the next frame, within the limits of the turn."""
        link = self.link
        if link.reader.needs_response and not link.expects_response:
            await self._settle()
            return
        try:
            async with asyncio.timeout_at(self._deadline()):
                await link.wait_frame()
        except TimeoutError:
            await self._on_silence()

    def _deadline(self) -> float:
        """Return until when the next frame must come (loop time)."""
        link = self.link
        if link.reader.needs_response:
            return link.last_frame_at + RESPONSE_GRACE
        if link.reader.waits_for_approval:
            return self._last_moment
        return min(link.last_frame_at + self._patience.silence, self._last_moment)

    @property
    def _last_moment(self) -> float:
        return self._patient_since + self._patience.total

    async def _on_silence(self) -> None:
        link = self.link
        if link.reader.needs_response:
            await self._settle()
        elif link.now() < self._deadline():
            return  # A frame came in the last moment.
        elif self.is_detached and link.now() < self._last_moment:
            link.last_frame_at = link.now()
            await probe(link)
        else:
            self._let_go()
            raise RunTimeoutError("no answer in time")

    async def _settle(self) -> None:
        """The run has ended, and what tells how does not come by itself."""
        link = self.link
        try:
            async with asyncio.timeout(RESPONSE_GRACE):
                await settle(link)
        except TransportError, NotConnectedError:
            link.on_connection_lost()
            return
        except TimeoutError, GatewayError:
            pass
        link.reader.give_up_on_response()

    async def _recover(self) -> None:
        link = self.link
        self._lost_at = link.now() if link.lost_at is None else link.lost_at
        self._recovery = asyncio.timeout_at(self._lost_at + self._patience.recovery)
        try:
            await recover(link, self._recovery)
        except GatewayError:
            self._let_go()
            raise
        finally:
            self._recovery = None
            link.wake()
