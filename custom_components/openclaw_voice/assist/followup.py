"""Listening again after an answer, and not to ourselves (pure)."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
import re
from typing import Final
import unicodedata

from .options import When
from .speech import SpeechWords, spoken

MAX_REMEMBERED: Final = 128
"""Conversations or satellites whose last answer is known; the oldest is forgotten."""

ANSWER_TIME: Final = 30.0
"""Seconds after our own speech in which a question counts as a follow-up."""

ECHO_TIME: Final = 15.0
"""Seconds after our own speech in which we may hear ourselves."""

MAX_ECHOES: Final = 2
"""After so many in a row, it is not listened again."""

_SLOW_SPEECH: Final = 10.0
"""Characters per second, slower than any voice: nobody knows when it has really ended."""

_MAX_SPEECH: Final = 240.0
"""Seconds."""

_ASKED_IN: Final = 4_000
"""Characters at the end of an answer in which a last sentence is looked for."""

_KEPT_WORDS: Final = 60
_MIN_WORDS: Final = 3
_MIN_LETTERS: Final = 6
_RESEMBLANCE: Final = 0.85
_LOST_WORDS: Final = 2
"""Words at the end of our speech that speech-to-text may have missed."""

_QUESTION_MARKS: Final = ("?", ";", "\u037e", "\uff1f", "\u061f")
"""Those Home Assistant goes by: Latin, Greek as it is typed, full width; and some more."""

_QUESTION_WORDS: Final = {"ja": ("ですか", "ますか", "でしょうか"), "zh": ("吗", "嗎")}
"""End a question that needs no question mark, by language."""

_CLOSING: Final = "\"'”’»›“)]}」』）*_~` \n\t"  # noqa: RUF001 - signs of several scripts
"""May follow the end of a sentence."""

_CHOICE: Final = frozenset(("or", "oder", "ou", "o", "u", "of"))
"""Before the last of the things that somebody may choose from, and name."""

_NO_WORDS: Final = SpeechWords()
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


def listens_again(
    answer: str,
    *,
    policy: When,
    turns_in_a_row: int,
    limit: int,
    language: str,
    is_answer: bool = True,
) -> bool:
    """Tell whether the satellite listens again after an answer.

    Args:
        answer: As the agent wrote it.
        policy: When it listens; `auto`: when the answer ends with a question.
        turns_in_a_row: Turns that have begun like this already, without the wake word.
        limit: How many of them there may be.
        language: Of the turn, as BCP 47 tag.
        is_answer: False for holding phrases, errors and silence: nobody was asked anything.
    """
    if not is_answer or policy is When.NEVER or turns_in_a_row >= limit:
        return False
    return policy is When.ALWAYS or asks(answer, language)


def asks(answer: str, language: str) -> bool:
    """Tell whether an answer ends with a question, whatever decorates its end."""
    end = spoken(answer[-_ASKED_IN:], _NO_WORDS).rstrip(_CLOSING)
    if end.endswith(_QUESTION_MARKS):
        return True
    base = re.split("[-_]", language)[0].lower()
    return end.rstrip("。").endswith(_QUESTION_WORDS.get(base, ("?",)))


@dataclass(slots=True, kw_only=True)
class _Spoken:
    """What was said last, in one conversation or on one satellite."""

    words: tuple[str, ...] = field(repr=False)
    """Those at its end."""

    is_whole: bool
    """There were no more words."""

    until: float
    """When it has been said, at the latest."""

    listens: bool
    turns_in_a_row: int
    """Turns without the wake word, with the one that goes on."""

    echoes: int = 0


class FollowUps:
    """What was said last, by conversation or satellite. Times are seconds of one clock.

    Of a turn, `is_echo` is called when it begins, and `note_answer` when it has an answer.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._spoken: dict[Hashable, _Spoken] = {}

    def is_echo(self, key: Hashable, transcript: str, now: float) -> bool:
        """Begin a turn; tell whether it has only heard the end of our own last answer.

        A single word never is an echo, and neither is the last of the things to choose from.
        """
        last = self._spoken.get(key)
        if last is None:
            return False
        is_echo = now <= last.until + ECHO_TIME and _repeats(transcript, last)
        if is_echo:
            last.echoes += 1
            last.listens = last.listens and last.echoes < MAX_ECHOES
            last.until = now
        else:
            last.turns_in_a_row = last.turns_in_a_row + 1 if self.is_follow_up(key, now) else 0
            last.listens = False
        return is_echo

    def note_answer(self, key: Hashable, text: str, listens: bool, now: float) -> None:
        """Remember an answer.

        Args:
            key: Of the conversation or the satellite.
            text: As it is spoken.
            listens: Whether the satellite listens again afterwards.
            now: When the text was complete.
        """
        words = _words(text[-_ASKED_IN:])
        turns = self.turns_in_a_row(key)
        self._spoken.pop(key, None)
        self._spoken[key] = _Spoken(
            words=tuple(words[-_KEPT_WORDS:]),
            is_whole=len(words) <= _KEPT_WORDS and len(text) <= _ASKED_IN,
            until=now + min(len(text) / _SLOW_SPEECH, _MAX_SPEECH),
            listens=listens,
            turns_in_a_row=turns,
        )
        while len(self._spoken) > MAX_REMEMBERED:
            del self._spoken[next(iter(self._spoken))]

    def is_follow_up(self, key: Hashable, now: float) -> bool:
        """Tell whether a turn that begins now comes while the satellite listens by itself."""
        last = self._spoken.get(key)
        return last is not None and last.listens and now <= last.until + ANSWER_TIME

    def turns_in_a_row(self, key: Hashable) -> int:
        """Count the turns without the wake word, with the one that goes on."""
        last = self._spoken.get(key)
        return last.turns_in_a_row if last else 0

    def listens_on(self, key: Hashable) -> bool:
        """Tell whether the satellite listens once more after an echo."""
        last = self._spoken.get(key)
        return last is not None and last.listens


def _repeats(transcript: str, last: _Spoken) -> bool:
    heard = _words(transcript)
    if len(heard) < _MIN_WORDS - 1 or len(heard) > _KEPT_WORDS:
        return False
    if last.is_whole and tuple(heard) == last.words:
        return True
    if len(heard) < _MIN_WORDS or sum(map(len, heard)) < _MIN_LETTERS:
        return False
    return not _is_choice(heard, last.words) and _resembles_end(heard, last.words)


def _words(text: str) -> list[str]:
    """Return the words of a text without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def _is_choice(heard: list[str], words: tuple[str, ...]) -> bool:
    """Tell whether somebody may just have named the last of several things."""
    last = max((index for index, word in enumerate(words) if word in _CHOICE), default=-1)
    return last >= 0 and len(heard) <= len(words) - last - 1


def _resembles_end(heard: list[str], words: tuple[str, ...]) -> bool:
    """Tell whether what was heard is nearly what was said last."""
    text = " ".join(heard)
    for lost in range(_LOST_WORDS + 1):
        end = len(words) - lost
        for length in (len(heard), len(heard) - 1, len(heard) + 1):
            said = " ".join(words[max(0, end - length) : end])
            if SequenceMatcher(None, text, said, autojunk=False).ratio() >= _RESEMBLANCE:
                return True
    return False
