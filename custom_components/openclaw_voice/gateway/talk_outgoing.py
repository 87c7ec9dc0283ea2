"""What a realtime voice session sends all the time: sound, and which sound has been heard."""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Final, override

from .connection import Connection
from .errors import GatewayError
from .frames import MILLISECONDS, JsonObject, Response
from .talk_items import TALK_RATE

MAX_UNANSWERED: Final = 4
"""Pieces of sound the gateway may owe an answer for. Source: the gateway's reference client."""

MAX_WAITING: Final = 2.0
"""Seconds of sound that may wait to be sent; the oldest is dropped then.

The gateway takes none for a second while it stops an answer.
"""

MAX_MARKS: Final = 256
"""Acknowledgements that may wait; a later one says as much as the earlier ones."""

MAX_REFUSED: Final = 8
"""Refused pieces of sound in a row after which the session counts as lost."""

_BYTES_PER_SECOND: Final = 2 * TALK_RATE


class TalkOutgoing:
    """Sends in order, a few at a time. Never makes its caller wait."""

    def __init__(
        self, connection: Connection, session_id: str, on_refused: Callable[[GatewayError], None]
    ) -> None:
        """`on_refused` is called when the gateway takes no sound any more."""
        self.dropped = 0.0
        """Seconds of sound that were not sent."""

        self._connection = connection
        self._session_id = session_id
        self._on_refused = on_refused
        self._audio: deque[tuple[bytes, float]] = deque()
        self._waiting = 0.0
        self._marks: deque[str] = deque(maxlen=MAX_MARKS)
        self._unanswered = 0
        self._refused = 0
        self._news = asyncio.Event()

    def append(self, pcm: bytes, at: float) -> None:
        """Send sound; `at` is when its first sample was heard, in seconds on a clock that only runs."""
        if not pcm:
            return
        self._audio.append((pcm, at))
        self._waiting += _seconds(pcm)
        while self._waiting > MAX_WAITING and len(self._audio) > 1:
            self.dropped += self._take_audio()[2]
        self._news.set()

    def acknowledge(self, mark: str) -> None:
        """Say that the sound before a mark has been heard."""
        self._marks.append(mark)
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            GatewayError: The connection has ended.
        """
        while True:
            while self._marks:
                heard = {"markName": self._marks.popleft()}
                await self._send("talk.session.acknowledgeMark", heard, _Unheeded())
            if self._audio and self._unanswered < MAX_UNANSWERED:
                pcm, at, _ = self._take_audio()
                self._unanswered += 1
                params: JsonObject = {
                    "audioBase64": b64encode(pcm).decode(),
                    "timestamp": round(at * MILLISECONDS),
                }
                await self._send("talk.session.appendAudio", params, _Appended(self))
                continue
            self._news.clear()
            await self._news.wait()

    def on_answer(self, response: Response) -> None:
        """The gateway has answered a piece of sound."""
        self._unanswered -= 1
        self._news.set()
        if response.error is None:
            self._refused = 0
            return
        self._refused += 1
        if self._refused == MAX_REFUSED:
            self._on_refused(response.error.as_request_error())

    def _take_audio(self) -> tuple[bytes, float, float]:
        """Return the oldest sound that waits, when it was heard, and its length in seconds."""
        pcm, at = self._audio.popleft()
        self._waiting -= _seconds(pcm)
        return pcm, at, _seconds(pcm)

    async def _send(self, method: str, params: JsonObject, listener: _Unheeded) -> None:
        params = {"sessionId": self._session_id} | params
        await self._connection.send(method, params, listener)


class _Unheeded:
    """Takes an answer nobody waits for."""

    def on_response(self, _: Response) -> bool:
        """Take it."""
        return True

    def on_lost(self, error: GatewayError) -> None:
        """The connection has ended, which the session learns by itself."""


class _Appended(_Unheeded):
    """Takes the answer to a piece of sound."""

    def __init__(self, outgoing: TalkOutgoing) -> None:
        """Tell `outgoing`."""
        self._outgoing = outgoing

    @override
    def on_response(self, response: Response) -> bool:
        """Tell that there is room for another one."""
        self._outgoing.on_answer(response)
        return True


def _seconds(pcm: bytes) -> float:
    return len(pcm) / _BYTES_PER_SECOND
