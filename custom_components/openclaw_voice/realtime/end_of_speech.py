"""When somebody starts and stops speaking, faster than a speech detector alone tells (pure).

A detector is sure only half a second after speech begins, and goes on for as long after it has
ended. So the level decides when, and the detector whether it was speech at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

FRAME_SECONDS = 0.01

type Detector = Callable[[bytes], float]
"""Takes 10 ms of audio at 16 kHz, gives how probable it is that somebody speaks in it."""


class SpeechKind(StrEnum):
    """What happened."""

    STARTED = "started"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEvent:
    """Somebody began to speak, or has stopped."""

    kind: SpeechKind
    position: float
    """Seconds of audio since the start, or the last reset, at which the speech began or ended."""


class EndOfSpeech:
    """Follows one stream of 16 kHz audio."""

    def __init__(
        self,
        detector: Callable[[], Detector],
        *,
        silence: float = 0.5,
        threshold: float = 0.5,
        min_speech: float = 0.1,
        limit: float = 30.0,
        is_manual: bool = False,
    ) -> None:
        """Make a detector for each stretch; speech ends after `silence`, or at the `limit`.

        Manual: only `commit` ends it, and it starts with the first audio.
        """

    def feed(self, pcm: bytes) -> tuple[SpeechEvent, ...]:
        """Take the next audio."""
        raise NotImplementedError

    def commit(self) -> tuple[SpeechEvent, ...]:
        """End what is being said now, because the speaker says so."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was heard, so that the end of one utterance does not start the next."""
        raise NotImplementedError
