"""Masks secrets in texts that come from outside.

Every text of the gateway passes here before it reaches an error, a log or diagnostics.
"""

import re
from typing import Final

MASK: Final = "***"
MAX_LENGTH: Final = 500
"""Characters of an outside text that are kept; a longer one is content, not a message."""

_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_RULES: Final = (
    # Credentials in front of the host of a URL.
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{MASK}@"),
    # Authorization headers.
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE), rf"\1 {MASK}"),
    # name=value and "name": "value", in queries, JSON and prose.
    (
        re.compile(
            r"""(?P<name>[\w-]*(?:token|secret|password|passwd|signature|api[_-]?key|\bkey|nonce)[\w-]*)
                (?P<sign>["']?\s*[=:]\s*)
                (?:"[^"]*"|'[^']*'|[^\s"'&,;)}\]]+)""",
            re.IGNORECASE | re.VERBOSE,
        ),
        rf"\g<name>\g<sign>{MASK}",
    ),
    # Keys of model providers.
    (re.compile(r"\bsk-[\w-]{6,}"), MASK),
    # Tokens, keys, signatures and hashes by their look. Identifiers of the gateway (UUIDs) stay:
    # a person needs them, for instance to approve a request.
    (re.compile(rf"(?P<uuid>\b{_UUID}\b)|\b(?=[\w-]*\d)[A-Za-z0-9_-]{{32,}}={{0,2}}"), None),
)


def redact(text: str) -> str:
    """Return `text` with everything masked that looks like a secret, cut at `MAX_LENGTH`.

    Idempotent.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(_keep_uuid if replacement is None else replacement, text)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"


def _keep_uuid(match: re.Match[str]) -> str:
    return match.group("uuid") or MASK
