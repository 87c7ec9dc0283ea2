"""Cuts a text that is still coming into sentences. Pure."""

import re
from typing import Final

_END: Final = re.compile(r"(?<=[.!?:;…])[”\"')\]]*\s+|\n+")
"""Where a sentence ends: what closes it, and the white space that shows that nothing else follows."""


class Sentences:
    """The part of a text that is no whole sentence yet."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        """Take the next piece and return the sentences that are whole now."""
        self._rest += text
        sentences: list[str] = []
        at = 0
        for end in _END.finditer(self._rest):
            sentences.append(self._rest[at : end.end()])
            at = end.end()
        self._rest = self._rest[at:]
        return [sentence.strip() for sentence in sentences if sentence.strip()]

    def finish(self) -> list[str]:
        """Return what is left, as the last sentence."""
        rest, self._rest = self._rest.strip(), ""
        return [rest] if rest else []
