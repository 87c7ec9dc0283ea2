"""When which piece of an answer was seen. Pure.

A piece is known by its end: the number of characters of the answer up to there.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ..process import DemoError


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of an answer at its client."""

    end: int
    """Characters of the answer with this piece."""

    at: float
    """When it came, on the clock of `time.perf_counter`."""


class Arrivals:
    """The times at which the cumulative text of one answer grew."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.text = ""
        self._pieces: list[Piece] = []

    @property
    def first_at(self) -> float | None:
        """When the first text came."""
        return self._pieces[0].at if self._pieces else None

    def note(self, text: str, at: float) -> None:
        """Note a cumulative text; what is not longer than the last one is not news."""
        if len(text) > len(self.text):
            self.text = text
            self._pieces.append(Piece(end=len(text), at=at))

    def seen_at(self, end: int) -> float | None:
        """Return when the text first had `end` characters, None when it never had."""
        index = bisect_left(self._pieces, end, key=lambda piece: piece.end)
        return self._pieces[index].at if index < len(self._pieces) else None


def added_times(pieces: Iterable[Piece], arrivals: Arrivals) -> list[float]:
    """Return how much later than in `arrivals` each piece came, in seconds.

    Raises:
        DemoError: A piece never arrived there.
    """
    added = []
    for piece in pieces:
        seen_at = arrivals.seen_at(piece.end)
        if seen_at is None:
            raise DemoError(f"No frame has brought the text up to character {piece.end}.")
        added.append(piece.at - seen_at)
    return added
