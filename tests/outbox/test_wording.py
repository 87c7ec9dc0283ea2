"""The words people are told a notification in."""

from typing import Any

import pytest

from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.outbox.wording import (
    MAX_WRITTEN,
    PREFIX,
    SLUGS,
    Wording,
    with_end,
    wording,
)
from tests.architecture.source import load_json

from .late import NOON

TEXTS = {slug: load_json("translations/en.json")["common"][slug] for slug in SLUGS}
DECISIONS = "Possible decisions: allow once, deny, ask-the-boss"


def words(kind: NotificationKind, title: str = "", message: str = "", **data: Any) -> Wording:  # noqa: ANN401  what only this kind has
    """Return the words of a notification of Molty, at the gateway of the attic."""
    notification = Notification(
        id="1", kind=kind, title=title, message=message, time=NOON, data=data
    )
    return wording(notification, TEXTS, agent="Molty", gateway="Attic")


def test_a_job_is_told_by_its_name() -> None:
    """And with what it found out."""
    told = words(NotificationKind.JOB_FINISHED, " Briefing ", " Rain **today**. ")
    assert told == Wording(title="Briefing", aloud="Rain **today**.", written="Rain **today**.")


@pytest.mark.parametrize("kind", [NotificationKind.MESSAGE, NotificationKind.HEARTBEAT])
def test_what_has_no_title_is_told_by_who_says_it(kind: NotificationKind) -> None:
    """Nobody is spoken to out of nowhere."""
    assert words(kind, message="Hi.").title == "Message from Molty"


def test_what_the_gateway_says_nothing_about_has_a_title() -> None:
    """It is all there is to say, and to read."""
    update = words(NotificationKind.UPDATE_AVAILABLE, latest="2026.11.3", installed=None)
    assert update == Wording(
        title="OpenClaw 2026.11.3 is available",
        aloud="",
        written="OpenClaw 2026.11.3 is available",
    )
    assert words(NotificationKind.GATEWAY_STOPPING).title == "Attic is shutting down"
    assert words(NotificationKind.UPDATE_AVAILABLE, latest=5).title == "OpenClaw  is available"


def test_an_approval_names_what_can_be_decided() -> None:
    """A command is read, not listened to; a decision nobody has heard of is named as it is."""
    told = words(
        NotificationKind.APPROVAL_REQUESTED,
        "Run a command",
        "rm -rf /tmp/x",
        decisions=["allow-once", "deny", "ask-the-boss", 5],
    )
    assert told.title == "Molty asks for permission: Run a command"
    assert told.aloud == ""
    assert told.written == f"rm -rf /tmp/x\n\n{DECISIONS}"


def test_what_can_be_decided_is_never_cut_off() -> None:
    """A long command is."""
    told = words(
        NotificationKind.APPROVAL_REQUESTED,
        "Run",
        "x" * 5_000,
        decisions=["allow-once", "deny", "ask-the-boss"],
    )
    assert len(told.written) == MAX_WRITTEN
    assert told.written.endswith(f"…\n\n{DECISIONS}")
    many = words(NotificationKind.APPROVAL_REQUESTED, "Run", "x" * 999, decisions=["y" * 50] * 50)
    assert len(many.written) == MAX_WRITTEN


def test_an_approval_without_known_decisions_is_told_all_the_same() -> None:
    """Somebody can look at the gateway."""
    assert words(NotificationKind.APPROVAL_REQUESTED, "Run", "ls", decisions=None).written == "ls"


def test_a_decision_is_named() -> None:
    """When it is known."""
    told = words(NotificationKind.APPROVAL_RESOLVED, "Run", decision="allow-once")
    assert told.title == "A request for permission has been settled: Run"
    assert told.written == "Decision: allow once"
    expired = words(NotificationKind.APPROVAL_RESOLVED, "Run", decision=None)
    assert expired.written == expired.title


def test_a_question_names_its_answers() -> None:
    """They are heard, too."""
    told = words(
        NotificationKind.QUESTION_ASKED,
        "Paint",
        "Which colour?",
        questions=[{"question": "Which colour?", "options": ["red", "green"]}],
    )
    assert told.title == "Molty has a question: Paint"
    assert told.written == told.aloud == "Which colour?\n\nPossible answers: red, green"


def test_answers_belong_to_their_questions() -> None:
    """One that can only be answered in words of one's own has none."""
    told = words(
        NotificationKind.QUESTION_ASKED,
        message="Which colour?\nWhere?\nWhy?",
        questions=[
            {"question": "Which colour?", "options": ["red", "green"]},
            {"question": "Where?", "options": ["here"]},
            {"question": "Why?", "options": []},
            "nonsense",
        ],
    )
    assert told.written.split("\n\n")[1].splitlines() == [
        "Which colour? – Possible answers: red, green",
        "Where? – Possible answers: here",
    ]
    assert words(NotificationKind.QUESTION_ASKED, message="Why?").aloud == "Why?"


def test_a_text_has_an_end() -> None:
    """A voice would run on."""
    assert with_end("Briefing", ":") == "Briefing:"
    assert with_end("Done!", ":") == "Done!"


def test_words_do_not_show() -> None:
    """Logs may name them."""
    assert "s3cret" not in repr(words(NotificationKind.MESSAGE, "s3cret", "s3cret"))
    assert all(slug.startswith(PREFIX) for slug in SLUGS)
