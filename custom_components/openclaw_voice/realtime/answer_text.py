"""The words of one spoken answer, and what of them was heard when it is interrupted (pure)."""

from typing import Final

MAX_TEXT: Final = 20_000
"""Characters that are kept of an answer."""

ELLIPSIS: Final = "..."
"""Ends what was cut off, as satellites know it."""


class AnswerText:
    """Follows the transcript of an answer."""

    def __init__(self) -> None:
        """Nothing was said."""
        self._text = ""
        self._is_cut = False

    def begin(self) -> None:
        """Another answer begins."""
        self._text = ""
        self._is_cut = False

    def add(self, text: str) -> bool:
        """Take more words; False when they belong to what was cut off."""
        if not self._is_cut:
            self._text = (self._text + text)[:MAX_TEXT]
        return not self._is_cut

    def finish(self, text: str) -> bool:
        """Take all words; False when they belong to what was cut off."""
        if not self._is_cut:
            self._text = text[:MAX_TEXT]
        return not self._is_cut

    def unfinished(self) -> str | None:
        """Return the words so far as those of an answer that was cut off, unless all were told."""
        return self._text.rstrip() + ELLIPSIS if self._text else None

    def told(self) -> None:
        """Take note that all words were told, so nothing of them is told again."""
        self._text = ""

    def cut(self, heard: float, dropped: float) -> str | None:
        """Return what was heard of the words, so far, unless all were told.

        Args:
            heard: Seconds of the answer that were heard.
            dropped: Seconds that were not.
        """
        text, self._text, self._is_cut = self._text, "", True
        if not text:
            return None
        whole = heard + dropped
        end = round(len(text) * heard / whole) if whole else 0
        words = text[:end] if end >= len(text) else text[:end].rpartition(" ")[0]
        return words.rstrip() + ELLIPSIS
