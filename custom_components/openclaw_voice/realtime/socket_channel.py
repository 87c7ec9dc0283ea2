"""Writes to the WebSocket of one satellite: in order, within bounds, never making anybody wait."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp import web
from homeassistant.helpers.json import json_dumps

from .audio import AudioFormat
from .protocol import DEFAULT_SAMPLE_RATE, RULES, Reason
from .server_events import AudioClear, AudioDelta, ServerEvent, build
from .session_config import AudioConfig, Transport
from .session_output import BOUND

MAX_EVENTS: Final = 512
"""Events that may wait for a satellite: one that lets more come together reads too slowly."""

MAX_AUDIO: Final = 5.0
"""Seconds of audio that may wait here; the pacing is done before."""

SLOW_LIMIT: Final = 10.0
"""Seconds that one message may take to be sent."""

type Item = ServerEvent | bytes


class SocketChannel:
    """See `Channel`. `run` is a task of the socket."""

    def __init__(self, socket: web.WebSocketResponse, on_slow: Callable[[], None]) -> None:
        """Call `on_slow` when the satellite reads too slowly."""
        self._socket = socket
        self._on_slow = on_slow
        self._items: deque[Item] = deque()
        self._events = 0
        self._audio_bytes = 0
        self._dropped_bytes = 0
        self._reason: Reason | None = None
        self._wake = asyncio.Event()
        self.use(AudioConfig(sample_rate=DEFAULT_SAMPLE_RATE))

    @property
    def dropped(self) -> float:
        """Seconds of audio that were dropped."""
        return self._dropped_bytes / self._format.size(1)

    def use(self, audio: AudioConfig) -> None:
        """Send audio as a satellite wants it."""
        self._format = AudioFormat(audio.sample_rate)
        self._is_binary = audio.transport is Transport.BINARY
        # Without pacing a whole answer comes at once.
        self._bound = self._format.size(MAX_AUDIO if audio.max_ahead else BOUND)

    def send(self, event: ServerEvent) -> None:
        """Send an event; it is never dropped."""
        if self._reason is not None:
            return
        if isinstance(event, AudioClear):
            self._forget_audio()
        self._items.append(event)
        self._events += 1
        self._wake.set()
        if self._events > MAX_EVENTS:
            self._on_slow()

    def send_audio(self, pcm: bytes) -> None:
        """Send audio, unless too much waits."""
        if self._reason is not None:
            return
        if self._audio_bytes + len(pcm) > self._bound:
            self._dropped_bytes += len(pcm)
            return
        self._items.append(pcm)
        self._audio_bytes += len(pcm)
        self._wake.set()

    def close(self, reason: Reason) -> None:
        """Send what waits, then hang up."""
        if self._reason is None:
            self._reason = reason
            self._wake.set()

    async def run(self) -> None:
        """Write until the socket is closed."""
        with suppress(ConnectionError):
            while self._reason is None or self._items:
                self._wake.clear()
                while self._items:
                    try:
                        async with asyncio.timeout(SLOW_LIMIT):
                            await self._write(self._items.popleft())
                    except TimeoutError:
                        self._on_slow()
                        self.close(Reason.SLOW_CONSUMER)
                        return
                if self._reason is None:
                    await self._wake.wait()
            await self._socket.close(code=RULES[self._reason].close, message=self._reason.encode())

    async def _write(self, item: Item) -> None:
        if not isinstance(item, bytes):
            self._events -= 1
            await self._socket.send_str(json_dumps(build(item)))
            return
        self._audio_bytes -= len(item)
        if self._is_binary:
            await self._socket.send_bytes(item)
        else:
            await self._socket.send_str(json_dumps(build(AudioDelta(pcm=item))))

    def _forget_audio(self) -> None:
        """What waits is not to be heard any more."""
        self._items = deque(item for item in self._items if not isinstance(item, bytes))
        self._audio_bytes = 0
