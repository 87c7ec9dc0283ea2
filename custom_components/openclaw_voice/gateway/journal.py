"""What happened to the connection lately, for diagnostics (pure).

Only what is safe to show to anybody: times, states, kinds of errors and close codes, no texts.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .errors import ConnectionLostError, GatewayError

KEPT: Final = 100
"""Events kept; the oldest one makes way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change of the state of a client."""

    at: datetime
    """UTC."""

    state: str
    """The new state."""

    category: str | None = None
    """The kind of error that led to it, if one did."""

    code: int | None = None
    """The WebSocket close code, where a connection was closed."""


class Journal:
    """The last events of a connection."""

    def __init__(self) -> None:
        """Begin without any."""
        self._entries: deque[JournalEntry] = deque(maxlen=KEPT)

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """The events, oldest first."""
        return tuple(self._entries)

    def note(self, at: datetime, state: str, error: GatewayError | None) -> None:
        """Note a new state, and the error that led to it."""
        self._entries.append(
            JournalEntry(
                at=at,
                state=state,
                category=None if error is None else error.category,
                code=error.code if isinstance(error, ConnectionLostError) else None,
            )
        )
