"""What a satellite shows in the terminal."""

from typing import Final, TextIO

NAMES: Final = {"user": "You", "assistant": "Agent", "announcement": "Announcement"}
SIGNS: Final = {"stands by": "◌", "listens": "○", "hears": "●", "thinks": "…", "speaks": "♪"}


class Screen:
    """Writes lines; the words of an answer as they come."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream
        self._speaker: str | None = None
        """Whose words the open line has."""

        self._shown = set[str]()
        """Who has said something that is shown, and is not complete."""

        self._state = ""

    def state(self, state: str) -> None:
        """Show what the satellite does, when that is new."""
        if state != self._state:
            self._state = state
            self.note(f"{SIGNS[state]} {state}")

    def note(self, text: str) -> None:
        """Show a line about what goes on."""
        self._end_line()
        self._write(f"  {text}\n")

    def words(self, speaker: str, text: str) -> None:
        """Show more words of somebody."""
        if speaker != self._speaker:
            self._end_line()
            self._write(f"{NAMES.get(speaker, speaker)}: ")
            self._speaker = speaker
            if speaker in self._shown:
                text = f"… {text.lstrip()}"
        self._shown.add(speaker)
        self._write(text)

    def sentence(self, speaker: str, text: str) -> None:
        """Show all words of somebody, unless they are there already."""
        if speaker not in self._shown:
            self.words(speaker, text)
        self._shown.discard(speaker)
        self._end_line()

    def _end_line(self) -> None:
        """End a line that is open."""
        if self._speaker is not None:
            self._speaker = None
            self._write("\n")

    def _write(self, text: str) -> None:
        """Write at once."""
        self._stream.write(text)
        self._stream.flush()
