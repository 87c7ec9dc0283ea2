"""When somebody starts and stops speaking, faster than a speech detector alone tells (pure).

A detector is sure only a while after speech begins, and stays so for half a second after it has
ended. So the level decides when, and the detector whether it is speech at all. It is asked only
about what stands out from the room: it costs a hundred times as much as the level. And it is kept:
a new one knows nothing for most of a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .audio import AudioFormat, Chunker

FORMAT = AudioFormat(16_000)
"""What is listened to."""

_FRAME_SECONDS = 0.01
_QUIETEST = 15.0
"""The level (root mean square of samples) that every room has at least."""

_STANDS_OUT = 4.0
"""So many times the level of the room is loud: 12 dB."""

_ROOM_RISES = 10 ** (3 / 20 * _FRAME_SECONDS)
"""By 3 dB a second the room may get louder; quieter at once."""

_HANGOVER = 30
"""Frames of quiet after which something loud is a new thing."""

_LOOKBACK = 60
"""Frames between the start of speech and a detector that is sure of it, at most."""

_SYLLABLE_GAP = 10
"""Frames of quiet after which speech sets in anew."""

_DOUBT = 30
"""Frames for which something loud that sets in after speech counts as speech by itself."""

type Detector = Callable[[bytes], float]
"""Takes 10 ms of audio at 16 kHz, gives how probable it is that somebody speaks in it.

Negative: it does not know yet.
"""


def level_alone() -> Detector:
    """Return a detector that takes everything that stands out for speech."""
    return lambda _: 1.0


class SpeechKind(StrEnum):
    """What happened."""

    STARTED = "started"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEvent:
    """Somebody began to speak, or has stopped."""

    kind: SpeechKind
    position: float
    """Seconds of audio since the start, or the last reset, at which the speech began or ended.

    It lies before what was fed last: one is sure of it only later.
    """


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
        """Make the detector when it is needed.

        Speech has started when at least `min_speech` seconds were loud and the detector is sure to
        `threshold`; it ends with `silence` seconds without it, or after `limit` seconds. Manual: it
        starts with the first audio and ends with `commit`, or at the limit; the detector is unused.
        """
        self._make_detector = detector
        self._silence = _frames(silence)
        self._threshold = threshold
        self._min_speech = _frames(min_speech)
        self._limit = _frames(limit)
        self._is_manual = is_manual
        self._room = 2 * _QUIETEST
        self._chunks = Chunker(FORMAT, _FRAME_SECONDS)
        self._now = 0
        self._detector: Detector | None = None
        self._is_warm = False
        self._is_sure = False
        self._is_spent = False
        self._start: int | None = None
        self._loud = 0
        self._set_in = 0
        self._last_loud = 0
        self._last_speech = 0

    @property
    def is_speaking(self) -> bool:
        """Speech has started, and has not ended."""
        return self._start is not None

    def reset(self) -> None:
        """Begin a new stream, at position 0: what was said before does not start it.

        How loud the room is stays known.
        """
        self._chunks = Chunker(FORMAT, _FRAME_SECONDS)
        self._now = 0
        self._forget()

    def feed(self, pcm: bytes) -> tuple[SpeechEvent, ...]:
        """Take the next audio, cut anywhere; return what happened in it, in order."""
        frames = self._chunks.push(pcm)
        if not frames:
            return ()
        samples = np.frombuffer(b"".join(frames), "<i2").reshape(len(frames), -1)
        levels = np.sqrt(np.square(samples, dtype=np.float32).mean(axis=1)).tolist()
        happened: list[SpeechEvent] = []
        for frame, level in zip(frames, levels, strict=True):
            happened += self._listen(frame, self._stands_out(level))
            self._now += 1
        return tuple(happened)

    def commit(self) -> tuple[SpeechEvent, ...]:
        """End what is being said now, because whoever speaks says so."""
        return self._end(self._now) if self.is_speaking else ()

    def _listen(self, frame: bytes, is_loud: bool) -> tuple[SpeechEvent, ...]:
        """Take 10 ms."""
        if self._start is None:
            return self._begin(self._now) if self._is_manual else self._wait(frame, is_loud)
        if not self._is_manual:
            self._follow(frame, is_loud)
        if self._now + 1 - self._start >= self._limit:
            return self._end(self._now + 1)
        if not self._is_manual and self._now - self._last_speech >= self._silence:
            return self._end(self._last_speech + 1)
        return ()

    def _wait(self, frame: bytes, is_loud: bool) -> tuple[SpeechEvent, ...]:
        """Look for a start."""
        if is_loud:
            if not self._loud:
                self._set_in = self._now
            self._loud += 1
            self._last_loud = self._now
        elif self._loud and self._now - self._last_loud > _HANGOVER:
            self._forget()
        if self._is_warm and not self._is_spent and not self._loud:
            return ()
        if not self._is_speech(frame):
            self._is_spent = False
            return ()
        if self._loud < (max(self._min_speech, _DOUBT) if self._is_spent else self._min_speech):
            return ()
        self._last_speech = self._last_loud
        return self._begin(max(self._set_in, self._now - _LOOKBACK))

    def _follow(self, frame: bytes, is_loud: bool) -> None:
        """Note whether it goes on."""
        is_speech = self._is_speech(frame)
        if not is_loud:
            return
        if self._now - self._last_loud > _SYLLABLE_GAP:
            self._set_in = self._now
        self._last_loud = self._now
        # The detector may have to be sure anew after a pause; noise is not given that long.
        if is_speech or self._now - self._set_in < _DOUBT:
            self._last_speech = self._now

    def _is_speech(self, frame: bytes) -> bool:
        """Ask the detector."""
        if self._detector is None:
            self._detector = self._make_detector()
        probability = self._detector(frame)
        self._is_warm = probability >= 0
        self._is_sure = probability >= self._threshold
        return self._is_sure

    def _begin(self, frame: int) -> tuple[SpeechEvent, ...]:
        """Tell where speech has started."""
        self._start = frame
        return (SpeechEvent(kind=SpeechKind.STARTED, position=frame * _FRAME_SECONDS),)

    def _end(self, frame: int) -> tuple[SpeechEvent, ...]:
        """Tell where speech has ended."""
        self._forget()
        return (SpeechEvent(kind=SpeechKind.ENDED, position=frame * _FRAME_SECONDS),)

    def _forget(self) -> None:
        """Wait for a start again. As long as the detector speaks of what was, it proves little."""
        self._start = None
        self._loud = 0
        self._is_spent = self._is_sure

    def _stands_out(self, level: float) -> bool:
        """Tell whether a level is more than that of the room, which follows it slowly."""
        if level:
            # Samples of nothing but zero come from no room.
            self._room = max(_QUIETEST, min(level, self._room * _ROOM_RISES))
        return level > self._room * _STANDS_OUT


def _frames(seconds: float) -> int:
    """Return how many frames last so long; at least one."""
    return max(1, round(seconds / _FRAME_SECONDS))
