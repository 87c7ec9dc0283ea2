"""What a backend has told and its session has not fetched yet: bounded."""

from typing import Final, override

from ..gateway.waiting import Waiting
from .backend import BackendError, BackendEvent, OutputAudio, OutputCleared

MAX_EVENTS: Final = 6_000
"""Events that may wait; two minutes of speech in pieces of 20 ms. More is a fault of the session."""


class EventQueue(Waiting[BackendEvent]):
    """Keeps the events of a backend. It ends with a BackendError when that cannot go on."""

    @override
    def _add(self, item: BackendEvent) -> None:
        if isinstance(item, OutputCleared):
            self.drop_audio()
        super()._add(item)
        if len(self._items) > MAX_EVENTS:
            self.end(BackendError("slow_consumer"))

    def drop_audio(self) -> None:
        """Drop what nobody is to hear any more."""
        self.drop(OutputAudio)
