"""When audio goes to a satellite, and how much of it was heard (pure; the clock is passed in).

What speaks is far ahead of what can be heard. Here the audio waits, so that it can still be taken
back, and leaves just before it is due. Times are seconds of any clock that only goes forward.
"""

from dataclasses import dataclass, field

from .audio import AudioFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Audio to be sent now: at most 40 ms."""

    turn_id: str
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was taken back."""

    turn_id: str | None
    """Whose audio was playing or about to; None: there was nothing."""

    dropped_seconds: float
    """What will not be heard, whether it was sent or not."""

    heard: float
    """Seconds of that turn that were heard."""


class Playback:
    """The audio of one satellite: paced, in order, with a bound."""

    def __init__(self, audio_format: AudioFormat, *, max_ahead: float, bound: float) -> None:
        """Let the satellite hold `max_ahead` seconds (0: as much as there is); keep `bound` here."""

    @property
    def dropped(self) -> float:
        """Seconds that were dropped because too much waited."""
        raise NotImplementedError

    def push(self, turn_id: str, pcm: bytes, mark: str | None = None) -> bool:
        """Add audio, and what is to be said of it when it was heard; False: its turn was cleared."""
        raise NotImplementedError

    def due(self, now: float) -> tuple[Chunk, ...]:
        """Take what has to be sent."""
        raise NotImplementedError

    def marks(self, now: float) -> tuple[str, ...]:
        """Take the marks of audio that has been heard since."""
        raise NotImplementedError

    def next_due(self, now: float) -> float | None:
        """Return when `due` or `marks` have something to give, not before now; None: as it is, never."""
        raise NotImplementedError

    def is_drained(self, now: float) -> bool:
        """Tell whether everything has been heard."""
        raise NotImplementedError

    def heard(self, now: float) -> float:
        """Return how many seconds were heard of the turn that plays, or played last."""
        raise NotImplementedError

    def clear(self, now: float, turn_id: str | None = None) -> Cleared:
        """Take back everything; more audio of these turns, or of the one named, is not taken."""
        raise NotImplementedError

    def done(self, now: float, turn_id: str | None = None) -> None:
        """The satellite says that its speaker drained: everything sent (of that turn) was heard."""
        raise NotImplementedError
