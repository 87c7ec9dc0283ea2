"""What sixteen satellites cost Home Assistant's process, and as many lines the bare pipe's."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
import time
from typing import Any, Final

from ...client import HomeAssistantClient
from ...process import DemoError
from ...satellite.protocol import Options
from ...voice.provider_session import SpeechModel
from .figures import SESSIONS, Load
from .line import PIPE, PIPE_RATE, WAIT_LIMIT, Line, opened, satellite
from .sound import ANSWER_SECONDS, utterance

RATE: Final = 16_000
IDLE: Final = 10.0
OPEN: Final = 15.0
LISTEN: Final = 10.0
SETTLE: Final = 2.0
APART: Final = 0.1
"""Seconds from one question to the next: all answers play at the same time, for the most part."""

ROUNDS: Final = 2
SPEED: Final = 2.0
"""How many times faster than it is heard answers come. Alone they may come faster; sixteen would only
keep the provider and the gateway busy."""

POLL: Final = 0.1

type Usage = Mapping[str, Any]


async def measure_load(home: HomeAssistantClient, model: SpeechModel, pipe_url: str) -> Load:
    """Have sixteen satellites come, talk and go, then as many lines of the pipe.

    Raises:
        DemoError: One of them was refused, or not answered.
    """
    model.speed = SPEED
    # What the first session of all brings with it is not for each of them.
    async with _satellites(home, 1) as lines:
        await _converse(lines)
    await _wait_gone(home)
    await asyncio.sleep(SETTLE)
    before = await _usage(home)
    await asyncio.sleep(IDLE)
    idle = await _usage(home)
    async with _satellites(home, SESSIONS) as lines:
        await asyncio.sleep(SETTLE)
        begun = await _usage(home)
        await asyncio.sleep(OPEN)
        ended = await _usage(home)
        await home.call("loop_probe/start_frames")
        await asyncio.sleep(LISTEN)
        up = (await home.call("loop_probe/stop_frames"))["up"]
        await home.call("loop_probe/start_frames")
        for _ in range(ROUNDS):
            await _converse(lines)
        down = (await home.call("loop_probe/stop_frames"))["down"]
        last = await _usage(home)
    await _wait_gone(home)
    if not up or not down:
        raise DemoError("The probe in Home Assistant has not seen the sound pass.")
    return Load(
        idle_percent=_percent(before, idle),
        busy_percent=_percent(begun, ended),
        pipe_percent=await _pipe_percent(pipe_url),
        up=up,
        down=down,
        memory_mb=[_megabytes(idle, ended), _megabytes(idle, last)],
    )


@asynccontextmanager
async def _satellites(home: HomeAssistantClient, count: int) -> AsyncGenerator[list[Line]]:
    """Open so many sessions until the block is left."""
    async with AsyncExitStack() as stack:
        lines = []
        for number in range(count):
            options = Options(
                rate=RATE, satellite_id=f"bench-{number}", name=f"Bench {number}", backend="gateway"
            )
            line, _ = await stack.enter_async_context(satellite(home.url, home.token, options))
            lines.append(line)
        yield lines


async def _converse(lines: list[Line]) -> None:
    """Let all of them ask something and hear all of the answer, side by side."""
    await asyncio.gather(*(_ask(line, APART * number) for number, line in enumerate(lines)))


async def _ask(line: Line, wait: float) -> None:
    await asyncio.sleep(wait)
    heard, start = line.heard_seconds, time.perf_counter()
    await line.say(utterance(line.rate))
    await line.wait_heard(heard + ANSWER_SECONDS - 0.01)
    await line.wait_for("audio.done", since=start)


async def _wait_gone(home: HomeAssistantClient) -> None:
    """Wait until Home Assistant has no session any more.

    Raises:
        DemoError: That takes too long.
    """
    try:
        async with asyncio.timeout(WAIT_LIMIT):
            while (await home.call("openclaw_voice/realtime/sessions"))["sessions"]:
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise DemoError("Sessions are left whose satellites have gone.") from None


async def _pipe_percent(url: str) -> float:
    """Return what as many microphones cost the process of the pipe."""
    async with AsyncExitStack() as stack:
        lines = []
        for _ in range(SESSIONS):
            line, _ = await stack.enter_async_context(opened(url, PIPE, rate=PIPE_RATE))
            lines.append(line)
        usages = []
        for wait in (SETTLE, OPEN):
            await asyncio.sleep(wait)
            start = time.perf_counter()
            await lines[0].tell({"type": "usage"})
            usages.append((await lines[0].wait_for("usage", since=start)).body)
        return _percent(usages[0], usages[1])


async def _usage(home: HomeAssistantClient) -> Usage:
    found: Usage = await home.call("loop_probe/usage")
    return found


def _percent(start: Usage, end: Usage) -> float:
    return float((end["cpu"] - start["cpu"]) / (end["at"] - start["at"]) * 100)


def _megabytes(start: Usage, end: Usage) -> float:
    """Return how much memory one session takes."""
    return float((end["memory"] - start["memory"]) / SESSIONS / 1e6)
