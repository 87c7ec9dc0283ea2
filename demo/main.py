"""`scripts/demo`: one question through Assist to a real gateway, the answer as it streams, and the proof.

Progress goes to stderr; the answer, a line with times and, if asked for, one JSON object go to stdout.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import sys
from typing import Final

from .client import HomeAssistantClient
from .gateway import GatewayProcess
from .home_assistant import DOMAIN, HomeAssistantProcess
from .model_server import ModelRequest, ModelServer
from .process import DemoError
from .stage import (
    PIPELINE_NAME,
    Agent,
    StepError,
    add_gateway,
    folder_of_run,
    run_until_signal,
    start_gateway,
    start_home_assistant,
    step,
    stop,
)
from .turn import Delta, MessageStarted, TurnEnded, TurnStarted

QUESTION: Final = "Which way did this question take to reach you?"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `--json` prints."""

    question: str
    answer: str
    deltas: int
    first_delta_s: float
    complete_s: float
    gateway_version: str
    home_assistant_version: str


async def ask(client: HomeAssistantClient, question: str) -> Turn:
    """Ask through the preferred Assist pipeline and print the answer as it streams.

    Raises:
        ProofError: The turn did not run to its end, or without text.
    """
    agent_id = ""
    messages: list[list[str]] = [[]]
    times: list[float] = []
    end: TurnEnded | None = None
    try:
        async for event in client.ask(question):
            match event:
                case TurnStarted():
                    agent_id = event.agent_id
                case MessageStarted():
                    if messages[-1]:
                        _print("\n")
                    messages.append([])
                case Delta():
                    messages[-1].append(event.text)
                    times.append(event.seconds)
                    _print(event.text)
                case TurnEnded():
                    end = event
    finally:
        if times:
            _print("\n")
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


async def demonstrate(question: str, folder: Path) -> Report:
    """Start everything, ask, prove, and stop everything.

    Raises:
        StepError: Something could not be started or set up, or the answer is not what it should be.
    """
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ModelServer())
        gateway = GatewayProcess(folder / "gateway", model.base_url)
        home = HomeAssistantProcess(folder / "home-assistant")
        stack.push_async_callback(stop, gateway, home)
        try:
            async with asyncio.TaskGroup() as starts:
                starts.create_task(start_gateway(gateway))
                starts.create_task(start_home_assistant(home))
        except* StepError as group:
            raise group.exceptions[0] from None
        client = await stack.enter_async_context(home.connect())
        with step("Adding the integration through its config flow"):
            agent = await add_gateway(client, gateway.url, gateway.token)
        with step("Making an Assist pipeline with the agent"):
            await client.prefer_agent(agent.entity_id, name=PIPELINE_NAME)
        with step(f"Asking {agent.entity_id}: {question}"):
            turn = await ask(client, question)
        with step("Checking that this agent answered with what the model server sent"):
            row = await client.call("config/entity_registry/get", entity_id=agent.entity_id)
            prove(question, turn, agent, row["platform"], model.requests)
        return Report(
            question=question,
            answer=turn.end.answer,
            deltas=turn.deltas,
            first_delta_s=round(turn.first_delta_s, 3),
            complete_s=round(turn.end.seconds, 3),
            gateway_version=gateway.version,
            home_assistant_version=client.version,
        )


async def run(question: str, *, as_json: bool) -> int:
    """Run the demo in a folder of its own, which stays when it fails, and return the exit code."""
    try:
        with folder_of_run(".demo") as folder:
            report = await demonstrate(question, folder)
        _print(
            f"First text after {report.first_delta_s:.2f} s, complete after {report.complete_s:.2f} s, "
            f"{report.deltas} deltas.\n"
        )
        if as_json:
            _print(json.dumps(asdict(report)) + "\n")
    except StepError:
        return 1
    except BrokenPipeError:
        # Nobody reads the answer; Python must not complain about that again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _print(text: str) -> None:
    """Print a part of the answer to stdout, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _question(text: str) -> str:
    """Return the question without white space around it, which does not reach the model either."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the question is empty")
    return text.strip()


def main() -> int:
    """Read the command line and run the demo."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Ask a real OpenClaw gateway through Assist in a real Home Assistant; the model is a local stand-in.",
    )
    parser.add_argument("question", nargs="?", type=_question, default=QUESTION)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of stdout"
    )
    options = parser.parse_args()
    return run_until_signal(run(options.question, as_json=options.json))
