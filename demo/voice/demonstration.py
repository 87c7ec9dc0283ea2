"""`scripts/demo --voice`: the question and the answer as speech, and the proof that both were understood."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..client import HomeAssistantClient
from ..proof import ProofError, Turn, prove, watch
from ..stage import PIPELINE_NAME, Stage, set_stage, step
from .hearing import Recogniser
from .likeness import plain_words, share_heard
from .pipeline import prefer_voice
from .programs import USER_VOICE, speak
from .server import VoiceServer
from .spoken_turn import SpokenTurn, SpokenTurnRunner

QUESTION_SHARE: Final = 0.75
"""How many of the question's words speech-to-text must have heard."""

ANSWER_SHARE: Final = 0.6
"""How many of the answer's words are heard again in its sound: a long text of names and rare words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceReport:
    """What `--voice --json` prints. Times are seconds since the end of the spoken question."""

    question: str
    recognised: str
    """What speech-to-text heard of the question; the agent was asked this."""

    answer: str
    answer_wav: str
    """The file with the spoken answer."""

    answer_recognised: str
    """What the recogniser hears of that file."""

    first_audio_s: float
    """The first byte of the answer's sound came."""

    stages: dict[str, float]
    """How long each stage took; the last three overlap, because the answer is spoken while it streams."""

    deltas: int
    first_delta_s: float
    complete_s: float
    """The turn ended; the last sound may come later."""

    gateway_version: str
    home_assistant_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question that was spoken, and what came back."""

    question: str
    turn: Turn
    spoken: SpokenTurn
    given: tuple[str, ...]
    """The texts that text-to-speech was given."""

    answer_recognised: str


async def exchange(
    client: HomeAssistantClient,
    pipeline_id: str,
    server: VoiceServer,
    recogniser: Recogniser,
    question: str,
) -> Exchange:
    """Speak a question into a pipeline, print the answer as it streams, and listen to its sound.

    Raises:
        DemoError: The turn failed or came to nothing.
    """
    sound = await speak(question, voice=USER_VOICE)
    known = len(server.texts)
    runner = SpokenTurnRunner(client, pipeline_id)
    turn = await watch(runner.events(sound))
    return Exchange(
        question=question,
        turn=turn,
        spoken=runner.turn,
        given=server.texts[known:],
        answer_recognised=await recogniser.hear(runner.turn.sound),
    )


def prove_speech(seen: Exchange) -> None:
    """Check that both sides were understood.

    Raises:
        ProofError: Speech-to-text heard something else, the answer was not what was spoken, or its sound
            is not this text.
    """
    answer = seen.turn.end.answer
    recognised = seen.spoken.recognised
    if (share := share_heard(seen.question, recognised)) < QUESTION_SHARE:
        raise ProofError(
            f"Speech-to-text heard {share:.0%} of the question's words, not {QUESTION_SHARE:.0%}: "
            f"“{recognised}”. Ask something in plain English words."
        )
    if [plain_words(text) for text in seen.given] != [plain_words(answer)]:
        raise ProofError("Text-to-speech was not given the answer, and nothing else.")
    if (share := share_heard(answer, seen.answer_recognised)) < ANSWER_SHARE:
        raise ProofError(
            f"In the sound of the answer {share:.0%} of its words are heard again, not {ANSWER_SHARE:.0%}."
        )
    if seen.spoken.timeline.first_sound_s is None:
        raise ProofError("The time of the first sound has not been seen.")


async def demonstrate_aloud(question: str, folder: Path, answer_wav: Path) -> VoiceReport:
    """Start everything, ask aloud, save the answer, prove, and stop everything.

    Raises:
        StepError: Something could not be started or set up, or it proves nothing.
    """
    async with AsyncExitStack() as stack:
        with step("Starting the recogniser"):
            recogniser = await stack.enter_async_context(Recogniser(folder / "recogniser"))
        server = await stack.enter_async_context(VoiceServer(recogniser))
        stage = await stack.enter_async_context(set_stage(folder))
        with step("Making an Assist pipeline with the agent and a voice"):
            pipeline_id = await prefer_voice(
                stage.client, stage.agent.entity_id, server, name=PIPELINE_NAME
            )
        with step("Warming up the gateway: its first run takes seconds more"):
            await _warm_up(stage.client, pipeline_id)
        with step(f"Asking {stage.agent.entity_id} aloud: {question}"):
            seen = await exchange(stage.client, pipeline_id, server, recogniser, question)
        with step(f"Saving the answer to {answer_wav}"):
            seen.spoken.sound.write(answer_wav)
        with step("Checking what was heard, who answered, and what was spoken"):
            await _prove(seen, stage)
        return _report(seen, stage, answer_wav)


def voice_lines(report: VoiceReport) -> str:
    """Return the lines for people."""
    stages = ", ".join(
        f"{name.replace('_', ' ')} {seconds:.2f} s" for name, seconds in report.stages.items()
    )
    return (
        f"Heard: {report.recognised}\n"
        f"First sound {report.first_audio_s:.2f} s after the question: {stages}.\n"
        f"The answer is in {report.answer_wav}\n"
    )


async def _warm_up(client: HomeAssistantClient, pipeline_id: str) -> None:
    """Run one turn in writing, in a conversation of its own."""
    async for _ in client.ask("MODEL:SAY ready", pipeline_id=pipeline_id):
        pass


async def _prove(seen: Exchange, stage: Stage) -> None:
    """Check the speech, and the turn as the demo without a voice does."""
    prove_speech(seen)
    platform = await stage.client.platform_of(stage.agent.entity_id)
    prove(seen.spoken.recognised, seen.turn, stage.agent, platform, stage.model.requests)


def _report(seen: Exchange, stage: Stage, answer_wav: Path) -> VoiceReport:
    timeline = seen.spoken.timeline
    asked = timeline.asked or 0.0
    return VoiceReport(
        question=seen.question,
        recognised=seen.spoken.recognised,
        answer=seen.turn.end.answer,
        answer_wav=str(answer_wav),
        answer_recognised=seen.answer_recognised,
        first_audio_s=round(timeline.first_sound_s or 0.0, 3),
        stages=timeline.stages(),
        deltas=seen.turn.deltas,
        first_delta_s=round(seen.turn.first_delta_s - asked, 3),
        complete_s=round(seen.turn.end.seconds - asked, 3),
        gateway_version=stage.gateway.version,
        home_assistant_version=stage.client.version,
    )
