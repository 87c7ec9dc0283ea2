"""What a realtime voice session has told and nobody has fetched yet: bounded."""

from typing import Final, override

from .errors import ConnectionLostError
from .talk_items import TalkAudio, TalkClear, TalkItem, TalkTranscript
from .waiting import Waiting

MAX_WAITING: Final = 6_000
"""Items that may wait; two minutes of speech. The oldest sound is dropped then, as the gateway does it."""

TOO_SLOW_CODE: Final = 1008
"""The close code of a client that does not keep up. Source: the gateway's own slow consumers."""


class TalkQueue(Waiting[TalkItem]):
    """Keeps the items of a session. It ends with a GatewayError when that is lost."""

    def __init__(self) -> None:
        """Start empty and open."""
        super().__init__()
        self.dropped = 0
        """Items that nobody will get."""

    @override
    def _add(self, item: TalkItem) -> None:
        if isinstance(item, TalkClear):
            # What nobody is to hear any more need not be fetched.
            self.drop(TalkAudio)
        if len(self._items) >= MAX_WAITING and not self._make_room():
            self.end(ConnectionLostError(TOO_SLOW_CODE, "items are not fetched"))
            return
        super()._add(item)

    def _make_room(self) -> bool:
        """Drop the oldest item that can be done without; return whether there was one."""
        for index, item in enumerate(self._items):
            if isinstance(item, TalkAudio) or (
                isinstance(item, TalkTranscript) and not item.is_final
            ):
                del self._items[index]
                self.dropped += 1
                return True
        return False
