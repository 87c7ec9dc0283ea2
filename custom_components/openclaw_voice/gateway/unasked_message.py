"""A message of an agent that nobody asked for, live or in a history (pure)."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaskedMessage:
    """Something an agent, or a program in its name, says in a session by itself."""

    session_key: str
    agent_id: str | None = None
    run_id: str | None = None
    """None for a message that was put into the session."""

    message_id: str
    """The same live and in the history; unique on the gateway."""

    label: str | None = field(default=None, repr=False)
    """Who put it into the session, as they call themselves."""

    text: str = field(repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of media that belong to it."""

    at: datetime
    """UTC."""
