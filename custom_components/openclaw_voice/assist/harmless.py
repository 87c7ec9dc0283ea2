"""What is asked, made harmless for a way of asking that also takes commands (pure).

Source: gateway protocol 4, "chat.send": a message that begins with a known command is carried out by
the gateway, and directives such as one that ends approvals count anywhere in it. An automation may
pass on what comes from anywhere, and an agent that is to ask first must not be told otherwise by it.
"""

import re
from typing import Final

_FIRST: Final = re.compile(r"\A\s*(?=[/!])")
_FURTHER: Final = re.compile(r"(?<=\s)(?=/[A-Za-z_-]+(?:[\s:]|\Z))")


def without_commands(text: str) -> str:
    """Return a text in which the gateway finds no command: a backslash stands before each.

    Paths and addresses within the text stay as they are.
    """
    first = _FIRST.sub(lambda found: f"{found[0]}\\", text)
    return _FURTHER.sub(lambda _: "\\", first)
