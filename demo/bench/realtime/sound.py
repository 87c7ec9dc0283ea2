"""Times sound on its way, both ways, interrupts answers, and opens sessions: ours beside the pipe's."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
import time
from typing import Final

from ...process import DemoError
from ...voice.speech_model import tone
from .figures import Way
from .flow import Flow, Piece, from_gateway, from_provider, marks_at, to_gateway, to_provider
from .line import Line
from .tap import Taken, Tap

MARKS: Final = 120
OFFSETS: Final = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
APART: Final = 4
"""Messages from one mark to the next."""

ANSWERS: Final = 5
CANCELS: Final = 10
STARTS: Final = 12
ANSWER: Final = "a" * 100
"""What the provider says: with its instant voice, 6 seconds."""

ANSWER_SECONDS: Final = 6.0
PROVIDER_RATE: Final = 24_000
UTTERANCE: Final = 0.3
REST: Final = 0.5
"""Seconds until what was still on its way has come."""

BEFORE_CANCEL: Final = 0.4

type Opener = Callable[[], AbstractAsyncContextManager[tuple[Line, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """Where is noted what passes."""

    ours: Tap
    """Between Home Assistant and the gateway."""

    pipe: Tap
    """Between the pipe and the gateway."""

    provider: Tap
    """Between the gateway and the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A line, and what has passed on its behalf."""

    line: Line
    to_gateway: Taken
    to_provider: Taken


async def measure_ways(taps: Taps, ours: Opener, pipe: Opener) -> tuple[Way, Way]:
    """Time marks of the microphone, then answers, on two lines at a time.

    Raises:
        DemoError: Sound was lost.
    """
    async with AsyncExitStack() as stack:
        lines = (
            await _open(stack, ours, taps.ours, taps.provider),
            await _open(stack, pipe, taps.pipe, taps.provider),
        )
        offsets = [OFFSETS[number % len(OFFSETS)] for number in range(MARKS)]
        await asyncio.gather(*(each.line.mark(offsets, apart=APART) for each in lines))
        await asyncio.sleep(REST)
        added, ours_up = _marks_of(lines[0])
        pipe_added, pipe_up = _marks_of(lines[1])
        up = Way(added=added, pipe_added=pipe_added, ours=ours_up, pipe=pipe_up)
        answers: list[list[tuple[list[float], list[float]]]] = [[], []]
        for number in range(2 * ANSWERS):
            answers[number % 2].append(await _answer(lines[number % 2]))
    down = Way(
        added=[value for added, _ in answers[0] for value in added],
        pipe_added=[value for added, _ in answers[1] for value in added],
        ours=[value for _, whole in answers[0] for value in whole],
        pipe=[value for _, whole in answers[1] for value in whole],
    )
    return up, down


async def measure_cancels(opener: Opener) -> list[float]:
    """Return how many milliseconds each of some answers took to be silent.

    Raises:
        DemoError: Something of an answer came after that.
    """
    found = []
    async with opener() as (line, _):
        for _ in range(CANCELS):
            heard = line.heard_seconds
            await line.say(utterance(line.rate))
            await line.wait_heard(heard + 0.01)
            await asyncio.sleep(BEFORE_CANCEL)
            found.append(await line.cancel() * 1000)
            heard = line.heard_seconds
            await asyncio.sleep(REST)
            if line.heard_seconds > heard:
                raise DemoError("Of an answer that was interrupted, something came afterwards.")
    return found


async def measure_starts(*openers: Opener) -> list[list[float]]:
    """Return for each opener how many milliseconds its lines took to be ready, but for the first."""
    found: list[list[float]] = [[] for _ in openers]
    for opener in openers:
        async with opener():
            await asyncio.sleep(REST)
    for number in range(STARTS * len(openers)):
        async with openers[number % len(openers)]() as (_, seconds):
            found[number % len(openers)].append(seconds * 1000)
        await asyncio.sleep(REST)
    return found


def utterance(rate: int) -> bytes:
    """Return what counts as speech at the provider."""
    return tone(UTTERANCE)[: round(UTTERANCE * rate) * 2]


async def _open(stack: AsyncExitStack, opener: Opener, gateway: Tap, provider: Tap) -> Measured:
    """Open a line, and find what passes on its behalf."""
    counts = len(gateway.connections), len(provider.connections)
    line, _ = await stack.enter_async_context(opener())
    # Some sound tells which connections are its own.
    await line.say(bytes(2))
    await asyncio.sleep(REST)
    return Measured(
        line=line,
        to_gateway=gateway.since(counts[0]),
        to_provider=provider.since(counts[1]),
    )


def _marks_of(measured: Measured) -> tuple[list[float], list[float]]:
    """Return the milliseconds of all marks to the gateway, and to the provider."""
    sent = measured.line.marked_at
    at_gateway = marks_at(to_gateway(measured.to_gateway.messages_up()))
    at_provider = marks_at(to_provider(measured.to_provider.messages_up()))
    if not len(sent) == len(at_gateway) == len(at_provider):
        raise DemoError(
            f"Of {len(sent)} marks, {len(at_gateway)} have reached the gateway,"
            f" {len(at_provider)} the provider."
        )
    return _differences(at_gateway, sent), _differences(at_provider, sent)


async def _answer(measured: Measured) -> tuple[list[float], list[float]]:
    """Have an answer spoken; return the milliseconds of its pieces from the gateway, and in all."""
    line = measured.line
    heard, start = line.heard_seconds, time.perf_counter()
    await line.say(utterance(line.rate))
    await line.wait_heard(heard + ANSWER_SECONDS - 0.01)
    await asyncio.sleep(REST)
    here = Flow(_since(line.heard, start), line.rate)
    gateway = Flow(_since(from_gateway(measured.to_gateway.messages_down()), start), PROVIDER_RATE)
    provider = Flow(
        _since(from_provider(measured.to_provider.messages_down()), start), PROVIDER_RATE
    )
    seconds = [second for _, second in provider.middles()]
    came = [here.came_at(second) for second in seconds]
    return (
        _differences(came, [gateway.came_at(second) for second in seconds]),
        _differences(came, [provider.came_at(second) for second in seconds]),
    )


def _since(pieces: Iterable[Piece], start: float) -> list[Piece]:
    return [piece for piece in pieces if piece.at >= start]


def _differences(later: list[float], earlier: list[float]) -> list[float]:
    return [(end - start) * 1000 for end, start in zip(later, earlier, strict=True)]
