"""Where the speech filter is: what is read, what is said, what is left out (pure)."""

from collections.abc import Callable

from .markup import WAIT
from .source import Source
from .words import SpeechWords
from .writer import SpeechWriter


class Cursor:
    """Reads a text and writes speech. Readers move it on, and return False when they must wait."""

    def __init__(self, words: SpeechWords) -> None:
        """Use `words` for what is left out."""
        self.source = Source()
        self.writer = SpeechWriter()
        self.words = words
        self.inside: Callable[[], bool] | None = None
        """Reads on in what is left out, whatever its length."""

        self.line_starts = True
        """What follows is read like the beginning of a line."""

    @property
    def sign(self) -> str:
        """The next character."""
        return self.source.text[self.source.place]

    def say(self, text: str) -> bool:
        """Say the next characters as they are."""
        self.writer.text(text)
        self.source.skip(len(text))
        return True

    def drop(self, length: int) -> bool:
        """Skip decoration of words: there is no gap where it was."""
        self.source.skip(length)
        return True

    def leave_out(self, length: int) -> bool:
        """Skip what stood between words, or was one."""
        self.writer.leave_out()
        if not self.writer.line_has_text:
            self.line_starts = True
        return self.drop(length)

    def must_wait(self, found: object) -> bool:
        """Tell whether to wait for more, after a reader of a window has returned `found`."""
        return found is WAIT and not self.source.must_decide

    def leave_out_line(self) -> None:
        """Leave out the rest of the line."""
        self.writer.leave_out()
        self.inside = self._skip_line

    def leave_inside(self) -> bool:
        """Come back to what is said."""
        self.inside = None
        if not self.writer.line_has_text:
            self.line_starts = True
        return True

    def _skip_line(self) -> bool:
        end = self.source.text.find("\n", self.source.place)
        if end < 0:
            self.source.skip(self.source.held)
            return True
        self.source.skip(end - self.source.place)
        self.inside = None
        return True
