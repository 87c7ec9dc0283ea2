"""Leaves out emoji within a line (pure)."""

import re
from typing import Final

from .cursor import Cursor
from .emoji import AS_PICTURE, JOINER, KEYCAP, PICTURE, PICTURE_PART

_KEYCAP: Final = re.compile(f"{AS_PICTURE}?{KEYCAP}")


class Pictures:
    """Leaves out pictures, whatever they are joined from."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self._cursor = cursor
        self._end = -1
        """Offset behind the last picture."""

    def read_number(self, digits: str) -> bool:
        """Read digits; the last one may be a keycap."""
        source = self._cursor.source
        follows = source.window(len(digits))[:2]
        if found := _KEYCAP.match(follows):
            if digits[:-1]:
                self._cursor.writer.text(digits[:-1])
            return self._leave_out(len(digits) + found.end())
        if follows in {"", AS_PICTURE} and not source.is_last:
            # Only the last one is held back.
            return len(digits) > 1 and self._cursor.say(digits[:-1])
        return self._cursor.say(digits)

    def read_keycap(self) -> bool | None:
        """Leave out a keycap of a sign; return None when the sign is not of one."""
        follows = self._cursor.source.window(1)[:2]
        if found := _KEYCAP.match(follows):
            return self._leave_out(1 + found.end())
        may_be = follows in {"", AS_PICTURE} and not self._cursor.source.is_last
        return False if may_be else None

    def read(self) -> bool:
        """Read a picture, a part of one, or a sign that may be one."""
        source = self._cursor.source
        if found := PICTURE.match(source.text, source.place):
            return self._leave_out(len(found[0]))
        if found := PICTURE_PART.match(source.text, source.place):
            return self._skip(len(found[0]))
        if self._cursor.sign == JOINER:
            return self._skip(1) if source.offset == self._end else self._cursor.say(JOINER)
        if source.offset == self._end and source.before == JOINER:
            return self._leave_out(1)
        follows = source.window(1)[:1]
        if follows == "" and not source.is_last:
            return False
        if follows == AS_PICTURE:
            return self._leave_out(2)
        return self._cursor.say(self._cursor.sign)

    def _leave_out(self, length: int) -> bool:
        self._cursor.leave_out(length)
        self._end = self._cursor.source.offset
        return True

    def _skip(self, length: int) -> bool:
        """Skip what is never seen; after a picture it is part of it."""
        belongs = self._cursor.source.offset == self._end
        self._cursor.drop(length)
        if belongs:
            self._end = self._cursor.source.offset
        return True
