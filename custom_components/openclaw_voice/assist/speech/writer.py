"""Joins what may be read aloud: blank space, pauses and the ends of sentences (pure)."""

from typing import Final
import unicodedata

from .emoji import without_pictures

_CLOSERS: Final = ")]}\"'»”’›」』）"  # noqa: RUF001 - signs of several scripts
"""Stand after the end of a sentence and still belong to it."""

_PAUSES: Final = frozenset(".!?:;,…‥·;؟؛،۔।॥։።。！？：；，、．")  # noqa: RUF001 - signs of several scripts
"""After one of them, speech pauses already."""

_HUG: Final = frozenset(".,;:!?…)]}»”。！？：；，、）")  # noqa: RUF001 - signs of several scripts
"""Stand close to the word before them."""

_ENDS: Final = ".,;:!?…"
_WIDE: Final = frozenset("WF")
"""Characters of scripts that put no blanks between words."""


class SpeechWriter:
    """Collects speech. Every method may be called in any order."""

    def __init__(self) -> None:
        """Start without any speech."""
        self.line_has_text = False
        """Something was said since the line began."""

        self.written = 0
        """Characters so far, without the gaps between them."""

        self._parts: list[str] = []
        self._gap = ""
        """Blank space, or a line end, that is due before the next text."""

        self._last = ""
        """The last character that was written."""

        self._last_word = ""
        """The last one that closes nothing, for instance no quotation mark."""

        self._opened: str | None = None
        """The gap before a parenthesis that nothing has been written into yet."""

        self._left_out = False
        """Something was left out since the last text."""

        self._has_ended = False
        """A sentence of ours was the last text: what ended the one it stands in is not due."""

    def text(self, text: str) -> None:
        """Write text that begins with no blank space."""
        if self._has_ended:
            text = text.lstrip(_ENDS)
            if not text:
                return
            self._has_ended = False
        if self._opened is not None and self._close_opened(text):
            return
        self._write_gap(text[0])
        self._write(text)

    def verbatim(self, text: str) -> None:
        """Write what is no markup, with its blank space, but without pictures."""
        spoken = without_pictures(text)
        if spoken != text:
            self.leave_out()
        for index, word in enumerate(spoken.split()):
            if index or spoken[0].isspace():
                self.space(" ")
            self.text(word)
        if spoken[-1:].isspace():
            self.space(" ")

    def sentence(self, text: str) -> None:
        """Write a sentence that stands for something left out; "" just leaves it out."""
        self.leave_out()
        if text.strip():
            self.line_end(paragraph=True)
            self.verbatim(text.strip())
            self.line_end(paragraph=True)
            self._has_ended = True

    def parenthesis(self) -> None:
        """Open a parenthesis; it is left out if nothing is written into it."""
        if self._opened is not None:
            self._write_opened()
        self._opened = self._gap
        self._gap = ""
        self._left_out = False

    def space(self, blank: str) -> None:
        """Note blank space within a line; several count as one."""
        if not self._gap:
            # One that keeps a number together stays what it is.
            self._gap = blank if blank in "\u00a0\u202f" else " "
        elif self._gap[0] != "\n":
            self._gap = " "

    def line_end(self, *, paragraph: bool = False) -> None:
        """Note the end of a line; two of them are a longer pause, and more are no more."""
        if self._opened is not None:
            self._write_opened()
        self._has_ended = False
        self._gap = "\n\n" if paragraph or self._gap.startswith("\n") else "\n"
        self.line_has_text = False

    def leave_out(self) -> None:
        """Note that something is left out here."""
        self._left_out = True

    def end_sentence(self) -> None:
        """Make sure that speech pauses here, if the line has anything to say."""
        if self._opened is not None:
            self._write_opened()
        if self.line_has_text and self._last_word not in _PAUSES:
            self._gap = ""
            self._write("。" if _is_wide(self._last_word) else ".")

    def pause(self) -> None:
        """Make sure that speech pauses here for a moment."""
        if self._opened is not None:
            self.leave_out()
        elif self._last_word not in _PAUSES:
            self._gap = ""
            self._write("、" if _is_wide(self._last_word) else ",")

    def take(self, *, is_last: bool = False) -> str:
        """Return what was written since the last call."""
        if is_last and self._opened is not None:
            self._write_opened()
        taken = "".join(self._parts)
        self._parts.clear()
        return taken

    def _close_opened(self, text: str) -> bool:
        """Write the parenthesis before `text`; return False when `text` is still to be written."""
        if text != ")" or not self._left_out:
            self._write_opened()
            return False
        self._gap, self._opened = self._opened or "", None
        return True

    def _write_opened(self) -> None:
        inner, self._gap = self._gap, self._opened or ""
        self._opened = None
        left_out, self._left_out = self._left_out, False
        self._write_gap("(")
        self._write("(")
        # A blank after something left out is no beginning.
        self._gap = "" if left_out else inner

    def _write_gap(self, before: str) -> None:
        """Write the blank space that is due before a character."""
        if not self._last:
            pass
        elif self._gap.startswith("\n"):
            self._parts.append(self._gap)
        elif self._left_out:
            if before not in _HUG and (self._gap or self._is_within_word(before)):
                self._parts.append(" ")
        else:
            self._parts.append(self._gap)
        self._gap = ""
        self._left_out = False

    def _is_within_word(self, before: str) -> bool:
        """Tell whether two words would become one."""
        return self._last.isalnum() and before.isalnum() and not _is_wide(before)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self.written += len(text)
        self._last = text[-1]
        self._last_word = text.rstrip(_CLOSERS)[-1:] or self._last_word
        self.line_has_text = True


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE if character else False
