"""Changes of a session: what is told of them, and when."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest

from custom_components.openclaw_voice.realtime import change_gate
from custom_components.openclaw_voice.realtime.backend import BackendInfo
from custom_components.openclaw_voice.realtime.change_gate import (
    CONTROLS_PAUSE,
    MAX_STATES,
    STATES_TIME,
    ChangeGate,
)
from custom_components.openclaw_voice.realtime.client_events import SatelliteState
from custom_components.openclaw_voice.realtime.session_state import SessionState

LIMIT = 5.0


@dataclass
class Session:
    """What is looked at of one."""

    state: SessionState = SessionState.IDLE
    backend_info: BackendInfo | None = None
    satellite_state: SatelliteState = field(default_factory=SatelliteState)


class Gate:
    """A gate, its session and clock, and what it let through."""

    def __init__(self) -> None:
        """It is idle, and that was told."""
        self.now = 0.0
        self.session = Session()
        self.told: list[tuple[SessionState, float | None]] = []
        self.news = asyncio.Event()
        self.gate = ChangeGate[Session](self._tell, lambda: self.now)
        self.gate.look(self.session)
        self.told.clear()

    def _tell(self, session: Session) -> None:
        self.told.append((session.state, session.satellite_state.volume))
        self.news.set()

    def set(self, *, state: SessionState | None = None, volume: float | None = None) -> None:
        """Change the session."""
        if state is not None:
            self.session.state = state
        if volume is not None:
            self.session.satellite_state = SatelliteState(volume=volume)
        self.gate.look(self.session)


@pytest.fixture
async def gate() -> AsyncGenerator[Gate]:
    """Return a gate."""
    made = Gate()
    yield made
    made.gate.close()


async def test_only_changes_are_told(gate: Gate) -> None:
    """Satellites may repeat themselves."""
    for _ in range(3):
        gate.set(volume=0.5)
    gate.set(state=SessionState.LISTENING)
    gate.set(state=SessionState.LISTENING)
    assert gate.told == [(SessionState.IDLE, 0.5), (SessionState.LISTENING, 0.5)]


async def test_controls_that_change_all_the_time_are_told_now_and_then(gate: Gate) -> None:
    """A knob that trembles is not for the database."""
    for number in range(1000):
        gate.now = number / 100
        gate.set(volume=number % 2 / 2)
    assert len(gate.told) == 10


async def test_what_was_held_back_is_told_later(gate: Gate) -> None:
    """As it is then, unless it is as before."""
    gate.set(volume=0.1)
    with patch.object(change_gate, "CONTROLS_PAUSE", 0.01):
        gate.set(volume=0.2)
        gate.set(volume=0.3)
        gate.now += CONTROLS_PAUSE
        gate.news.clear()
        async with asyncio.timeout(LIMIT):
            await gate.news.wait()
    assert [volume for _, volume in gate.told] == [0.1, 0.3]


async def test_a_state_does_not_wait_for_controls(gate: Gate) -> None:
    """And takes them along."""
    gate.set(volume=0.1)
    gate.set(volume=0.2)
    gate.set(state=SessionState.LISTENING)
    gate.now += CONTROLS_PAUSE
    gate.set()
    assert gate.told[1:] == [(SessionState.LISTENING, 0.2)]


async def test_states_that_change_all_the_time_are_told_now_and_then(gate: Gate) -> None:
    """Whoever presses a button a hundred times a second is not followed."""
    for number in range(2000):
        gate.now = number / 100
        gate.set(state=(SessionState.THINKING, SessionState.IDLE)[number % 2])
    assert len(gate.told) <= MAX_STATES * (20 / STATES_TIME)


async def test_nothing_is_told_after_the_end(gate: Gate) -> None:
    """No timer is left."""
    gate.set(volume=0.1)
    gate.set(volume=0.2)
    timer = gate.gate._timer
    assert timer is not None
    gate.gate.close()
    assert timer.cancelled()
