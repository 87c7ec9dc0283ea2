"""A text that grows, cut into pieces that can be spoken one after the other (pure)."""

import re
from typing import Final

_SENTENCE_END: Final = re.compile(
    r"""
    (?<=[.!?…])(?<!\d\.)(?<!\b[^\W\d_]\.)(?=\s)  # not after ordinals and one-letter abbreviations
    | (?<=[\u3002\uff01\uff1f\n])
    """,
    re.VERBOSE,
)
_CLAUSE_END: Final = re.compile(
    rf"{_SENTENCE_END.pattern} | (?<=[,;:])(?=\s) | (?<=[\uff0c\uff1b\uff1a\u3001])", re.VERBOSE
)
_SHORTEST: Final = 8
"""Characters of the shortest piece worth speaking alone."""

_LONGEST: Final = 160
"""Characters after which a piece ends at a word, wherever a sentence might."""


class Clauses:
    """Gives the first clause as soon as it is complete, so that speaking begins early.

    What follows comes in sentences, or, for a voice that takes text as it grows, at once.
    """

    def __init__(self, *, is_flowing: bool) -> None:
        """Nothing was said yet; `is_flowing`: pass everything on after the first clause."""
        self._is_flowing = is_flowing
        self._has_begun = False
        self._text = ""

    def feed(self, text: str) -> tuple[str, ...]:
        """Take more text, and return the pieces that it completes."""
        self._text += text
        pieces = []
        while (end := self._end()) is not None:
            pieces.append(self._text[:end])
            self._text = self._text[end:]
            self._has_begun = True
        return tuple(pieces)

    def rest(self) -> str:
        """Return what is left at the end of the text, and forget it."""
        text, self._text = self._text, ""
        return text

    def _end(self) -> int | None:
        if self._has_begun and self._is_flowing:
            return len(self._text) or None
        blanks = len(self._text) - len(self._text.lstrip())
        pattern = _SENTENCE_END if self._has_begun else _CLAUSE_END
        if found := pattern.search(self._text, blanks + _SHORTEST):
            return found.end()
        if len(self._text) > _LONGEST and (blank := self._text.rfind(" ", blanks + _SHORTEST)) > 0:
            return blank
        return None
