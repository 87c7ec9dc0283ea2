"""What a model writes -> what may be read aloud, while it still arrives (pure).

The result depends on the text alone, not on how it was split. Plain words are passed on as they
come; what may become markup is held back until it is known, MAX_HELD characters at most.
"""

import re
from typing import Final

from .blocks import Blocks
from .cursor import Cursor
from .inline import Inline
from .lines import MAX_HELD, LineKind, LineStart, read_line_start
from .words import SpeechWords

_BLANK: Final = re.compile(r"[^\S\n]+")


def spoken(text: str, words: SpeechWords) -> str:
    """Return what of a whole text may be read aloud."""
    speech = SpeechFilter(words)
    return speech.feed(text) + speech.finish()


class SpeechFilter:
    """Makes one message fit for speech, delta by delta."""

    def __init__(self, words: SpeechWords) -> None:
        """Use `words` for what cannot be read aloud."""
        self._cursor = Cursor(words)
        self._inline = Inline(self._cursor)
        self._blocks = Blocks(self._cursor)
        self._number: int | None = None
        """Of the last numbered item."""

        self._is_wrapped = False
        """The text stands in a block of its own, as if markdown were code."""

    @property
    def held(self) -> int:
        """Characters of the text that are held back."""
        return self._cursor.source.held

    def feed(self, text: str) -> str:
        """Take a delta; return what may be said now, "" for nothing yet."""
        self._cursor.source.add(text)
        self._read()
        return self._cursor.writer.take()

    def finish(self) -> str:
        """Return the rest. Called once, after the last delta."""
        self._cursor.source.is_last = True
        self._read()
        self._inline.end_sentence()
        return self._cursor.writer.take(is_last=True)

    def _read(self) -> None:
        cursor = self._cursor
        while cursor.source.has_more:
            if cursor.inside is not None:
                goes_on = cursor.inside()
            elif cursor.line_starts:
                goes_on = self._begin_line()
            else:
                goes_on = self._inline.step()
            if not goes_on:
                return

    def _begin_line(self) -> bool:
        cursor, source = self._cursor, self._cursor.source
        if blank := _BLANK.match(source.text, source.place):
            return cursor.drop(len(blank[0]))
        if cursor.sign == "\n":
            self._inline.end_sentence()
            self._inline.new_block()
            cursor.writer.line_end()
            return cursor.drop(1)
        start = read_line_start(
            source.text[source.place : source.place + MAX_HELD],
            is_last=source.is_last,
            number=self._number,
            is_item=self._inline.is_item,
        )
        if start is None:
            return False
        self._take(start)
        return True

    def _take(self, start: LineStart) -> None:
        """Go on behind what a line begins with."""
        cursor, source = self._cursor, self._cursor.source
        sign = source.text[source.place : source.place + start.length]
        cursor.drop(start.length)
        cursor.line_starts = start.kind is not LineKind.TEXT
        match start.kind:
            case LineKind.HEADING | LineKind.ITEM:
                self._inline.new_block()
                self._inline.is_item = True
                self._number = self._number if start.number is None else start.number
            case LineKind.RULE:
                cursor.writer.leave_out()
            case LineKind.WRAPPER:
                self._is_wrapped = True
                cursor.leave_out_line()
            case LineKind.BARE_FENCE if self._is_wrapped:
                self._is_wrapped = False
                cursor.leave_out_line()
            case LineKind.FENCE | LineKind.BARE_FENCE:
                self._blocks.begin_code(sign)
            case LineKind.TABLE:
                self._blocks.begin_table(has_edges=sign.startswith("|"))
            case LineKind.SCRATCH:
                cursor.leave_out_line()
