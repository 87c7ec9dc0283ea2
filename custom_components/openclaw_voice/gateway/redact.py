"""Masks secrets in texts that come from outside.

Every text of the gateway passes here before it reaches an error, a log or diagnostics.
"""

from collections.abc import Callable
import re
from typing import Final

MASK: Final = "***"
MAX_LENGTH: Final = 500
"""Characters of an outside text that are kept; a longer one is content, not a message."""

_READ_FACTOR: Final = 4
"""How many times more characters are looked at than are kept: masks are shorter than secrets."""

_CUT: Final = "…"

# The patterns take time in proportion to the text, whatever it is: they start at the beginning of
# a word only, and what they have passed they do not try again.
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_VALUE: Final = rf"""(?:{_CUT}*+[^\s"'&,;)}}\]{_CUT}])++"""
_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    # Passwords and headers, of which nobody knows where they end: the rest of the line.
    (
        re.compile(
            rf"""(?<![\w-])
                (?=[\w-]*?(?:password|passphrase|authorization|cookie))
                (?P<name>[\w-]++[^\S\r\n]*+:[^\S\r\n]*+)
                [^\r\n]*[^\s{_CUT}]""",
            re.IGNORECASE | re.VERBOSE,
        ),
        rf"\g<name>{MASK}",
    ),
    # Authorization headers in a sentence.
    (re.compile(rf"""\b(bearer|basic)\s++["']?{_VALUE}""", re.IGNORECASE), rf"\1 {MASK}"),
    # name=value and "name": "value", in queries (encoded or not), JSON and prose, also when the end
    # is missing.
    (
        re.compile(
            rf"""(?<![\w-])
                (?=[\w-]*?(?:token|secret|password|passwd|pwd|passphrase|credential|authorization
                    |cookie|(?<![a-z])o?auth(?![a-z])|signature|nonce
                    |api[_-]?key|private[_-]?key|(?:\b|(?<=%3f)|(?<=%26))key))
                (?P<name>[\w-]++)
                (?P<sign>\\*+["']?\s*+[=:]\s*+|(?:%(?:25)*+22)?+%(?:25)*+3[ad])
                (?:(?:"(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?)(?:{_VALUE})?
                    |\\++["'][^"']*+\S*+
                    |{_VALUE})""",
            re.IGNORECASE | re.VERBOSE | re.DOTALL,
        ),
        rf"\g<name>\g<sign>{MASK}",
    ),
    # Headers without a colon.
    (
        re.compile(
            rf"""(?<![\w-])(?P<name>x-(?=[\w-]*?(?:key|token|secret|auth))[\w-]++\s++)
                (?![=:])["']?{_VALUE}""",
            re.IGNORECASE | re.VERBOSE,
        ),
        rf"\g<name>{MASK}",
    ),
    # Keys of model providers, clouds, chats and forges; JSON Web Tokens.
    (re.compile(r"\bsk-[\w-]{6,}+|\bxox[a-z]-[\w-]++|\bgh[a-z]_\w{16,}+"), MASK),
    (re.compile(r"\bA[KS]IA[A-Z\d]{12,}+[\w-]*+|eyJ[\w-]{6,}+(?:\.[\w-]++|\.(?=\.))*+"), MASK),
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
        lambda match: match.group("uuid") or MASK,
    ),
    # Credentials in front of the host of a URL, which ends at the latest where its string in JSON
    # does.
    (
        re.compile(r"""(?<=://)(?:(?!://|"[,:}\]])\S)++"""),
        lambda match: _without_user(match.group()),
    ),
)


def redact(text: str, limit: int = MAX_LENGTH) -> str:
    """Return `text` with everything masked that looks like a secret, cut at `limit` characters.

    Idempotent.
    """
    is_cut = len(text) > _READ_FACTOR * limit
    if is_cut:
        text = _whole_words(text[: _READ_FACTOR * limit])
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    if is_cut or len(text) > limit:
        text = f"{_whole_words(text[: limit - 1])}{_CUT}"
    return text


def _whole_words(text: str) -> str:
    """Return `text` without its last word: half a secret does not look like one."""
    return text[: text.rfind(" ") + 1]


def _without_user(address: str) -> str:
    """Mask what stands before the host: a password, which a colon begins, may hold a slash."""
    authority = address.partition("/")[0]
    end = (address if ":" in authority else authority).rfind("@")
    return address if end < 0 else f"{MASK}{address[end:]}"
