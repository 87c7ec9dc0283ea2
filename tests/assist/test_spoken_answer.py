"""What is said after a question of an agent, and whether that is the answer."""

from datetime import UTC, datetime

import pytest

from custom_components.openclaw_voice.assist.spoken_answer import (
    ANSWER_TIME,
    MAX_ASKED,
    AskedBack,
    answers_in,
    can_be_said,
)
from custom_components.openclaw_voice.gateway.questions import AgentQuestion, QuestionPart

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def part(*options: str, part_id: str = "room", **fields: bool) -> QuestionPart:
    """Return a part that takes one of its options, or other words."""
    known = {"takes_other": True} | fields
    return QuestionPart(id=part_id, text="Which room?", options=options, **known)


def question(*parts: QuestionPart, question_id: str = "ask_1") -> AgentQuestion:
    """Return a question."""
    return AgentQuestion(id=question_id, parts=parts, created=NOON, expires=NOON)


@pytest.mark.parametrize(
    ("asked", "said", "answers"),
    [
        (part("Kitchen", "Bath"), "The kitchen, please.", ("Kitchen",)),
        (part("Kitchen", "Bath"), "bath", ("Bath",)),
        (part("Room", "Living room"), "in the living room", ("Living room",)),
        (part("Kitchen", "Bath"), "The attic.", ("The attic.",)),
        (part("Kitchen", "Bath"), "Kitchen or bath, you choose", ("Kitchen or bath, you choose",)),
        (part("Bath", "–"), "bathing", ("bathing",)),
        (part(), "Anything", ("Anything",)),
        (part("Mon", "Tue", "Wed", is_multiple=True), "Wed and mon", ("Mon", "Wed")),
        (part("Kitchen", "Bath", takes_other=False), "The attic.", None),
        (part("Kitchen", "Bath", takes_other=False), "Kitchen or bath", None),
        (part(), "  ", None),
        (part(is_secret=True), "hunter two", None),
    ],
)
def test_what_is_the_answer(
    asked: QuestionPart, said: str, answers: tuple[str, ...] | None
) -> None:
    """An option that was said, else the words themselves where they are taken."""
    assert answers_in(question(asked), said) == (None if answers is None else {"room": answers})


def test_several_parts_are_not_answered_in_one_sentence() -> None:
    """Nobody knows which words belong to which."""
    asked = question(part("A"), part("B", part_id="days"))
    assert not can_be_said(asked)
    assert answers_in(asked, "A and B") is None


def test_an_answer_is_given_once_and_soon() -> None:
    """Where the question was asked."""
    asked_back = AskedBack()
    asked = question(part())
    asked_back.note("kitchen", asked, 100.0)
    assert asked_back.take("hall", 100.0) is None
    assert asked_back.take(None, 100.0) is None
    assert asked_back.take("kitchen", 101.0) == asked
    assert asked_back.take("kitchen", 101.0) is None
    asked_back.note("kitchen", asked, 100.0)
    assert asked_back.take("kitchen", 100.0 + ANSWER_TIME) is None


def test_the_oldest_question_is_forgotten() -> None:
    """There may be many places; the last one asked at each counts."""
    asked_back = AskedBack()
    for number in range(MAX_ASKED):
        asked_back.note(str(number), question(part()), 0.0)
    newest = question(part(), question_id="ask_2")
    asked_back.note("0", newest, 0.0)
    asked_back.note("new", newest, 0.0)
    assert asked_back.take("1", 1.0) is None
    assert asked_back.take("0", 1.0) == newest
    assert asked_back.take("new", 1.0) == newest
