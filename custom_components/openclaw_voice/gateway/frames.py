"""Frames of the gateway's WebSocket: parse and build (pure).

Source: gateway protocol 4, "Framing". One JSON object per message.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
import json
import re
from typing import Any, Final, Self

from .errors import AgentNotFoundError, ProtocolError, RequestError
from .redact import redact

type JsonObject = dict[str, Any]
"""A JSON object as the peer sent it. It does not travel past the `from_payload` that reads it."""

MILLISECONDS: Final = 1000.0
"""Milliseconds in a second: the wire counts the former, we count the latter."""

DEFAULT_RETRY_WAIT: Final = 1.0
"""Seconds to wait when a request may be sent again and the gateway does not say when."""

MAX_NUMBER: Final = 1e15
"""Larger numbers than any duration, size or time stamp of the protocol."""

ROWS: Final = "rows"
"""Where the payload of a `Response` has the array some methods answer with instead of an object."""

_NO_SUCH_AGENT: Final = re.compile(
    r"agent \"[^\"]*\" no longer exists|unknown agent id \"", re.IGNORECASE
)
"""Says that an agent is gone: the gateway 2026.9.6 has neither a code nor a reason for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShape:
    """The `error` of a response."""

    code: str
    message: str
    """Redacted: fit for an error or a log."""

    detail_code: str | None = None
    """`details.code`."""

    detail_reason: str | None = None
    """`details.reason`."""

    retry_after: float | None = None
    """Seconds, when the gateway says how long to wait."""

    is_retryable: bool = False
    """The gateway says that retrying helps."""

    details: JsonObject = field(default_factory=dict, repr=False)

    @classmethod
    def from_payload(cls, payload: object) -> Self:
        """Read an error of any shape: an unknown code must survive."""
        error = as_object(payload)
        details = as_object(error.get("details"))
        retry_after = seconds(error.get("retryAfterMs"))
        if retry_after is None:
            retry_after = seconds(details.get("retryAfterMs"))
        return cls(
            code=as_text(error.get("code")) or "UNKNOWN",
            message=redact(as_text(error.get("message")) or "no reason given"),
            detail_code=as_text(details.get("code")),
            detail_reason=as_text(details.get("reason")),
            retry_after=retry_after,
            is_retryable=error.get("retryable") is True,
            details=details,
        )

    def as_request_error(self) -> RequestError:
        """Return the error a refused request is to its caller."""
        wait = self.retry_after
        if wait is None and self.is_retryable:
            wait = DEFAULT_RETRY_WAIT
        is_agent_gone = self.code == "INVALID_REQUEST" and _NO_SUCH_AGENT.search(self.message)
        kind = AgentNotFoundError if is_agent_gone else RequestError
        return kind(
            self.code,
            self.message,
            detail_code=self.detail_code or self.detail_reason,
            retry_after=wait,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer to one of our requests. Some requests are answered twice."""

    request_id: str
    payload: JsonObject = field(repr=False)
    error: ErrorShape | None = None
    """None when the gateway said `ok`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """Something the gateway tells by itself."""

    name: str
    payload: JsonObject = field(repr=False)
    seq: int | None = None
    """Number on this connection, from 1; a gap means that the gateway dropped a frame."""

    is_after_gap: bool = False
    """There was one before it, since the first event of this connection."""


def parse_frame(text: str | bytes) -> Response | GatewayEvent:
    """Parse one inbound frame.

    Unknown keys are ignored: a newer gateway must not break us.

    Raises:
        ProtocolError: Not a JSON object, or it lacks a field its type requires.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as err:
        # The cause would carry the text.
        raise ProtocolError(f"frame is not JSON ({type(err).__name__})") from None
    match frame:
        case {"type": "event", "event": str(name), **rest}:
            seq = rest.get("seq")
            return GatewayEvent(
                name=name,
                payload=as_object(rest.get("payload")),
                seq=seq if isinstance(seq, int) and not isinstance(seq, bool) else None,
            )
        case {"type": "res", "id": str(request_id), "ok": bool(is_ok), **rest}:
            return Response(
                request_id=request_id,
                payload=_payload(rest.get("payload")),
                error=None if is_ok else ErrorShape.from_payload(rest.get("error")),
            )
        case _:
            raise ProtocolError("frame is neither an event nor a response")


def build_request(request_id: str, method: str, params: JsonObject) -> str:
    """Return the text of one request frame."""
    return json.dumps(
        {"type": "req", "id": request_id, "method": method, "params": params},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def as_object(value: object) -> JsonObject:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return `value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    """Return `value` if it is a string with something in it, less halves of characters."""
    return (whole_characters(value) or None) if isinstance(value, str) else None


def whole_characters(text: str) -> str:
    """Return `text` without halves of characters: JSON can escape them, UTF-8 has none."""
    return text if text.isascii() else text.encode(errors="ignore").decode()


def as_number(value: object) -> float | None:
    """Return `value` if it is a number from 0 to `MAX_NUMBER` (JSON booleans are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_NUMBER else None


def seconds(milliseconds: object) -> float | None:
    """Return a wire duration in seconds, None when it is not a number."""
    number = as_number(milliseconds)
    return None if number is None else number / MILLISECONDS


def moment(milliseconds: object) -> datetime | None:
    """Return a time stamp of the wire (UTC), None when it is none."""
    number = as_number(milliseconds)
    if number is None:
        return None
    try:
        return datetime.fromtimestamp(number / MILLISECONDS, UTC)
    except ValueError, OverflowError, OSError:
        return None


def _payload(value: object) -> JsonObject:
    return {ROWS: value} if isinstance(value, list) else as_object(value)
