"""The protocol of realtime satellites as a satellite needs it (pure); see docs/satellite-protocol.md."""

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
import json
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

PATH: Final = "/api/openclaw_voice/realtime"
RATES: Final = (8000, 16000, 24000, 48000)
DONE: Final = frozenset({1000, 4408})
"""Close codes after which the next wake word opens the next session."""

HOPELESS: Final = frozenset({1008, 1009, 4409})
"""Close codes after which another try would change nothing."""

LONGEST_WAIT: Final = 30.0

MANUFACTURER: Final = "OpenClaw Voice"
MODEL: Final = "Reference satellite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a satellite wants of a session."""

    rate: int = 16000
    """Samples a second."""

    is_binary: bool = True
    max_ahead: float = 0.4
    """Seconds of audio the speaker can hold."""

    satellite_id: str | None = None
    name: str | None = None
    area: str | None = None
    agent: str | None = None
    backend: str | None = None
    language: str | None = None
    cancels_echo: bool = False
    is_single: bool = False
    is_manual: bool = False
    is_standby: bool = False
    """Wait to be told something, instead of talking."""

    token: str | None = field(default=None, repr=False)
    """Sent in the first message; None: the connection has authenticated."""


def endpoint_url(address: str) -> str:
    """Return the address of the endpoint, from that of Home Assistant as people type it.

    Raises:
        ValueError: It is none.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"{address} is not the address of a Home Assistant")
    path = parts.path.rstrip("/")
    return urlunsplit((scheme, parts.netloc, path or PATH, parts.query, ""))


def session_config(options: Options) -> dict[str, Any]:
    """Return the first message; what is not wanted is left out."""
    features = ["volume", "mute", *(["echo_cancellation"] if options.cancels_echo else [])]
    maker = {"manufacturer": MANUFACTURER, "model": MODEL}
    wanted = {
        "type": "session.config",
        "apiKey": options.token,
        "audio": {
            "sampleRate": options.rate,
            "transport": "binary" if options.is_binary else "json",
            "maxAheadMs": round(options.max_ahead * 1000),
        },
        "satelliteId": options.satellite_id,
        "satellite": {"name": options.name, "area": options.area, "features": features} | maker,
        "agent": options.agent,
        "backend": options.backend,
        "language": options.language,
        "mode": _mode(options),
        "turnDetection": {"mode": "manual" if options.is_manual else "server"},
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _mode(options: Options) -> str:
    """Return the name of what the session is for."""
    if options.is_standby:
        return "standby"
    return "single" if options.is_single else "conversation"


def audio_message(pcm: bytes, options: Options) -> str | bytes:
    """Return what carries a piece of the microphone's audio."""
    if options.is_binary:
        return pcm
    return json.dumps({"type": "audio.append", "data": b64encode(pcm).decode("ascii")})


def read_message(message: str | bytes) -> dict[str, Any]:
    """Return an event; audio, however it came, as `audio.delta` with `pcm`.

    Raises:
        ValueError: It is no event.
    """
    if isinstance(message, bytes):
        return {"type": "audio.delta", "pcm": message}
    event = json.loads(message)
    if not (isinstance(event, dict) and isinstance(event.get("type"), str)):
        raise ValueError("the message has no type")  # noqa: TRY004 - its content is wrong
    if event["type"] == "audio.delta":
        event["pcm"] = b64decode(event["data"])
    return event


def wait_before_next(code: int | None, attempt: int) -> float | None:
    """Return the seconds until the connection is opened again; None: it is not, by itself.

    `code` is the close code, None for a connection that was lost or not made; `attempt` counts
    from 0.
    """
    if code is not None and (code in DONE or code in HOPELESS):
        return None
    return float(min(2 ** min(attempt, 10), LONGEST_WAIT))
