"""What a late answer is, how it is kept, told and brought to an end."""

from dataclasses import replace
from datetime import timedelta
import json
from typing import Any

import pytest

from custom_components.openclaw_voice.outbox.late_answer import (
    MAX_EVENT_TEXT,
    MAX_LINKS,
    MAX_QUESTION,
    MAX_TEXT,
    LateAnswer,
    LateStatus,
    answered,
    cancelled,
    cut,
    event_data,
    failed,
    promised,
    settled,
    silenced,
)

from .late import NOON, SECOND, make_answer

LATER = NOON + 90 * SECOND


def test_running_to_waiting_when_the_answer_comes() -> None:
    """People are to hear the part that was not said."""
    answer = answered(
        make_answer(said="Let me look."),
        text="Let me look. It is 42.",
        rest="It is 42.",
        links=("https://example.com/a.png",),
        now=LATER,
    )
    assert answer.status is LateStatus.WAITING
    assert answer.is_open
    assert (answer.text, answer.rest, answer.said) == ("Let me look. It is 42.", "It is 42.", "")
    assert answer.links == ("https://example.com/a.png",)
    assert answer.ended == LATER


def test_running_to_delivered_when_only_the_event_is_wanted() -> None:
    """Nothing is kept for saying."""
    answer = answered(
        make_answer(is_announced=False), text="It is 42.", rest="It is 42.", links=(), now=LATER
    )
    assert answer.status is LateStatus.DELIVERED
    assert not answer.is_open
    assert answer.rest == ""


def test_running_to_waiting_when_the_run_fails() -> None:
    """The sentence about it is said in place of the answer."""
    answer = failed(make_answer(), sentence="It took too long.", error="run_timeout", now=LATER)
    assert answer.status is LateStatus.WAITING
    assert (answer.text, answer.rest, answer.error) == (
        "It took too long.",
        "It took too long.",
        "run_timeout",
    )


def test_running_to_silent() -> None:
    """Nothing needs to be said, so nothing waits."""
    answer = silenced(make_answer(), now=LATER)
    assert (answer.status, answer.ended, answer.text) == (LateStatus.SILENT, LATER, "")


def test_running_to_cancelled() -> None:
    """What there was of the answer is kept."""
    answer = cancelled(make_answer(), now=LATER, text="It is", links=("https://example.com/a",))
    assert (answer.status, answer.ended, answer.text) == (LateStatus.CANCELLED, LATER, "It is")
    assert answer.links == ("https://example.com/a",)


def test_waiting_to_cancelled_keeps_the_answer_and_its_end() -> None:
    """It had come before somebody took it back."""
    waiting = answered(make_answer(), text="42", rest="42", links=("https://x",), now=LATER)
    answer = cancelled(waiting, now=LATER + SECOND)
    assert (answer.status, answer.text, answer.ended) == (LateStatus.CANCELLED, "42", LATER)
    assert (answer.rest, answer.links) == ("", ("https://x",))


@pytest.mark.parametrize("status", [LateStatus.DELIVERED, LateStatus.UNHEARD])
def test_waiting_to_delivered_or_unheard(status: LateStatus) -> None:
    """What was kept for saying is forgotten, the answer is not."""
    waiting = answered(make_answer(), text="42", rest="42", links=(), now=LATER)
    answer = settled(replace(waiting, is_speaking=True), status)
    assert (answer.status, answer.is_speaking) == (status, False)
    assert (answer.text, answer.rest) == ("42", "")


def test_a_promise_is_kept_within_bounds() -> None:
    """Nobody can fill the disk by asking."""
    zone = NOON.astimezone().tzinfo
    answer = promised(
        make_answer(
            question="q" * 5_000,
            said="s" * 100_000,
            status=LateStatus.UNHEARD,
            created=NOON.astimezone(zone),
        )
    )
    assert len(answer.question) == MAX_QUESTION
    assert len(answer.said) == MAX_TEXT
    assert answer.status is LateStatus.RUNNING
    assert answer.created.utcoffset() == timedelta(0)


