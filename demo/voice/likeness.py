"""How much of what was said was heard. Pure."""

from difflib import SequenceMatcher
import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def plain_words(text: str) -> list[str]:
    """Return the words of a text as a recogniser writes them: small letters, no punctuation."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def share_heard(said: str, heard: str) -> float:
    """Return which part of the words said was heard, in their order: 0 to 1, and 0 when nothing was said."""
    words = plain_words(said)
    if not words:
        return 0.0
    blocks = SequenceMatcher(None, words, plain_words(heard), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)
