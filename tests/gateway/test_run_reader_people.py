"""What a run does besides talking: it waits for people."""

from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.questions import QUESTION_REQUESTED, AgentQuestion
from custom_components.openclaw_voice.gateway.run_items import ApprovalAwaited, QuestionAsked
from custom_components.openclaw_voice.gateway.run_reader import MAX_ASKED, RunReader
from tests.recordings import Recording

from .run_frames import agent, chat, taken

PAYLOAD: dict[str, Any] = {
    "id": "ask_1",
    "questions": [{"questionId": "room", "question": "Which room?"}],
    "runId": "r",
    "createdAtMs": 1_795_278_048_000,
    "expiresAtMs": 1_795_279_848_000,
}


@pytest.fixture
def reader() -> RunReader:
    """Return the reader of a new run."""
    return RunReader()


def waiting(approval_id: str | None) -> GatewayEvent:
    """Return that a tool waits for an approval."""
    more = {} if approval_id is None else {"approvalId": approval_id}
    return agent("lifecycle", phase="waiting-approval", **more)


def question(**fields: object) -> GatewayEvent:
    """Return a question of the run."""
    return GatewayEvent(name=QUESTION_REQUESTED, payload=PAYLOAD | fields)


def test_an_approval_is_told_once(reader: RunReader) -> None:
    """Each of them, as soon as the tool waits."""
    for approval_id in ("a", "a", "b"):
        reader.read_event(waiting(approval_id))
        assert reader.waits_for_approval
        reader.read_event(agent("lifecycle", phase="approval-resolved", approvalId=approval_id))
        assert not reader.waits_for_approval
    assert taken(reader) == [ApprovalAwaited("a"), ApprovalAwaited("b")]


def test_an_approval_without_an_id_is_told(reader: RunReader) -> None:
    """That there is one is what people need to know."""
    reader.read_event(waiting(None))
    assert taken(reader) == [ApprovalAwaited(None)]


def test_a_question_is_told_once(reader: RunReader) -> None:
    """With all that an answer needs."""
    reader.read_event(question())
    reader.read_event(question())
    expected = AgentQuestion.from_payload(PAYLOAD)
    assert expected is not None
    assert taken(reader) == [QuestionAsked(expected)]
    assert not reader.waits_for_approval


def test_a_question_nobody_can_answer_is_none(reader: RunReader) -> None:
    """It has no parts."""
    reader.read_event(question(questions=[]))
    assert taken(reader) == []


def test_a_run_cannot_ask_without_end(reader: RunReader) -> None:
    """What waits to be told is bounded."""
    for number in range(MAX_ASKED + 3):
        reader.read_event(waiting(str(number)))
    assert len(taken(reader)) == MAX_ASKED


def test_nothing_is_asked_after_the_end(reader: RunReader) -> None:
    """The frame is late."""
    reader.read_event(chat("final", "Done."))
    reader.read_event(question())
    assert not any(isinstance(item, QuestionAsked) for item in taken(reader))


def test_a_recorded_run_tells_what_it_waits_for() -> None:
    """Each approval that was asked for is one item, in the run that waits for it."""
    waits: list[ApprovalAwaited] = []
    readers: dict[str, RunReader] = {}
    asked: list[str] = []
    for line in Recording.load("ask-approval").on("conn-1"):
        name, payload = line.frame.get("event"), line.frame.get("payload")
        if line.direction != "in" or not isinstance(payload, dict):
            continue
        if name == "exec.approval.requested":
            asked.append(payload["id"])
        if name in ("agent", "chat"):
            reader = readers.setdefault(payload["runId"], RunReader())
            reader.read_event(GatewayEvent(name=name, payload=payload))
            waits += [item for item in taken(reader) if isinstance(item, ApprovalAwaited)]
    assert asked
    assert waits == [ApprovalAwaited(approval_id) for approval_id in asked]
