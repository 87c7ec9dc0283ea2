"""Links, images and sources: says their text, and never an address (pure)."""

import re
from typing import Final

from .cursor import Cursor
from .markup import (
    WAIT,
    find_bracket,
    is_address_ahead,
    is_citation,
    read_target,
)

_CITED: Final = re.compile("【(?:[^】\n]*†[^】\n]*|[0-9:, ]+)】|\ue200[^\ue201\n]*\ue201")
_CITED_SO_FAR: Final = re.compile("【[^】\n]*\\Z|\ue200[^\ue201\n]*\\Z")
_REFERENCE: Final = re.compile(r":contentReference\[[^\[\]\n]*\]\{[^{}\n]*\}")
_REFERENCE_SO_FAR: Final = re.compile(r":contentReference(?:\[[^\[\]\n]*(?:\](?:\{[^{}\n]*)?)?)?\Z")
_REFERENCE_HEAD: Final = ":contentReference"

# Scripts without blanks between words go on right behind an address.
_SOLID: Final = re.compile(
    "[^\\s<>()\\[\\]{}\"'`*|^\\\\.,;:!?“”„‘’«»…\u2014\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]+"  # noqa: RUF001 - signs of several scripts
)
_TAIL: Final = re.compile(r"[.,;:!?]+")
_TARGET_PART: Final = re.compile(r"[^\s()]+")


class Links:
    """Reads what points somewhere else."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self._cursor = cursor
        self._ends: set[int] = set()
        """Offsets of the brackets that close the text of a link."""

        self._depth = 0
        """Parentheses that are open within an address."""

        self._is_in_angles = False

    def new_block(self) -> None:
        """Forget what was opened."""
        self._ends.clear()

    def read_word(self, word: str) -> bool:
        """Read a word, which may be the beginning of an address."""
        source = self._cursor.source
        if not (source.before.isascii() and source.before.isalnum()):
            ahead = is_address_ahead(source.window())
            if self._cursor.must_wait(ahead):
                return False
            if ahead is True:
                return self.say_address(0)
        return self._cursor.say(word)

    def say_address(self, opening: int) -> bool:
        """Say the word for an address; it is in angle brackets if `opening` characters open them."""
        cursor = self._cursor
        cursor.drop(opening)
        if word := cursor.words.link.strip():
            cursor.writer.text(word)
        else:
            cursor.writer.leave_out()
        self._depth, self._is_in_angles = 0, opening > 0
        cursor.inside = self._skip_address
        return True

    def read_bracket(self) -> bool:
        """Read a bracket that opens the text of a link, a source, or something in brackets."""
        cursor, window = self._cursor, self._cursor.source.window()
        mark = 1 if window[0] == "!" else 0
        if mark and window[1:] == "" and not cursor.source.must_decide:
            return False
        if mark and not window.startswith("!["):
            return cursor.say("!")
        end = find_bracket(window[mark:])
        if cursor.must_wait(end):
            return False
        if not isinstance(end, int):
            return cursor.say(window[: mark + 1])
        end += mark
        follows = window[end + 1 : end + 2]
        if not follows and not cursor.source.must_decide:
            return False
        if is_citation(window[mark + 1 : end]):
            return self._leave_out_source(end, follows)
        if follows == "(" or (follows == "[" and not cursor.source.before.isalnum()):
            self._ends.add(cursor.source.offset + end)
            return cursor.drop(mark + 1)
        return cursor.say(window[: mark + 1])

    def close_bracket(self) -> bool:
        """Read a bracket that may close the text of a link."""
        cursor = self._cursor
        if cursor.source.offset not in self._ends:
            return cursor.say("]")
        window = cursor.source.window(1)
        target = read_target(window)
        if cursor.must_wait(target):
            return False
        if isinstance(target, int):
            self._ends.discard(cursor.source.offset)
            return cursor.drop(1 + target)
        cursor.drop(1)
        if target is WAIT and window[0] == "(" and not re.search(r"\s", window):
            self._depth = 0
            cursor.drop(1)
            cursor.inside = self._skip_target
        return True

    def read_citation(self) -> bool:
        """Read signs that only enclose sources."""
        window = self._cursor.source.window()
        if found := _CITED.match(window):
            return self._cursor.leave_out(found.end())
        if _CITED_SO_FAR.match(window) and not self._cursor.source.must_decide:
            return False
        if window[0] == "【":
            return self._cursor.say("【")
        return self._cursor.leave_out(1)

    def read_reference(self) -> bool:
        """Read a colon, which may be the beginning of a source."""
        window = self._cursor.source.window()
        if found := _REFERENCE.match(window):
            return self._cursor.leave_out(found.end())
        may_be = _REFERENCE_HEAD.startswith(window) or _REFERENCE_SO_FAR.match(window)
        if may_be and not self._cursor.source.must_decide:
            return False
        return self._cursor.say(":")

    def _leave_out_source(self, end: int, follows: str) -> bool:
        cursor = self._cursor
        if follows == "(":
            self._ends.add(cursor.source.offset + end)
            return cursor.leave_out(end)
        is_definition = follows == ":" and not cursor.writer.line_has_text
        return cursor.leave_out(end + (2 if is_definition else 1))

    def _skip_address(self) -> bool:
        """Skip a part of an address; what ends a sentence does not belong to it."""
        source = self._cursor.source
        if found := _SOLID.match(source.text, source.place):
            return self._cursor.drop(len(found[0]))
        if found := _TAIL.match(source.text, source.place):
            return self._skip_tail(found[0])
        sign = self._cursor.sign
        if sign == "(" or (sign == ")" and self._depth):
            self._depth += 1 if sign == "(" else -1
            return self._cursor.drop(1)
        if sign == ">" and self._is_in_angles:
            self._cursor.drop(1)
        self._cursor.inside = None
        return True

    def _skip_tail(self, tail: str) -> bool:
        source = self._cursor.source
        follows = source.window(len(tail))[:1]
        if not follows and not source.must_decide:
            return False
        if follows and (_SOLID.match(follows) or follows == "("):
            return self._cursor.drop(len(tail))
        self._cursor.inside = None
        return True

    def _skip_target(self) -> bool:
        """Skip an address that is too long to wait for its end."""
        source = self._cursor.source
        if found := _TARGET_PART.match(source.text, source.place):
            return self._cursor.drop(len(found[0]))
        sign = self._cursor.sign
        if sign == "(" or (sign == ")" and self._depth):
            self._depth += 1 if sign == "(" else -1
            return self._cursor.drop(1)
        if sign == ")":
            self._cursor.drop(1)
        self._cursor.inside = None
        return True
