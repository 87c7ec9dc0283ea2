"""What is asked in `scripts/demo --realtime`, what is answered, and the proof that it was.

The answers are known to the stand-ins for a speech model and for the agent's model; which of them is given
depends on what they hear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from .model_server import ModelServer
from .proof import ProofError
from .realtime_session import Answered, Conversation
from .voice.likeness import plain_words, share_heard
from .voice.speech_model import Consult, Mind, Say

QUESTION_SHARE: Final = 0.75
"""How many of a question's words must have been heard."""

ANSWER_SHARE: Final = 0.6
"""How many of an answer's words are heard again in its sound."""

INTERRUPT_AFTER: Final = 1.5
"""Seconds of the first answer, which is then interrupted."""

CUT_SHARE: Final = 0.5
"""How many words of the answer that was interrupted may have been heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A question and its answer."""

    question: str
    answer: str
    """Empty: nobody knows it beforehand."""

    is_agents: bool = False
    """The speech model, too, asks the agent."""


STORY: Final = Lesson(
    question="Please tell me a story about the old house.",
    answer=(
        "Once upon a time there was an old house by the sea. Every morning an old man opened the windows "
        "and looked at the water. One day a child came to the door and asked him for a glass of water. "
        "They sat down together and talked until the evening."
    ),
)
"""Long, because it is interrupted."""

WEATHER: Final = Lesson(
    question="What will the weather be like tomorrow?",
    answer="Tomorrow it will rain in the morning, and the sun will shine in the evening.",
)
GARDEN: Final = Lesson(
    question="What do you know about the garden?",
    answer="In the garden there are two apple trees and a small pond.",
    is_agents=True,
)
LESSONS: Final = (STORY, WEATHER, GARDEN)
"""In the order in which they are asked."""


def lessons_with(question: str | None) -> tuple[Lesson, ...]:
    """Return what is asked; a question of the user comes last, and the agent answers it as it likes."""
    if question is None or any(lesson.question == question for lesson in LESSONS):
        return LESSONS
    return (*LESSONS, Lesson(question=question, answer="", is_agents=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendReport:
    """What a session with one backend came to. One item a turn, in their order."""

    turns: int
    questions: list[str]
    recognised: list[str]
    """What was heard of the questions."""

    answers: list[str]
    """Their texts; of the interrupted one, what was said."""

    answer_recognised: list[str]
    """What the recogniser hears of what the loudspeaker played."""

    first_audio_s: float
    """Seconds from the end of a spoken question to the first audio at the satellite: the median of the turns."""

    first_audio_each_s: list[float]
    engines_each_s: list[float]
    """How much of that the stand-ins took to hear and to speak, and behind the gateway to answer."""

    clear_ms: float
    """Milliseconds from the satellite's interruption until it is told to be silent."""

    heard_before_clear_s: float
    """How much of the interrupted answer was played."""


def teach(mind: Mind, model: ModelServer, lessons: Sequence[Lesson]) -> None:
    """Let the stand-ins for the speech model and for the agent's model know the answers."""
    for lesson in lessons:
        reaction = Consult() if lesson.is_agents else Say(text=lesson.answer)
        mind.teach(lesson.question, reaction)
        if lesson.answer:
            model.teach(lesson.question, f"MODEL:SAY {lesson.answer}")


def prove_conversation(
    seen: Conversation, lessons: Sequence[Lesson], backend: str, heard: Sequence[str]
) -> None:
    """Check that every question was understood and answered, and the first answer interrupted.

    Args:
        seen: The session.
        lessons: What was asked.
        backend: What was to answer.
        heard: What the recogniser hears of each answer.

    Raises:
        ProofError: One of these is not so.
    """
    report = seen.report
    if report.backend != backend:
        raise ProofError(f"{report.backend or 'Nothing'} answered, not {backend}: {report.errors}")
    if report.close_code != 1000 or report.reason != "client_ended" or report.errors:
        raise ProofError(
            f"The session ended by itself ({report.reason}, close code {report.close_code}, {report.errors})."
        )
    if len(report.turns) != len(lessons):
        raise ProofError(f"There were {len(report.turns)} turns, not {len(lessons)}.")
    for lesson, answered, recognised in zip(lessons, seen.answers, heard, strict=True):
        _prove_turn(lesson, answered, recognised, is_cut=lesson is lessons[0])


def _prove_turn(lesson: Lesson, answered: Answered, recognised: str, *, is_cut: bool) -> None:
    """Check one turn; the recogniser hears `recognised` of its answer."""
    question, turn = lesson.question, answered.turn
    if (share := share_heard(question, turn.user)) < QUESTION_SHARE:
        raise ProofError(f"{share:.0%} of “{question}” were heard: “{turn.user}”.")
    if turn.first_audio_s is None:
        raise ProofError(f"No audio came for “{question}”.")
    if is_cut:
        _prove_cut(answered, lesson, recognised)
        return
    expected = lesson.answer or turn.assistant
    if not expected or plain_words(turn.assistant) != plain_words(expected):
        raise ProofError(f"“{question}” was answered “{turn.assistant}”.")
    if (share := share_heard(expected, recognised)) < ANSWER_SHARE:
        raise ProofError(
            f"In the sound of the answer to “{question}” {share:.0%} of its words are heard: “{recognised}”."
        )


def _prove_cut(answered: Answered, lesson: Lesson, recognised: str) -> None:
    """Check that an answer began, and was interrupted."""
    if answered.turn.clear_ms is None:
        raise ProofError("The answer was not interrupted.")
    if not set(plain_words(recognised)) & set(plain_words(lesson.answer)):
        raise ProofError(f"The interrupted answer did not begin: “{recognised}” is heard.")
    if (share := share_heard(lesson.answer, recognised)) > CUT_SHARE:
        raise ProofError(f"{share:.0%} of the answer are heard, although it was interrupted.")


def report_of(seen: Conversation, heard: Sequence[str], engines: Sequence[float]) -> BackendReport:
    """Return what a session that is proven came to.

    Args:
        seen: The session.
        heard: What the recogniser hears of each answer.
        engines: Seconds that the stand-ins took for each turn.
    """
    turns = [answered.turn for answered in seen.answers]
    firsts = [turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
    cut = seen.answers[0]
    return BackendReport(
        turns=len(turns),
        questions=[answered.question for answered in seen.answers],
        recognised=[turn.user for turn in turns],
        answers=[turn.assistant for turn in turns],
        answer_recognised=list(heard),
        first_audio_s=round(median(firsts), 3),
        first_audio_each_s=firsts,
        engines_each_s=[round(seconds, 3) for seconds in engines],
        clear_ms=cut.turn.clear_ms or 0.0,
        heard_before_clear_s=round(cut.sound.seconds, 2),
    )
