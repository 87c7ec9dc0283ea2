"""A satellite of the bench, and the same at the bare pipe: an open microphone, and ears with a clock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
import time
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ...process import DemoError
from ...satellite.protocol import Options, endpoint_url, session_config
from .flow import WIDTH, Piece, marked

CHUNK: Final = 0.06
"""Seconds of sound in one message."""

PIPE_RATE: Final = 24_000
"""Samples a second at the pipe, which resamples nothing."""

WAIT_LIMIT: Final = 30.0

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was told."""

    at: float
    body: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a line says what it wants."""

    ready: str
    cancel: str
    clear: str


OURS: Final = Dialect(ready="session.ready", cancel="response.cancel", clear="audio.clear")
PIPE: Final = Dialect(ready="ready", cancel="cancel", clear="clear")


class Line:
    """A connection whose microphone is open from the beginning."""

    def __init__(self, socket: ClientConnection, dialect: Dialect, rate: int) -> None:
        """Send and take so many samples a second."""
        self.rate = rate
        self.heard: list[Piece] = []
        """The sound that has come."""

        self.sent_at = 0.0
        """When the last message of what was to be said was sent."""

        self.marked_at: list[float] = []
        """When the message of each mark was sent."""

        self._socket = socket
        self._dialect = dialect
        self._to_say: list[tuple[bytes, bool]] = []
        self._said = asyncio.Event()
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._end: str | None = None

    @property
    def heard_seconds(self) -> float:
        """How much sound has come."""
        return sum(len(piece.pcm) for piece in self.heard) / WIDTH / self.rate

    async def say(self, pcm: bytes) -> None:
        """Say something and return when it has been sent; it ends where a message ends."""
        size = round(CHUNK * self.rate) * WIDTH
        pcm = bytes(-len(pcm) % size) + pcm
        self._to_say += [(pcm[at : at + size], False) for at in range(0, len(pcm), size)]
        await self._wait_said()

    async def mark(self, offsets: list[float], *, apart: int) -> None:
        """Send marks that begin so many seconds after their message does, so many messages apart."""
        for offset in offsets:
            self._to_say.append((marked(self.rate, CHUNK, mark_at=offset), True))
            self._to_say += [(marked(self.rate, CHUNK, mark_at=None), False)] * (apart - 1)
        await self._wait_said()

    async def cancel(self) -> float:
        """Stop the answer; return the seconds until we are told so."""
        start = time.perf_counter()
        await self._socket.send(json.dumps({"type": self._dialect.cancel}))
        return (await self.wait_for(self._dialect.clear, since=start)).at - start

    async def tell(self, body: JsonObject) -> None:
        """Send an event."""
        await self._socket.send(json.dumps(body))

    async def wait_for(self, kind: str, *, since: float) -> Event:
        """Return the first event of a type that came after a time, once it is there.

        Raises:
            DemoError: It does not come.
        """
        try:
            async with asyncio.timeout(WAIT_LIMIT):
                while True:
                    for event in self._events:
                        if event.at >= since and event.body["type"] == kind:
                            return event
                    await self._wait_news()
        except TimeoutError:
            raise DemoError(f"No {kind} has come within {WAIT_LIMIT:.0f} seconds.") from None

    async def wait_heard(self, seconds: float) -> None:
        """Wait until so many seconds of sound have come in all.

        Raises:
            DemoError: They do not come.
        """
        try:
            async with asyncio.timeout(WAIT_LIMIT):
                while self.heard_seconds < seconds:
                    await self._wait_news()
        except TimeoutError:
            raise DemoError(
                f"Only {self.heard_seconds:.2f} of {seconds:.2f} seconds of sound have come."
            ) from None

    async def talk(self) -> None:
        """Send a piece of sound every `CHUNK` seconds until the socket is closed."""
        with suppress(ConnectionClosed):
            await self._talk()

    async def _talk(self) -> None:
        """Say what is to be said, else silence."""
        loop = asyncio.get_running_loop()
        silence = bytes(round(CHUNK * self.rate) * WIDTH)
        next_at = loop.time()
        while True:
            pcm, is_mark = self._to_say.pop(0) if self._to_say else (silence, False)
            at = time.perf_counter()
            await self._socket.send(pcm)
            if is_mark:
                self.marked_at.append(at)
            if pcm is not silence and not self._to_say:
                self.sent_at = at
                self._said.set()
            next_at = max(next_at + CHUNK, loop.time() - CHUNK)
            await asyncio.sleep(next_at - loop.time())

    async def listen(self) -> None:
        """Take what comes, until the socket is closed."""
        try:
            while True:
                message = await self._socket.recv()
                at = time.perf_counter()
                if isinstance(message, bytes):
                    self.heard.append(Piece(at=at, pcm=message))
                else:
                    await self._take(Event(at=at, body=json.loads(message)))
                self._news.set()
        except ConnectionClosed as err:
            said = [event.body.get("reason") for event in self._events[-2:]]
            self._end = f"A line was closed ({err}; {said})."
            self._news.set()

    async def _take(self, event: Event) -> None:
        """Note an event; nobody listens here, so an answer is heard once all of it has come."""
        self._events.append(event)
        if event.body["type"] == "audio.done":
            await self.tell({"type": "playback.done", "turnId": event.body["turnId"]})

    async def _wait_said(self) -> None:
        self._said.clear()
        async with asyncio.timeout(WAIT_LIMIT + CHUNK * len(self._to_say)):
            await self._said.wait()

    async def _wait_news(self) -> None:
        if self._end is not None:
            raise DemoError(self._end)
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def opened(
    url: str, dialect: Dialect, *, rate: int, config: JsonObject | None = None, token: str = ""
) -> AsyncGenerator[tuple[Line, float]]:
    """Open a line until the block is left; yield it, and the seconds until it was ready.

    Raises:
        DemoError: It was refused.
    """
    start = time.perf_counter()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with connect(
        url,
        additional_headers=headers,
        compression=None,
        proxy=None,
        ping_interval=None,
        max_size=None,
    ) as socket:
        line = Line(socket, dialect, rate)
        tasks = [asyncio.create_task(line.listen(), name="bench ears")]
        try:
            if config is not None:
                await line.tell(config)
            ready = await line.wait_for(dialect.ready, since=start)
            tasks.append(asyncio.create_task(line.talk(), name="bench microphone"))
            yield line, ready.at - start
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@asynccontextmanager
async def satellite(
    address: str, token: str, options: Options, *, pipeline: str | None = None
) -> AsyncGenerator[tuple[Line, float]]:
    """Open a session at Home Assistant; the rest as `opened`."""
    config = session_config(options)
    if pipeline is not None:
        config["pipeline"] = pipeline
    async with opened(
        endpoint_url(address), OURS, rate=options.rate, config=config, token=token
    ) as line:
        try:
            yield line
        finally:
            await _hang_up(line[0])


async def _hang_up(line: Line) -> None:
    """End the session, so that another one has its place."""
    start = time.perf_counter()
    try:
        await line.tell({"type": "session.end"})
        await line.wait_for("session.ended", since=start)
    except ConnectionClosed, DemoError:
        return
