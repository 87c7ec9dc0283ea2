"""A text that automations look for: contained anywhere, whatever the case, `*` for anything (pure)."""

from typing import Final

import voluptuous as vol

MAX_PATTERN: Final = 500
"""Characters. It is looked for in every notification."""

ANYTHING: Final = "*"


class TextPattern:
    """What a text must contain. Found in linear time, whatever the pattern."""

    def __init__(self, pattern: str) -> None:
        """Read a pattern.

        Raises:
            vol.Invalid: It would match everything, or is too long.
        """
        self._parts = tuple(part for part in pattern.strip().casefold().split(ANYTHING) if part)
        if not self._parts:
            raise vol.Invalid(
                f"The text to look for needs more than {ANYTHING}; leave it out to take every text"
            )
        if len(pattern) > MAX_PATTERN:
            raise vol.Invalid(f"The text to look for has more than {MAX_PATTERN} characters")

    def is_in(self, text: str) -> bool:
        """Tell whether all parts are in a text, one after the other."""
        folded, start = text.casefold(), 0
        for part in self._parts:
            found = folded.find(part, start)
            if found < 0:
                return False
            start = found + len(part)
        return True
