"""Who says what when: decisions of the queue of a satellite."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.outbox.queue import (
    CUT_OFF_TIME,
    IDLE_TIME,
    MAX_MERGED,
    MAX_TRIES,
    MAX_WAITING,
    RETRY_WAIT,
    Decision,
    Satellite,
    Waiting,
    announce_limit,
    announcement,
    decide,
    failed_to_say,
    is_ready,
    route,
)
from custom_components.openclaw_voice.outbox.quiet_hours import QuietHours

from .late import NOON, SATELLITE, SECOND, make_message, make_waiting

IDLE = Satellite(is_there=True, idle_since=NOON - 10 * SECOND)
BUSY = Satellite(is_there=True)
AWAY = Satellite(is_there=False)
LISTENER = Satellite(is_there=True, can_listen=True, idle_since=NOON - 10 * SECOND)
QUIET = QuietHours(begin=time(11), end=time(12, 30), zone=UTC)
QUIET_END = NOON + timedelta(minutes=30)


def ids(waiting: tuple[Waiting, ...]) -> list[str]:
    """Return the ids of messages."""
    return [each.message.id for each in waiting]


def test_nothing_is_decided_for_an_empty_queue() -> None:
    """Nobody is woken for nothing."""
    assert decide([], IDLE, NOON) == Decision()


def test_a_satellite_that_is_idle_says_it_at_once() -> None:
    """It has been idle long enough."""
    decision = decide([make_waiting()], IDLE, NOON)
    assert ids(decision.say) == ["a"]
    assert decision.wake_at is None


def test_a_satellite_that_has_just_become_idle_is_left_alone() -> None:
    """Somebody may go on talking to it."""
    idle_since = NOON - SECOND
    satellite = Satellite(is_there=True, idle_since=idle_since)
    decision = decide([make_waiting()], satellite, NOON)
    assert decision.say == ()
    assert decision.wake_at == idle_since + IDLE_TIME
    assert ids(decide([make_waiting()], satellite, idle_since + IDLE_TIME).say) == ["a"]


def test_a_satellite_that_did_not_answer_is_left_alone_for_longer() -> None:
    """Somebody may be speaking, whatever its state says."""
    idle_since = NOON - 10 * SECOND
    satellite = Satellite(is_there=True, idle_since=idle_since, is_cut_off=True)
    assert decide([make_waiting()], satellite, NOON).wake_at == idle_since + CUT_OFF_TIME
    assert not is_ready(satellite, NOON)
    assert is_ready(satellite, idle_since + CUT_OFF_TIME)


@pytest.mark.parametrize("satellite", [BUSY, AWAY], ids=["busy", "away"])
def test_a_satellite_that_cannot_now_is_waited_for(satellite: Satellite) -> None:
    """Its change wakes the queue; else the end of the first message does."""
    first = make_waiting("a", expires=NOON + 60 * SECOND)
    decision = decide([make_waiting("b"), first], satellite, NOON)
    assert decision == Decision(wake_at=NOON + 60 * SECOND)


def test_a_message_whose_time_is_over_is_given_up() -> None:
    """Also when the satellite could say it at this very moment."""
    late = make_waiting("a", expires=NOON)
    decision = decide([late, make_waiting("b")], IDLE, NOON)
    assert ids(decision.given_up) == ["a"]
    assert ids(decision.say) == ["b"]


def test_a_satellite_without_announcements_gives_everything_up() -> None:
    """It will never learn it."""
    satellite = Satellite(is_there=True, can_announce=False, idle_since=NOON)
    decision = decide([make_waiting("a"), make_waiting("b")], satellite, NOON)
    assert decision == Decision(given_up=(make_waiting("a"), make_waiting("b")))


def test_a_message_that_failed_too_often_is_given_up() -> None:
    """Others are tried."""
    decision = decide([make_waiting("a", tries=MAX_TRIES)], IDLE, NOON)
    assert ids(decision.given_up) == ["a"]


def test_a_satellite_that_failed_is_left_alone_for_a_while() -> None:
    """Trying at once would fail again."""
    waiting = [make_waiting("a", tries=1)]
    not_before = NOON + RETRY_WAIT
    assert decide(waiting, IDLE, NOON, not_before=not_before) == Decision(wake_at=not_before)
    assert ids(decide(waiting, IDLE, not_before, not_before=not_before).say) == ["a"]


def test_a_message_ends_before_the_satellite_is_ready() -> None:
    """The earlier of the two wakes the queue."""
    ends = make_waiting("a", expires=NOON + SECOND)
    decision = decide([ends], IDLE, NOON, not_before=NOON + RETRY_WAIT)
    assert decision.wake_at == NOON + SECOND


def test_too_many_messages_push_out_the_oldest() -> None:
    """The queue has a bound; what is pushed out goes elsewhere."""
    waiting = [make_waiting(str(number)) for number in range(MAX_WAITING + 2)]
    decision = decide(waiting, BUSY, NOON)
    assert ids(decision.given_up) == ["0", "1"]


def test_what_nobody_asked_for_is_pushed_out_first() -> None:
    """A promise is kept, however much else there is to say."""
    waiting = [make_waiting("promise")]
    waiting += [make_waiting(str(number), is_owed=False) for number in range(MAX_WAITING + 1)]
    assert ids(decide(waiting, BUSY, NOON).given_up) == ["0", "1"]


def test_nothing_is_said_in_its_quiet_hours() -> None:
    """It is said when they end; what has none is said meanwhile."""
    quiet = make_waiting("quiet", quiet=QUIET)
    assert decide([quiet], IDLE, NOON) == Decision(wake_at=QUIET_END)
    assert ids(decide([quiet, make_waiting("b")], IDLE, NOON).say) == ["b"]
    assert ids(decide([quiet], IDLE, QUIET_END).say) == ["quiet"]


def test_quiet_hours_do_not_make_a_message_last() -> None:
    """Its time may be over before they are."""
    soon = make_waiting("soon", quiet=QUIET, expires=NOON + SECOND)
    assert decide([soon], IDLE, NOON).wake_at == NOON + SECOND
    assert ids(decide([soon], IDLE, NOON + SECOND).given_up) == ["soon"]


def test_a_satellite_that_is_busy_in_quiet_hours_is_looked_at_when_they_end() -> None:
    """Or when it changes."""
    quiet = make_waiting("quiet", quiet=QUIET)
    assert decide([quiet], BUSY, NOON).wake_at == QUIET_END
    just_idle = Satellite(is_there=True, idle_since=NOON)
    loud = make_waiting("b")
    assert decide([quiet, loud], just_idle, NOON).wake_at == NOON + IDLE_TIME


def test_a_satellite_listens_after_what_wants_a_reply() -> None:
    """If it can."""
    asking = [make_waiting("a", listens=True), make_waiting("b", listens=True)]
    assert decide(asking, LISTENER, NOON).listens
    assert ids(decide(asking, LISTENER, NOON).say) == ["a", "b"]
    assert not decide(asking, IDLE, NOON).listens
    assert not decide([make_waiting()], LISTENER, NOON).listens


@pytest.mark.parametrize("is_first", [True, False])
def test_what_wants_a_reply_is_said_apart(*, is_first: bool) -> None:
    """Else nobody would know what the reply is to."""
    waiting = [make_waiting("a", listens=is_first), make_waiting("b", listens=not is_first)]
    decision = decide(waiting, LISTENER, NOON)
    assert ids(decision.say) == ["a"]
    assert decision.listens is is_first


def test_messages_that_wait_are_said_together() -> None:
    """One announcement, in order."""
    decision = decide([make_waiting("a"), make_waiting("b")], IDLE, NOON)
    assert ids(decision.say) == ["a", "b"]


def test_messages_are_said_together_only_up_to_a_length() -> None:
    """The rest is said after the next pause."""
    long = "x" * (MAX_MERGED // 2)
    waiting = [make_waiting(name, spoken=long) for name in "abc"]
    assert ids(decide(waiting, IDLE, NOON).say) == ["a", "b"]


def test_a_long_message_is_said_alone() -> None:
    """It is not cut."""
    waiting = [make_waiting("a", spoken="x" * (MAX_MERGED + 1)), make_waiting("b")]
    assert ids(decide(waiting, IDLE, NOON).say) == ["a"]


@given(
    ends=st.lists(st.integers(-5, 5), max_size=8),
    tries=st.integers(0, MAX_TRIES),
    idle_for=st.none() | st.integers(0, 5),
    is_there=st.booleans(),
    can_announce=st.booleans(),
    hold=st.none() | st.integers(-5, 5),
    is_quiet=st.booleans(),
)
def test_no_message_is_lost_or_forgotten(
    *,
    ends: list[int],
    tries: int,
    idle_for: int | None,
    is_there: bool,
    can_announce: bool,
    hold: int | None,
    is_quiet: bool,
) -> None:
    """Each is said, given up, or has a time in the future at which it is thought of again."""
    waiting = [
        make_waiting(
            str(number),
            tries=tries * (number % 2),
            expires=NOON + end * SECOND,
            listens=number % 3 == 0,
            quiet=QUIET if is_quiet and number % 2 else None,
        )
        for number, end in enumerate(ends)
    ]
    since: datetime | None = None if idle_for is None else NOON - idle_for * SECOND
    satellite = Satellite(
        is_there=is_there, can_announce=can_announce, idle_since=since if is_there else None
    )
    not_before = None if hold is None else NOON + hold * SECOND
    decision = decide(waiting, satellite, NOON, not_before=not_before)
    left = [each for each in waiting if each not in (*decision.given_up, *decision.say)]
    assert not set(ids(decision.say)) & set(ids(decision.given_up))
    assert all(each.until > NOON for each in decision.say)
    if left and not decision.say:
        assert decision.wake_at is not None
        assert NOON < decision.wake_at <= min(each.until for each in left)


def test_one_message_is_introduced() -> None:
    """People may have forgotten that they asked."""
    message = make_message(spoken="It is 42.", introduction="About your question:")
    assert announcement([message]) == "About your question: It is 42."


def test_messages_said_together_are_joined() -> None:
    """The second is introduced as another one."""
    first = make_message("a", spoken="It is 42.", introduction="About your question:")
    second = make_message("b", spoken="Yes.", introduction="no", next_introduction="And:")
    third = make_message("c", spoken="No.")
    assert announcement([first, second, third]) == "About your question: It is 42. And: Yes. No."


def test_a_long_announcement_may_take_longer() -> None:
    """A minute at least: the voice has to be made, too."""
    assert announce_limit("") == 60
    assert announce_limit("x" * 800) == 160


def test_what_was_tried_in_vain_is_counted() -> None:
    """A failure that must not be repeated counts for all of them."""
    assert [each.tries for each in failed_to_say([make_waiting(tries=1)])] == [2]
    assert [each.tries for each in failed_to_say([make_waiting()], is_final=True)] == [MAX_TRIES]


def test_the_satellite_that_asked_comes_first() -> None:
    """Then other satellites in their order, then whoever can be sent a text; nobody twice."""
    message = make_message(
        fallback=(
            "notify.phone",
            "assist_satellite.hall",
            SATELLITE,
            "assist_satellite.hall",
            "notify.phone",
            "notify.tablet",
            "light.lamp",
        )
    )
    assert route(message) == (
        (SATELLITE, "assist_satellite.hall"),
        ("notify.phone", "notify.tablet"),
    )


def test_without_a_satellite_only_the_fallback_is_left() -> None:
    """The question was typed."""
    assert route(make_message(satellite_id=None, fallback=("notify.phone",))) == (
        (),
        ("notify.phone",),
    )


def test_words_of_a_message_do_not_show() -> None:
    """Logs may name a message."""
    message = make_message(spoken="s3cret", written="s3cret", introduction="s3cret", title="s3cret")
    assert "s3cret" not in repr(Waiting(message=message, until=NOON + timedelta(hours=1)))
