"""Who is expected to answer what at which satellite, and for how long."""

from custom_components.openclaw_voice.outbox.replies import (
    MAX_EXPECTED,
    REPLY_TIME,
    Expected,
    Replies,
)

from .late import NOON, SATELLITE, SECOND

BRIEFING = Expected(
    entry_id="entry", agent_id="main", session_key="agent:main:main", said="Good morning."
)
OTHER = Expected(entry_id="other", agent_id="cook", session_key=None, said="It is done.")


def test_the_first_words_are_the_reply() -> None:
    """The next ones are not."""
    replies = Replies()
    replies.expect(SATELLITE, BRIEFING, NOON)
    assert replies.take(SATELLITE, NOON + REPLY_TIME - SECOND) == BRIEFING
    assert replies.take(SATELLITE, NOON + REPLY_TIME - SECOND) is None


def test_words_that_come_late_are_no_reply() -> None:
    """Somebody wants something else."""
    replies = Replies()
    replies.expect(SATELLITE, BRIEFING, NOON)
    assert replies.take(SATELLITE, NOON + REPLY_TIME) is None


def test_words_somewhere_else_are_no_reply() -> None:
    """Nor are those nobody has spoken; the reply may still come."""
    replies = Replies()
    replies.expect(SATELLITE, BRIEFING, NOON)
    assert replies.take("assist_satellite.hall", NOON) is None
    assert replies.take(None, NOON) is None
    assert replies.take(SATELLITE, NOON) == BRIEFING


def test_what_was_said_last_is_answered() -> None:
    """A satellite has said two things."""
    replies = Replies()
    replies.expect(SATELLITE, BRIEFING, NOON)
    replies.expect(SATELLITE, OTHER, NOON + SECOND)
    assert replies.take(SATELLITE, NOON + SECOND) == OTHER


def test_an_entry_that_goes_takes_its_replies_along() -> None:
    """Those to others stay."""
    replies = Replies()
    replies.expect(SATELLITE, BRIEFING, NOON)
    replies.expect("assist_satellite.hall", OTHER, NOON)
    replies.forget("entry")
    assert replies.take(SATELLITE, NOON) is None
    assert replies.take("assist_satellite.hall", NOON) == OTHER


def test_only_so_many_are_expected() -> None:
    """The oldest is forgotten; one that is expected anew is the newest."""
    replies = Replies()
    for number in range(MAX_EXPECTED):
        replies.expect(f"assist_satellite.{number}", BRIEFING, NOON)
    replies.expect("assist_satellite.0", BRIEFING, NOON)
    replies.expect(SATELLITE, BRIEFING, NOON)
    assert replies.take("assist_satellite.1", NOON) is None
    assert replies.take("assist_satellite.0", NOON) == BRIEFING


def test_what_was_said_is_not_shown() -> None:
    """It may be anything."""
    assert "Good morning" not in repr(BRIEFING)
