"""What people say after an agent has asked them something, as the answer to it (pure)."""

from collections import OrderedDict
import re
from typing import Final

from ..gateway.errors import WrongAnswerError
from ..gateway.questions import AgentQuestion, QuestionPart

ANSWER_TIME: Final = 90.0
"""Seconds after a turn has ended with a question in which what is said next is the answer."""

MAX_ASKED: Final = 128
"""Places where a question was asked; the oldest is forgotten."""


def can_be_said(question: AgentQuestion) -> bool:
    """Tell whether one utterance can answer a question: it has one part, and wants no secret."""
    return len(question.parts) == 1 and not question.parts[0].is_secret


def answers_in(question: AgentQuestion, text: str) -> dict[str, tuple[str, ...]] | None:
    """Return the answers that an utterance gives, by part; None when it is none.

    An option counts wherever it is said, unless another one is said, too, and only one is taken.
    """
    if not can_be_said(question):
        return None
    [part] = question.parts
    try:
        return question.checked({part.id: _options_in(part, text) or [text]})
    except WrongAnswerError:
        return None


def _options_in(part: QuestionPart, text: str) -> list[str]:
    """Return the options that are said, none when it is in doubt which."""
    said = _words(text)
    found = [option for option in part.options if (name := _words(option)) and name in said]
    # "Living room" is not "room" as well.
    longest = [one for one in found if not any(_is_within(one, other) for other in found)]
    return longest if len(longest) == 1 or part.is_multiple else []


def _is_within(option: str, other: str) -> bool:
    return option != other and _words(option) in _words(other)


def _words(text: str) -> str:
    """Return the words of a text so that whole words of it can be looked for."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} " if words else ""


class AskedBack:
    """The questions that turns have ended with, one for each place."""

    def __init__(self) -> None:
        """Nobody was asked anything."""
        self._asked: OrderedDict[str, tuple[AgentQuestion, float]] = OrderedDict()

    def note(self, place: str, question: AgentQuestion, now: float) -> None:
        """Somebody was asked there (loop time)."""
        self._asked[place] = question, now + ANSWER_TIME
        self._asked.move_to_end(place)
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)

    def take(self, place: str | None, now: float) -> AgentQuestion | None:
        """Return what the words at a place answer, once; None when nothing."""
        question, until = self._asked.pop(place or "", (None, now))
        return question if now < until else None
