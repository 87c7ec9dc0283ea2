"""What an agent asks people in the middle of its work."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    QuestionGoneError,
    RequestError,
    WrongAnswerError,
)
from custom_components.openclaw_voice.gateway.questions import (
    AgentQuestion,
    AnswerProblem,
    QuestionPart,
    QuestionResolved,
)
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal
from tests.gateway.garbage import JSON_OBJECTS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
KEY = "agent:main:homeassistant:0a1b2c3d:conversation:x"

ASKED: dict[str, Any] = {
    "id": "ask_1",
    "questions": [
        {
            "questionId": "room",
            "header": "Room",
            "question": "Which room?",
            "options": [{"label": "Kitchen", "description": "the big one"}, {"label": "Bath"}],
        },
        {
            "questionId": "days",
            "header": "Days",
            "question": "Which days?",
            "options": [{"label": "Mon"}, {"label": "Tue"}],
            "multiSelect": True,
            "isOther": True,
        },
    ],
    "agentId": "main",
    "sessionKey": KEY,
    "runId": "run-1",
    "createdAtMs": NOON_MS,
    "expiresAtMs": NOON_MS + 900_000,
    "status": "pending",
}
FREE: dict[str, Any] = {"questionId": "name", "header": "", "question": "Name?", "options": []}


def question(**changes: object) -> AgentQuestion:
    """Return a question with some fields changed."""
    read = AgentQuestion.from_payload(ASKED | changes)
    assert read is not None
    return read


def test_a_question_is_read_with_its_parts() -> None:
    """What may be answered, and until when."""
    assert question() == AgentQuestion(
        id="ask_1",
        parts=(
            QuestionPart(id="room", header="Room", text="Which room?", options=("Kitchen", "Bath")),
            QuestionPart(
                id="days",
                header="Days",
                text="Which days?",
                options=("Mon", "Tue"),
                takes_other=True,
                is_multiple=True,
            ),
        ),
        agent_id="main",
        session_key=KEY,
        run_id="run-1",
        created=NOON,
        expires=datetime(2026, 11, 21, 12, 15, tzinfo=UTC),
    )


def test_what_is_asked_is_not_in_its_representation() -> None:
    """It is what somebody said."""
    assert "room?" not in repr(question())
    assert "Kitchen" not in repr(question())


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"createdAtMs": None},
        {"expiresAtMs": "soon"},
        {"questions": []},
        {"questions": [{"questionId": "room"}]},
        {"questions": [{"question": "Which room?"}]},
        {"status": "answered"},
    ],
    ids=str,
)
def test_what_nobody_could_answer_is_no_question(changes: dict[str, Any]) -> None:
    """It is over, or lacks something."""
    assert AgentQuestion.from_payload(ASKED | changes) is None


@given(payload=JSON_OBJECTS, part=JSON_OBJECTS)
def test_nothing_the_gateway_sends_breaks_the_reader(
    payload: dict[str, Any], part: dict[str, Any]
) -> None:
    """A newer gateway must not break us."""
    AgentQuestion.from_payload(ASKED | payload)
    AgentQuestion.from_payload(ASKED | {"questions": [part, FREE | part]})
    QuestionResolved.from_payload(payload, now=NOON)


def test_answers_are_given_as_the_options_are_written() -> None:
    """People and recognisers write them differently."""
    answers = {"room": [" kitchen "], "days": ["TUE", "Mon", "Tue", "", "someday"]}
    assert question().checked(answers) == {
        "room": ("Kitchen",),
        "days": ("Tue", "Mon", "someday"),
    }


def test_an_option_that_is_written_exactly_goes_first() -> None:
    """Two options may differ in their case alone."""
    part = QuestionPart(id="unit", text="Which?", options=("mW", "MW"))
    assert part.checked(["MW"]) == ("MW",)
    assert part.checked(["mw"]) == ("mW",)


def test_anything_is_an_answer_where_there_are_no_options() -> None:
    """As it is written."""
    assert question(questions=[FREE]).checked({"name": [" Ada "]}) == {"name": ("Ada",)}


@pytest.mark.parametrize(
    ("answers", "problem", "part"),
    [
        ({"room": ["Bath"], "days": ["Mon"], "hall": ["x"]}, AnswerProblem.NO_SUCH_PART, "hall"),
        ({"room": ["Bath"]}, AnswerProblem.MISSING, "days"),
        ({"room": ["  "], "days": ["Mon"]}, AnswerProblem.MISSING, "room"),
        ({"room": ["Bath", "Kitchen"], "days": ["Mon"]}, AnswerProblem.ONLY_ONE, "room"),
        ({"room": ["Attic"], "days": ["Mon"]}, AnswerProblem.NOT_OFFERED, "room"),
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit_is_refused(
    answers: dict[str, list[str]], problem: AnswerProblem, part: str
) -> None:
    """The error names the part, and never what was answered."""
    with pytest.raises(WrongAnswerError) as caught:
        question().checked(answers)
    assert (caught.value.problem, caught.value.part) == (problem, part)
    assert "Attic" not in str(caught.value)


@pytest.mark.parametrize("mark", [{"isSecret": True}, {"secretStore": {"name": "KEY"}}], ids=str)
def test_a_secret_is_not_answered_from_here(mark: dict[str, Any]) -> None:
    """It would be in traces and logs."""
    asked = question(questions=[FREE | mark])
    with pytest.raises(WrongAnswerError) as caught:
        asked.checked({"name": ["hunter22"]})
    assert caught.value.problem is AnswerProblem.CONFIDENTIAL
    assert "hunter22" not in str(caught.value)


def test_the_end_of_a_question_is_read_without_its_answer() -> None:
    """The event has no time."""
    payload = {"id": "ask_1", "status": "answered", "answers": {"answers": {"room": ["Bath"]}}}
    resolved = QuestionResolved.from_payload(payload, now=NOON)

    assert resolved == QuestionResolved(id="ask_1", status="answered", at=NOON)
    assert QuestionResolved.from_payload({"status": "expired"}, now=NOON) is None


async def test_what_waits_is_listed_in_order(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A row that is none is left out by us; the gateway sends none."""
    later = ASKED | {"id": "ask_2", "createdAtMs": NOON_MS + 1}
    over = ASKED | {"id": "ask_3", "status": "expired"}
    gateway.script(
        Expect("question.list", params={}, reply={"questions": [later, over, ASKED]}),
    )
    assert [each.id for each in await client.questions.list()] == ["ask_1", "ask_2"]


