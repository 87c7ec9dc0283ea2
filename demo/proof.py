"""Follows a turn while it runs, and checks that it was the real thing."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
import sys

from .home_assistant import DOMAIN
from .model_server import ModelRequest
from .process import DemoError
from .stage import Agent
from .turn import Delta, MessageStarted, TurnEnded, TurnEvent, TurnStarted


class ProofError(DemoError):
    """The demo did not show what it claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a client of Assist saw of one turn."""

    agent_id: str
    messages: tuple[str, ...]
    """The streamed texts of the assistant's messages, the empty ones left out."""

    deltas: int
    first_delta_s: float
    end: TurnEnded


async def watch(turn: AsyncGenerator[TurnEvent]) -> Turn:
    """Follow a turn to its end and print the answer as it streams.

    Args:
        turn: What Assist tells about it.

    Raises:
        ProofError: The turn did not run to its end, or without text.
    """
    agent_id = ""
    messages: list[list[str]] = [[]]
    times: list[float] = []
    end: TurnEnded | None = None
    try:
        async with aclosing(turn) as events:
            async for event in events:
                match event:
                    case TurnStarted():
                        agent_id = event.agent_id
                    case MessageStarted():
                        if messages[-1]:
                            show("\n")
                        messages.append([])
                    case Delta():
                        messages[-1].append(event.text)
                        times.append(event.seconds)
                        show(event.text)
                    case TurnEnded():
                        end = event
    finally:
        if times:
            show("\n")
    if end is None:
        raise ProofError("Assist ended the turn without an answer.")
    if end.response_type == "error":
        raise ProofError(f"The turn ended with an error: {end.answer}")
    if not times:
        raise ProofError("The turn ended without streaming any text.")
    return Turn(
        agent_id=agent_id,
        messages=tuple(text for pieces in messages if (text := "".join(pieces))),
        deltas=len(times),
        first_delta_s=times[0],
        end=end,
    )


def prove(
    question: str, turn: Turn, agent: Agent, platform: str, requests: Sequence[ModelRequest]
) -> None:
    """Check that our agent answered this question with what the model server sent.

    Args:
        question: What was asked.
        turn: What came back.
        agent: The agent that the integration made.
        platform: The integration that this agent's entity belongs to, as Home Assistant says.
        requests: What the model server was asked in this run.

    Raises:
        ProofError: One of these is not so.
    """
    if turn.agent_id != agent.entity_id or turn.end.was_local:
        raise ProofError(
            f"{turn.agent_id or 'Home Assistant itself'} answered, not {agent.entity_id}."
        )
    if platform != DOMAIN:
        raise ProofError(f"{agent.entity_id} is an entity of {platform}, not of {DOMAIN}.")
    asked = [request for request in requests if request.user_text == question]
    if not asked:
        raise ProofError("The model server was never asked this question.")
    if not all(request.is_complete for request in asked):
        raise ProofError("The model server did not get to the end of its answer.")
    if turn.messages != tuple(request.reply for request in asked if request.reply):
        raise ProofError("The streamed answer is not what the model server sent.")
    if turn.end.answer != turn.messages[-1]:
        raise ProofError("The answer at the end of the turn is not the one that was streamed.")


def show(text: str) -> None:
    """Print a part of the answer to stdout, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
