"""What is said at a satellite although nobody asked: one thing at a time, when it is idle."""

import asyncio
from typing import Final, Protocol
import uuid

from . import server_events
from .channel import Channel
from .session_output import SessionOutput
from .session_state import Cause

BUSY_LIMIT: Final = 60.0
"""Seconds that somebody may go on speaking before an announcement is given up."""

HEARD_LIMIT: Final = 10.0
"""Seconds after the last sound, until it counts as heard."""


TIMEOUT: Final = "timeout"
CANCELLED: Final = "cancelled"
"""Why an announcement is taken back."""


class Announced(Protocol):
    """The session, as it is needed here."""

    def happened(self, cause: Cause) -> None:
        """Go to the next state."""

    async def wait_idle(self) -> None:
        """Wait until nobody speaks, or the session is over."""


class Announcer:
    """Announces in one session."""

    def __init__(self, session: Announced, output: SessionOutput, channel: Channel) -> None:
        """Nothing is said yet."""
        self._session = session
        self._output = output
        self._channel = channel
        self._lock = asyncio.Lock()
        self._heard: asyncio.Future[bool] | None = None
        self._is_closed = False

    @property
    def is_speaking(self) -> bool:
        """Whether an announcement plays."""
        return self._heard is not None

    async def announce(self, text: str, pcm: bytes, rate: int) -> bool:
        """Say something; return whether all of it was heard.

        Raises:
            TimeoutError: The session was busy for too long.
        """
        async with asyncio.timeout(BUSY_LIMIT) as limit, self._lock:
            await self._session.wait_idle()
            limit.reschedule(None)
            if self._is_closed:
                return False
            return await self._say(text, pcm, rate)

    def heard(self) -> bool:
        """Everything was heard; return whether it was an announcement."""
        return self._resolve(True)

    def cancel(self) -> bool:
        """Give up what is being announced; return whether there was something."""
        return self._resolve(False)

    def close(self) -> None:
        """Announce nothing any more."""
        self._is_closed = True
        self.cancel()

    async def _say(self, text: str, pcm: bytes, rate: int) -> bool:
        announcement = uuid.uuid4().hex
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._heard = heard
        self._channel.send(server_events.Announcement(id=announcement, text=text))
        self._session.happened(Cause.SOUND)
        seconds = self._output.push_whole(announcement, pcm, rate)
        self._output.follow(server_events.AudioDone(turn_id=announcement))
        try:
            async with asyncio.timeout(seconds + HEARD_LIMIT):
                return await heard
        except TimeoutError:
            self._take_back(TIMEOUT)
            return False
        except asyncio.CancelledError:
            self._take_back(CANCELLED)
            raise
        finally:
            self._heard = None

    def _take_back(self, reason: str) -> None:
        """Whoever announced waits no longer: nothing of it is to be heard later."""
        if self._heard is None:
            return
        cleared = self._output.clear(refuse=True)
        self._channel.send(server_events.AudioClear(turn_id=cleared.turn_id, reason=reason))
        self._session.happened(Cause.OVER)

    def _resolve(self, was_heard: bool) -> bool:
        if self._heard is None:
            return False
        heard, self._heard = self._heard, None
        if not heard.done():
            heard.set_result(was_heard)
        return True
