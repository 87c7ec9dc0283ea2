"""What the stand-in for a speech model hears and what it does then: pure, and with known answers.

It is used by the server the real gateway talks to (`realtime_provider`) and by the tests' fake
gateway. Sound is samples of 16 bits, one channel, `RATE` a second.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
import math
from typing import Final

from .likeness import share_heard

RATE: Final = 24_000
"""Samples a second, in both directions."""

WIDTH: Final = 2
"""Bytes of a sample."""

FRAME: Final = 0.02
"""Seconds that are looked at together."""

LOUD: Final = 400.0
"""Loudness from which on somebody speaks (root of the mean square)."""

SILENCE: Final = 0.5
"""Seconds of silence that end an utterance, when the session does not say."""

PADDING: Final = 0.3
"""Seconds before the first loud sound that belong to an utterance: words begin softly."""

ALIKE: Final = 0.6
"""Which part of a taught question must have been heard."""

PER_CHARACTER: Final = 0.06
"""Seconds a character takes in the voice that needs no speech engine."""

INSTANT_WORDS: Final = "Hello."
"""What is heard without a recogniser, when nothing else was set."""

MAX_UTTERANCE: Final = 60.0
"""Seconds after which an utterance ends in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Answer with words."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consult:
    """Ask the agent."""

    question: str = field(default="", repr=False)
    """Empty: what was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Ask what the agent is doing, or change it."""

    mode: str = "status"


@dataclass(frozen=True, slots=True)
class Fail:
    """The answer fails."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The provider says that it is too much, and answers nothing."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection to the provider breaks."""


type Reaction = Say | Consult | Control | Fail | Limit | HangUp


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody begins to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """Somebody has spoken."""

    samples: bytes = field(repr=False)


class Ears:
    """Finds where speech begins and ends, by its loudness."""

    def __init__(self, *, silence: float = SILENCE) -> None:
        """`silence` is how many seconds of it end an utterance; it may be changed."""
        self.silence = silence
        self.heard = 0.0
        """Seconds of sound so far."""

        self._rest = b""
        self._speech = bytearray()
        self._before: deque[bytes] = deque(maxlen=round(PADDING / FRAME))
        self._quiet = 0.0
        self._is_speech = False

    def feed(self, samples: bytes) -> Iterator[SpeechStarted | SpeechEnded]:
        """Take more sound, and tell what begins and ends in it."""
        size = round(FRAME * RATE) * WIDTH
        sound = self._rest + samples
        whole = len(sound) // size * size
        self._rest = sound[whole:]
        for at in range(0, whole, size):
            yield from self._take(sound[at : at + size])

    def _take(self, frame: bytes) -> Iterator[SpeechStarted | SpeechEnded]:
        self.heard += FRAME
        if loudness(frame) >= LOUD:
            self._quiet = 0.0
            if not self._is_speech:
                self._is_speech = True
                self._speech += b"".join(self._before)
                self._before.clear()
                yield SpeechStarted()
        elif self._is_speech:
            self._quiet += FRAME
        if not self._is_speech:
            self._before.append(frame)
            return
        self._speech += frame
        length = len(self._speech) / (RATE * WIDTH)
        if self._quiet >= self.silence - FRAME / 2 or length >= MAX_UTTERANCE:
            samples = bytes(self._speech)
            self._is_speech, self._quiet = False, 0.0
            self._speech.clear()
            yield SpeechEnded(samples=samples)


class Mind:
    """Knows what to do with what was heard."""

    def __init__(self) -> None:
        """Know nothing yet: everything is repeated."""
        self.otherwise: Reaction | None = None
        """What to do with what was never taught, instead of repeating it."""

        self._taught: dict[str, Reaction] = {}
        self._next: deque[str] = deque()

    def teach(self, question: str, reaction: Reaction) -> None:
        """Let a question stand for a reaction, also when it is heard a little wrong."""
        self._taught[question] = reaction

    def expect(self, *texts: str) -> None:
        """Say what the next utterances are, for a model that hears nothing."""
        self._next.extend(texts)

    def forget(self) -> None:
        """Know nothing again."""
        self._taught.clear()
        self._next.clear()

    def next_words(self) -> str:
        """Return what the utterance is that has just ended, for a model that hears nothing."""
        return self._next.popleft() if self._next else INSTANT_WORDS

    def react(self, text: str) -> Reaction:
        """Return what to do with what was heard."""
        shares = {question: share_heard(question, text) for question in self._taught}
        best = max(shares, key=lambda question: shares[question], default="")
        is_known = shares.get(best, 0.0) >= ALIKE
        found = self._taught[best] if is_known else self.otherwise
        if found is None or not text:
            return Say(text=f"You said: {text.rstrip('.')}." if text else "I heard nothing.")
        return Consult(question=text) if found == Consult() else found


def loudness(frame: bytes) -> float:
    """Return the root of the mean square of some samples."""
    samples = array("h", frame)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def tone(seconds: float, *, frequency: int = 330, height: int = 6_000) -> bytes:
    """Return a tone: what counts as speech here, and needs no speech engine."""
    second = _second(frequency, height)
    size = round(seconds * RATE) * WIDTH
    return (second * (size // len(second) + 1))[:size]


def silence(seconds: float) -> bytes:
    """Return so many seconds of nothing."""
    return bytes(round(seconds * RATE) * WIDTH)


def instant_voice(text: str) -> bytes:
    """Return a text as a tone as long as speech would be."""
    return tone(PER_CHARACTER * max(len(text), 1))


@cache
def _second(frequency: int, height: int) -> bytes:
    """Return a whole second of a tone, so that its end fits its beginning."""
    turn = 2 * math.pi * frequency / RATE
    return array("h", (round(height * math.sin(turn * index)) for index in range(RATE))).tobytes()
