"""What a line says without its markup (pure)."""

from collections.abc import Callable
import re
from typing import Final

from .cursor import Cursor
from .emoji import (
    AS_PICTURE,
    AS_TEXT,
    JOINER,
    KEYCAP,
    PERHAPS_PICTURES,
    PICTURES,
)
from .emphasis import Emphasis
from .formula import Formula
from .links import Links
from .markup import MAX_CODE, read_code, read_entity, read_math
from .pictures import Pictures
from .tags import Tags

_SIGNS: Final = r"*_~`\[\]<>&\\$!()#:^{}|【\ue200-\ue206"
_PARTS: Final = f"{AS_PICTURE}{AS_TEXT}{KEYCAP}{JOINER}\U000e0020-\U000e007f"
_SAFE_WORD: Final = r"(?!(?i:h(?:t|\Z)|w(?:w|s|\Z)|f(?:t|i|\Z)))[A-Za-z]+[,.;?]?"
_WORDS: Final = re.compile(rf"{_SAFE_WORD}(?: {_SAFE_WORD})*")
"""Words of which none begins like an address."""

_WORD: Final = re.compile(r"[A-Za-z]+")
_PLAIN: Final = re.compile(f"[^\\sA-Za-z0-9{_SIGNS}{PICTURES}{PERHAPS_PICTURES}{_PARTS}]+")
_NUMBER: Final = re.compile(r"[0-9]+")
_BLANK: Final = re.compile(r"[^\S\n]+")
_CLOSING_HASHES: Final = re.compile(r"#+[ \t]*(?=\n)")
_CLOSING_HASHES_SO_FAR: Final = re.compile(r"#+[ \t]*\Z")
_WITHOUT_MEANING: Final = frozenset("!\"#$%&'*+,-./:;<=>?@^_`{|}~\\")
"""What a backslash takes the meaning from."""

_FORMULA_SIGNS: Final = frozenset("()[]")
"""What a backslash makes the beginning or the end of a formula."""


