"""`scripts/demo`: one question through Assist to a real gateway, the answer as it streams, and the proof.

Progress goes to stderr; the answer, a line with times and, if asked for, one JSON object go to stdout.
"""

import argparse
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import sys
from typing import Final

from .proof import prove, show, watch
from .realtime import demonstrate_realtime, realtime_lines
from .stage import PIPELINE_NAME, StepError, folder_of_run, run_until_signal, set_stage, step
from .voice.demonstration import demonstrate_aloud, voice_lines

QUESTION: Final = "Which way did this question take to reach you?"
ANSWER_WAV: Final = "answer.wav"


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


async def demonstrate(question: str, folder: Path) -> Report:
    """Start everything, ask, prove, and stop everything.

    Raises:
        StepError: Something could not be started or set up, or the answer is not what it should be.
    """
    async with set_stage(folder) as stage:
        client, agent = stage.client, stage.agent
        with step("Making an Assist pipeline with the agent"):
            await client.prefer_agent(agent.entity_id, name=PIPELINE_NAME)
        with step(f"Asking {agent.entity_id}: {question}"):
            turn = await watch(client.ask(question))
        with step("Checking that this agent answered with what the model server sent"):
            platform = await client.platform_of(agent.entity_id)
            prove(question, turn, agent, platform, stage.model.requests)
        return Report(
            question=question,
            answer=turn.end.answer,
            deltas=turn.deltas,
            first_delta_s=round(turn.first_delta_s, 3),
            complete_s=round(turn.end.seconds, 3),
            gateway_version=stage.gateway.version,
            home_assistant_version=client.version,
        )


def line_of(report: Report) -> str:
    """Return the line with the times."""
    return (
        f"First text after {report.first_delta_s:.2f} s, complete after {report.complete_s:.2f} s, "
        f"{report.deltas} deltas.\n"
    )


async def run(
    question: str | None,
    *,
    as_json: bool,
    answer_wav: Path | None = None,
    is_realtime: bool = False,
) -> int:
    """Run the demo in a folder of its own, which stays when it fails, and return the exit code.

    Args:
        question: What to ask; None: what is asked when nobody says.
        as_json: Print a line for programs, too.
        answer_wav: Where to save the spoken answer; without it nothing is spoken.
        is_realtime: Let a satellite talk.
    """
    try:
        with folder_of_run(".demo") as folder:
            if is_realtime:
                talked = await demonstrate_realtime(question, folder)
                lines, fields = realtime_lines(talked), asdict(talked)
            elif answer_wav:
                spoken = await demonstrate_aloud(question or QUESTION, folder, answer_wav)
                lines, fields = voice_lines(spoken), asdict(spoken)
            else:
                report = await demonstrate(question or QUESTION, folder)
                lines, fields = line_of(report), asdict(report)
        show(lines)
        if as_json:
            show(json.dumps(fields) + "\n")
    except StepError:
        return 1
    except BrokenPipeError:
        # Nobody reads the answer; Python must not complain about that again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


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
    parser.add_argument("question", nargs="?", type=_question)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of stdout"
    )
    parser.add_argument(
        "--voice",
        action="store_true",
        help="speak the question, and have the answer spoken: real speech-to-text and text-to-speech",
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="talk as a realtime satellite does, by the gateway's speech model and by Home Assistant's engines",
    )
    parser.add_argument(
        "--answer",
        metavar="FILE",
        type=Path,
        help=f"where --voice saves the spoken answer ({ANSWER_WAV} in the current folder)",
    )
    options = parser.parse_args()
    if options.answer and not options.voice:
        parser.error("--answer is for --voice: otherwise nothing is spoken")
    if options.voice and options.realtime:
        parser.error("either --voice or --realtime")
    answer_wav = (options.answer or Path(ANSWER_WAV)).absolute() if options.voice else None
    if answer_wav and not answer_wav.parent.is_dir():
        parser.error(f"there is no folder {answer_wav.parent} to save the answer in")
    return run_until_signal(
        run(
            options.question,
            as_json=options.json,
            answer_wav=answer_wav,
            is_realtime=options.realtime,
        )
    )
