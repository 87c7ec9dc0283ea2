"""Which frame brought which piece of an answer first."""

import pytest

from demo.bench.arrivals import Arrivals, Piece, added_times
from demo.process import DemoError


def arrivals() -> Arrivals:
    """Return an answer that came in two pieces, the first of them in two frames."""
    seen = Arrivals()
    seen.note("Hel", 1.0)
    seen.note("Hel", 1.1)
    seen.note("Hello", 2.0)
    return seen


def test_a_piece_is_seen_with_the_first_frame_that_carries_its_end() -> None:
    """A repeated text is not news, and a frame may bring several pieces at once."""
    seen = arrivals()
    assert [seen.seen_at(end) for end in (1, 3, 4, 5, 6)] == [1.0, 1.0, 2.0, 2.0, None]
    assert seen.first_at == 1.0
    assert seen.text == "Hello"


def test_before_the_first_frame_nothing_was_seen() -> None:
    """An answer that has not begun has no times."""
    assert Arrivals().first_at is None


def test_what_is_added_is_the_time_from_that_frame() -> None:
    """One figure for each piece."""
    pieces = [Piece(end=3, at=1.25), Piece(end=5, at=2.5)]
    assert added_times(pieces, arrivals()) == [0.25, 0.5]


def test_a_piece_that_no_frame_brought_is_told() -> None:
    """Then the two clients did not see the same answer."""
    with pytest.raises(DemoError, match="character 9"):
        added_times([Piece(end=9, at=3.0)], arrivals())
