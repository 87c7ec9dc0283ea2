"""What a line is, as far as its beginning tells (pure)."""

from dataclasses import dataclass
from enum import Enum, auto
import re
from typing import Final

MAX_HELD: Final = 100
"""Characters that are held back until it is known what they are; about a clause."""


class LineKind(Enum):
    """What the next characters of a line are."""

    TEXT = auto()
    HEADING = auto()
    ITEM = auto()
    QUOTE = auto()
    RULE = auto()
    FENCE = auto()
    BARE_FENCE = auto()
    """One that does not say what it encloses, or closes what was opened before."""

    WRAPPER = auto()
    """A fence around markdown, which is no code."""

    TABLE = auto()
    SCRATCH = auto()
    """A line for programs: all of it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStart:
    """What a line begins with."""

    kind: LineKind
    length: int = 0
    """Characters of the markup itself."""

    number: int | None = None
    """Of a numbered item."""


TEXT: Final = LineStart(kind=LineKind.TEXT)

_HEADING: Final = re.compile(r"#{1,6}(?=[ \t\n])")
_HEADING_SO_FAR: Final = re.compile(r"#{1,6}\Z")
_RULE: Final = re.compile(r"([-*_=])(?:[ \t]*\1){2,}[ \t]*(?=\n)")
_RULE_SO_FAR: Final = re.compile(r"([-*_=])(?:[ \t]*\1)*[ \t]*\Z")
_BULLET: Final = re.compile(r"(?:[-*+·▪▫](?=[ \t\n])|[•◦‣⁃●○∙])")  # noqa: RUF001 - signs of several scripts
_BULLET_SO_FAR: Final = re.compile(r"[-*+·▪▫]\Z")
_BOX: Final = re.compile(r"\[[ xX✓✔]\](?=[ \t\n])")
_BOX_SO_FAR: Final = re.compile(r"\[(?:[ xX✓✔]\]?)?\Z")
_NUMBER: Final = re.compile(r"([0-9]{1,4})[.)](?=[ \t\n])")
_NUMBER_SO_FAR: Final = re.compile(r"[0-9]{1,4}[.)]?\Z")
_COUNTED: Final = (
    "jan", "jän", "feb", "mär", "mar", "apr", "mai", "maj", "jun", "jul", "aug", "sep", "okt", "oct",
    "nov", "dez", "dec", "des", "advent", "bundesliga", "etage", "fc ", "halbzeit", "klasse", "liga",
    "platz", "quartal", "stock", "weltkrieg",
)  # fmt: skip
"""What a number with a full stop may count in some languages, as in "1. Mai": no item begins."""

_FENCE: Final = re.compile(r"(?P<fence>`{3,}(?=[^`\n]*\n)|~{3,})(?P<info>[^\n]*)\n")
_FENCE_SO_FAR: Final = re.compile(r"`{1,2}\Z|~{1,2}\Z|`{3,}[^`\n]*\Z|~{3,}[^\n]*\Z")
_TABLE: Final = re.compile(r"\|?[ \t]*:?-{2,}:?[ \t]*\||\|[^\n]+\n[ \t>]*\|?[ \t]*:?-")
_TABLE_SO_FAR: Final = re.compile(r"\|?[ \t]*:?-*:?[ \t]*\Z|\|[^\n]+(?:\n[ \t>]*\|?[ \t]*:?)?\Z")
_REFERENCE: Final = re.compile(r"\[[^\[\]\n]+\]:[ \t]*(?:<|https?:|www\.|[/#.])")
_REFERENCE_SO_FAR: Final = re.compile(r"\[(?:[^\[\]\n]+(?:\](?::[ \t]*(?:w{1,3}|h|ht|htt|https?)?)?)?)?\Z")  # fmt: skip

_QUIET: Final = ("NO_REPLY", "HEARTBEAT_OK")
"""The gateway's words for "nothing to say", each on a line of its own."""

_QUIET_LINE: Final = re.compile(
    rf"[*_`\"'(]{{0,3}}(?:{'|'.join(_QUIET)})[*_`\"').!]{{0,4}}[ \t]*(?=\n)"
)


def _so_far(word: str) -> str:
    """Return a pattern for every beginning of a word."""
    pattern = ""
    for letter in reversed(word):
        pattern = f"(?:{re.escape(letter)}{pattern})?"
    return pattern


_COUNTS: Final = re.compile(rf"[ \t]{{1,4}}(?:{'|'.join(_COUNTED)})", re.IGNORECASE)
_COUNTS_SO_FAR: Final = re.compile(
    rf"[ \t]{{1,4}}(?:{'|'.join(map(_so_far, _COUNTED))})\Z", re.IGNORECASE
)
_QUIET_SO_FAR: Final = re.compile(
    rf"[*_`\"'(]{{0,3}}(?:(?:{'|'.join(_QUIET)})[*_`\"').!]{{0,4}}[ \t]*"
    rf"|{'|'.join(map(_so_far, _QUIET))})\Z"
)

_MEDIA: Final = "media:"
_FOR_PROGRAMS: Final = (
    _MEDIA, "[tool:", "[tool call", "[tool_call", "[tool use", "[tool_use", "[tool result",
    "[tool_result", "tool call:", "tool_call:", "tool use:", "tool result:", "tool_result:",
)  # fmt: skip
"""Beginnings, in lower case, of lines a model copies from its transcript."""

