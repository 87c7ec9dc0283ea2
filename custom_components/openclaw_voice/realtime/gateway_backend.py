"""The backend that answers with a speech model behind the gateway."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from ..gateway.talk import Talk
from .backend import BackendEvent, BackendInfo, BackendRequest
from .orphans import OnOrphan

type KeepTask = Callable[[Coroutine[Any, Any, None], str], object]
"""Runs what outlives a session, under a name: the entry's background task."""


class GatewayBackend:
    """Answers in one session. See `Backend`, whose methods these are."""

    def __init__(
        self,
        talk: Talk,
        request: BackendRequest,
        *,
        on_orphan: OnOrphan,
        keep_task: KeepTask,
    ) -> None:
        """Nothing happens before `start`.

        Args:
            talk: Of the gateway's client.
            request: What the session is to be like.
            on_orphan: Called for each question the agent works on when the session is closed.
            keep_task: Runs what lets the agent finish such a question.
        """

    async def start(self) -> BackendInfo:
        """Connect; see `Backend.start`."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[BackendEvent]:
        """See `Backend.events`."""
        raise NotImplementedError

    def append_audio(self, pcm: bytes) -> None:
        """See `Backend.append_audio`."""

    def commit(self) -> None:
        """See `Backend.commit`."""

    def interrupt(self, heard: float) -> None:
        """See `Backend.interrupt`."""

    def played(self, mark: str) -> None:
        """See `Backend.played`."""

    def drained(self) -> None:
        """See `Backend.drained`."""

    def respond(self) -> None:
        """See `Backend.respond`: the speech model decides."""

    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """See `Backend.steer`."""
        raise NotImplementedError

    async def tool_result(self, call_id: str, output: str) -> None:
        """See `Backend.tool_result`."""

    async def close(self) -> None:
        """See `Backend.close`."""
