"""Which sound was where when. Pure.

Sound is linear PCM: signed 16 bits, little endian, mono.
"""

from array import array
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
import json
import math
from typing import Any, Final

from ...process import DemoError
from .wire import Message

WIDTH: Final = 2
MARK_SECONDS: Final = 0.005
MARK_HEIGHT: Final = 300
"""Too soft for speech."""

MARK_FREQUENCY: Final = 1_000
MARK_FOUND: Final = 150
"""From here on a sample is taken for one of a mark."""

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Sound that was seen."""

    at: float
    pcm: bytes = field(repr=False)


class Flow:
    """The sound of one answer at one place, as it came."""

    def __init__(self, pieces: Iterable[Piece], rate: int) -> None:
        """Put the pieces together; so many samples are a second."""
        self.pieces: list[Piece] = list(pieces)
        self._ends: list[float] = []
        end = 0.0
        for piece in self.pieces:
            end += len(piece.pcm) / WIDTH / rate
            self._ends.append(end)

    @property
    def seconds(self) -> float:
        """How much came in all."""
        return self._ends[-1] if self._ends else 0.0

    def middles(self) -> list[tuple[float, float]]:
        """Return for each piece when it came, and which second of the answer its middle is."""
        starts = [0.0, *self._ends]
        return [
            (piece.at, (start + end) / 2)
            for piece, start, end in zip(self.pieces, starts, self._ends, strict=False)
        ]

    def came_at(self, second: float) -> float:
        """Return when a second of the answer came.

        Raises:
            DemoError: It never did.
        """
        index = bisect_left(self._ends, second)
        if index == len(self._ends):
            raise DemoError(f"Of an answer, only {self.seconds:.1f} seconds have come.")
        return self.pieces[index].at


def marked(rate: int, seconds: float, *, mark_at: float | None) -> bytes:
    """Return silence, with a mark that begins after so many seconds."""
    samples = array("h", bytes(round(seconds * rate) * WIDTH))
    if mark_at is not None:
        first = round(mark_at * rate)
        for index in range(round(MARK_SECONDS * rate)):
            turn = 2 * math.pi * MARK_FREQUENCY * index / rate
            samples[first + index] = round(MARK_HEIGHT * math.sin(turn))
    return samples.tobytes()


def marks_at(pieces: Iterable[Piece]) -> list[float]:
    """Return when each mark had come as a whole; between two of them a piece is silent."""
    found: list[float] = []
    is_begun = False
    for piece in pieces:
        is_loud = max(map(abs, array("h", piece.pcm)), default=0) >= MARK_FOUND
        if is_loud and is_begun:
            found[-1] = piece.at
        elif is_loud:
            found.append(piece.at)
        is_begun = is_loud
    return found


def to_gateway(messages: Iterable[Message]) -> Iterator[Piece]:
    """Return the sound that a client sends to the gateway."""
    for at, frame in _objects(messages):
        if frame.get("method") == "talk.session.appendAudio":
            yield Piece(at=at, pcm=b64decode(frame["params"]["audioBase64"]))


def from_gateway(messages: Iterable[Message]) -> Iterator[Piece]:
    """Return the sound that the gateway sends to a client."""
    for at, frame in _objects(messages):
        if frame.get("event") == "talk.event" and frame["payload"]["type"] == "audio":
            yield Piece(at=at, pcm=b64decode(frame["payload"]["audioBase64"]))


def to_provider(messages: Iterable[Message]) -> Iterator[Piece]:
    """Return the sound that the gateway sends to the provider."""
    for at, frame in _objects(messages):
        if frame["type"] == "input_audio_buffer.append":
            yield Piece(at=at, pcm=b64decode(frame["audio"]))


def from_provider(messages: Iterable[Message]) -> Iterator[Piece]:
    """Return the sound that the provider sends to the gateway."""
    for at, frame in _objects(messages):
        if frame["type"] == "response.output_audio.delta":
            yield Piece(at=at, pcm=b64decode(frame["delta"]))


def _objects(messages: Iterable[Message]) -> Iterator[tuple[float, JsonObject]]:
    for message in messages:
        yield message.at, json.loads(message.payload)
