"""Who is expected to answer what at which satellite (pure)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

REPLY_TIME: Final = timedelta(seconds=60)
"""After a message was said, the first words at its satellite are meant as the reply to it."""

MAX_EXPECTED: Final = 100
"""At so many satellites a reply is expected; the oldest is forgotten for a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A reply that may come."""

    entry_id: str
    """The entry whose agent is answered."""

    agent_id: str
    """Of the gateway."""

    session_key: str | None
    """Where it belongs; None: wherever a question from there would."""

    said: str = field(repr=False)
    """What the satellite has said, as it was written."""

    aloud: str = field(default="", repr=False)
    """The same, as it was spoken."""


class Replies:
    """The replies that are expected, one for each satellite."""

    def __init__(self) -> None:
        """Expect nobody to say anything."""
        self._expected: dict[str, tuple[Expected, datetime]] = {}

    def expect(self, satellite_id: str, expected: Expected, now: datetime) -> None:
        """Expect a reply from now on (UTC), instead of the one before."""
        self._expected.pop(satellite_id, None)
        self._expected[satellite_id] = (expected, now + REPLY_TIME)
        if len(self._expected) > MAX_EXPECTED:
            del self._expected[next(iter(self._expected))]

    def take(self, satellite_id: str | None, now: datetime) -> Expected | None:
        """Return what the words at a satellite are the reply to, once; None when to nothing."""
        expected, until = self._expected.pop(satellite_id or "", (None, now))
        return expected if now < until else None

    def forget(self, entry_id: str) -> None:
        """Expect no replies to the agents of an entry any more."""
        self._expected = {
            satellite_id: kept
            for satellite_id, kept in self._expected.items()
            if kept[0].entry_id != entry_id
        }
