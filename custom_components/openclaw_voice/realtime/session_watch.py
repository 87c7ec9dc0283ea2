"""Looks after what does not happen in a session: answers that do not come, and silence."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
from math import inf
from typing import Final, Protocol

from .backend import BackendInfo
from .protocol import IDLE_LIMIT, Reason
from .session_state import SessionState

_LOGGER = logging.getLogger(__name__)

type Clock = Callable[[], float]
type AskGently = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session waits for what, in seconds."""

    silence: float = IDLE_LIMIT
    answer: float = 370.0
    """Without a word of the backend, while an answer is waited for and no tool is at work.

    Backends have shorter limits of their own: this one is for those that hang.
    """

    question: float = 15.0
    """After somebody was asked whether they are still there."""

    begin: float = 5.0
    """In which somebody may begin to speak who has said that they will: nothing is announced."""

    speech: float = 15.0
    """The same where somebody seems to have begun."""

    start: float = 40.0
    close: float = 5.0


DEFAULT_LIMITS: Final = SessionLimits()


class Watched(Protocol):
    """The session, as it is needed here."""

    @property
    def state(self) -> SessionState:
        """What it does now."""

    @property
    def backend_info(self) -> BackendInfo | None:
        """None until it has begun."""

    @property
    def is_standby(self) -> bool:
        """Whether it may be silent for ever."""

    @property
    def is_working(self) -> bool:
        """Whether a tool is at work, which may take long."""

    def give_up_answer(self) -> None:
        """Wait no longer for an answer."""

    def end(self, reason: str) -> None:
        """End the session."""


class SessionWatch:
    """The patience of one session. `run` is a task of it."""

    def __init__(
        self, session: Watched, limits: SessionLimits, clock: Clock, ask: AskGently | None
    ) -> None:
        """`ask` is asked, once and before a silent session ends, whether somebody is there."""
        self._session = session
        self._limits = limits
        self._clock = clock
        self._ask = ask
        self._last_life = clock()
        self._was_asked = False
        self._expected_until = -inf
        """Nothing is to be announced before: somebody is about to speak."""

        self._changed = asyncio.Event()

    def touch(self) -> None:
        """Somebody is there."""
        self._was_asked = False
        self.go_on()

    def go_on(self) -> None:
        """Something happens."""
        self._last_life = self._clock()

    def look(self) -> None:
        """Look again what is waited for: the session is another."""
        self._changed.set()

    def expect(self, seconds: float) -> None:
        """Somebody is about to speak: they are not to be talked over."""
        self._expected_until = max(self._expected_until, self._clock() + seconds)

    def expect_nobody(self) -> None:
        """Whoever was about to speak has spoken."""
        self._expected_until = -inf

    async def wait_idle(self) -> None:
        """Wait until it has begun and nobody speaks or is about to, or it is over."""
        while (wait := self._until_idle()) != 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def run(self) -> None:
        """Watch, as long as the session lasts."""
        while True:
            self._changed.clear()
            limit, act = self._waits_for()
            wait = None if limit is None else self._last_life + limit - self._clock()
            if wait is not None and wait <= 0:
                await act()
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _until_idle(self) -> float | None:
        """Return how many seconds it may take at most; None: nobody knows."""
        state = self._session.state
        if state is SessionState.CLOSED:
            return 0
        if state is not SessionState.IDLE or self._session.backend_info is None:
            return None
        return max(0, self._expected_until - self._clock())

    def _waits_for(self) -> tuple[float | None, Callable[[], Awaitable[None]]]:
        """Return how many seconds may pass in this state, and what is done then."""
        session = self._session
        if session.state is SessionState.THINKING:
            return None if session.is_working else self._limits.answer, self._give_up_answer
        if session.is_standby or session.state in (SessionState.SPEAKING, SessionState.CLOSED):
            return None, self._end_silence
        limit = self._limits.question if self._was_asked else self._limits.silence
        return limit, self._end_silence

    async def _give_up_answer(self) -> None:
        self._session.give_up_answer()

    async def _end_silence(self) -> None:
        """Ask whether somebody is there, once and if that is wanted; else end."""
        if self._ask is None or self._was_asked:
            self._session.end(Reason.IDLE)
            self.go_on()
            return
        try:
            await self._ask()
        except Exception as err:  # noqa: BLE001 - then it could not be asked
            _LOGGER.debug("Nobody could be asked: %s", type(err).__name__)
        self.go_on()
        # Who has begun to speak meanwhile may take their time.
        self._was_asked = self._session.state is SessionState.IDLE
