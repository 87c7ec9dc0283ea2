"""Messages of `chat.send` that stop a run instead of starting one, as far as the tests say them.

Source: gateway protocol 4, "Stop words and slash commands".
"""

from typing import Final

STOP_WORDS: Final = frozenset({"abort", "anhalten", "halt", "please stop", "stop", "stopp"})


def is_stop_word(message: str) -> bool:
    """Tell whether the whole message is one, whatever its case and closing punctuation."""
    return message.strip().rstrip(".!?").casefold() in STOP_WORDS
