"""`scripts/demo --realtime`: a satellite talks with the agent, by both backends, and interrupts it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .gateway import realtime_config
from .model_server import ModelRequest
from .proof import ProofError
from .realtime_lessons import (
    INTERRUPT_AFTER,
    BackendReport,
    Lesson,
    lessons_with,
    prove_conversation,
    report_of,
    teach,
)
from .realtime_session import Conversation, converse
from .stage import PIPELINE_NAME, Stage, set_stage, step
from .voice.hearing import Recogniser
from .voice.likeness import share_heard
from .voice.pipeline import prefer_voice
from .voice.realtime_provider import RealtimeProvider
from .voice.server import VoiceServer

BACKENDS: Final = {
    "gateway": "the speech model of the gateway",
    "assist": "the speech engines of Home Assistant",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeReport:
    """What `--realtime --json` prints."""

    backends: dict[str, BackendReport]
    gateway_version: str
    home_assistant_version: str


async def demonstrate_realtime(question: str | None, folder: Path) -> RealtimeReport:
    """Start everything, talk with each backend, prove, and stop everything.

    Args:
        question: What is asked besides the questions whose answers are known.
        folder: Where everything keeps what it writes.

    Raises:
        StepError: Something could not be started or set up, or it proves nothing.
    """
    lessons = lessons_with(question)
    async with AsyncExitStack() as stack:
        with step("Starting the recogniser"):
            recogniser = await stack.enter_async_context(Recogniser(folder / "recogniser"))
        server = await stack.enter_async_context(VoiceServer(recogniser))
        provider = await stack.enter_async_context(RealtimeProvider.offline(recogniser))
        stage = await stack.enter_async_context(
            set_stage(folder, overrides=realtime_config(provider.url))
        )
        teach(provider.model.mind, stage.model, lessons)
        with step("Making an Assist pipeline with the agent and a voice"):
            await prefer_voice(stage.client, stage.agent.entity_id, server, name=PIPELINE_NAME)
        with step("Warming up the gateway: its first run takes seconds more"):
            async for _ in stage.client.ask("MODEL:SAY ready"):
                pass
        reports = {name: await _talk(stage, recogniser, lessons, name) for name in BACKENDS}
        with step("Checking who did the work"):
            _prove_work(provider, server, len(lessons))
        return RealtimeReport(
            backends=reports,
            gateway_version=stage.gateway.version,
            home_assistant_version=stage.client.version,
        )


async def _talk(
    stage: Stage, recogniser: Recogniser, lessons: Sequence[Lesson], backend: str
) -> BackendReport:
    """Talk with one backend, and prove it."""
    asked = len(stage.model.requests)
    with step(f"Talking to {stage.agent.entity_id} by {BACKENDS[backend]}"):
        seen = await converse(
            stage.home.url,
            stage.client.token,
            [lesson.question for lesson in lessons],
            backend=backend,
            interrupt_after=INTERRUPT_AFTER,
        )
    with step("Listening to the answers, and checking them"):
        heard = [await recogniser.hear(answered.sound) for answered in seen.answers]
        prove_conversation(seen, lessons, backend, heard)
        _prove_agent(seen, lessons, stage.model.requests[asked:], backend)
    return report_of(seen, heard)


def _prove_agent(
    seen: Conversation, lessons: Sequence[Lesson], requests: Sequence[ModelRequest], backend: str
) -> None:
    """Check that the agent was asked what it had to be asked.

    Raises:
        ProofError: It was not.
    """
    for lesson, answered in zip(lessons, seen.answers, strict=True):
        if not lesson.is_agents and backend == "gateway":
            continue
        if not any(share_heard(answered.turn.user, each.user_text) == 1 for each in requests):
            raise ProofError(f"The agent was never asked “{answered.turn.user}”.")


def _prove_work(provider: RealtimeProvider, server: VoiceServer, questions: int) -> None:
    """Check that each backend has used its own ears.

    Raises:
        ProofError: One of them has not.
    """
    for who, heard in (("The speech model", provider.model.turns), ("Assist", server.heard)):
        if len(heard) != questions:
            raise ProofError(f"{who} has heard {len(heard)} questions, not {questions}.")


def realtime_lines(report: RealtimeReport) -> str:
    """Return the lines for people."""
    lines: list[str] = []
    for name, seen in report.backends.items():
        lines.append(f"By {BACKENDS[name]}:\n")
        rows = zip(seen.recognised, seen.answer_recognised, seen.first_audio_each_s, strict=True)
        lines += [
            f"  Asked “{asked}”, answered “{said}”, first sound after {first:.2f} s.\n"
            for asked, said, first in rows
        ]
        lines.append(
            f"  The first answer was interrupted after {seen.heard_before_clear_s:.1f} s; "
            f"silence came {seen.clear_ms:.0f} ms later.\n"
        )
    return "".join(lines)
