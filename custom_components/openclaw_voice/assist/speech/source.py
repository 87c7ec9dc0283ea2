"""The text of a model as it arrives: what is there, and what is still held back (pure)."""

import re
from typing import Final

from .lines import MAX_HELD

_ODD: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
"""Control characters and halves of characters."""

_LINE_ENDS: Final = str.maketrans(dict.fromkeys("\x0b\x0c\x85\u2028\u2029", "\n"))


class Source:
    """A text and a place in it. Only what lies after the place is kept."""

    def __init__(self) -> None:
        """Start with an empty text."""
        self.is_last = False
        """Nothing follows any more."""

        self.before = "\n"
        """The character before the place; a text begins like a line."""

        self.text = ""
        self.place = 0
        """Index in `text`."""

        self._offset = 0
        self._ended_in_return = False

    @property
    def offset(self) -> int:
        """Count the characters before the place, since the text began."""
        return self._offset + self.place

    @property
    def has_more(self) -> bool:
        """Whether anything is left to read."""
        return self.place < len(self.text)

    @property
    def held(self) -> int:
        """Characters that are left to read."""
        return len(self.text) - self.place

    def add(self, delta: str) -> None:
        """Append what has arrived."""
        if self._ended_in_return and delta.startswith("\n"):
            delta = delta[1:]
            self._ended_in_return = False
        if delta:
            self._ended_in_return = delta.endswith("\r")
        if not delta.isalnum():
            delta = delta.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_ENDS)
        self._offset += self.place
        self.text = self.text[self.place :] + _ODD.sub("", delta)
        self.place = 0

    def window(self, skip: int = 0) -> str:
        """Return what may be looked at to decide: MAX_HELD characters at most.

        The end of the whole text looks like the end of a line.
        """
        seen = self.text[self.place + skip : self.place + MAX_HELD]
        return seen + "\n" if self.is_last and self.held < MAX_HELD else seen

    @property
    def must_decide(self) -> bool:
        """Whether waiting for more would not help, or not be allowed."""
        return self.is_last or self.held >= MAX_HELD

    def skip(self, length: int) -> None:
        """Go on behind the next characters; the line end a window has added is no character."""
        if length:
            self.place = min(self.place + length, len(self.text))
            self.before = self.text[self.place - 1]
