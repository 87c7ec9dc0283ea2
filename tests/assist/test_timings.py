"""The times of a turn."""

import pytest

from custom_components.openclaw_voice.assist.timings import StopWatch, Timings


def test_each_stage_is_noted_once() -> None:
    """Later pieces of text change nothing."""
    watch = StopWatch(100.0)
    watch.note_connected(101.0)
    watch.note_text("It is", 102.0)
    watch.note_text(" noon. And", 103.0)
    watch.note_text(" more. Of it.", 104.0)
    watch.note_done(105.0)
    assert watch.timings == Timings(connected=1, first_text=2, first_sentence=3, done=5)


def test_a_sentence_without_a_full_stop_ends_with_the_turn() -> None:
    """A voice begins to read then."""
    watch = StopWatch(0.0)
    watch.note_text("Noon", 1.0)
    watch.note_done(2.0)
    assert watch.timings == Timings(first_text=1, first_sentence=2, done=2)


def test_a_sentence_may_end_between_two_pieces() -> None:
    """What follows a full stop tells whether it was one."""
    watch = StopWatch(0.0)
    watch.note_text("It is 3.", 1.0)
    watch.note_text("5. ", 2.0)
    assert watch.timings.first_sentence == 2
    other = StopWatch(0.0)
    other.note_text("It is 3.", 1.0)
    other.note_text(" And", 2.0)
    assert other.timings.first_sentence == 2


def test_a_turn_without_text_has_no_sentence() -> None:
    """Nothing was said."""
    watch = StopWatch(0.0)
    watch.note_done(2.0)
    assert watch.timings == Timings(done=2)


@pytest.mark.parametrize(
    ("text", "is_sentence"),
    [
        ("At 3.5", False),
        ("Really? ", True),
        ("Wait", False),
        ("Yes.", False),
        ("\u4e2d\u3002", True),
        ("Title\n", True),
    ],
)
def test_a_sentence_ends_where_a_voice_can_pause(text: str, is_sentence: bool) -> None:
    """A point within a number is none."""
    watch = StopWatch(0.0)
    watch.note_text(text, 1.0)
    assert (watch.timings.first_sentence is not None) is is_sentence
