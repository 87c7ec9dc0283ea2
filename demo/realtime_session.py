"""One session of the reference satellite: questions are spoken into it, and each answer is kept as sound."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import sys
from typing import Final

from .process import DemoError
from .satellite.client import Report, Turn
from .satellite.main import SatelliteError, opened
from .satellite.microphone import Questions
from .satellite.protocol import Options
from .satellite.screen import Screen
from .voice.programs import USER_VOICE, speak
from .voice.sound import RATE, Sound

SESSION_LIMIT: Final = 180.0
"""Seconds for all turns. They take 30."""

SATELLITE_ID: Final = "demo-satellite"
NAME: Final = "Demo satellite"
AREA: Final = "Kitchen"


class SessionError(DemoError):
    """The session could not be opened, or did not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question, and what the satellite knows of its answer."""

    question: str
    turn: Turn
    sound: Sound
    """What was heard of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A session from its beginning to its end."""

    report: Report
    answers: tuple[Answered, ...] = field(repr=False)


class Answers:
    """A loudspeaker that keeps what each turn sounds like."""

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.report = Report()
        self._sounds: dict[int, bytearray] = {}

    async def write(self, pcm: bytes) -> None:
        """Keep it with the turn that goes on."""
        self._sounds.setdefault(len(self.report.turns), bytearray()).extend(pcm)

    def sound_of(self, number: int) -> Sound:
        """Return what was heard in a turn, from 1."""
        return Sound(samples=bytes(self._sounds.get(number, b"")), rate=RATE)


async def converse(
    address: str,
    token: str,
    questions: Sequence[str],
    *,
    backend: str,
    agent: str | None = None,
    interrupt_after: float | None = None,
) -> Conversation:
    """Speak questions, one after the answer to the other, and end the session.

    Args:
        address: That of Home Assistant.
        token: An access token of a user there.
        questions: What is said.
        backend: What is to answer: `gateway` or `assist`.
        agent: Who is to answer, where there are several.
        interrupt_after: Seconds of the first answer after which it is interrupted.

    Raises:
        SessionError: It could not be opened, or did not end in time.
        SoundError: The questions could not be spoken.
    """
    spoken = [(await speak(question, voice=USER_VOICE)).samples for question in questions]
    sink = Answers()
    options = Options(
        rate=RATE,
        satellite_id=SATELLITE_ID,
        name=NAME,
        area=AREA,
        agent=agent,
        backend=backend,
        language="en",
        # What hears nothing hears no echo.
        cancels_echo=True,
    )
    async with _limited():
        session = opened(
            address,
            token,
            options,
            microphone=Questions(spoken, RATE),
            sink=sink,
            screen=Screen(sys.stderr),
            interrupt_after=interrupt_after,
        )
        async with session as satellite:
            sink.report = satellite.report
            report = await satellite.run()
    answers = (
        Answered(question=question, turn=turn, sound=sink.sound_of(number))
        for number, (question, turn) in enumerate(zip(questions, report.turns, strict=False), 1)
    )
    return Conversation(report=report, answers=tuple(answers))


@asynccontextmanager
async def _limited() -> AsyncIterator[None]:
    """Say in a sentence what goes wrong with a session, and give it up after some time."""
    try:
        async with asyncio.timeout(SESSION_LIMIT):
            yield
    except TimeoutError:
        raise SessionError(
            f"The session has not ended after {SESSION_LIMIT:.0f} seconds."
        ) from None
    except SatelliteError as err:
        raise SessionError(f"The satellite cannot go on: {err}.") from err
