"""What a session says, on its way to the satellite: resampled, paced, and taken back."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .audio import AudioFormat, Resampler
from .channel import Channel
from .playback import Cleared, Playback
from .server_events import ServerEvent

BOUND: Final = 180.0
"""Seconds of audio that may wait."""

PATIENCE: Final = 1.0
"""Seconds a satellite has to say that its speaker drained: it plays later than we count."""

_SHORTEST_WAIT: Final = 0.001

type Clock = Callable[[], float]


class SessionOutput:
    """The audio of one session. `run` is a task of the session."""

    def __init__(
        self,
        channel: Channel,
        *,
        rate: int,
        max_ahead: float,
        patience: float = 0.0,
        clock: Clock,
        on_mark: Callable[[str], None],
        on_drained: Callable[[], None],
    ) -> None:
        """Nothing plays yet.

        Args:
            channel: Takes the audio.
            rate: Samples a second of the satellite.
            max_ahead: Seconds the satellite may hold; 0: as much as there is.
            patience: Seconds to wait, when all should have been heard, for the satellite to say so.
            clock: Tells the time, in seconds.
            on_mark: Called with the mark of audio that has been heard.
            on_drained: Called when everything has been heard, and nothing is to follow it.
        """
        self.format = AudioFormat(rate)
        self._channel = channel
        self._playback = Playback(self.format, max_ahead=max_ahead, bound=BOUND)
        self._clock = clock
        self._on_mark = on_mark
        self._on_drained = on_drained
        self._resampler = Resampler(rate, rate)
        self._after: deque[tuple[int, ServerEvent]] = deque()
        """Events that follow the audio, with the bytes that have to be sent before them."""

        self._lost: tuple[tuple[int, ServerEvent], ...] = ()
        """Those that were taken back last."""

        self._pushed = 0
        self._sent = 0
        self._is_playing = False
        self._turns: dict[str, None] = {}
        """Whose audio is here, or was sent since all was heard."""

        self._patience = patience
        self._is_confirmed = False
        """The satellite has said that all it was sent was heard."""

        self._silent_since: float | None = None
        """When all should have been heard, until that is told."""

        self._wake = asyncio.Event()

    @property
    def dropped(self) -> float:
        """Seconds that were dropped because too much waited."""
        return self._playback.dropped

    @property
    def is_busy(self) -> bool:
        """Whether something has still to be sent or heard."""
        return self._is_playing or bool(self._after)

    def open(self, rate: int) -> None:
        """Take audio of so many samples a second from now on."""
        self._resampler = Resampler(rate, self.format.rate)

    def push(self, turn_id: str, pcm: bytes, mark: str | None = None) -> bool:
        """Take more of an answer; False when its turn was cleared."""
        return self._push(turn_id, self._resampler.process(pcm), mark)

    def push_whole(self, turn_id: str, pcm: bytes, rate: int) -> float:
        """Take all of something that is no answer, and return how many seconds it lasts."""
        resampler = Resampler(rate, self.format.rate)
        whole = resampler.process(pcm) + resampler.flush()
        self._is_playing = True
        self._push(turn_id, whole, None)
        return self.format.seconds(whole)

    def flush(self, turn_id: str) -> None:
        """Take the rest of an answer: its last audio was pushed."""
        if rest := self._resampler.flush():
            self._push(turn_id, rest, None)

    def follow(self, event: ServerEvent) -> None:
        """Send an event after all audio that is here."""
        self._after.append((self._pushed, event))
        self._step()
        self._wake.set()

    def still_follows(self, event: ServerEvent) -> bool:
        """Whether an event waits for audio, or did so when that was taken back last."""
        return any(each is event for _, each in (*self._after, *self._lost))

    def clear(self, *, refuse: bool) -> Cleared:
        """Take back everything, and what was to follow it.

        With `refuse`, no more audio of these turns is taken: it was on its way when they ended.
        """
        if refuse:
            for turn_id in self._turns:
                self._playback.refuse(turn_id)
        self._turns.clear()
        self._resampler.reset()
        self._lost = tuple(self._after)
        self._after.clear()
        cleared = self._playback.clear(self._clock())
        # What was dropped counts as gone, too: see `_step`.
        self._sent = self._pushed - self.format.size(self._playback.dropped)
        self._is_playing = False
        self._silent_since = None
        self._wake.set()
        return cleared

    def taken(self, turn_id: str | None) -> float:
        """Return how many seconds of a turn were heard, or still will be."""
        return self._playback.taken(self._clock(), turn_id)

    def refuse(self, turn_id: str) -> None:
        """Take no audio of a turn: it was stopped before there was any."""
        self._playback.refuse(turn_id)

    def done(self, turn_id: str | None) -> None:
        """The satellite says that its speaker drained."""
        self._playback.done(self._clock(), turn_id)
        self._is_confirmed = turn_id in (None, next(reversed(self._turns), None))
        self._step()
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, as long as the session lasts."""
        while True:
            self._wake.clear()
            self._step()
            now = self._clock()
            due = self._playback.next_due(now)
            if due is None and self._silent_since is not None:
                due = self._silent_since + self._patience
            wait = None if due is None else max(due - now, _SHORTEST_WAIT)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _push(self, turn_id: str, pcm: bytes, mark: str | None) -> bool:
        if not self._playback.push(turn_id, pcm, mark):
            return False
        self._turns[turn_id] = None
        self._pushed += len(pcm)
        self._is_playing = self._is_playing or bool(pcm)
        self._step()
        self._wake.set()
        return True

    def _step(self) -> None:
        """Send what is due now, then tell what was heard."""
        now = self._clock()
        for chunk in self._playback.due(now):
            self._sent += len(chunk.pcm)
            self._is_confirmed = False
            self._channel.send_audio(chunk.pcm)
        gone = self._sent + self.format.size(self._playback.dropped)
        while self._after and self._after[0][0] <= gone:
            self._channel.send(self._after.popleft()[1])
        for mark in self._playback.marks(now):
            self._on_mark(mark)
        if self._is_playing and not self._after and self._is_drained(now):
            self._is_playing = False
            self._turns.clear()
            self._on_drained()

    def _is_drained(self, now: float) -> bool:
        """Tell whether everything was heard, as far as can be known."""
        if not self._playback.is_drained(now):
            self._silent_since = None
            return False
        if self._silent_since is None:
            self._silent_since = now
        if not self._is_confirmed and now < self._silent_since + self._patience:
            return False
        self._silent_since = None
        return True
