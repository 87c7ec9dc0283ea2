"""The chat capability: starts runs, knows the live ones, gives them their frames.

The client owns runs; a turn attaches to one. Leaving the turn aborts its run, unless it was
detached. A run interrupts the attached one before it in its session and leaves detached ones alone;
runs of different sessions are independent.
"""

import asyncio
from dataclasses import dataclass
import logging
from typing import TYPE_CHECKING, Final

from .chat_run import ChatRun
from .errors import GatewayError
from .frames import GatewayEvent, as_text
from .recent import Recent
from .run_link import RunLink
from .run_request import DETACHED, Attachment, Patience, RunMethod, RunRequest
from .unasked_message import INJECTED

if TYPE_CHECKING:
    from .client import GatewayClient

_LOGGER = logging.getLogger(__name__)

ENDING_LIMIT: Final = 5.0
"""Seconds a new run waits for the end of those it interrupts, or that are being aborted."""

MAX_FOLLOWED: Final = 1_000
"""Ids of runs that are remembered after their end."""

STOP_LIMIT: Final = 2.0
"""Seconds to abort what is attached when the client stops."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ending:
    """A run that is being aborted: nobody listens to it any more, or another one interrupts it."""

    run: ChatRun
    done: asyncio.Event


class Chat:
    """Starts runs and routes their frames."""

    def __init__(self, client: GatewayClient) -> None:
        """Work through the connections of `client`."""
        self._client = client
        self._runs: dict[str, ChatRun] = {}
        self._endings: set[_Ending] = set()
        self._followed: Recent[None] = Recent(MAX_FOLLOWED)

    def start(
        self,
        *,
        session_key: str,
        message: str,
        instructions: str | None = None,
        method: RunMethod = RunMethod.AGENT,
        thinking: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        work_context: str | None = None,
        patience: Patience | None = None,
    ) -> ChatRun:
        """Return a run that starts when its `async with` block is entered.

        Args:
            session_key: As `agent:<agentId>:<rest>`, lower case.
            message: What the user said.
            instructions: Appended to the agent's system prompt for this run (`RunMethod.AGENT`).
            method: How it is started.
            thinking: The level for this run; the session's own when None.
            attachments: Files that go with the message.
            work_context: Told the agent as data (`RunMethod.CHAT_SEND`), at most 640 characters.
            patience: How long to wait; the default limits when None.
        """
        request = RunRequest(
            session_key=session_key,
            message=message,
            instructions=instructions,
            method=method,
            thinking=thinking,
            attachments=attachments,
            work_context=work_context,
        )
        return ChatRun(self._client, request, patience or Patience())

    def resume(
        self,
        *,
        session_key: str,
        run_id: str,
        method: RunMethod = RunMethod.AGENT,
        patience: Patience | None = None,
    ) -> ChatRun:
        """Return a run that was started earlier, maybe by another process of ours; it is detached.

        Entering it sends nothing and waits for nothing; iterating it finds it. What it says comes
        as one message at its end, which is the whole answer.

        Args:
            session_key: That of its start.
            run_id: The last one known; the gateway may continue it under another id.
            method: How it was started.
            patience: As for `ChatRun.detach`.
        """
        request = RunRequest(session_key=session_key, message="", method=method, run_id=run_id)
        run = ChatRun(self._client, request, patience or DETACHED, is_resumed=True)
        run.detach(patience)
        return run

    @property
    def live_runs(self) -> int:
        """Number of runs that have not ended."""
        return len(set(self._runs.values()))

    def has_followed(self, run_id: str) -> bool:
        """Tell whether a run is, or was, one of ours: whatever it said was handed out."""
        return run_id in self._runs or run_id in self._followed

    def take(self, event: GatewayEvent) -> None:
        """Give one `chat` or `agent` event to the run it belongs to, if it is one of ours."""
        run_id = as_text(event.payload.get("runId"))
        if run_id is None:
            return
        run = self._runs.get(run_id) or self._adopter_of(run_id, event)
        if run is None:
            return
        run.link.take(event)
        if run.is_detached and run.link.reader.has_ended:
            self.unregister(run)  # Maybe nobody iterates it any more.

    def take_question(self, event: GatewayEvent) -> None:
        """Give a question to the run that waits for its answer, if that is one of ours."""
        run = self._runs.get(as_text(event.payload.get("runId")) or "")
        if run is not None:
            run.link.take(event)

    def register(self, run: ChatRun) -> None:
        """Route the frames of `run` to it. Before the request: frames may overtake it."""
        self._route(run.run_id, run)

    def adopt(self, run_id: str, link: RunLink) -> None:
        """Route the frames of `run_id`, too, to the live run of `link`."""
        self._route(run_id, self._runs[link.run_id])

    def others(self, link: RunLink) -> frozenset[str]:
        """Return the ids of the runs that are not the one of `link`."""
        return frozenset(run_id for run_id, run in self._runs.items() if run.link is not link)

    def unregister(self, run: ChatRun) -> None:
        """Forget every id of `run`."""
        self._runs = {run_id: other for run_id, other in self._runs.items() if other is not run}

    def on_connection_lost(self) -> None:
        """Tell every live run that its connection ended."""
        for run in set(self._runs.values()):
            run.link.on_connection_lost()

    async def make_room(self, session_key: str) -> None:
        """Interrupt the attached runs of a session; wait for their ends within `ENDING_LIMIT`.

        Of several that begin at once the last one stays.
        """
        try:
            async with asyncio.timeout(ENDING_LIMIT):
                self._interrupt(session_key)
                while ending := self._ending_in(session_key):
                    await ending.done.wait()
                    self._interrupt(session_key)
        except TimeoutError:
            _LOGGER.debug("A run does not end; going on")

    def abandon(self, run: ChatRun) -> None:
        """Abort a run without holding up the caller; then forget it."""
        ending = _Ending(run, asyncio.Event())
        self._endings.add(ending)
        if not self._client.spawn(self._end(ending), name=f"openclaw abort {run.run_id}"):
            self._forget(ending)

    async def abort_all(self) -> None:
        """Abort every attached run, within `STOP_LIMIT`: nobody will hear them."""
        attached = {run for run in self._runs.values() if not run.is_detached}
        if attached:
            try:
                async with asyncio.timeout(STOP_LIMIT), asyncio.TaskGroup() as tasks:
                    for run in attached:
                        tasks.create_task(_abort_quietly(run))
            except TimeoutError:
                _LOGGER.debug("Not every run was aborted in time")

    async def _end(self, ending: _Ending) -> None:
        try:
            await _abort_quietly(ending.run)
        finally:
            self._forget(ending)

    def _forget(self, ending: _Ending) -> None:
        self.unregister(ending.run)
        # Whoever still iterates it must not wait for what does not come any more.
        ending.run.link.give_up()
        self._endings.discard(ending)
        ending.done.set()

    def _interrupt(self, session_key: str) -> None:
        for run in set(self._runs.values()):
            is_over = run.is_detached or run.link.reader.has_ended
            if run.session_key == session_key and not is_over:
                run.interrupt()

    def _ending_in(self, session_key: str) -> _Ending | None:
        return next((end for end in self._endings if end.run.session_key == session_key), None)

    def _route(self, run_id: str, run: ChatRun) -> None:
        self._runs[run_id] = run
        self._followed.setdefault(run_id, None)

    def _adopter_of(self, run_id: str, event: GatewayEvent) -> ChatRun | None:
        """Return the interrupted run that the gateway continues as `run_id`."""
        if run_id.startswith(INJECTED):
            return None
        session_key = event.payload.get("sessionKey")
        for run in self._runs.values():
            link = run.link
            if link.awaits_continuation and run.session_key == session_key:
                self._route(run_id, run)
                link.continue_as(run_id)
                return run
        return None


async def _abort_quietly(run: ChatRun) -> None:
    try:
        await run.abort()
    except GatewayError as err:
        _LOGGER.debug("Run %s was not aborted: %s", run.run_id, err.category)
