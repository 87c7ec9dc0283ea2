"""Leaves out the signs of emphasis within a line (pure)."""

import re
from typing import Final
import unicodedata

from .cursor import Cursor
from .lines import MAX_HELD

_SIGNS: Final = "*_~"
_OPENING: Final = {
    "*": frozenset("([{<\"'“”‘’„‚«»‹›¡¿-–—/>_~|:;,.=…"),  # noqa: RUF001 - signs of several scripts
    "_": frozenset("([{\"'“”‘’„‚«»‹›¡¿–—>*~"),  # noqa: RUF001 - signs of several scripts
    "~": frozenset("([{\"'“”‘’„‚«»‹›¡¿–—>*_"),  # noqa: RUF001 - signs of several scripts
}
"""Emphasis may begin behind them, as behind blank space."""

_ENDING: Final = frozenset(")]}.,;:!?”’»")
"""A single sign before them stands for itself."""


class Emphasis:
    """Tells signs of emphasis from the same signs in formulas and names."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self._cursor = cursor
        self._open = dict.fromkeys(_SIGNS, 0)
        """Signs that are not closed yet."""

        self._begins_line = False
        self._end = -1
        """How much was written when something was closed last."""

    @property
    def is_whole_line(self) -> bool:
        """Whether the line has begun with strong emphasis and ends with it, but for pictures: a heading."""
        return self._begins_line and self._end == self._cursor.writer.written

    def new_line(self, *, is_block: bool) -> None:
        """Begin a line; one that begins a paragraph or an item forgets what was opened."""
        self._begins_line = False
        if is_block:
            self._open = dict.fromkeys(_SIGNS, 0)

    def read(self) -> bool:
        """Read a run of one sign."""
        cursor, sign = self._cursor, self._cursor.sign
        window = cursor.source.window()
        length = len(window) - len(window.lstrip(sign))
        follows = window[length : length + 1]
        if not follows and not cursor.source.must_decide:
            return False
        if length >= MAX_HELD or (sign == "~" and length == 1):
            return cursor.say(sign * length)
        if self._closes(sign, length, follows):
            self._open[sign] = max(0, self._open[sign] - length)
            self._end = cursor.writer.written
            return cursor.drop(length)
        opens = self._opens(sign, length, window)
        if opens is None:
            return False
        if not opens:
            return cursor.say(sign * length)
        self._begins_line = self._begins_line or (not cursor.writer.line_has_text and length > 1)
        self._open[sign] += length
        return cursor.drop(length)

    def _closes(self, sign: str, length: int, follows: str) -> bool:
        if self._cursor.source.before.isspace():
            return False
        if sign == "_" and follows.isalnum():
            return False
        # A pair at the end of a word closes what has begun on a line before.
        return self._open[sign] > 0 or (length == 2 and sign == "*" and not follows.isalnum())

    def _opens(self, sign: str, length: int, window: str) -> bool | None:
        """Tell whether a run begins emphasis; None when more must arrive first."""
        before, follows = self._cursor.source.before, window[length]
        if follows.isspace() or (length == 1 and follows in _ENDING) or before == follows == '"':
            return False
        if before.isspace() or before in _OPENING[sign]:
            return True
        if sign == "_" or not before.isalnum():
            # A power stands behind a bracket; a price is emphasised behind its currency.
            is_power = before in ")]}" and follows.isdecimal()
            return sign != "_" and length > 1 and not is_power
        if _is_wide(before) or _is_wide(follows):
            return True
        if length == 1 or before.isdecimal() or follows.isdecimal():
            return False
        # Within a word: only what is closed in the same word.
        word = re.compile(rf"\{sign}+[^\W\d_]+(\{sign}+)?").match(window)
        if word and word[1]:
            return True
        is_cut = word is not None and word.end() == len(window)
        return None if is_cut and not self._cursor.source.must_decide else False


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
