"""Which characters are pictures, and which only belong to pictures (pure)."""

import re
from typing import Final

PICTURES: Final = (
    "\u231a\u231b\u23e9-\u23fa\u25fd\u25fe"
    "\u2600-\u266c\u2670-\u275a\u275f-\u2767\u2795-\u27bf"  # not ♭♮♯, ornamental quotes, ❶
    "\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001fbef"
)
"""For a character class: what is a picture by itself, flags and skin tones included."""

PERHAPS_PICTURES: Final = (
    "\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u24c2\u25aa\u25ab\u25b6\u25c0"
    "\u25fb\u25fc\u27a1\u2934\u2935\u2b05-\u2b07\u3030\u303d\u3297\u3299\u00a9\u00ae"
)
"""For a character class: a sign like any other, unless AS_PICTURE follows."""

AS_PICTURE: Final = "\ufe0f"
AS_TEXT: Final = "\ufe0e"
JOINER: Final = "\u200d"
"""Joins pictures into one, but belongs to the spelling of some scripts, too."""

KEYCAP: Final = "\u20e3"

PICTURE: Final = re.compile(f"[{PICTURES}]")
PICTURE_PART: Final = re.compile(f"[{AS_PICTURE}{AS_TEXT}{KEYCAP}\U000e0020-\U000e007f]+")
"""Never stands for anything by itself."""

_ANY_PICTURE: Final = re.compile(
    f"[0-9#*]{AS_PICTURE}?{KEYCAP}"
    f"|(?:[{PICTURES}]|[{PERHAPS_PICTURES}]{AS_PICTURE})"
    f"(?:{JOINER}[{PICTURES}{PERHAPS_PICTURES}]|{JOINER}|{PICTURE_PART.pattern})*"
    f"|{PICTURE_PART.pattern}"
)


def without_pictures(text: str) -> str:
    """Return a whole text without pictures."""
    return _ANY_PICTURE.sub("", text)