async def test_answers_go_to_the_gateway(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """By the ids of the parts, each in a list; or none at all."""
    gateway.script(
        Expect(
            "question.resolve",
            params={"id": "ask_1", "answers": {"answers": {"room": ["Bath"], "days": ["a", "b"]}}},
            reply={"status": "answered", "answers": {"answers": {}}},
        ),
        Expect(
            "question.resolve",
            params={"id": "ask_1", "cancel": True},
            reply={"status": "cancelled"},
        ),
    )
    await client.questions.answer("ask_1", {"room": ("Bath",), "days": ("a", "b")})
    await client.questions.cancel("ask_1")


@pytest.mark.parametrize("reason", ["QUESTION_NOT_FOUND", "QUESTION_ALREADY_TERMINAL"])
async def test_a_question_that_waits_no_longer_is_told_apart(
    gateway: ScriptedGateway, client: GatewayClient, reason: str
) -> None:
    """Somebody was faster, or it has expired."""
    refusal = Refusal(message="question 'ask_1' was not found", details={"reason": reason})
    gateway.script(Expect("question.resolve", reply=refusal))

    with pytest.raises(QuestionGoneError):
        await client.questions.cancel("ask_1")


async def test_another_refusal_stays_what_it_is(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The question may still wait."""
    refusal = Refusal(message="no", details={"reason": "QUESTION_INVALID_ANSWER"})
    gateway.script(Expect("question.resolve", reply=refusal))

    with pytest.raises(RequestError):
        await client.questions.answer("ask_1", {"room": ["x"]})
