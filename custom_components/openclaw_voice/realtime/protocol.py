"""The protocol of realtime satellites: its version, limits, reasons and close codes (pure).

`client_events.py` reads what satellites send, `server_events.py` builds what they are sent;
`docs/satellite-protocol.md` says it for people. Durations are seconds here, milliseconds on the
wire.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

VERSION: Final = 1
"""Grows when a satellite that knows only the one before would misunderstand us."""

SAMPLE_RATES: Final = (8000, 16000, 24000, 48000)
"""Samples a second that a satellite may choose, the same both ways."""

DEFAULT_SAMPLE_RATE: Final = 24000

MAX_MESSAGE: Final = 128 * 1024
"""Bytes of one message of a satellite."""

MAX_TEXT_PER_MINUTE: Final = 30
"""Messages with text for the agent (`steer`, `tool.result`, …) of one satellite."""

MAX_SESSIONS: Final = 16
MAX_STANDBY: Final = 32
"""Satellites that wait for their wake word."""

MAX_PROBLEMS: Final = 3
"""Messages in a row that cannot be taken before the session is ended."""

FIRST_MESSAGE_LIMIT: Final = 10.0
"""Seconds until `session.config` has to be there."""

IDLE_LIMIT: Final = 60.0
"""Seconds of silence on both sides that end a session."""

PING_INTERVAL: Final = 25.0
"""Seconds between WebSocket pings."""

MAX_CHUNK: Final = 0.04
"""Seconds of audio in one message to a satellite, at most."""

DEFAULT_MAX_AHEAD: Final = 0.4
"""Seconds that audio may be sent before it is due; 0: as soon as it is there."""


class CloseCode(IntEnum):
    """How a socket is closed; the close reason is the name of a `Reason`."""

    NORMAL = 1000
    GOING_AWAY = 1001
    NOT_ALLOWED = 1008
    TOO_LARGE = 1009
    FAILED = 1011
    TRY_LATER = 1013
    TIMED_OUT = 4408
    REPLACED = 4409


class Reason(StrEnum):
    """Why something was refused, or a session ended; the values never change."""

    AUTH_FAILED = "auth_failed"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - no token
    AGENT_UNREACHABLE = "agent_unreachable"
    NO_AGENT = "no_agent"
    CONFIG_REQUIRED = "config_required"
    CONFIG_TIMEOUT = "config_timeout"
    ALREADY_CONFIGURED = "already_configured"
    INVALID_EVENT = "invalid_event"
    TOO_MANY_PROBLEMS = "too_many_problems"
    MESSAGE_TOO_LARGE = "message_too_large"
    UNSUPPORTED_FRAME = "unsupported_frame"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_SESSIONS = "too_many_sessions"
    REPLACED = "replaced"
    REMOVED = "removed"
    IDLE = "idle"
    SLOW_CONSUMER = "slow_consumer"
    NO_BACKEND = "no_backend"
    BACKEND_START_FAILED = "backend_start_failed"
    PROVIDER_AUTH = "provider_auth"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PIPELINE_ERROR = "pipeline_error"
    GATEWAY_LOST = "gateway_lost"
    SESSION_EXPIRED = "session_expired"
    INTERNAL_ERROR = "internal_error"
    COMPLETED = "completed"
    CLIENT_ENDED = "client_ended"
    DISCONNECTED = "disconnected"
    UNLOADED = "unloaded"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a reason means on the wire."""

    code: int | None
    """Like an HTTP status; None: an end that is no error, told by `session.ended` alone."""

    close: CloseCode
    """Of the socket, when the session ends for it."""

    is_recoverable: bool
    """Whether the session goes on, unless the sender of the error knows better."""

    message: str
    """For the developer of a satellite; nothing secret, nothing said."""


