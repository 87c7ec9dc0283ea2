"""Whom the microphone of a session is for: what answers, Home Assistant itself, or nobody."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

from .answer_listener import AnswerListener
from .audio import AudioFormat
from .backend import BackendInfo, BackendName, TurnMode
from .end_of_speech import Detector
from .session_config import SessionConfig
from .session_input import SessionInput
from .session_output import Clock, SessionOutput

ECHO: Final = 0.2
"""Seconds for which a room still sounds when the loudspeaker is still."""


MAX_BURST: Final = 30.0
"""Seconds of audio that may come before their time; a microphone has none of it."""


def may_interrupt(config: SessionConfig, backend: BackendName) -> bool:
    """Tell whether an answer of a backend is interrupted by what the microphone hears."""
    if config.hears_over_answers or config.turn_detection.mode is TurnMode.MANUAL:
        # Who holds a button means it.
        return True
    # What is no satellite is a client of the old endpoint: those cancel echo, and cannot say so.
    is_old = config.satellite_id is None and config.half_duplex is None
    return backend is BackendName.GATEWAY and is_old


class SessionEars:
    """The microphone of one session. What nobody may hear is silence: time goes on."""

    def __init__(
        self,
        config: SessionConfig,
        detector: Callable[[], Detector],
        output: SessionOutput,
        clock: Clock,
    ) -> None:
        """Keep what is heard until `open`; `output` is what else is in the room."""
        self._config = config
        self._detector = detector
        self._output = output
        self._clock = clock
        self._seconds = AudioFormat(config.audio.sample_rate).seconds
        self._early = 0.0
        self._last = clock()
        self._refused = 0.0
        self._is_deaf_while_playing = False
        self._deaf_until = 0.0
        self._input = SessionInput(config.audio.sample_rate)
        self._listener: AnswerListener | None = None
        self._has_news = False
        self.was_cut = False
        """The session was over before Home Assistant itself had heard all it listened to."""

    @property
    def dropped(self) -> float:
        """Seconds that came before anybody could listen, or faster than time goes."""
        return self._input.dropped + self._refused

    @property
    def _is_manual(self) -> bool:
        return self._config.turn_detection.mode is TurnMode.MANUAL

    def open(self, info: BackendInfo, append: Callable[[bytes], None]) -> None:
        """Let a backend hear."""
        self._is_deaf_while_playing = not may_interrupt(self._config, info.name)
        self._input.open(info.input_rate, append)

    def hear(self, pcm: bytes, *, is_announcing: bool) -> None:
        """Take audio, cut anywhere."""
        if self._is_flood(self._seconds(pcm)):
            # An odd byte belongs to the sample that follows.
            pcm = pcm[len(pcm) - len(pcm) % 2 :]
        if self._listener is not None:
            # The question itself still sounds in the room.
            is_echo = self._is_sounding and not may_interrupt(self._config, BackendName.NONE)
            self._listener.hear(bytes(len(pcm)) if is_echo else pcm)
        elif not self._hears_itself(is_announcing):
            self._has_news = True
            self._input.hear(pcm)
            return
        if not self._is_manual:
            self._input.hear(bytes(len(pcm)))

    def drained(self) -> None:
        """The loudspeaker is still."""
        self._deaf_until = self._clock() + ECHO

    def listen(
        self,
        *,
        start_limit: float,
        limit: float,
        silence: float | None,
        on_end: Callable[[], None],
    ) -> AsyncIterator[bytes]:
        """Hear one utterance; what was listened to before ends."""
        self.stop_listening()
        wanted = self._config.turn_detection

        def end() -> None:
            self._listener = None
            on_end()

        self._listener = AnswerListener(
            self._config.audio.sample_rate,
            self._detector,
            replace(wanted, silence=silence if wanted.silence is None else wanted.silence),
            start_limit=start_limit,
            limit=limit,
            on_end=end,
        )
        return self._listener.utterance()

    def commit(self) -> bool:
        """End what is being said; return whether it is the backend that has to know.

        It has not when Home Assistant itself has listened, or nothing was heard since the last time.
        """
        has_news, self._has_news = self._has_news, False
        return not self.stop_listening() and has_news

    def stop_listening(self) -> bool:
        """End what Home Assistant listens to; return whether there was something."""
        if self._listener is None:
            return False
        self._listener.end()
        return True

    def close(self) -> None:
        """Hear nothing more: the session is over."""
        self.was_cut = self.stop_listening()

    def _is_flood(self, seconds: float) -> bool:
        """Tell whether there was too much at once, which would keep everybody else waiting."""
        now = self._clock()
        self._early = max(0.0, self._early - max(0.0, now - self._last))
        self._last = now
        if self._early + seconds > MAX_BURST:
            self._refused += seconds
            return True
        self._early += seconds
        return False

    def _hears_itself(self, is_announcing: bool) -> bool:
        """Tell whether the microphone hears the loudspeaker, and must not count."""
        if is_announcing:
            return not may_interrupt(self._config, BackendName.NONE)
        is_playing = self._output.is_busy or self._is_sounding
        return self._is_deaf_while_playing and is_playing

    @property
    def _is_sounding(self) -> bool:
        return self._clock() < self._deaf_until
