"""What the probe makes of sound on its way through Home Assistant's process."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast
from unittest.mock import AsyncMock, patch

from aiohttp import web
import pytest

from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.talk_outgoing import TalkOutgoing
from custom_components.openclaw_voice.realtime.audio import AudioFormat
from custom_components.openclaw_voice.realtime.playback import Playback
from demo.bench.loop_probe.frame_timer import AHEAD, FrameTimer

FORMAT = AudioFormat(16_000)


class Unplugged(Connection):
    """Sends into nothing."""

    def __init__(self) -> None:
        self._ended = asyncio.get_running_loop().create_future()


@pytest.fixture
def send() -> Iterator[AsyncMock]:
    """Stand in for what writes to the gateway."""
    with patch.object(Connection, "send", AsyncMock(return_value="r1")) as send:
        yield send


async def test_a_piece_of_the_microphone_is_timed_until_it_is_written(send: AsyncMock) -> None:
    """Each one once, known by its session and its time."""
    sent = asyncio.Event()
    send.side_effect = lambda *_: sent.set() if send.await_count == 2 else None
    timer = FrameTimer()
    timer.start()
    outgoing = TalkOutgoing(Unplugged(), "session", lambda _: None)
    running = asyncio.create_task(outgoing.run())
    for number in range(3):
        outgoing.append(FORMAT.silence(0.06), 0.06 * number)
    async with asyncio.timeout(5):
        await sent.wait()
    running.cancel()
    found = timer.stop()
    assert len(found["up"]) == 3
    assert all(0 <= seconds < 1 for seconds in found["up"])
    assert timer.stop() == found


class Writer:
    """Sends what is due at times that a test says, to a socket that takes a moment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.delay = 0.0
        self.playback = Playback(FORMAT, max_ahead=AHEAD, bound=60.0)
        monkeypatch.setattr("demo.bench.loop_probe.frame_timer.time.monotonic", lambda: self.now)

    async def write(self) -> None:
        """Send what is due."""
        socket = cast("Any", object())
        for chunk in self.playback.due(self.now):
            self.now += self.delay
            await web.WebSocketResponse.send_bytes(socket, chunk.pcm)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Return a writer at a socket that takes everything."""
    with patch.object(web.WebSocketResponse, "send_bytes", AsyncMock()):
        yield Writer(monkeypatch)


async def test_what_is_sent_when_it_is_due_is_not_late(writer: Writer) -> None:
    """At first as much as the satellite holds, then a piece whenever there is room."""
    timer = FrameTimer()
    timer.start()
    writer.playback.push("turn-1", FORMAT.silence(0.6))
    await writer.write()
    for _ in range(5):
        writer.now = writer.playback.next_due(writer.now) or 0.0
        await writer.write()
    down = timer.stop()["down"]
    assert len(down) == 15
    assert max(map(abs, down)) < 1e-6


async def test_what_is_sent_later_is_late(writer: Writer) -> None:
    """By the time since there was room for it, with what the socket took."""
    timer = FrameTimer()
    timer.start()
    writer.playback.push("turn-1", FORMAT.silence(0.44))
    await writer.write()
    writer.now += 0.07
    writer.delay = 0.01
    await writer.write()
    assert timer.stop()["down"][-1] == pytest.approx(0.04)


async def test_what_came_late_is_not_ours(writer: Writer) -> None:
    """A piece is due only when all of it is here; after an interruption all begins anew."""
    timer = FrameTimer()
    timer.start()
    for cut in (writer.playback.clear, writer.playback.done):
        writer.playback.push("turn-1", FORMAT.silence(0.4))
        await writer.write()
        writer.now += 5.0
        writer.playback.push("turn-1", FORMAT.silence(0.04))
        await writer.write()
        cut(writer.now)
    writer.playback.push("turn-2", FORMAT.silence(0.4))
    await writer.write()
    assert max(timer.stop()["down"]) == pytest.approx(0.0)


async def test_nothing_is_replaced_afterwards(send: AsyncMock) -> None:
    """The probe costs nothing while nobody measures."""
    before = TalkOutgoing.append, Connection.send, Playback.due, web.WebSocketResponse.send_bytes
    timer = FrameTimer()
    timer.start()
    assert TalkOutgoing.append is not before[0]
    timer.stop()
    after = TalkOutgoing.append, Connection.send, Playback.due, web.WebSocketResponse.send_bytes
    assert after == before
