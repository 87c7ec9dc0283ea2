"""When what of a spoken turn happened, and the stages it is made of. Pure."""

from dataclasses import dataclass
from typing import Final

STAGES: Final = (
    ("end_of_speech", "asked", "speech_ended"),
    ("speech_to_text", "speech_ended", "recognised"),
    ("first_text", "recognised", "first_text"),
    ("answer", "first_text", "last_text"),
    ("first_audio", "first_text", "first_sound"),
    ("audio", "first_sound", "last_sound"),
)
"""Stages of a turn: name, moment it begins, moment it ends. The last three overlap when speech streams."""

_EVENTS: Final = {"stt-vad-end": "speech_ended", "stt-end": "recognised"}


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Moments of one turn, in seconds since it was asked for; None where there was none."""

    asked: float | None = None
    """The end of the question: its last sample, or its text, was sent."""

    speech_ended: float | None = None
    """Assist noticed that the speech had ended."""

    recognised: float | None = None
    first_text: float | None = None
    last_text: float | None = None
    first_sound: float | None = None
    last_sound: float | None = None

    def note_event(self, kind: str, seconds: float) -> None:
        """Note the time of a pipeline's event, if it is one of the moments."""
        if name := _EVENTS.get(kind):
            setattr(self, name, seconds)

    def note_text(self, seconds: float) -> None:
        """Note that a piece of the answer has come."""
        if self.first_text is None:
            self.first_text = seconds
        self.last_text = seconds

    @property
    def first_sound_s(self) -> float | None:
        """Seconds from the end of the question to the first byte of the answer's sound."""
        if self.asked is None or self.first_sound is None:
            return None
        return self.first_sound - self.asked

    def stages(self) -> dict[str, float]:
        """Return how long each stage took, those left out whose begin or end has not been seen."""
        spans: dict[str, float] = {}
        for name, begin, end in STAGES:
            first, last = getattr(self, begin), getattr(self, end)
            if first is not None and last is not None:
                spans[name] = round(last - first, 3)
        return spans