def test_an_answer_is_kept_within_bounds() -> None:
    """The text is cut with a mark, links are counted."""
    answer = answered(
        make_answer(), text="t" * 70_000, rest="r" * 70_000, links=("l",) * 99, now=LATER
    )
    assert len(answer.text) == len(answer.rest) == MAX_TEXT
    assert answer.text.endswith("t…")
    assert len(answer.links) == MAX_LINKS


def test_cut_leaves_a_text_that_fits() -> None:
    """The limit itself fits."""
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"


@pytest.mark.parametrize(
    "answer",
    [
        make_answer(),
        failed(make_answer(is_chat_send=True), sentence="No.", error="run_lost", now=LATER),
        answered(make_answer(), text="42", rest="42", links=("https://x",), now=LATER),
    ],
    ids=["running", "failed", "answered"],
)
def test_what_is_stored_is_read_again(answer: LateAnswer) -> None:
    """Through JSON, as the store writes it."""
    assert LateAnswer.from_data(json.loads(json.dumps(answer.as_data()))) == answer


def test_fields_of_a_newer_version_are_left_out() -> None:
    """Going back to an older version loses no answer."""
    assert LateAnswer.from_data(make_answer().as_data() | {"mood": "good"}) == make_answer()


@pytest.mark.parametrize(
    "broken", [{"status": "happy"}, {"created": "yesterday"}, {"created": None}]
)
def test_what_was_not_stored_by_us_is_refused(broken: dict[str, Any]) -> None:
    """The store leaves it out."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        LateAnswer.from_data(make_answer().as_data() | broken)


def test_the_event_tells_automations_of_an_answer() -> None:
    """All of it, but not the question."""
    answer = answered(make_answer(), text="42", rest="42", links=("https://x",), now=LATER)
    assert event_data(answer, entry_id="entry-1") == {
        "version": 1,
        "id": "run-1",
        "entry_id": "entry-1",
        "agent": "main",
        "session": "agent:main:homeassistant:home:satellite:kitchen",
        "status": "answered",
        "text": "42",
        "is_cut": False,
        "links": ["https://x"],
        "language": "en",
        "satellite": "assist_satellite.kitchen",
        "error": None,
        "created": "2026-11-21T12:00:00+00:00",
        "ended": "2026-11-21T12:01:30+00:00",
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (failed(make_answer(), sentence="No.", error="run_lost", now=LATER), "failed"),
        (
            failed(make_answer(is_announced=False), sentence="No.", error="run_lost", now=LATER),
            "failed",
        ),
        (cancelled(make_answer(), now=LATER), "cancelled"),
        (silenced(make_answer(), now=LATER), "silent"),
        (
            answered(make_answer(is_announced=False), text="1", rest="1", links=(), now=LATER),
            "answered",
        ),
    ],
    ids=["failed", "failed-unannounced", "cancelled", "silent", "answered-unannounced"],
)
def test_the_event_tells_how_it_ended(answer: LateAnswer, status: str) -> None:
    """Whether people hear of it makes no difference."""
    assert event_data(answer, entry_id="entry-1")["status"] == status


def test_the_event_has_no_end_of_what_goes_on() -> None:
    """An answer without an end has none in the event, either."""
    assert event_data(make_answer(), entry_id="entry-1")["ended"] is None


def test_a_long_text_is_cut_and_marked_in_the_event() -> None:
    """Events are kept by recorders and sent to browsers."""
    fits = answered(make_answer(), text="x" * MAX_EVENT_TEXT, rest="", links=(), now=LATER)
    longer = replace(fits, text=fits.text + "y")
    assert event_data(fits, entry_id="e")["is_cut"] is False
    data = event_data(longer, entry_id="e")
    assert (data["text"], data["is_cut"]) == (fits.text, True)


def test_speech_does_not_show() -> None:
    """What ends up in a log names the answer, not its words."""
    answer = answered(
        make_answer(said="secret said"),
        text="secret text",
        rest="secret rest",
        links=("https://secret",),
        now=LATER,
    )
    assert "secret" not in repr(answer) + repr(promised(make_answer(said="secret")))
    assert "meaning" not in repr(answer)
