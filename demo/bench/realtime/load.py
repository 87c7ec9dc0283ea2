"""What sixteen satellites cost Home Assistant's process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
import time
from typing import Any, Final

from ...client import HomeAssistantClient
from ...process import DemoError
from ...satellite.protocol import Options
from .figures import SESSIONS, Load
from .line import WAIT_LIMIT, Line, satellite
from .sound import ANSWER_SECONDS, utterance

RATE: Final = 16_000
IDLE: Final = 6.0
OPEN: Final = 15.0
SETTLE: Final = 2.0
ROUNDS: Final = 2
POLL: Final = 0.1

type Usage = Mapping[str, Any]


async def measure_load(home: HomeAssistantClient) -> Load:
    """Have sixteen satellites come, talk and go, twice; the first time is to warm up.

    Raises:
        DemoError: One of them was refused, or not answered.
    """
    async with _satellites(home) as lines:
        await _converse(lines)
    await _wait_gone(home)
    await asyncio.sleep(SETTLE)
    before = await _usage(home)
    await asyncio.sleep(IDLE)
    idle = await _usage(home)
    memory = []
    async with _satellites(home) as lines:
        await asyncio.sleep(SETTLE)
        begun = await _usage(home)
        await asyncio.sleep(OPEN)
        ended = await _usage(home)
        memory.append(_megabytes(idle, ended))
        await home.call("loop_probe/start_frames")
        for _ in range(ROUNDS):
            await _converse(lines)
        frames = await home.call("loop_probe/stop_frames")
        memory.append(_megabytes(idle, await _usage(home)))
    await _wait_gone(home)
    if not frames["up"] or not frames["down"]:
        raise DemoError("The probe in Home Assistant has not seen the sound pass.")
    return Load(
        idle_percent=_percent(before, idle),
        busy_percent=_percent(begun, ended),
        up=frames["up"],
        down=frames["down"],
        memory_mb=memory,
    )


@asynccontextmanager
async def _satellites(home: HomeAssistantClient) -> AsyncGenerator[list[Line]]:
    """Open sixteen sessions until the block is left."""
    async with AsyncExitStack() as stack:
        lines = []
        for number in range(SESSIONS):
            options = Options(
                rate=RATE, satellite_id=f"bench-{number}", name=f"Bench {number}", backend="gateway"
            )
            line, _ = await stack.enter_async_context(satellite(home.url, home.token, options))
            lines.append(line)
        yield lines


async def _converse(lines: list[Line]) -> None:
    """Let all of them ask something at once and hear all of the answer."""
    await asyncio.gather(*(_ask(line) for line in lines))


async def _ask(line: Line) -> None:
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


async def _usage(home: HomeAssistantClient) -> Usage:
    found: Usage = await home.call("loop_probe/usage")
    return found


def _percent(start: Usage, end: Usage) -> float:
    return float((end["cpu"] - start["cpu"]) / (end["at"] - start["at"]) * 100)


def _megabytes(start: Usage, end: Usage) -> float:
    """Return how much memory one session takes."""
    return float((end["memory"] - start["memory"]) / SESSIONS / 1e6)
