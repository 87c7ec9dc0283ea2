"""The questions capability: what an agent asks people in the middle of its work.

Source: gateway protocol 4, "Tools, approvals, questions". A question is told to every client that
may answer questions, whoever started the run; the run waits for the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from .errors import QuestionGoneError, RequestError, WrongAnswerError
from .frames import JsonObject, as_list, as_object, as_text, moment
from .status import Requester

QUESTION_REQUESTED: Final = "question.requested"
"""The event that brings a question."""

QUESTION_RESOLVED: Final = "question.resolved"
"""The event that tells that a question is over."""

_GONE: Final = frozenset({"QUESTION_NOT_FOUND", "QUESTION_ALREADY_TERMINAL"})
"""`details.reason` of a refusal because nobody waits for an answer any more."""


class AnswerProblem(StrEnum):
    """What is wrong with an answer to a question. The values are parts of translation keys."""

    NO_SUCH_PART = "no_such_part"
    MISSING = "missing"
    ONLY_ONE = "only_one"
    NOT_OFFERED = "not_offered"
    CONFIDENTIAL = "confidential"
    """It asks for a secret, which must not pass through Home Assistant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPart:
    """One of the questions that are asked together."""

    id: str
    header: str = field(default="", repr=False)
    """A word or two."""

    text: str = field(repr=False)
    options: tuple[str, ...] = field(default=(), repr=False)
    """What can be answered; nothing means: anything."""

    takes_other: bool = False
    """An answer besides the options is taken, too."""

    is_multiple: bool = False
    """Several answers are taken."""

    is_secret: bool = False
    """A password or the like is asked for."""

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self | None:
        """Read one of `questions`, None when it lacks what an answer needs."""
        part_id, text = as_text(payload.get("questionId")), as_text(payload.get("question"))
        if part_id is None or text is None:
            return None
        labels = (as_text(as_object(row).get("label")) for row in as_list(payload.get("options")))
        return cls(
            id=part_id,
            header=as_text(payload.get("header")) or "",
            text=text,
            options=tuple(filter(None, labels)),
            takes_other=payload.get("isOther") is True,
            is_multiple=payload.get("multiSelect") is True,
            is_secret=payload.get("isSecret") is True or bool(payload.get("secretStore")),
        )

    def checked(self, answers: Sequence[str]) -> tuple[str, ...]:
        """Return the answers to this part as the gateway takes them.

        Raises:
            WrongAnswerError: They do not fit.
        """
        if self.is_secret:
            raise WrongAnswerError(AnswerProblem.CONFIDENTIAL, part=self.id)
        texts = (text for answer in answers if (text := answer.strip()))
        given = tuple(dict.fromkeys(map(self._option, texts)))
        if not given:
            raise WrongAnswerError(AnswerProblem.MISSING, part=self.id)
        if len(given) > 1 and not self.is_multiple:
            raise WrongAnswerError(AnswerProblem.ONLY_ONE, part=self.id)
        return given

    def _option(self, answer: str) -> str:
        """Return the option that is meant, whatever its case, or the answer itself."""
        for fold in (str.strip, lambda text: text.strip().casefold()):
            for option in self.options:
                if fold(option) == fold(answer):
                    return option
        if self.options and not self.takes_other:
            raise WrongAnswerError(AnswerProblem.NOT_OFFERED, part=self.id)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentQuestion:
    """What an agent asks: one to three parts that are answered together."""

    id: str
    parts: tuple[QuestionPart, ...]
    agent_id: str | None = None
    session_key: str | None = None
    run_id: str | None = None
    created: datetime
    """UTC."""

    expires: datetime
    """When the agent goes on without an answer (UTC)."""

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self | None:
        """Read a question, None when it is over or lacks what an answer needs."""
        question_id = as_text(payload.get("id"))
        created, expires = moment(payload.get("createdAtMs")), moment(payload.get("expiresAtMs"))
        rows = map(as_object, as_list(payload.get("questions")))
        parts = tuple(part for row in rows if (part := QuestionPart.from_payload(row)) is not None)
        if question_id is None or created is None or expires is None or not parts:
            return None
        if payload.get("status", "pending") != "pending":
            return None
        return cls(
            id=question_id,
            parts=parts,
            agent_id=as_text(payload.get("agentId")),
            session_key=as_text(payload.get("sessionKey")),
            run_id=as_text(payload.get("runId")),
            created=created,
            expires=expires,
        )

    def checked(self, answers: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """Return the answers, by part, as the gateway takes them.

        Raises:
            WrongAnswerError: A part has none, or one that does not fit, or does not exist.
        """
        known = {part.id for part in self.parts}
        for part_id in answers:
            if part_id not in known:
                raise WrongAnswerError(AnswerProblem.NO_SUCH_PART, part=part_id)
        return {part.id: part.checked(answers.get(part.id, ())) for part in self.parts}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResolved:
    """A question is over. What was answered is not kept."""

    id: str
    status: str
    """The gateway's word: `answered`, `cancelled` or `expired`."""

    at: datetime
    """UTC."""

    @classmethod
    def from_payload(cls, payload: JsonObject, *, now: datetime) -> Self | None:
        """Read the event, which has no time; None when it does not say which question."""
        question_id = as_text(payload.get("id"))
        if question_id is None:
            return None
        return cls(id=question_id, status=as_text(payload.get("status")) or "", at=now)


class Questions:
    """Reads and answers questions. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def list(self) -> tuple[AgentQuestion, ...]:
        """Return what waits for an answer, of every session, the oldest first."""
        payload = await self._requester.request("question.list", {})
        rows = map(as_object, as_list(payload.get("questions")))
        read = (AgentQuestion.from_payload(row) for row in rows)
        found = [question for question in read if question is not None]
        return tuple(sorted(found, key=lambda question: question.created))

    async def answer(self, question_id: str, answers: Mapping[str, Sequence[str]]) -> None:
        """Answer all parts: one to each, or several where they are taken.

        Raises:
            QuestionGoneError: Somebody was faster, or it has expired.
        """
        by_part = {part_id: list(given) for part_id, given in answers.items()}
        await self._resolve({"id": question_id, "answers": {"answers": by_part}})

    async def cancel(self, question_id: str) -> None:
        """Leave it unanswered: the agent goes on at once.

        Raises:
            QuestionGoneError: Somebody was faster, or it has expired.
        """
        await self._resolve({"id": question_id, "cancel": True})

    async def _resolve(self, params: JsonObject) -> None:
        try:
            await self._requester.request("question.resolve", params)
        except RequestError as err:
            if err.detail_code in _GONE:
                raise QuestionGoneError("the question waits no longer") from err
            raise
