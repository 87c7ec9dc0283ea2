"""What a client shows of itself: where it stands, and why (pure)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from .errors import GatewayError
from .models import HelloOk
from .retry import Action


class ClientState(StrEnum):
    """Where the client stands."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    READY = "ready"
    RETRY_WAIT = "retry_wait"
    REFUSED = "refused"
    """A person must act; `retry_now` leaves this state."""

    PAIRING = "pairing"
    """The owner of the gateway must approve; asked again slowly."""

    RATE_LIMITED = "rate_limited"
    """Waits its time."""


STATE_AFTER: Final = {
    Action.RETRY: ClientState.RETRY_WAIT,
    Action.USE_OTHER_CREDENTIAL: ClientState.RETRY_WAIT,
    Action.WAIT_FOR_PERSON: ClientState.REFUSED,
    Action.POLL_PAIRING: ClientState.PAIRING,
    Action.WAIT_OUT_LIMIT: ClientState.RATE_LIMITED,
}
"""The state that follows from what is done next."""

BLOCKED: Final = frozenset({ClientState.REFUSED, ClientState.PAIRING, ClientState.RATE_LIMITED})
"""States that do not become ready by waiting a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSnapshot:
    """The state of a client at one moment."""

    state: ClientState = ClientState.STOPPED
    hello: HelloOk | None = None
    """What the gateway said when it last let us in; kept while it is away."""

    error: GatewayError | None = None
    """Why there is no connection; None while there is one."""

    attempts: int = 0
    """Failed attempts in a row."""

    retry_at: datetime | None = None
    """When the next attempt is made (UTC), if a time is set."""

    connected_since: datetime | None = None
    """Since when the connection is ready (UTC)."""

    reconnects: int = 0
    """Connections that were ready, less the first."""

    is_repeating: bool = False
    """The same trouble keeps coming back: worth a warning."""
