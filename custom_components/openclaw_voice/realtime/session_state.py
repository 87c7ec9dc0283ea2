"""How a realtime session is, and what brings it from one state to the next (pure)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class SessionState(StrEnum):
    """What a session does."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    CLOSED = "closed"


class Cause(StrEnum):
    """What happened in a session."""

    HEARD = "heard"
    """Somebody began to speak."""

    SAID = "said"
    """They have stopped."""

    WORKING = "working"
    """An answer is being made."""

    SOUND = "sound"
    """The first of it goes out."""

    GAP = "gap"
    """What came so far was heard, and more is to come."""

    OVER = "over"
    """Everything was heard, or there is nothing to hear."""

    DROPPED = "dropped"
    """The answer was stopped."""

    ENDED = "ended"
    """The session is over."""


_I, _L, _T, _S, _C = SessionState

TRANSITIONS: Final[Mapping[tuple[SessionState, Cause], SessionState]] = MappingProxyType(
    {
        (_I, Cause.HEARD): _L,
        (_I, Cause.SAID): _T,
        (_I, Cause.WORKING): _T,
        (_I, Cause.SOUND): _S,
        (_L, Cause.SAID): _T,
        (_L, Cause.WORKING): _T,
        (_L, Cause.SOUND): _S,
        (_L, Cause.OVER): _I,
        (_T, Cause.HEARD): _L,
        (_T, Cause.SOUND): _S,
        (_T, Cause.OVER): _I,
        (_T, Cause.DROPPED): _I,
        (_S, Cause.HEARD): _L,
        (_S, Cause.GAP): _T,
        (_S, Cause.OVER): _I,
        (_S, Cause.DROPPED): _I,
    }
    | {(state, Cause.ENDED): _C for state in (_I, _L, _T, _S)}
)
"""What is not in here changes nothing."""


def next_state(state: SessionState, cause: Cause) -> SessionState:
    """Return the state after something happened."""
    return TRANSITIONS.get((state, cause), state)
