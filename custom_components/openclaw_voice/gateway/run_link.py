"""The link to one run on the gateway: sends its request, collects its frames, wakes who waits.

Knows nothing of patience and of getting a run back; that is `chat_run` and `run_recovery`.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .errors import GatewayError
from .frames import GatewayEvent, Response
from .run_reader import RunReader
from .run_request import RunMethod, RunRequest

if TYPE_CHECKING:
    from .client import GatewayClient


class RunLink:
    """What is known of one run, and of the way to it."""

    def __init__(
        self, client: GatewayClient, request: RunRequest, *, is_resumed: bool = False
    ) -> None:
        """Nothing is sent before `send`, and never for a run that is resumed."""
        self.client: Final = client
        self.request: Final = request
        self.reader: Final = RunReader(request.method, is_resumed=is_resumed)
        self.is_resumed: Final = is_resumed
        """It was started earlier, by a request we do not have any more."""

        self.run_id = request.run_id
        """The id the gateway runs it under now."""

        self.boot_id: str | None = None
        """The process of the gateway that was sent the request last; None if it may be any."""

        self.lost_at: float | None = None
        """When the connection was lost (loop time); None while the frames come."""

        self.last_frame_at = 0.0
        """Loop time."""

        self.has_begun = False
        """The gateway has told of the run: sending it to another process could run it twice."""

        self.expects_response = False
        """The last response of the call comes on this connection."""

        self.awaits_continuation = False
        """The gateway was restarted and may run the turn again under another id."""

        self.refused_since: float | None = None
        """Since when the gateway refuses the run for now (loop time)."""

        self._followed_in: str | None = None
        """The process of the gateway that continues it under another id."""

        self.is_patient = False
        """Nobody waits for an answer: what a person must mend first is waited for, too."""

        self._params = request.params()
        self._wake = asyncio.Event()
        self._clock = asyncio.get_running_loop().time

    @property
    def session_key(self) -> str:
        """The session the run belongs to."""
        return self.request.session_key

    @property
    def is_repeatable(self) -> bool:
        """Whether the same request again starts nothing and brings the stored last response.

        Raises:
            NotConnectedError: There is nobody to ask.
        """
        has_response = self.request.method is RunMethod.AGENT and not self.is_resumed
        boot_id = self.client.connection.hello.boot_id
        return has_response and boot_id is not None and boot_id == self.boot_id

    @property
    def may_be_remembered(self) -> bool:
        """Whether the gateway may be the process that ran it: another one remembers no runs.

        Raises:
            NotConnectedError: There is nobody to ask.
        """
        boot_id = self.client.connection.hello.boot_id
        return None in (self.boot_id, boot_id) or boot_id in (self.boot_id, self._followed_in)

    def now(self) -> float:
        """Return the loop time."""
        return self._clock()

    async def send(self) -> None:
        """Send the request, or the same one again.

        Raises:
            NotConnectedError, ConnectionLostError: It was not sent as a whole.
            RequestError: It is larger than the gateway takes.
        """
        connection = self.client.connection
        self.boot_id = connection.hello.boot_id
        self.expects_response = True
        await connection.send(self.request.method, self._params, self)

    def leave_out_context(self) -> bool:
        """Send the refused message without its context from now on; return whether it had one.

        The gateway takes no context with a stop word or a command.
        """
        return not self.has_begun and self._params.pop("workContext", None) is not None

    def take(self, event: GatewayEvent) -> None:
        """Take one event of this run."""
        self.last_frame_at = self.now()
        self.awaits_continuation = False
        self._note_begin()
        self.reader.read_event(event)
        self._wake.set()

    def on_response(self, response: Response) -> bool:
        """Take one response of the request; return whether it is the last one."""
        self.last_frame_at = self.now()
        if response.error is None:
            self._note_begin()
        is_last = self.reader.read_response(response)
        is_single = self.request.method is RunMethod.CHAT_SEND
        if is_single or response.payload.get("status") == "in_flight":
            # Or the call that started the run was another one: its last response never comes here.
            self.expects_response = False
            is_last = True
        self._wake.set()
        return is_last

    def on_lost(self, _: GatewayError) -> None:
        """The call is gone with its connection, of which `on_connection_lost` tells."""

    def on_connection_lost(self) -> None:
        """The connection ended. The run goes on without us."""
        if self.lost_at is None:
            self.lost_at = self.now()
        self._wake.set()

    def follow(self, run_id: str) -> None:
        """Take the frames of the run that continues the turn.

        Raises:
            NotConnectedError: The process that continues it is gone, too.
        """
        self._followed_in = self.client.connection.hello.boot_id
        self.client.chat.adopt(run_id, self)
        self.continue_as(run_id)

    def continue_as(self, run_id: str) -> None:
        """The gateway runs the turn again as `run_id`: what it said before is void."""
        self.awaits_continuation = False
        if run_id != self.run_id:
            self.run_id = run_id
            self.reader.restart()
        self._wake.set()

    def give_up(self) -> None:
        """The gateway says no more about this run: what was said is all."""
        self.reader.stop()
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._wake.set()

    async def wait_frame(self) -> None:
        """Wait until something has happened to the run. The caller sets the limit."""
        self._wake.clear()
        await self._wake.wait()

    async def wait_while(self, condition: Callable[[], bool]) -> None:
        """Wait while `condition` holds, the run goes on and its connection lasts."""
        while condition() and self.lost_at is None and not self.reader.has_ended:
            await self.wait_frame()

    def _note_begin(self) -> None:
        self.has_begun = True
        self.refused_since = None
