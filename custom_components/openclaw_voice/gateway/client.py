"""Stays connected to one gateway, and owns what can be done with it.

The policy (when to try again) is `retry`, the mechanism (one socket) is `connection`; here is
the loop that obeys, the state it shows, and the capabilities.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging
import random
from typing import Any, Final

from .activity import Activity
from .approvals import Approvals
from .callbacks import Listeners, call_safely
from .chat import Chat
from .connection import REQUEST_TIMEOUT, Connection
from .cron import Cron
from .errors import (
    CannotConnectError,
    CredentialsRejectedError,
    GatewayError,
    NotConnectedError,
    ProtocolError,
)
from .frames import GatewayEvent, JsonObject
from .heartbeat import Heartbeats
from .journal import Journal, JournalEntry
from .models import ConnectionSettings, HelloOk
from .questions import QUESTION_REQUESTED, Questions
from .retry import Action, Decision, History, decide
from .sessions import Sessions
from .state import BLOCKED, STATE_AFTER, ClientSnapshot, ClientState
from .status import Status
from .talk import Talk
from .unasked import Unasked

_LOGGER = logging.getLogger(__name__)

STOP_LIMIT: Final = 5.0
"""Seconds until the loop must have ended after `stop`."""

_RUN_EVENTS: Final = frozenset({"chat", "agent"})


class GatewayClient:
    """Keeps one connection to a gateway, and at most one socket at any time."""

    def __init__(self, settings: ConnectionSettings) -> None:
        """Nothing happens before `run`."""
        self._settings = settings
        self._snapshot = ClientSnapshot()
        self._connection: Connection | None = None
        self._history = History()
        self._journal = Journal()
        self._tasks: asyncio.TaskGroup | None = None
        self._children: set[asyncio.Task[None]] = set()
        self._finished = asyncio.Event()
        self._is_stopping = False
        self._retry = asyncio.Event()
        self._state_changed = asyncio.Event()
        self._state_subscribers: list[Callable[[ClientSnapshot], None]] = []
        self._event_listeners = Listeners[[GatewayEvent]]()
        self.anomalies: Counter[str] = Counter()
        """Inbound frames that were not as expected, by kind, over all connections so far."""

        self.activity: Final = Activity(self)
        self.approvals: Final = Approvals(self)
        self.chat: Final = Chat(self)
        self.cron: Final = Cron(self)
        self.heartbeat: Final = Heartbeats(self)
        self.questions: Final = Questions(self)
        self.sessions: Final = Sessions(self)
        self.status: Final = Status(self)
        self.talk: Final = Talk(self, lambda: self._settings)
        self.unasked: Final = Unasked(self)

    @property
    def snapshot(self) -> ClientSnapshot:
        """The state now."""
        return self._snapshot

    @property
    def journal(self) -> tuple[JournalEntry, ...]:
        """What happened to the connection lately, oldest first; safe to show."""
        return self._journal.entries

    @property
    def is_stopped(self) -> bool:
        """Whether the client was stopped: no connection will come any more."""
        return self._is_stopping

    @property
    def is_blocked(self) -> bool:
        """Whether waiting a little brings no connection: somebody must act, or a limit runs."""
        return self._is_stopping or self._snapshot.state in BLOCKED

    @property
    def connection(self) -> Connection:
        """The ready connection.

        Raises:
            NotConnectedError: There is none.
        """
        connection = self._open_connection
        if connection is None:
            raise NotConnectedError("not connected to the gateway")
        return connection

    @property
    def _open_connection(self) -> Connection | None:
        # It may have ended a moment before the loop takes note of it.
        connection = self._connection
        return connection if connection is not None and connection.is_open else None

    async def run(self) -> None:
        """Keep the client connected until it is stopped or cancelled. Call it once.

        Network failures are handled here and never raised.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self.spawn(self._stay_connected(), name="openclaw gateway connection")
        finally:
            self._tasks = None
            self._finished.set()
            self._show(
                replace(
                    self._snapshot,
                    state=ClientState.STOPPED,
                    retry_at=None,
                    connected_since=None,
                )
            )

    async def stop(self) -> None:
        """Abort what nobody will hear, close the connection, end `run`. Idempotent."""
        self._is_stopping = True
        if self._tasks is None:
            return
        await self.chat.abort_all()
        for task in self._children:
            task.cancel()
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await self._finished.wait()
        except TimeoutError:
            _LOGGER.warning("The connection to the gateway does not end")

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> bool:
        """Run `work` in the background; the client cancels it when it stops.

        Returns False, and does nothing, when the client is stopped.
        """
        if self._tasks is None or self._is_stopping:
            work.close()
            return False
        try:
            task = self._tasks.create_task(work, name=name)
        except RuntimeError:
            work.close()  # The group is just being cancelled.
            return False
        self._children.add(task)
        task.add_done_callback(self._children.discard)
        return True

    def subscribe(self, callback: Callable[[ClientSnapshot], None]) -> Callable[[], None]:
        """Call `callback` with every new snapshot; return what ends it."""
        self._state_subscribers.append(callback)
        return lambda: self._state_subscribers.remove(callback)

    def subscribe_events(self, callback: Callable[[GatewayEvent], None]) -> Callable[[], None]:
        """Call `callback` with every event of the gateway; return what ends it."""
        return self._event_listeners.add(callback)

    async def wait_ready(self, timeout: float) -> HelloOk:
        """Wait until there is a connection, at most `timeout` seconds.

        Raises:
            GatewayError: What stands in the way: at once when only a person can change it.
        """
        try:
            async with asyncio.timeout(timeout):
                while (connection := self._open_connection) is None:
                    self._raise_if_blocked()
                    self._state_changed.clear()
                    await self._state_changed.wait()
                return connection.hello
        except TimeoutError:
            error = self._snapshot.error or CannotConnectError("no connection in time")
            raise error.with_traceback(None) from None

    def retry_now(self) -> None:
        """Try again at once, in every state that waits. A rate limit is waited out all the same."""
        if self._snapshot.state is not ClientState.RATE_LIMITED:
            self._try_now()

    def warm(self) -> None:
        """A turn is about to start: do not sit out the time before the next attempt."""
        if self._snapshot.state is ClientState.RETRY_WAIT:
            self._try_now()

    def use_settings(self, settings: ConnectionSettings) -> None:
        """Use other settings from the next attempt on; make it now, as `retry_now` does."""
        self._settings = settings
        self.retry_now()

    async def request(
        self, method: str, params: JsonObject | None = None, *, timeout: float = REQUEST_TIMEOUT
    ) -> JsonObject:
        """Send one request over the ready connection and return the payload of its response.

        Raises:
            NotConnectedError: There is no connection.
            RequestError, RequestTimeoutError, ConnectionLostError: As `Connection.request`.
        """
        return await self.connection.request(method, params, timeout=timeout)

    # the loop

    async def _stay_connected(self) -> None:
        try:
            while True:
                self._retry.clear()
                self._show_connecting()
                error = await self._live_one_connection()
                decision = decide(
                    self._history.outcome(error, has_other_credential=self._has_other(error)),
                    chance=random.random(),  # noqa: S311 - spreads retries, protects nothing
                )
                await self._obey(decision, error)
        finally:
            self._is_stopping = True
            # Runs that are still iterated must not wait for a connection that never comes.
            self.chat.on_connection_lost()

    async def _live_one_connection(self) -> GatewayError:
        """Connect, stay until the connection ends, return why it ended or was not made."""
        loop = asyncio.get_running_loop()
        ready_at: float | None = None
        try:
            async with Connection(self._settings, on_event=self._on_event) as connection:
                ready_at = loop.time()
                try:
                    self._on_ready(connection)
                    error = await connection.wait_closed()
                finally:
                    self._on_not_ready(connection)
        except GatewayError as err:
            error = err
        except Exception as err:  # noqa: BLE001 - a bug of ours must not end the loop for ever
            # Without the traceback's values: they may hold anything of a frame.
            _LOGGER.error("Unexpected %s in the connection", type(err).__name__)
            error = ProtocolError(f"unexpected {type(err).__name__}")
        self._history.note(error, None if ready_at is None else loop.time() - ready_at)
        return error

    def _on_ready(self, connection: Connection) -> None:
        self._connection = connection
        _LOGGER.debug("Ready: gateway %s", connection.hello.server_version)
        reconnects = self._snapshot.reconnects + (self._snapshot.hello is not None)
        self._show(
            ClientSnapshot(
                state=ClientState.READY,
                hello=connection.hello,
                connected_since=datetime.now(UTC),
                reconnects=reconnects,
            )
        )

    def _on_not_ready(self, connection: Connection) -> None:
        self._connection = None
        self.anomalies.update(connection.anomalies)
        self.chat.on_connection_lost()

    def _has_other(self, error: GatewayError) -> bool:
        return (
            isinstance(error, CredentialsRejectedError)
            and self._settings.credentials.without_device_token() is not None
        )

    async def _obey(self, decision: Decision, error: GatewayError) -> None:
        _LOGGER.debug("Not connected: %s; %s", error.category, decision.action)
        if decision.action is Action.USE_OTHER_CREDENTIAL:
            known = self._settings.credentials
            other = known.without_device_token() or known
            self._settings = replace(self._settings, credentials=other)
        if decision.action is Action.WAIT_OUT_LIMIT:
            self._retry.clear()
        wait = decision.delay
        self._show(
            replace(
                self._snapshot,
                state=STATE_AFTER[decision.action],
                error=error,
                attempts=self._history.failures,
                retry_at=None if wait is None else datetime.now(UTC) + timedelta(seconds=wait),
                connected_since=None,
                is_repeating=decision.is_repeating,
            )
        )
        try:
            async with asyncio.timeout(wait):
                await self._retry.wait()
        except TimeoutError:
            pass

    def _try_now(self) -> None:
        if self._snapshot.state in (ClientState.READY, ClientState.STOPPED):
            return
        self._retry.set()
        # At once, so that whoever asks for a connection now waits for this attempt.
        self._show_connecting()

    def _show_connecting(self) -> None:
        self._show(replace(self._snapshot, state=ClientState.CONNECTING, retry_at=None))

    def _raise_if_blocked(self) -> None:
        error = self._snapshot.error
        if self._is_stopping or self._finished.is_set():
            raise NotConnectedError("the connection is closed for good")
        if self._snapshot.state in BLOCKED and error is not None:
            raise error.with_traceback(None)

    # telling others

    def _show(self, snapshot: ClientSnapshot) -> None:
        if snapshot == self._snapshot:
            return
        before, self._snapshot = self._snapshot, snapshot
        error = None if snapshot.error is before.error else snapshot.error
        self._journal.note(datetime.now(UTC), snapshot.state, error)
        self._state_changed.set()
        for callback in tuple(self._state_subscribers):
            # Not the one above: a subscriber before this one may have changed the state.
            call_safely(callback, self._snapshot)

    def _on_event(self, event: GatewayEvent) -> None:
        if event.name in _RUN_EVENTS:
            self.chat.take(event)
            self.unasked.take(event)
        elif event.name == QUESTION_REQUESTED:
            self.chat.take_question(event)
        self._event_listeners.tell(event)