_TOOL: Final = re.compile(
    r"[🛠🔧🔨⚙🧰]\ufe0f?[ \t]{0,2}[*_`]{0,3}"
    r"(?:[a-z0-9]+(?:[_.][a-z0-9]+)+|(?i:tool|exec|bash|process|read|write|edit|browser"
    r"|web[ _](?:search|fetch)|memory[ _]search))[*_`]{0,3}[ \t]*(?:[:(→]|(?=\n))"
)
_TOOL_SO_FAR: Final = re.compile(r"[🛠🔧🔨⚙🧰]\ufe0f?[ \t]{0,2}[*_`]{0,3}[\w. ]*[*_`]{0,3}[ \t]*\Z")


def read_line_start(
    line: str, *, is_last: bool, number: int | None, is_item: bool
) -> LineStart | None:
    """Return what a line begins with; None when that cannot be told yet.

    Args:
        line: From its first character that is not blank, which is there, and maybe more lines.
        is_last: Nothing follows any more.
        number: Of the last numbered item of this text.
        is_item: The beginning of an item was read already; this follows it.
    """
    is_full = len(line) >= MAX_HELD
    # The end of the text ends its last line. What is too long to wait for is decided as it is.
    window = line[:MAX_HELD] if is_full else line
    found = _read(window + "\n" if is_last and not is_full else window, number, is_item)
    if found is None and (is_full or is_last):
        return _read_overlong(window)
    return found


def _read(line: str, number: int | None, is_item: bool) -> LineStart | None:
    first = line[0]
    if first.isascii() and first.isalpha():
        return _read_words(line)
    if first in "`~":
        return _read_fence(line)
    if first == "|":
        return _decide(LineKind.TABLE, _TABLE, _TABLE_SO_FAR, line)
    if first == ">":
        if len(line) == 1:
            return None
        return TEXT if line[1] == "=" else LineStart(kind=LineKind.QUOTE, length=1)
    if first == "#":
        return _decide(LineKind.HEADING, _HEADING, _HEADING_SO_FAR, line)
    if first == "[":
        return _read_bracket(line, is_item)
    if first.isdecimal():
        return _read_number(line, number)
    if first in "🛠🔧🔨⚙🧰":
        return _decide(LineKind.SCRATCH, _TOOL, _TOOL_SO_FAR, line)
    return _read_signs(line)


def _decide(
    kind: LineKind, pattern: re.Pattern[str], so_far: re.Pattern[str], line: str
) -> LineStart | None:
    """Return the kind if the line is of it, TEXT if it cannot be, None as long as it may be."""
    if found := pattern.match(line):
        return LineStart(kind=kind, length=found.end())
    return None if so_far.match(line) else TEXT


def _read_words(line: str) -> LineStart | None:
    if line[0] in "NH":
        return _decide(LineKind.SCRATCH, _QUIET_LINE, _QUIET_SO_FAR, line)
    if line[0] in "MTt":
        return _read_for_programs(line)
    return TEXT


def _read_for_programs(line: str) -> LineStart | None:
    """Read lines that begin with one of few words."""
    lower = line[:16].lower()
    for word in _FOR_PROGRAMS:
        if lower.startswith(word):
            # People write about media, too.
            is_text = word == _MEDIA and not line.startswith(word.upper())
            return TEXT if is_text else LineStart(kind=LineKind.SCRATCH)
        if word.startswith(lower):
            return None
    return TEXT


def _read_fence(line: str) -> LineStart | None:
    if found := _FENCE.match(line):
        fence, info = found["fence"], found["info"].strip().lower()
        if info in {"markdown", "md"}:
            return LineStart(kind=LineKind.WRAPPER, length=len(fence))
        kind = LineKind.FENCE if info else LineKind.BARE_FENCE
        return LineStart(kind=kind, length=len(fence))
    return None if _FENCE_SO_FAR.match(line) else _read_signs(line)


def _read_bracket(line: str, is_item: bool) -> LineStart | None:
    if is_item:
        box = _decide(LineKind.ITEM, _BOX, _BOX_SO_FAR, line)
        if box is not TEXT:
            return box
    if (program := _read_for_programs(line)) is not TEXT:
        return program
    return _decide(LineKind.SCRATCH, _REFERENCE, _REFERENCE_SO_FAR, line)


def _read_number(line: str, last: int | None) -> LineStart | None:
    """Read the number of an item; a date such as "3. Oktober" begins with none."""
    found = _NUMBER.match(line)
    if found is None:
        return None if _NUMBER_SO_FAR.match(line) else TEXT
    number = int(found[1])
    if number > 1 and (last is None or number not in (last, last + 1)):
        return TEXT
    rest = line[found.end() :]
    if _COUNTS.match(rest):
        return TEXT
    if _COUNTS_SO_FAR.match(rest):
        return None
    return LineStart(kind=LineKind.ITEM, length=found.end(), number=number)


def _read_signs(line: str) -> LineStart | None:
    """Read rules, bullets, and words for "nothing" in any decoration."""
    for kind, pattern, so_far in (
        (LineKind.RULE, _RULE, _RULE_SO_FAR),
        (LineKind.TABLE, _TABLE, _TABLE_SO_FAR),
        (LineKind.SCRATCH, _QUIET_LINE, _QUIET_SO_FAR),
    ):
        found = _decide(kind, pattern, so_far, line)
        if found is not TEXT:
            return found
    return _decide(LineKind.ITEM, _BULLET, _BULLET_SO_FAR, line)


def _read_overlong(line: str) -> LineStart:
    """Decide about what is still open after MAX_HELD characters, or at the end of the text."""
    if _RULE_SO_FAR.fullmatch(line) and len(line) >= MAX_HELD:
        return LineStart(kind=LineKind.RULE, length=len(line))
    if line.startswith(("```", "~~~")):
        return LineStart(kind=LineKind.FENCE, length=3)
    if line[0] == "|" and line.count("|") > 1 and len(line) >= MAX_HELD:
        return LineStart(kind=LineKind.TABLE, length=len(line))
    return TEXT
