"""When a turn reached its stages (pure)."""

from dataclasses import dataclass, replace
import re
from typing import Final

_SENTENCE_END: Final = re.compile(r"[.!?…:](?=\s)|[\u3002\uff01\uff1f]|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds since the turn began. None: it did not come to that."""

    connected: float | None = None
    """The run was sent to the gateway."""

    first_text: float | None = None
    first_sentence: float | None = None
    """The first sentence was complete: a voice could begin to read."""

    done: float | None = None


NO_TIMES: Final = Timings()


class StopWatch:
    """Notes the times of one turn."""

    def __init__(self, now: float) -> None:
        """The turn begins now (any clock)."""
        self.timings = Timings()
        self._began = now
        self._sentence: str | None = ""

    def note_connected(self, now: float) -> None:
        """The run was sent."""
        self.timings = replace(self.timings, connected=now - self._began)

    def note_text(self, text: str, now: float) -> None:
        """A piece of the answer came."""
        if self.timings.first_text is None:
            self.timings = replace(self.timings, first_text=now - self._began)
        if text and self._sentence is not None:
            # The last sign of a piece may end a sentence only together with the next one.
            self._sentence = self._sentence[-1:] + text
            if _SENTENCE_END.search(self._sentence):
                self._note_sentence(now)

    def note_done(self, now: float) -> None:
        """The turn has ended; a sentence without a full stop ends with it."""
        if self._sentence:
            self._note_sentence(now)
        self.timings = replace(self.timings, done=now - self._began)

    def _note_sentence(self, now: float) -> None:
        self._sentence = None
        self.timings = replace(self.timings, first_sentence=now - self._began)
