"""`scripts/demo --realtime`: a satellite talks with the agent, by both backends, and interrupts it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .agent_options import open_options, send_options
from .gateway import realtime_config
from .model_server import ModelRequest
from .offline_voice import OfflineVoice, offline_voice
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
from .voice.likeness import share_heard
from .voice.pipeline import prefer_voice

PATIENCE: Final = 100.0
"""Seconds without a word before an answer comes later: here none is to."""

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
        with step("Starting a recogniser and a voice"):
            voice = await stack.enter_async_context(offline_voice(folder))
        stage = await stack.enter_async_context(
            set_stage(folder, overrides=realtime_config(voice.provider.url))
        )
        teach(voice.provider.model.mind, stage.model, lessons)
        with step("Making an Assist pipeline with the agent and a voice"):
            await prefer_voice(
                stage.client, stage.agent.entity_id, voice.server, name=PIPELINE_NAME
            )
        with step("Warming up the gateway: its first run takes seconds more"):
            async for _ in stage.client.ask("MODEL:SAY ready"):
                pass
        with step("Having people wait for answers, however busy this computer is"):
            form = await open_options(stage.client, stage.agent)
            await send_options(stage.client, form, {"patience": PATIENCE})
        theatre = Theatre(stage=stage, voice=voice)
        reports = {name: await theatre.talk(lessons, name) for name in BACKENDS}
        return RealtimeReport(
            backends=reports,
            gateway_version=stage.gateway.version,
            home_assistant_version=stage.client.version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """The stage, and everybody who hears and speaks on it."""

    stage: Stage
    voice: OfflineVoice

    async def talk(self, lessons: Sequence[Lesson], backend: str) -> BackendReport:
        """Talk with one backend, and prove it.

        Raises:
            StepError: The session failed, or proves nothing.
        """
        agent_id = self.stage.agent.entity_id
        asked, before = len(self.stage.model.requests), self._engines(backend)
        with step(f"Talking to {agent_id} by {BACKENDS[backend]}"):
            seen = await converse(
                self.stage.home.url,
                self.stage.client.token,
                [lesson.question for lesson in lessons],
                backend=backend,
                interrupt_after=INTERRUPT_AFTER,
            )
        with step("Listening to the answers, and checking them"):
            heard = [await self.voice.recogniser.hear(answered.sound) for answered in seen.answers]
            prove_conversation(seen, lessons, backend, heard)
            _prove_agent(seen, lessons, self.stage.model.requests[asked:], backend)
            engines = self._engines(backend)[len(before) :]
            if len(engines) != len(lessons):
                raise ProofError(f"The stand-ins have worked {len(engines)} times.")
        return report_of(seen, heard, engines)

    def _engines(self, backend: str) -> list[float]:
        """Return how long the stand-ins took for each turn so far, until its first sound."""
        if backend == "gateway":
            turns = self.voice.provider.model.turns
            return [(turn.first_sound_at or turn.ended_at) - turn.ended_at for turn in turns]
        return [
            heard.seconds + (spoken.first_sound_at or spoken.asked_at) - spoken.asked_at
            for heard, spoken in zip(
                self.voice.server.heard, self.voice.server.spoken, strict=False
            )
        ]


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


def realtime_lines(report: RealtimeReport) -> str:
    """Return the lines for people."""
    lines: list[str] = []
    for name, seen in report.backends.items():
        lines.append(f"By {BACKENDS[name]}:\n")
        rows = zip(
            seen.recognised,
            seen.answer_recognised,
            seen.first_audio_each_s,
            seen.engines_each_s,
            strict=True,
        )
        lines += [
            f"  Heard “{asked}”, and in the answer “{said}”. First sound {first:.2f} s after the "
            f"question, {engines:.2f} s of it in the speech engines.\n"
            for asked, said, first, engines in rows
        ]
        lines.append(
            f"  The first answer was interrupted after {seen.heard_before_clear_s:.1f} s; "
            f"silence came {seen.clear_ms:.0f} ms later.\n"
        )
    return "".join(lines)
