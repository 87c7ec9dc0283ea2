"""When a voice session on the gateway is replaced by another, and why there is none (pure)."""

from datetime import datetime
from typing import Final

from ..gateway.errors import AgentNotFoundError, GatewayError, TalkUnavailableError
from ..gateway.talk_items import TalkUnavailability
from .backend import BackendError

ROTATE_BEFORE: Final = 60.0
"""Seconds before its end from which on a session is replaced while nobody speaks."""

END_TOLERANCE: Final = 10.0
"""Seconds by which the clocks of the two hosts may differ when a session has reached its end."""

TRIES: Final = (0.0, 5.0, 15.0)
"""Seconds before each attempt to get another session: a gateway that restarts takes 10 to 15."""

_REASONS: Final[dict[str, str]] = {
    TalkUnavailability.NOT_CONFIGURED: "no_backend",
    TalkUnavailability.UNSUPPORTED: "no_backend",
    TalkUnavailability.AUTH: "provider_auth",
    TalkUnavailability.UNREACHABLE: "provider_unavailable",
    TalkUnavailability.TOO_MANY: "rate_limited",
}


def rotates_in(expires: datetime, now: datetime) -> float:
    """Return in how many seconds a session is to be replaced."""
    return max(0.0, (expires - now).total_seconds() - ROTATE_BEFORE)


def has_expired(expires: datetime, now: datetime) -> bool:
    """Tell whether a session was ended because of its age."""
    return (expires - now).total_seconds() <= END_TOLERANCE


def start_error(error: GatewayError) -> BackendError:
    """Return why a session cannot begin, in the words of the satellite protocol."""
    if isinstance(error, AgentNotFoundError):
        return BackendError("no_agent")
    kind = error.kind if isinstance(error, TalkUnavailableError) else None
    return BackendError(_REASONS.get(kind or "", "backend_start_failed"))


def rotation_error(error: GatewayError) -> BackendError:
    """Return why a session cannot go on, when the last attempt to get another has failed."""
    if isinstance(error, TalkUnavailableError):
        return start_error(error)
    return BackendError("gateway_lost")
