"""Markup within a line: patterns, and what a piece of text is (pure).

Every reader gets a window of the text, at most MAX_HELD characters from where the markup may
begin, and returns WAIT as long as it cannot tell.
"""

from enum import Enum, auto
import html
from html.entities import html5
import re
from typing import Final, Literal

from .lines import MAX_HELD


class Wait(Enum):
    """The text so far may become markup."""

    WAIT = auto()


WAIT: Final = Wait.WAIT
type Waits = Literal[Wait.WAIT]

_MAX_DEPTH: Final = 3
"""Of brackets within brackets: an image within a link, and one more."""

MAX_CODE: Final = 60
"""Characters of code within a sentence that are read aloud."""

ADDRESS: Final = re.compile(r"(?:(?:https?|ftps?|wss?|file)://|www\.)[^\s<>]", re.IGNORECASE)
_ADDRESS_HEADS: Final = (
    "https://", "http://", "www.", "wss://", "ws://", "ftps://", "ftp://", "file://",
)  # fmt: skip

_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_SO_FAR: Final = re.compile(
    r"&(?:#[0-9]{0,7}|#[xX][0-9a-fA-F]{0,6}|[A-Za-z][A-Za-z0-9]{0,31})?\Z"
)

_CITATION: Final = re.compile(
    r"\^[^\s\]]{1,40}|[1-9][0-9]{0,2}(?:[ ]?[,;–-][ ]?[1-9][0-9]{0,2})*|cite[:_ ].*|[^\]]*†[^\]]*"
)
_DIRECTIVE: Final = re.compile(r"\[/?(?:reply_to|audio_as_voice|tts)[^\[\]]*\]")
_TARGET: Final = re.compile(
    r"\([ \t]*(?:<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*)"
    r"""(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*\)"""
)
_NO_TARGET: Final = re.compile(r"\([ \t]*[^\s<>]+[ \t]+[^\s\"'()]")
_LABEL: Final = re.compile(r"\[[^\[\]\n]*\]")

_MATH: Final = re.compile(r"\$([^\s\d$][^$\n]*)\$(?=[^0-9])")
_FORMULA: Final = re.compile(r"[\\^_{}=+<>/*]|\A.{1,2}\Z")
_TAG_ATTRIBUTE: Final = (
    r"(?:[ \t\n]+(?:[\w:@.-]+[ \t]*=[ \t]*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'=<>`]+)"
    r"|open|checked|disabled|controls|hidden))"
)
_TAG: Final = re.compile(rf"<(/?)([A-Za-z][\w:-]*){_TAG_ATTRIBUTE}*[ \t]*(/?)>")
_TAG_SO_FAR: Final = re.compile(
    rf"</?(?:[A-Za-z][\w:-]*{_TAG_ATTRIBUTE}*(?:[ \t\n]*/?|[ \t\n]+[\w:@.-]*[ \t]*(?:=[ \t]*"
    r"(?:\"[^\"<>]*\"?|'[^'<>]*'?|[^\s\"'=<>`]*))?))?\Z"
)
_TOKEN: Final = re.compile(r"<\|[^\s|<>]{1,40}\|>")
_TOKEN_SO_FAR: Final = re.compile(r"<\|?[^\s|<>]{0,40}\|?\Z")
_MAILBOX: Final = re.compile(r"<([^\s<>@]+@[^\s<>@]+)>")
_MAILBOX_SO_FAR: Final = re.compile(r"<[^\s<>]*\Z")

_HIDDEN: Final = (
    "think thinking thought thoughts reasoning reflection scratchpad antthinking tool_call tool_calls"
    " tool_use tool_result tool_results tool_response function_calls function_results invoke script"
    " style"
)
_ITEMS: Final = "li h1 h2 h3 h4 h5 h6 summary dt dd th td"
_LINES: Final = "br p div ul ol dl tr hr blockquote details section article header footer"
_WITHIN: Final = (
    "a abbr b bdi bdo body button center cite code data del dfn em figcaption figure font html i img"
    " input ins kbd label main mark nav picture q rp rt ruby s samp small source span strike strong"
    " sub sup tbody tfoot thead time tt u var video audio wbr"
    " final answer response output result reply message speak voice prosody emphasis"
)
"""Those of HTML, and those models put around what they say."""

