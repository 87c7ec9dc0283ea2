"""Tags and comments of HTML, and what models write in tags of their own (pure)."""

from functools import cache
import re
from typing import Final

from .cursor import Cursor
from .links import Links
from .markup import (
    HIDDEN_ELEMENTS,
    ITEM_ELEMENTS,
    KNOWN_ELEMENTS,
    LINE_ELEMENTS,
    WAIT,
    is_address_ahead,
    is_tag_open,
    read_angle,
    read_tag,
)

_COMMENT: Final = "<!--"
_COMMENT_END: Final = "-->"


class Tags:
    """Reads what an angle bracket opens."""

    def __init__(self, cursor: Cursor, links: Links) -> None:
        """Read at `cursor`; an address is left to `links`."""
        self._cursor = cursor
        self._links = links
        self._end = _COMMENT_END
        """What ends the part that is left out."""

    def read(self) -> bool:
        """Read an angle bracket."""
        cursor, window = self._cursor, self._cursor.source.window()
        if window.startswith(_COMMENT):
            return self._hide(len(_COMMENT), _COMMENT_END)
        if _COMMENT.startswith(window) and not cursor.source.must_decide:
            return False
        ahead = is_address_ahead(window[1:])
        if ahead is True:
            return self._links.say_address(1)
        tag, angle = read_tag(window), read_angle(window)
        if isinstance(tag, re.Match):
            return self._take(tag)
        if isinstance(angle, tuple):
            return self._say_angle(*angle)
        if WAIT in {ahead, tag, angle} and not cursor.source.must_decide:
            return False
        if tag is WAIT and is_tag_open(window):
            return self._hide(1, ">")
        return cursor.say("<")

    def _take(self, tag: re.Match[str]) -> bool:
        cursor, name, length = self._cursor, tag[2].lower(), tag.end()
        opens = not tag[1] and not tag[3]
        if opens and name in HIDDEN_ELEMENTS:
            return self._hide(length, f"</{name}>")
        if opens and name in {"table", "pre"}:
            cursor.writer.sentence(cursor.words.table if name == "table" else cursor.words.code)
            return self._hide(length, f"</{name}>")
        if name in ITEM_ELEMENTS and tag[1]:
            cursor.writer.end_sentence()
        if name in LINE_ELEMENTS:
            cursor.writer.line_end()
            return cursor.leave_out(length)
        if opens and name not in KNOWN_ELEMENTS and tag[0] == f"<{tag[2]}>":
            # People write about what is to be filled in.
            cursor.drop(1)
            cursor.say(tag[2])
            return cursor.drop(1)
        if name == "img":
            return cursor.leave_out(length)
        return self._drop(length)

    def _drop(self, length: int) -> bool:
        """Skip a tag; a line may begin behind it."""
        cursor = self._cursor
        cursor.line_starts = not cursor.writer.line_has_text
        return cursor.drop(length)

    def _say_angle(self, length: int, text: str) -> bool:
        cursor = self._cursor
        if not text:
            return cursor.leave_out(length)
        cursor.drop(1)
        cursor.say(text)
        return cursor.drop(1)

    def _hide(self, length: int, end: str) -> bool:
        """Leave out everything until `end`, and that, too."""
        self._cursor.leave_out(length)
        self._end = end
        self._cursor.inside = self._skip
        return True

    def _skip(self) -> bool:
        source = self._cursor.source
        if found := _pattern(self._end).search(source.text, source.place):
            self._cursor.drop(found.end() - source.place)
            return self._cursor.leave_inside()
        kept = 0 if source.is_last else len(self._end) - 1
        if source.held <= kept:
            return False
        return self._cursor.drop(source.held - kept)


@cache
def _pattern(end: str) -> re.Pattern[str]:
    return re.compile(re.escape(end), re.IGNORECASE)
