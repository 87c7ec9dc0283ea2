"""Recorded approvals and questions are read, and the fake tells the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.approvals import (
    APPROVAL_REQUESTED,
    APPROVAL_RESOLVED,
    Approval,
    ApprovalKind,
    ApprovalResolved,
)
from custom_components.openclaw_voice.gateway.questions import (
    QUESTION_REQUESTED,
    QUESTION_RESOLVED,
    AgentQuestion,
    QuestionResolved,
)
from tests.recordings import Recording

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def recorded(name: str, *events: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names and payloads of some events on the first connection that got them."""
    for line in Recording.load(name).on("conn-1"):
        if line.direction == "in" and line.frame.get("event") in events:
            yield line.frame["event"], line.frame["payload"]


@pytest.mark.parametrize(
    ("name", "kind", "command", "decisions", "wait"),
    [
        ("ask-approval", ApprovalKind.EXEC, "echo hello", 2, timedelta(minutes=30)),
        (
            "ask-plugin",
            ApprovalKind.PLUGIN,
            "lock.unlock lock.front_door",
            3,
            timedelta(minutes=1),
        ),
    ],
)
def test_recorded_approvals_are_read(
    name: str, kind: ApprovalKind, command: str, decisions: int, wait: timedelta
) -> None:
    """What was asked, and what became of it; the list says the same."""
    asked = [
        Approval.from_payload(APPROVAL_REQUESTED[event], payload)
        for event, payload in recorded(name, *APPROVAL_REQUESTED)
    ]
    over = [
        ApprovalResolved.from_payload(APPROVAL_RESOLVED[event], payload, now=NOON)
        for event, payload in recorded(name, *APPROVAL_RESOLVED)
    ]
    rows: Any = Recording.load(name).answer(f"{kind}.approval.list", connection="conn-1")

    first, second = asked
    assert first is not None
    assert second is not None
    assert Approval.from_payload(kind, rows[0]) == first
    assert (first.kind, first.command, first.is_cut) == (kind, command, False)
    assert len(first.decisions) == decisions
    assert first.expires - first.created == wait
    assert [(each.id, each.decision) for each in over if each] == [
        (first.id, "allow-once"),
        (second.id, "deny"),
    ]
    for each in over:
        assert each is not None
        assert each.at != NOON
        assert each.approval is not None
        assert each.approval.command == command


def test_who_decided_is_told_and_that_nobody_did() -> None:
    """The second request of the plugin expired."""
    deciders = [payload["resolvedBy"] for _, payload in recorded("ask-plugin", *APPROVAL_RESOLVED)]
    assert deciders == ["Home Assistant", None]


def test_recorded_questions_are_read() -> None:
    """Both parts, their ends, and the same in the list."""
    [first, second] = [
        AgentQuestion.from_payload(payload)
        for _, payload in recorded("ask-question", QUESTION_REQUESTED)
    ]
    over = [
        QuestionResolved.from_payload(payload, now=NOON)
        for _, payload in recorded("ask-question", QUESTION_RESOLVED)
    ]
    [row] = Recording.load("ask-question").answer("question.list")["questions"]

    assert first is not None
    assert second is not None
    assert AgentQuestion.from_payload(row) == first
    room, days = first.parts
    assert (room.id, room.options, room.takes_other) == ("room", ("Kitchen", "Bath"), True)
    assert (days.id, days.is_multiple, days.is_secret) == ("days", True, False)
    assert first.expires - first.created == timedelta(minutes=15)
    assert [(each.id, each.status) for each in over if each] == [
        (first.id, "answered"),
        (second.id, "cancelled"),
    ]
