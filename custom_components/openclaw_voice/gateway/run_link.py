"""The link to one run on the gateway: sends its request, collects its frames, wakes who waits.

Knows nothing of patience and of getting a run back; that is `chat_run` and `run_recovery`.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .errors import GatewayError
from .frames import GatewayEvent, JsonObject, Response
from .run_reader import RunReader
from .run_request import RunRequest

if TYPE_CHECKING:
    from .client import GatewayClient


class RunLink:
    """What is known of one run, and of the way to it."""

    def __init__(self, client: GatewayClient, request: RunRequest, params: JsonObject) -> None:
        """Nothing is sent before `send`; it sends `params`, the same every time."""
        self.client: Final = client
        self.request: Final = request
        self.reader: Final = RunReader()
        self.run_id = request.run_id
        """The id the gateway runs it under now."""

        self.boot_id: str | None = None
        """The process of the gateway that was sent the request last."""

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

        self._params = params
        self._wake = asyncio.Event()
        self._clock = asyncio.get_running_loop().time

    @property
    def session_key(self) -> str:
        """The session the run belongs to."""
        return self.request.session_key

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
        await connection.send("agent", self._params, self)

    def take(self, event: GatewayEvent) -> None:
        """Take one event of this run."""
        self.last_frame_at = self.now()
        self.awaits_continuation = False
        self._note_begin()
        self.reader.read_event(event)
        self._wake.set()

    def on_response(self, response: Response) -> bool:
        """Take one response of the `agent` call; return whether it is the last one."""
        self.last_frame_at = self.now()
        if response.error is None:
            self._note_begin()
        is_last = self.reader.read_response(response)
        if response.payload.get("status") == "in_flight":
            # The call that started the run was another one; its last response never comes here.
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

    def continue_as(self, run_id: str) -> None:
        """The gateway runs the turn again as `run_id`: what it said before is void."""
        self.awaits_continuation = False
        if run_id != self.run_id:
            self.run_id = run_id
            self.reader.restart()
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