HIDDEN_ELEMENTS: Final = frozenset(_HIDDEN.split())
"""What stands between their tags is for nobody's ears."""

ITEM_ELEMENTS: Final = frozenset(_ITEMS.split())
LINE_ELEMENTS: Final = ITEM_ELEMENTS | frozenset(_LINES.split())
KNOWN_ELEMENTS: Final = LINE_ELEMENTS | frozenset(_WITHIN.split())


def is_address_ahead(window: str) -> bool | Waits:
    """Tell whether a word is the beginning of an address."""
    if len(window) < len("https://x") and window.lower().startswith(tuple("hwf")):
        head = window.lower()
        if any(prefix.startswith(head) for prefix in _ADDRESS_HEADS):
            return WAIT
    return ADDRESS.match(window) is not None


def read_entity(window: str) -> tuple[int, str] | Waits | None:
    """Return length and meaning of a character reference."""
    if found := _ENTITY.match(window):
        text = html5.get(found[0][1:]) if found[0][1] != "#" else html.unescape(found[0])
        return None if text is None else (found.end(), text)
    return WAIT if _ENTITY_SO_FAR.match(window) else None


def read_code(window: str, ticks: int) -> tuple[int, str] | Waits | None:
    """Return length and text of code that `ticks` backticks have opened before the window."""
    for found in re.finditer(r"`+|\n", window):
        if found[0] == "\n":
            return None
        if found.end() == len(window):
            return WAIT
        if len(found[0]) == ticks:
            return found.end(), window[: found.start()]
    return WAIT


def find_bracket(window: str) -> int | Waits | None:
    """Return where the bracket at the beginning of the window is closed."""
    depth = 0
    for found in re.finditer(r"\\.|[\[\]\n]", window):
        if found[0] == "\n":
            return None
        if found[0] == "[":
            depth += 1
            if depth > _MAX_DEPTH:
                return None
        elif found[0] == "]":
            depth -= 1
            if depth == 0:
                return found.start()
    return WAIT


def is_citation(content: str) -> bool:
    """Tell whether brackets with this content only point to a source."""
    return bool(_CITATION.fullmatch(content) or _DIRECTIVE.fullmatch(content))


def read_target(window: str) -> int | Waits | None:
    """Return the length of the address, or the label, that follows the text of a link."""
    pattern = _LABEL if window[0] == "[" else _TARGET
    if found := pattern.match(window):
        return found.end()
    return None if "\n" in window or _NO_TARGET.match(window) else WAIT


def read_math(window: str) -> int | Waits | None:
    """Return where a formula that begins with a dollar sign ends with another one."""
    if found := _MATH.match(window):
        content = found[1]
        is_formula = not content[-1].isspace() and _FORMULA.search(content)
        return found.end() - 1 if is_formula else None
    if len(window) > 1 and (window[1].isspace() or window[1] in "0123456789$"):
        return None
    return None if re.match(r"\$[^$\n]*(?:\n|\$[^$])", window) else WAIT


def read_tag(window: str) -> re.Match[str] | Waits | None:
    """Return a tag of HTML: its slash at the front, its name, its slash at the end."""
    if found := _TAG.match(window):
        return found
    return WAIT if _TAG_SO_FAR.match(window) else None


def read_angle(window: str) -> tuple[int, str] | Waits | None:
    """Return length and text of what stands in angle brackets and is no tag."""
    if found := _TOKEN.match(window):
        return found.end(), ""
    if found := _MAILBOX.match(window):
        return found.end(), found[1]
    may_be = _TOKEN_SO_FAR.match(window) or _MAILBOX_SO_FAR.match(window)
    return WAIT if may_be else None


def is_tag_open(window: str) -> bool:
    """Tell whether a window that is full begins with a tag that goes on."""
    found = re.match(r"</?([A-Za-z][\w:-]*)[ \t\n/]", window)
    return len(window) >= MAX_HELD and found is not None and found[1].lower() in KNOWN_ELEMENTS