RULES: Final = {
    Reason.AUTH_FAILED: Rule(401, CloseCode.NOT_ALLOWED, False, "authentication failed"),
    Reason.TOKEN_REVOKED: Rule(401, CloseCode.NOT_ALLOWED, False, "the access token was revoked"),
    Reason.AGENT_UNREACHABLE: Rule(
        403, CloseCode.NOT_ALLOWED, False, "the agent does not answer realtime satellites"
    ),
    Reason.NO_AGENT: Rule(
        400, CloseCode.NOT_ALLOWED, False, "name an agent, or choose one for the satellite"
    ),
    Reason.CONFIG_REQUIRED: Rule(
        400, CloseCode.NOT_ALLOWED, True, "session.config required before media"
    ),
    Reason.CONFIG_TIMEOUT: Rule(408, CloseCode.TIMED_OUT, False, "no session.config in time"),
    Reason.ALREADY_CONFIGURED: Rule(400, CloseCode.NOT_ALLOWED, True, "session already configured"),
    Reason.INVALID_EVENT: Rule(400, CloseCode.NOT_ALLOWED, True, "invalid JSON event"),
    Reason.TOO_MANY_PROBLEMS: Rule(
        400, CloseCode.NOT_ALLOWED, False, "too many messages in a row could not be taken"
    ),
    Reason.MESSAGE_TOO_LARGE: Rule(413, CloseCode.TOO_LARGE, False, "message too large"),
    Reason.UNSUPPORTED_FRAME: Rule(
        501, CloseCode.NOT_ALLOWED, True, "camera frames are not supported"
    ),
    Reason.RATE_LIMITED: Rule(429, CloseCode.TRY_LATER, True, "too many of these in a minute"),
    Reason.TOO_MANY_SESSIONS: Rule(429, CloseCode.TRY_LATER, False, "too many sessions are open"),
    Reason.REPLACED: Rule(
        409, CloseCode.REPLACED, False, "the satellite has opened another session"
    ),
    Reason.REMOVED: Rule(410, CloseCode.NOT_ALLOWED, False, "somebody has removed the satellite"),
    Reason.IDLE: Rule(408, CloseCode.TIMED_OUT, False, "nobody has spoken for a while"),
    Reason.SLOW_CONSUMER: Rule(
        408, CloseCode.TRY_LATER, False, "the satellite takes its messages too slowly"
    ),
    Reason.NO_BACKEND: Rule(503, CloseCode.TRY_LATER, False, "nothing can answer now"),
    Reason.BACKEND_START_FAILED: Rule(503, CloseCode.FAILED, False, "the session could not start"),
    Reason.PROVIDER_AUTH: Rule(
        502, CloseCode.FAILED, False, "the speech model refuses the gateway's key"
    ),
    Reason.PROVIDER_UNAVAILABLE: Rule(
        502, CloseCode.FAILED, False, "the speech model is unavailable"
    ),
    Reason.PIPELINE_ERROR: Rule(500, CloseCode.FAILED, True, "the voice pipeline failed"),
    Reason.GATEWAY_LOST: Rule(503, CloseCode.TRY_LATER, False, "the gateway was lost"),
    Reason.SESSION_EXPIRED: Rule(408, CloseCode.TRY_LATER, False, "the session is too old"),
    Reason.INTERNAL_ERROR: Rule(500, CloseCode.FAILED, True, "internal error"),
    Reason.COMPLETED: Rule(None, CloseCode.NORMAL, False, "the one turn is over"),
    Reason.CLIENT_ENDED: Rule(None, CloseCode.NORMAL, False, "the satellite ended it"),
    Reason.DISCONNECTED: Rule(None, CloseCode.NORMAL, False, "the satellite hung up"),
    Reason.UNLOADED: Rule(None, CloseCode.GOING_AWAY, False, "the gateway's entry was unloaded"),
    Reason.STOPPED: Rule(None, CloseCode.GOING_AWAY, False, "Home Assistant stops"),
}
"""The one table of reasons."""


def reason_of(text: str) -> Reason:
    """Return the reason of that name; one that nobody knows is an internal error."""
    return Reason(text) if text in Reason else Reason.INTERNAL_ERROR


class ProtocolProblem(Exception):  # noqa: N818 - a word of the satellite protocol
    """A message of a satellite cannot be taken; tells nothing of it but names of fields."""

    def __init__(self, reason: Reason, detail: str | None = None) -> None:
        """Say more than the reason does with `detail`."""
        rule = RULES[reason]
        super().__init__(f"{rule.message}: {detail}" if detail else rule.message)
        self.reason = reason
        self.code = rule.code
        self.is_recoverable = rule.is_recoverable
