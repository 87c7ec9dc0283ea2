"""Whom the microphone of a session is for: what answers, Home Assistant itself, or nobody."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from .answer_listener import AnswerListener
from .backend import TurnMode
from .end_of_speech import Detector
from .session_config import SessionConfig
from .session_input import SessionInput

ECHO: Final = 0.2
"""Seconds for which a room still sounds when the loudspeaker is still."""


class SessionEars:
    """The microphone of one session. What nobody may hear is silence: time goes on."""

    def __init__(self, config: SessionConfig, detector: Callable[[], Detector]) -> None:
        """Keep what is heard until `open`."""
        self._config = config
        self._detector = detector
        self._input = SessionInput(config.audio.sample_rate)
        self._listener: AnswerListener | None = None

    @property
    def dropped(self) -> float:
        """Seconds that came before anybody could listen, and were too many."""
        return self._input.dropped

    @property
    def is_asking(self) -> bool:
        """Whether Home Assistant itself waits for an answer."""
        return self._listener is not None

    def open(self, rate: int, append: Callable[[bytes], None]) -> None:
        """Let a backend hear, at so many samples a second."""
        self._input.open(rate, append)

    def hear(self, pcm: bytes, *, is_deaf: bool) -> None:
        """Take audio, cut anywhere."""
        if self._listener is not None:
            self._listener.hear(pcm)
        elif not is_deaf:
            self._input.hear(pcm)
            return
        if self._config.turn_detection.mode is TurnMode.SERVER:
            self._input.hear(bytes(len(pcm)))

    def listen(
        self, *, start_limit: float, limit: float, on_end: Callable[[], None]
    ) -> AsyncIterator[bytes]:
        """Hear one utterance; what was listened to before ends."""
        self.commit()

        def end() -> None:
            self._listener = None
            on_end()

        self._listener = AnswerListener(
            self._config.audio.sample_rate,
            self._detector,
            self._config.turn_detection,
            start_limit=start_limit,
            limit=limit,
            on_end=end,
        )
        return self._listener.utterance()

    def commit(self) -> bool:
        """End what Home Assistant listens to; return whether there was something."""
        if self._listener is None:
            return False
        self._listener.end()
        return True