class Inline:
    """Reads within lines. `step` is called while there is more."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self.is_item = False
        """The line is a heading or an item of a list: speech pauses after it."""

        self._cursor = cursor
        self._emphasis = Emphasis(cursor)
        self._formula = Formula(cursor)
        self._pictures = Pictures(cursor)
        self._links = Links(cursor)
        self._formula_ends: set[int] = set()
        """Offsets of the dollar signs that close a formula."""

        self._readers: dict[str, Callable[[], bool]] = {
            "\n": self._end_line,
            "*": self._read_star,
            "_": self._read_underscore,
            "~": self._emphasis.read,
            "`": self._read_code,
            "[": self._links.read_bracket,
            "!": self._links.read_bracket,
            "]": self._links.close_bracket,
            ":": self._links.read_reference,
            "【": self._links.read_citation,
            "<": Tags(cursor, self._links).read,
            "&": self._read_entity,
            "\\": self._read_escape,
            "$": self._read_dollar,
            "(": self._open_parenthesis,
            ")": self._say_sign,
            ">": self._say_sign,
            "#": self._read_hash,
            **dict.fromkeys("^{}", self._read_height),
            "|": self._read_bar,
            **dict.fromkeys(map(chr, range(0xE200, 0xE207)), self._links.read_citation),
        }

    def step(self) -> bool:
        """Read on; return False when more must arrive first."""
        cursor, source = self._cursor, self._cursor.source
        text, place = source.text, source.place
        if reader := self._readers.get(text[place]):
            return reader()
        if found := _WORDS.match(text, place) or _PLAIN.match(text, place):
            return cursor.say(found[0])
        if found := _BLANK.match(text, place):
            for blank in found[0][:2]:
                cursor.writer.space(blank)
            return cursor.drop(len(found[0]))
        if found := _WORD.match(text, place):
            return self._links.read_word(found[0])
        if found := _NUMBER.match(text, place):
            return self._pictures.read_number(found[0])
        return self._pictures.read()

    def new_block(self) -> None:
        """Begin a paragraph, a heading or an item: nothing is open any more."""
        self._emphasis.new_line(is_block=True)
        self._links.new_block()
        self._formula_ends.clear()
        self._formula.end()

    def end_sentence(self) -> None:
        """Pause where a line ends that is no sentence of a paragraph."""
        if self.is_item or self._emphasis.is_whole_line:
            self._cursor.writer.end_sentence()
        self.is_item = False

    def _end_line(self) -> bool:
        self.end_sentence()
        self._emphasis.new_line(is_block=False)
        self._cursor.writer.line_end()
        self._cursor.line_starts = True
        return self._cursor.drop(1)

    def _say_sign(self) -> bool:
        return self._cursor.say(self._cursor.sign)

    def _open_parenthesis(self) -> bool:
        self._cursor.writer.parenthesis()
        return self._cursor.drop(1)

    def _read_star(self) -> bool:
        keycap = self._pictures.read_keycap()
        return self._emphasis.read() if keycap is None else keycap

    def _read_underscore(self) -> bool:
        return self._formula.read_sign() if self._formula.is_open else self._emphasis.read()

    def _read_bar(self) -> bool:
        """Read a bar; one that stands alone parts words, as in a table or between links."""
        cursor = self._cursor
        follows = cursor.source.window(1)[:1]
        if not follows:
            return False
        if not cursor.source.before.isspace() or not follows.isspace():
            return self._say_sign()
        if follows == "\n" or not cursor.writer.line_has_text:
            return cursor.leave_out(1)
        cursor.writer.pause()
        return cursor.drop(1)

    def _read_height(self) -> bool:
        return self._formula.read_sign() if self._formula.is_open else self._say_sign()

    def _read_hash(self) -> bool:
        source = self._cursor.source
        if self.is_item and source.before.isspace():
            window = source.window()
            if found := _CLOSING_HASHES.match(window):
                return self._cursor.drop(found.end())
            if _CLOSING_HASHES_SO_FAR.match(window) and not source.must_decide:
                return False
        keycap = self._pictures.read_keycap()
        return self._say_sign() if keycap is None else keycap

    def _read_code(self) -> bool:
        cursor, source = self._cursor, self._cursor.source
        window = source.window()
        ticks = len(window) - len(window.lstrip("`"))
        code = read_code(window[ticks:], ticks)
        if cursor.must_wait(code):
            return False
        if not isinstance(code, tuple):
            return cursor.drop(ticks)
        length, text = code
        if len(text) > MAX_CODE:
            cursor.writer.sentence(cursor.words.code)
        elif " " not in text and text.startswith(("http://", "https://")):
            cursor.writer.verbatim(cursor.words.link)
        else:
            cursor.writer.verbatim(text.strip())
        return cursor.drop(ticks + length)

    def _read_entity(self) -> bool:
        cursor = self._cursor
        entity = read_entity(cursor.source.window())
        if cursor.must_wait(entity):
            return False
        if not isinstance(entity, tuple):
            return cursor.say("&")
        length, text = entity
        cursor.writer.verbatim(text)
        return cursor.drop(length)

    def _read_escape(self) -> bool:
        cursor = self._cursor
        follows = cursor.source.window(1)[:1]
        if not follows:
            return False
        if follows in _FORMULA_SIGNS:
            if follows in "([":
                self._formula.begin()
            else:
                self._formula.end()
            return cursor.drop(2)
        if self._formula.is_open and (read := self._formula.read_command()) is not None:
            return read
        if follows in _WITHOUT_MEANING:
            cursor.drop(1)
            return self._say_sign()
        return cursor.drop(1) if follows == "\n" else cursor.say("\\")

    def _read_dollar(self) -> bool:
        cursor = self._cursor
        window = cursor.source.window()
        if window == "$" and not cursor.source.must_decide:
            return False
        if window.startswith("$$"):
            if self._formula.is_open:
                self._formula.end()
            else:
                self._formula.begin()
            return cursor.drop(2)
        if cursor.source.offset in self._formula_ends:
            self._formula.end()
            return cursor.drop(1)
        if cursor.source.before.isalnum():
            return cursor.say("$")
        end = read_math(window)
        if cursor.must_wait(end):
            return False
        if not isinstance(end, int):
            return cursor.say("$")
        self._formula_ends.add(cursor.source.offset + end)
        self._formula.begin()
        return cursor.drop(1)
