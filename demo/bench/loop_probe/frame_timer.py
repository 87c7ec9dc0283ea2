"""Times sound on its way through this process, by standing in for what takes and hands it on.

Up: from the end of a piece of the microphone's sound in our hands until it is written to the gateway.
Down: from when a piece of an answer was due until it is written to its satellite.
"""

from collections import deque
from contextlib import ExitStack
import time
from typing import Final
from unittest.mock import patch

from aiohttp import web

from custom_components.openclaw_voice.gateway.connection import Connection, ResponseListener
from custom_components.openclaw_voice.gateway.frames import JsonObject
from custom_components.openclaw_voice.gateway.talk_outgoing import TalkOutgoing
from custom_components.openclaw_voice.realtime.playback import Chunk, Cleared, Playback

APPEND: Final = "talk.session.appendAudio"
AHEAD: Final = 0.4
"""Seconds that the bench's satellites hold."""

CHUNK: Final = 0.04
"""Seconds of a piece for which there has to be room."""

BYTES_PER_SECOND: Final = 32_000
"""Of the bench's satellites."""


class FrameTimer:
    """Notes how late each piece is, while somebody measures. Seconds."""

    def __init__(self) -> None:
        """Nothing is timed yet."""
        self._stack: ExitStack | None = None
        self._up: list[float] = []
        self._down: list[float] = []

    def start(self) -> None:
        """Time from now on, and forget what was timed before."""
        self.stop()
        self._up, self._down = [], []
        self._stack = ExitStack()
        self._time_up(self._stack)
        self._time_down(self._stack)

    def stop(self) -> dict[str, list[float]]:
        """Time no longer and return how late each piece was."""
        if self._stack is not None:
            self._stack.close()
            self._stack = None
        return {"up": self._up, "down": self._down}

    def _time_up(self, stack: ExitStack) -> None:
        append, send = TalkOutgoing.append, Connection.send
        taken: dict[tuple[str, int], float] = {}

        def timed_append(outgoing: TalkOutgoing, pcm: bytes, at: float) -> None:
            session_id = outgoing._session_id  # noqa: SLF001 - it tells nobody
            taken[session_id, round(at * 1000)] = time.monotonic()
            append(outgoing, pcm, at)

        async def timed_send(
            connection: Connection, method: str, params: JsonObject, listener: ResponseListener
        ) -> str:
            request_id = await send(connection, method, params, listener)
            if method == APPEND:
                since = taken.pop((params["sessionId"], params["timestamp"]), None)
                if since is not None:
                    self._up.append(time.monotonic() - since)
            return request_id

        stack.enter_context(patch.object(TalkOutgoing, "append", timed_append))
        stack.enter_context(patch.object(Connection, "send", timed_send))

    def _time_down(self, stack: ExitStack) -> None:
        push, due, clear, done = Playback.push, Playback.due, Playback.clear, Playback.done
        send_bytes = web.WebSocketResponse.send_bytes
        schedules: dict[Playback, _Schedule] = {}
        sending: dict[int, tuple[bytes, float]] = {}

        def timed_push(
            playback: Playback, turn_id: str, pcm: bytes, mark: str | None = None
        ) -> bool:
            schedules.setdefault(playback, _Schedule()).push(len(pcm), time.monotonic())
            return push(playback, turn_id, pcm, mark)

        def timed_due(playback: Playback, now: float) -> tuple[Chunk, ...]:
            chunks = due(playback, now)
            schedule = schedules.setdefault(playback, _Schedule())
            for chunk in chunks:
                # Kept, so that no other object can have its id.
                sending[id(chunk.pcm)] = chunk.pcm, schedule.take(len(chunk.pcm), now)
            return chunks

        def timed_clear(playback: Playback, now: float) -> Cleared:
            schedules.pop(playback, None)
            return clear(playback, now)

        def timed_done(playback: Playback, now: float, turn_id: str | None = None) -> None:
            schedules.setdefault(playback, _Schedule()).drained(now)
            done(playback, now, turn_id)

        async def timed_send_bytes(
            socket: web.WebSocketResponse, data: bytes, compress: int | None = None
        ) -> None:
            await send_bytes(socket, data, compress)
            if (found := sending.pop(id(data), None)) is not None:
                self._down.append(time.monotonic() - found[1])

        for name, stand_in in (
            ("push", timed_push),
            ("due", timed_due),
            ("clear", timed_clear),
            ("done", timed_done),
        ):
            stack.enter_context(patch.object(Playback, name, stand_in))
        stack.enter_context(patch.object(web.WebSocketResponse, "send_bytes", timed_send_bytes))


class _Schedule:
    """When the pieces of one satellite are due, by what was pushed and what it holds."""

    def __init__(self) -> None:
        """Nothing was pushed."""
        self._pushed: deque[tuple[int, float]] = deque()
        self._plays_until = 0.0

    def push(self, size: int, now: float) -> None:
        """Note when sound came."""
        self._pushed.append((size, now))

    def drained(self, now: float) -> None:
        """Note that the satellite has heard everything it was sent."""
        self._plays_until = min(self._plays_until, now)

    def take(self, size: int, now: float) -> float:
        """Return when the next piece was due: when there was room for it, and all of it was here."""
        came, left = 0.0, size
        while left > 0 and self._pushed:
            there, came = self._pushed.popleft()
            if there > left:
                self._pushed.appendleft((there - left, came))
            left -= there
        due = max(came, self._plays_until + CHUNK - AHEAD)
        self._plays_until = max(now, self._plays_until) + size / BYTES_PER_SECOND
        return due
