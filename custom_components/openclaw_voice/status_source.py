"""Where the values of the status entities come from, and when they come."""

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """Where a value comes from (the gateway's word, or ours), and when: as the documentation says."""

    CONNECTION = "the connection", "pushed"
    HELLO = "`hello`", "pushed"
    UPDATE = "`hello`, `update.available`", "pushed"
    HEALTH = "`health`", "pushed"
    PRESENCE = "`presence`", "pushed"
    RUNS = "`agent` events", "pushed"
    NOTIFICATIONS = "notifications", "pushed"
    REQUESTS = "approvals and questions", "pushed"
    JOBS = "`cron.list`", "when a job changes or ends"
    USAGE = "`usage.cost`", "after a run, at most every 5 minutes, else every 30"
    SYSTEM = "`system.info`", "every 5 minutes"
    ROUND_TRIP = "a small request", "every 5 minutes"
    AGENTS = "`agents.list`", "when the configuration changes"
    TURNS = "our own turns", "after a turn"
    SATELLITE = "the satellite", "pushed"
    VOICE = "realtime sessions", "pushed"
    VOICE_MINUTES = "realtime sessions", "pushed, every minute during one"
    VOICE_TURNS = "realtime sessions", "after a turn"
    ACTION = "–", "–"
    """Shows nothing, does something."""

    @property
    def origin(self) -> str:
        """Where the value comes from."""
        return self.value[0]

    @property
    def timing(self) -> str:
        """When it comes."""
        return self.value[1]


@dataclass(frozen=True, kw_only=True)
class HasSource:
    """A part of the description of an entity."""

    source: Source
    tells_when_away: bool = False
    """Whether it has something to tell, or to do, without a connection."""
