"""Masks secrets in texts that come from outside.

Every text of the gateway passes here before it reaches an error, a log or diagnostics.
"""

import re
from typing import Final

MASK: Final = "***"
MAX_LENGTH: Final = 500
"""Characters of an outside text that are kept; a longer one is content, not a message."""

_READ_LENGTH: Final = 4 * MAX_LENGTH
"""Characters that are looked at: masks are shorter than secrets, so more than are kept."""

_CUT: Final = "…"

# The patterns take time in proportion to the text, whatever it is: they start at the beginning of
# a word only, and what they have passed they do not try again.
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_VALUE: Final = rf"""(?:{_CUT}*+[^\s"'&,;)}}\]{_CUT}])++"""
_RULES: Final = (
    # Credentials in front of the host of a URL.
    (re.compile(r"(?<=://)[^/\s]+@"), f"{MASK}@"),
    # Authorization headers.
    (re.compile(rf"""\b(bearer|basic)\s++["']?{_VALUE}""", re.IGNORECASE), rf"\1 {MASK}"),
    # name=value and "name": "value", in queries, JSON and prose, also when the end is missing.
    (
        re.compile(
            rf"""(?<![\w-])
                (?=[\w-]*?(?:token|secret|password|passwd|signature|nonce
                    |api[_-]?key|private[_-]?key|\bkey))
                (?P<name>[\w-]++)
                (?P<sign>\\*+["']?\s*+[=:]\s*+)
                (?:(?:"(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?)(?:{_VALUE})?|\\++["']\S*+|{_VALUE})""",
            re.IGNORECASE | re.VERBOSE | re.DOTALL,
        ),
        rf"\g<name>\g<sign>{MASK}",
    ),
    # Keys of model providers.
    (re.compile(r"\bsk-[\w-]{6,}+"), MASK),
    # Tokens, keys, signatures and hashes by their look. Identifiers of the gateway (UUIDs) stay:
    # a person needs them, for instance to approve a request.
    (
        re.compile(
            rf"""(?<![\w-])
                (?:(?P<uuid>{_UUID})(?![\w-])
                |(?=[a-z_-]*\d)[a-z\d_-]{{32,}}+={{0,2}}
                |(?=(?-i:[A-Z_-]*[a-z]))(?=(?-i:[a-z_-]*[A-Z]))[a-z_-]{{43,}}+={{0,2}})""",
            re.ASCII | re.IGNORECASE | re.VERBOSE,
        ),
        None,
    ),
)


def redact(text: str) -> str:
    """Return `text` with everything masked that looks like a secret, cut at `MAX_LENGTH`.

    Idempotent.
    """
    is_cut = len(text) > _READ_LENGTH
    if is_cut:
        text = _whole_words(text[:_READ_LENGTH])
    for pattern, replacement in _RULES:
        text = pattern.sub(_keep_uuid if replacement is None else replacement, text)
    if is_cut or len(text) > MAX_LENGTH:
        text = f"{_whole_words(text[: MAX_LENGTH - 1])}{_CUT}"
    return text


def _whole_words(text: str) -> str:
    """Return `text` without its last word: half a secret does not look like one."""
    return text[: text.rfind(" ") + 1]


def _keep_uuid(match: re.Match[str]) -> str:
    return match.group("uuid") or MASK
