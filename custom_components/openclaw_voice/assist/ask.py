"""One question, one answer, for callers without a conversation: actions, tasks, tools, notifications."""

from dataclasses import dataclass, field

from ..gateway.errors import GatewayError
from .agent import Agent
from .agent_turn import AgentTurn, Manners
from .question import Question
from .timings import NO_TIMES, Timings
from .turn_result import TOTAL_LIMIT, TurnOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question came to. Errors are part of it, none is raised."""

    outcome: TurnOutcome
    text: str = field(default="", repr=False)
    """The agent's last message; what it had said of it when the rest comes later, or it failed."""

    links: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of media."""

    sentence: str = ""
    """Ours, in the language of the question: about an error, or that the answer comes later."""

    error: GatewayError | None = None
    session_key: str = ""
    conversation_id: str | None = None
    run_id: str | None = None
    """None when nothing was sent."""

    late_answer_id: str | None = None
    """What the answer is kept under, when it comes later."""

    timings: Timings = NO_TIMES


async def ask(
    agent: Agent,
    question: Question,
    *,
    timeout: float = TOTAL_LIMIT,
    waits: bool = True,
    can_be_later: bool = True,
    is_announced: bool = True,
) -> Answer:
    """Ask an agent and return its answer. Being cancelled aborts the run on the gateway.

    Args:
        agent: Whom.
        question: What.
        timeout: Seconds until the answer comes later, or the run is aborted.
        waits: Else it returns as soon as the question was sent, and the answer comes later; people
            hear nothing of it, there is only the event.
        can_be_later: Whether the agent may go on after the timeout; else that is an error.
        is_announced: Whether people are told an answer that comes later; else there is only the
            event.
    """
    turn = AgentTurn(
        agent,
        question,
        Manners(
            limit=timeout if waits else 0.0,
            can_be_later=can_be_later or not waits,
            is_announced=is_announced and waits,
        ),
    )
    async for _ in turn.deltas():
        pass
    result = turn.result
    return Answer(
        outcome=result.outcome,
        text=result.answer,
        links=result.links,
        sentence=result.sentence,
        error=result.error,
        session_key=turn.session_key,
        conversation_id=question.conversation_id,
        run_id=turn.run_id,
        late_answer_id=turn.late_answer_id,
        timings=turn.timings,
    )
