"""How long a turn waits for its run."""

import pytest

from custom_components.openclaw_voice.assist.agent_turn import (
    RUN_SILENCE,
    Manners,
    run_patience,
)
from custom_components.openclaw_voice.gateway.run_request import RUN_DEADLINE, Patience


@pytest.mark.parametrize("limit", [None, 0.0, 240.0])
def test_a_run_that_may_be_later_is_not_lost_by_an_outage(limit: float | None) -> None:
    """A gateway may take longer to come back than any wait of ours; the turn has its own clock."""
    assert run_patience(Manners(limit=limit), 10.0) == Patience(
        connect=10.0, silence=RUN_SILENCE, total=RUN_DEADLINE, recovery=RUN_DEADLINE
    )


def test_a_run_that_is_waited_for_may_be_silent_as_long() -> None:
    """An action may wait for an hour, and a tool may take most of it."""
    assert run_patience(Manners(limit=3600.0), 10.0).silence == 3600.0


def test_a_run_of_no_use_later_has_the_limit_of_its_turn() -> None:
    """Also for an outage: the gateway may be back just in time."""
    manners = Manners(limit=60.0, can_be_later=False)
    assert run_patience(manners, 10.0) == Patience(
        connect=10.0, silence=60.0, total=60.0, recovery=60.0
    )
