"""The bare pipe and a line through it, at a gateway that behaves."""

import asyncio
from collections.abc import AsyncGenerator

from aiohttp.test_utils import TestServer
import pytest
import pytest_asyncio

from demo.bench.realtime import sound
from demo.bench.realtime.line import CHUNK, PIPE, PIPE_RATE, Line, opened
from demo.bench.realtime.pipe import PATH, Pipe
from demo.bench.realtime.sound import Opener, measure_cancels, measure_starts, utterance
from demo.process import DemoError
from tests.fakes.small_gateway import SECRET, SmallGateway

pytestmark = pytest.mark.usefixtures("socket_enabled")

OFFSETS = [0.01, 0.05]


@pytest_asyncio.fixture
async def gateway() -> AsyncGenerator[SmallGateway]:
    """Return a gateway that behaves, and is not faster than a real one."""
    async with SmallGateway(time_scale=1) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def opener(gateway: SmallGateway) -> AsyncGenerator[Opener]:
    """Return what opens lines through a pipe."""
    async with TestServer(Pipe(gateway.url, SECRET).app()) as server:
        yield lambda: opened(f"ws://127.0.0.1:{server.port}{PATH}", PIPE, rate=PIPE_RATE)


@pytest_asyncio.fixture
async def line(opener: Opener) -> AsyncGenerator[Line]:
    """Return a line through a pipe."""
    async with opener() as (line, seconds):
        assert 0 < seconds < 10
        yield line


async def test_sound_goes_up_and_an_answer_comes_down(line: Line, gateway: SmallGateway) -> None:
    """The microphone is open all the time."""
    await line.say(utterance(PIPE_RATE))
    await line.wait_heard(0.5)
    appended = gateway.talk.appended
    assert len(appended) >= 5
    stamps = [params["timestamp"] for params in appended]
    assert stamps == sorted(stamps)
    assert line.heard[0].at > line.sent_at - CHUNK


async def test_marks_are_noted_when_they_are_sent(line: Line) -> None:
    """With silence in between."""
    await line.mark(OFFSETS, apart=2)
    first, second = line.marked_at
    assert second - first > CHUNK


async def test_an_answer_is_interrupted(line: Line) -> None:
    """By the dialect of the pipe."""
    await line.say(utterance(PIPE_RATE))
    await line.wait_heard(0.01)
    assert 0 < await line.cancel() < 10


async def test_the_pipe_tells_what_it_has_used(line: Line) -> None:
    """Seconds of its process."""
    await line.tell({"type": "usage"})
    used = (await line.wait_for("usage", since=0.0)).body
    assert used["cpu"] > 0
    assert used["at"] > 0


async def test_a_line_that_is_closed_is_not_waited_for(line: Line, gateway: SmallGateway) -> None:
    """Its end is told."""
    waiting = asyncio.create_task(line.wait_heard(1_000.0))
    await gateway.stop()
    with pytest.raises(DemoError, match="A line was closed"):
        await waiting


async def test_what_does_not_come_is_told(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was waited for, and how much of it there is."""
    monkeypatch.setattr("demo.bench.realtime.line.WAIT_LIMIT", 0.01)
    with pytest.raises(DemoError, match=r"Only 0\.00 of 9\.00 seconds"):
        await line.wait_heard(9.0)
    with pytest.raises(DemoError, match=r"No audio\.clear has come"):
        await line.wait_for("audio.clear", since=0.0)


async def test_lines_are_opened_in_turns(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one of each does not count; milliseconds."""
    monkeypatch.setattr(sound, "REST", 0.0)
    monkeypatch.setattr(sound, "STARTS", 2)
    ours, pipe = await measure_starts(opener, opener)
    assert len(ours) == len(pipe) == 2
    assert all(1 < value < 10_000 for value in (*ours, *pipe))


async def test_each_interruption_is_timed(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds."""
    monkeypatch.setattr(sound, "CANCELS", 1)
    monkeypatch.setattr(sound, "BEFORE_CANCEL", 0.05)
    monkeypatch.setattr(sound, "REST", 0.05)
    (value,) = await measure_cancels(opener)
    assert 0 < value < 10_000
