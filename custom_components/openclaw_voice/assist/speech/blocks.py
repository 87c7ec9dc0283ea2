"""Leaves out blocks of code and tables, of any length (pure)."""

import re
from typing import Final

from .cursor import Cursor

_CODE_END: Final = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*(?=\n)")
_CODE_END_SO_FAR: Final = re.compile(r"[ \t>]*(?:`*|~*)[ \t]*\Z")
_INDENT: Final = re.compile(r"[ \t>]+")


class Blocks:
    """Says a sentence for a block, and skips its lines."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self._cursor = cursor
        self._fence = ""
        """What has opened the block of code; it is closed by the same sign, as often or more."""

        self._line_starts = False
        self._has_edges = True
        """The rows of the table begin with a bar."""

    def begin_code(self, fence: str) -> None:
        """Begin a block of code, in the line that opens it."""
        self._fence = fence
        self._line_starts = False
        self._cursor.writer.sentence(self._cursor.words.code)
        self._cursor.inside = self._skip_code

    def begin_table(self, *, has_edges: bool) -> None:
        """Begin a table, somewhere in its first rows."""
        self._has_edges = has_edges
        self._line_starts = False
        self._cursor.writer.sentence(self._cursor.words.table)
        self._cursor.inside = self._skip_table

    def _skip_code(self) -> bool:
        if self._line_starts:
            window = self._cursor.source.window()
            found = _CODE_END.match(window)
            if found and found[1].startswith(self._fence):
                self._cursor.drop(found.end())
                return self._cursor.leave_inside()
            if _CODE_END_SO_FAR.match(window) and not self._cursor.source.must_decide:
                return False
        return self._skip_line()

    def _skip_table(self) -> bool:
        source = self._cursor.source
        if self._line_starts:
            if indent := _INDENT.match(source.text, source.place):
                return self._cursor.drop(len(indent[0]))
            is_row = self._is_row()
            if is_row is None:
                return False
            if not is_row:
                return self._cursor.leave_inside()
        return self._skip_line()

    def _is_row(self) -> bool | None:
        """Tell whether a line belongs to the table; None when more must arrive first."""
        if self._has_edges or self._cursor.sign == "|":
            return self._cursor.sign == "|"
        line, is_whole, _ = self._cursor.source.window().partition("\n")
        if "|" in line:
            return True
        return False if is_whole or self._cursor.source.must_decide else None

    def _skip_line(self) -> bool:
        source = self._cursor.source
        end = source.text.find("\n", source.place) + 1
        self._line_starts = end > 0
        return self._cursor.drop(end - source.place if end else source.held)
