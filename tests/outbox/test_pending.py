"""Which requests of the gateway wait, while lists and events come as they like."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.openclaw_voice.gateway.approvals import Approval, ApprovalKind
from custom_components.openclaw_voice.gateway.questions import AgentQuestion, QuestionPart
from custom_components.openclaw_voice.outbox.pending import (
    MAX_KNOWN,
    MAX_PENDING,
    OpenRequest,
    Pending,
    kind_of,
    told,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def approval(request_id: str, at: int = 0, kind: ApprovalKind = ApprovalKind.EXEC) -> Approval:
    """Return one that came so many minutes after noon, for half an hour."""
    created = NOON + at * MINUTE
    return Approval(id=request_id, kind=kind, created=created, expires=created + 30 * MINUTE)


def question(request_id: str, at: int = 0) -> AgentQuestion:
    """Return one that came so many minutes after noon, for a quarter of an hour."""
    created = NOON + at * MINUTE
    parts = (QuestionPart(id="a", text="Which?"),)
    return AgentQuestion(id=request_id, parts=parts, created=created, expires=created + 15 * MINUTE)


def having(*requests: OpenRequest) -> Pending:
    """Return what has these."""
    pending = Pending()
    for request in requests:
        pending.add(request)
    return pending


def ids(pending: Pending) -> list[str]:
    """Return the ids of what waits."""
    return [request.id for request in pending.all]


def test_what_came_first_is_first() -> None:
    """Whatever it is, and whenever it was told."""
    pending = having(approval("b", 2), question("c", 3), approval("a", 1))
    assert ids(pending) == ["a", "b", "c"]
    assert pending.get("b") == approval("b", 2)
    assert pending.get("d") is None


def test_they_are_named_by_what_they_are() -> None:
    """As in the data of the notifications."""
    kinds = [kind_of(approval("a")), kind_of(approval("b", kind=ApprovalKind.PLUGIN))]
    assert kinds == ["exec", "plugin"]
    assert kind_of(question("c")) == "question"


def test_they_are_told_as_notifications() -> None:
    """So that a list says the same as the event did."""
    assert told(approval("a")).id == "approval:a"
    assert told(question("b")).id == "question:b"


def test_what_is_over_is_gone() -> None:
    """The end of what was never known is no news."""
    pending = having(approval("a"), question("b"))
    assert pending.remove("a")
    assert not pending.remove("a")
    assert not pending.remove("x")
    assert ids(pending) == ["b"]


def test_what_has_expired_is_gone() -> None:
    """At its time, not before."""
    pending = having(approval("a"), question("b"))
    assert pending.next_expiry == NOON + 15 * MINUTE
    assert not pending.expire(NOON + 14 * MINUTE)
    assert pending.expire(NOON + 15 * MINUTE)
    assert ids(pending) == ["a"]
    assert pending.expire(NOON + 45 * MINUTE)
    assert pending.next_expiry is None


def test_a_gateway_that_asks_without_end_fills_nothing() -> None:
    """The oldest go."""
    pending = having(*(approval(str(number), number) for number in range(MAX_PENDING + 2)))
    assert len(pending.all) == MAX_PENDING
    assert ids(pending)[0] == "2"


@pytest.mark.parametrize(
    "other",
    [
        replace(approval("a"), command="rm -r /"),
        replace(approval("a"), title="rm"),
        approval("a", 1),
        approval("a", kind=ApprovalKind.PLUGIN),
        question("a"),
    ],
    ids=["command", "title", "time", "kind", "question"],
)
@pytest.mark.parametrize("is_over", [False, True])
def test_an_id_stands_for_one_request(other: OpenRequest, *, is_over: bool) -> None:
    """A yes to what people were told must not allow something else."""
    pending = having(approval("a"))
    if is_over:
        pending.remove("a")
    pending.add(other)
    assert pending.get("a") is None
    pending.begin_list()
    pending.end_list(type(other), (other,))
    assert pending.get("a") is None


def test_a_request_told_again_is_the_same() -> None:
    """Also when it waits longer, or can be decided otherwise by now."""
    told_again = replace(approval("a"), expires=NOON + 60 * MINUTE, decisions=("deny",))
    pending = having(approval("a"), told_again)
    assert pending.all == (told_again,)
    assert ids(having(question("b"), question("b"))) == ["b"]


def test_old_ids_are_forgotten() -> None:
    """Those of requests that were over long ago."""
    pending = having(*(approval(str(number), number) for number in range(MAX_KNOWN + 1)))
    newest = approval("0", MAX_KNOWN + 2)
    pending.add(newest)
    pending.add(approval("2", MAX_KNOWN + 2))
    assert pending.get("0") == newest
    assert pending.get("2") is None


def test_a_list_takes_the_place_of_what_was_known_of_its_kind() -> None:
    """What is not in it ended while nobody listened."""
    pending = having(approval("a"), approval("b"), question("c"))
    pending.begin_list()
    assert pending.end_list(Approval, (approval("b"), approval("d", 1)))
    assert ids(pending) == ["b", "c", "d"]
    assert not pending.end_list(AgentQuestion, (question("c"),))
    assert pending.end_list(AgentQuestion, ())
    pending.leave_list()
    assert ids(pending) == ["b", "d"]


def test_what_is_told_while_a_list_is_under_way_counts_more() -> None:
    """The list may be older, or newer, than what was told."""
    pending = having(approval("a"))
    pending.begin_list()
    pending.add(approval("new", 2))
    pending.add(approval("short", 3))
    pending.remove("short")
    pending.remove("a")
    pending.remove("listed")

    assert not pending.end_list(Approval, (approval("a"), approval("listed", 1)))
    pending.leave_list()
    assert ids(pending) == ["new"]


def test_what_was_told_before_a_list_is_forgotten_with_it() -> None:
    """The next list knows better."""
    pending = having()
    pending.begin_list()
    pending.add(approval("a"))
    pending.remove("b")
    pending.end_list(Approval, ())
    pending.leave_list()

    pending.begin_list()
    assert pending.end_list(Approval, (approval("b"),))
    assert ids(pending) == ["b"]
