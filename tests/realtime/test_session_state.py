"""The states of a realtime session."""

from itertools import product

import pytest

from custom_components.openclaw_voice.realtime.session_state import (
    TRANSITIONS,
    Cause,
    SessionState,
    next_state,
)

IDLE, LISTENING, THINKING, SPEAKING, CLOSED = SessionState


@pytest.mark.parametrize(
    ("causes", "state"),
    [
        ([Cause.HEARD], LISTENING),
        ([Cause.HEARD, Cause.SAID], THINKING),
        ([Cause.HEARD, Cause.OVER], IDLE),
        ([Cause.HEARD, Cause.SAID, Cause.SOUND], SPEAKING),
        ([Cause.HEARD, Cause.SAID, Cause.SOUND, Cause.GAP], THINKING),
        ([Cause.HEARD, Cause.SAID, Cause.SOUND, Cause.GAP, Cause.SOUND, Cause.OVER], IDLE),
        ([Cause.HEARD, Cause.SAID, Cause.SOUND, Cause.HEARD], LISTENING),
        ([Cause.HEARD, Cause.SAID, Cause.SOUND, Cause.DROPPED], IDLE),
        ([Cause.HEARD, Cause.SAID, Cause.HEARD], LISTENING),
        ([Cause.HEARD, Cause.SAID, Cause.DROPPED], IDLE),
        ([Cause.HEARD, Cause.SAID, Cause.OVER], IDLE),
        ([Cause.HEARD, Cause.WORKING], THINKING),
        ([Cause.HEARD, Cause.SOUND], SPEAKING),
        ([Cause.SAID], THINKING),
        ([Cause.WORKING], THINKING),
        ([Cause.SOUND], SPEAKING),
    ],
)
def test_what_happens_leads_to_a_state(causes: list[Cause], state: SessionState) -> None:
    """A turn goes its way, also when one of its steps is never told."""
    now = IDLE
    for cause in causes:
        now = next_state(now, cause)
    assert now is state


def test_what_does_not_fit_changes_nothing() -> None:
    """A late word of the backend leads nowhere."""
    for state, cause in product(SessionState, Cause):
        if (state, cause) not in TRANSITIONS:
            assert next_state(state, cause) is state


def test_a_session_that_is_over_stays_so() -> None:
    """Every state ends, and nothing comes after that."""
    assert {next_state(state, Cause.ENDED) for state in SessionState} == {CLOSED}
    assert {next_state(CLOSED, cause) for cause in Cause} == {CLOSED}
