"""How often an agent may be asked."""

from custom_components.openclaw_voice.assist.run_limit import MAX_RUNS, RunLimit, take_run


def test_allows_as_many_as_it_says() -> None:
    """The first runs need not wait."""
    limit = RunLimit(runs=3, window=60.0)
    assert [limit.take(now) for now in (0.0, 1.0, 2.0)] == [0.0, 0.0, 0.0]


def test_tells_how_long_to_wait() -> None:
    """One more is allowed when the oldest is no longer in the window."""
    limit = RunLimit(runs=2, window=60.0)
    limit.take(100.0)
    limit.take(110.0)
    assert limit.take(130.0) == 30.0
    assert limit.take(159.5) == 0.5
    assert limit.take(160.0) == 0.0


def test_a_refused_run_is_not_counted() -> None:
    """Asking too often does not prolong the wait."""
    limit = RunLimit(runs=1, window=60.0)
    limit.take(0.0)
    assert [limit.take(now) for now in (10.0, 20.0, 59.0)] == [50.0, 40.0, 1.0]
    assert limit.take(60.0) == 0.0


class _Somebody:
    """An agent."""


def test_each_agent_has_a_limit_of_its_own() -> None:
    """Whoever asks it."""
    one, other = _Somebody(), _Somebody()
    assert [take_run(one, 0.0) for _ in range(MAX_RUNS)] == [0.0] * MAX_RUNS
    assert take_run(one, 20.0) == 40.0
    assert take_run(other, 20.0) == 0.0
