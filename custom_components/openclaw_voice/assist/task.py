"""A task for an agent: one question whose answer a program takes, in a form if it wants one."""

from dataclasses import dataclass, field, replace
import logging
from typing import Final

from .agent import Agent
from .ask import ask
from .question import Question
from .structured import Structure, UnstructuredAnswerError, ask_again
from .task_errors import NoAnswerError, WrongFormError
from .turn_result import TurnOutcome

_LOGGER: Final = logging.getLogger(__name__)

LIMIT: Final = 600.0
"""Seconds until a task is given up. Its answer is of use to who asked only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What came of a task."""

    text: str = field(repr=False)
    """The answer as the agent wrote it."""

    data: object = field(repr=False)
    """The value in the form that was asked for; without a form the text."""


async def async_perform(
    agent: Agent, question: Question, structure: Structure | None = None
) -> TaskResult:
    """Have an agent do a task. An answer in another form is mended once, in the same session.

    The form is a part of the message: not every run takes instructions, and none takes long ones.

    Raises:
        GatewayError: Nothing came of it; a `TaskError` when that is not the gateway's doing.
    """
    if structure is None:
        text = await _async_text(agent, question)
        return TaskResult(text=text, data=text)
    asked = replace(question, text=f"{question.text}\n\n{structure.request}")
    text = await _async_text(agent, asked)
    try:
        return TaskResult(text=text, data=structure.read(text))
    except UnstructuredAnswerError as err:
        _LOGGER.debug("Agent %s is asked again for its form", agent.agent_id)
        again = replace(question, text=ask_again(err), attachments=())
    text = await _async_text(agent, again)
    try:
        return TaskResult(text=text, data=structure.read(text))
    except UnstructuredAnswerError as err:
        raise WrongFormError(err.fields) from None


async def _async_text(agent: Agent, question: Question) -> str:
    """Return what an agent answers."""
    answer = await ask(agent, question, timeout=LIMIT, can_be_later=False)
    if answer.error is not None:
        raise answer.error
    if answer.outcome is not TurnOutcome.ANSWERED:
        raise NoAnswerError("the agent is silent")
    return answer.text
