"""When audio goes to a satellite, and how much of it was heard (pure; the clock is passed in).

What speaks is far ahead of what can be heard. Here the audio waits, so that it can still be taken
back, and leaves just before it is due. Times are seconds of any clock that only goes forward.
"""

from collections import deque
from dataclasses import dataclass, field

from .audio import SAMPLE_BYTES, AudioFormat
from .protocol import MAX_CHUNK

_MAX_MARKS = 65_536
_MAX_REFUSED = 64
_INSTANT = 1e-6
"""Closer together, two times are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Audio to be sent now: at most `MAX_CHUNK`."""

    turn_id: str
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was taken back."""

    turn_id: str | None
    """Whose audio played, or came next, or played last; None: there never was any."""

    dropped_seconds: float
    """What will not be heard, whether it was sent or not."""

    heard: float
    """Seconds of that turn that were heard."""


class Playback:
    """The audio of one satellite: paced, in order, with a bound."""

    def __init__(self, audio_format: AudioFormat, *, max_ahead: float, bound: float) -> None:
        """Let the satellite hold `max_ahead` seconds (0: as much as there is); keep `bound` here."""
        self._format = audio_format
        self._max_ahead = max_ahead
        chunk = min(MAX_CHUNK, max_ahead / 2) if max_ahead else MAX_CHUNK
        self._chunk_bytes = max(audio_format.size(chunk), SAMPLE_BYTES)
        self._bound_bytes = max(audio_format.size(bound), SAMPLE_BYTES)
        self._pieces: deque[_Piece] = deque()
        self._waiting_bytes = 0
        self._dropped_bytes = 0
        self._sent: deque[_Span] = deque()
        self._marks: deque[tuple[float, str]] = deque(maxlen=_MAX_MARKS)
        self._waiting_marks: deque[tuple[int, str]] = deque(maxlen=_MAX_MARKS)
        self._gone_bytes = 0
        self._plays_until = 0.0
        self._turn_id: str | None = None
        self._heard = 0.0
        self._refused: deque[str] = deque(maxlen=_MAX_REFUSED)

    @property
    def dropped(self) -> float:
        """Seconds that were dropped because too much waited."""
        return self._seconds(self._dropped_bytes)

    @property
    def waiting(self) -> float:
        """Seconds that have not been sent yet."""
        return self._seconds(self._waiting_bytes)

    def push(self, turn_id: str, pcm: bytes, mark: str | None = None) -> bool:
        """Add whole samples, and the mark to be given back when they were heard.

        When too much waits, the oldest is dropped; its marks are due with what is left before it.
        False: audio of this turn is refused.
        """
        if turn_id in self._refused:
            return False
        if pcm:
            self._pieces.append(_Piece(turn_id, memoryview(pcm)))
            self._waiting_bytes += len(pcm)
        if mark is not None:
            self._waiting_marks.append((self._gone_bytes + self._waiting_bytes, mark))
        if (excess := self._waiting_bytes - self._bound_bytes) > 0:
            self._dropped_bytes += len(self._remove(excess))
        self._pass_marks(self._plays_until, self._gone_bytes)
        return True

    def due(self, now: float) -> tuple[Chunk, ...]:
        """Take what has to be sent."""
        chunks = []
        while self._pieces and self._sends_at() <= now + _INSTANT:
            chunks.append(self._take(now))
        return tuple(chunks)

    def marks(self, now: float) -> tuple[str, ...]:
        """Take the marks of audio that has been heard since."""
        heard = []
        while self._marks and self._marks[0][0] <= now + _INSTANT:
            heard.append(self._marks.popleft()[1])
        return tuple(heard)

    def next_due(self, now: float) -> float | None:
        """Return when there is audio to send, a mark to give, or all was heard; None: never.

        It is the time of that, on the same clock, and not before now.
        """
        times = []
        if self._pieces:
            times.append(max(now, self._sends_at()))
        if self._marks:
            times.append(max(now, self._marks[0][0]))
        if self._plays_until > now:
            times.append(self._plays_until)
        return min(times, default=None)

    def is_drained(self, now: float) -> bool:
        """Tell whether everything has been heard."""
        return not self._pieces and self._plays_until <= now + _INSTANT

    def heard(self, now: float) -> float:
        """Return how many seconds were heard of the turn that plays, else comes next, else was last."""
        return self._progress(now)[1]

    def taken(self, now: float, turn_id: str | None) -> float:
        """Return how many seconds of a turn were heard, play, or wait: of the last, or one to come."""
        current, seconds = self._progress(now)
        seconds = seconds if current == turn_id else 0.0
        seconds += sum(
            span.end - max(span.start, now) for span in self._sent if span.turn_id == turn_id
        )
        waiting = sum(len(piece.rest) for piece in self._pieces if piece.turn_id == turn_id)
        return seconds + self._seconds(waiting)

    def clear(self, now: float) -> Cleared:
        """Take back everything, with its marks. More audio of the turn is taken again: see `refuse`."""
        turn_id, heard = self._progress(now)
        ahead = max(0.0, self._plays_until - now)
        cleared = Cleared(turn_id=turn_id, dropped_seconds=self.waiting + ahead, heard=heard)
        self._remove(self._waiting_bytes)
        self._sent.clear()
        self._marks.clear()
        self._waiting_marks.clear()
        self._plays_until = min(self._plays_until, now)
        self._turn_id, self._heard = turn_id, heard
        return cleared

    def refuse(self, turn_id: str) -> None:
        """Take no more audio of a turn: what still arrives of it was meant before it was stopped."""
        if turn_id not in self._refused:
            self._refused.append(turn_id)

    def done(self, now: float, turn_id: str | None = None) -> None:
        """The speaker drained: all that was sent, up to the end of the turn if named, was heard.

        A turn of which nothing plays changes nothing.
        """
        ends = [span.end for span in self._sent if turn_id in (None, span.turn_id)]
        if not ends or (early := ends[-1] - now) <= 0:
            return
        for span in self._sent:
            span.start -= early
            span.end -= early
        shifted = [(at - early, mark) for at, mark in self._marks]
        self._marks = deque(shifted, maxlen=_MAX_MARKS)
        self._plays_until -= early

    def _take(self, now: float) -> Chunk:
        """Take the next chunk, which starts to play when what was sent before it ends."""
        start = max(now, self._plays_until)
        turn_id = self._pieces[0].turn_id
        before = self._gone_bytes
        pcm = self._remove(self._chunk_bytes, turn_id)
        self._extend(turn_id, start, start + self._seconds(len(pcm)))
        self._pass_marks(start, before)
        return Chunk(turn_id=turn_id, pcm=pcm)

    def _remove(self, size: int, turn_id: str | None = None) -> bytes:
        """Take at most so many bytes from the front, of one turn only if it is named."""
        pcm = bytearray()
        while len(pcm) < size and self._pieces and turn_id in (None, self._pieces[0].turn_id):
            piece = self._pieces[0]
            pcm += piece.take(size - len(pcm))
            if not piece.rest:
                self._pieces.popleft()
        self._waiting_bytes -= len(pcm)
        self._gone_bytes += len(pcm)
        return bytes(pcm)

    def _pass_marks(self, start: float, first: int) -> None:
        """Note when marks are heard, of audio that does not wait any more.

        Its byte number `first` plays at `start`; all before it was dropped.
        """
        while self._waiting_marks and self._waiting_marks[0][0] <= self._gone_bytes:
            position, mark = self._waiting_marks.popleft()
            self._marks.append((start + self._seconds(max(0, position - first)), mark))

    def _extend(self, turn_id: str, start: float, end: float) -> None:
        """Remember what plays when."""
        last = self._sent[-1] if self._sent else None
        if last and last.turn_id == turn_id and start - last.end < _INSTANT:
            last.end = end
        else:
            self._sent.append(_Span(turn_id, start, end))
        self._plays_until = end

    def _sends_at(self) -> float:
        """Return when the satellite has room for the next chunk."""
        if not self._max_ahead:
            return float("-inf")
        return self._plays_until + self._seconds(self._chunk_bytes) - self._max_ahead

    def _progress(self, now: float) -> tuple[str | None, float]:
        """Return the turn that plays, else comes next, else was last, and what was heard of it."""
        while self._sent and self._sent[0].end <= now:
            span = self._sent.popleft()
            before = self._heard if span.turn_id == self._turn_id else 0.0
            self._turn_id, self._heard = span.turn_id, before + span.end - span.start
        if not self._sent and not self._pieces:
            return self._turn_id, self._heard
        turn_id = self._sent[0].turn_id if self._sent else self._pieces[0].turn_id
        before = self._heard if turn_id == self._turn_id else 0.0
        return turn_id, before + (max(0.0, now - self._sent[0].start) if self._sent else 0.0)

    def _seconds(self, size: int) -> float:
        """Return how long so many bytes play."""
        return size / self._format.size(1)


@dataclass(slots=True)
class _Piece:
    """Audio that waits."""

    turn_id: str
    rest: memoryview

    def take(self, size: int) -> memoryview:
        """Take at most so many bytes from the front."""
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


@dataclass(slots=True)
class _Span:
    """Audio of one turn that was sent, and when it plays."""

    turn_id: str
    start: float
    end: float
