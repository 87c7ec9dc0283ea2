"""What a satellite sends, read and within bounds (pure). `client_messages.py` reads it."""

from dataclasses import dataclass, field
from enum import StrEnum

from .session_config import SessionConfig


class SteerMode(StrEnum):
    """What a text does to the work that goes on."""

    STATUS = "status"
    STEER = "steer"
    CANCEL = "cancel"
    FOLLOWUP = "followup"


@dataclass(frozen=True, slots=True)
class AudioAppend:
    """What the microphone hears, at the session's rate; its size may be odd."""

    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudioCommit:
    """The utterance is over."""


@dataclass(frozen=True, slots=True)
class FrameAppend:
    """A picture of a camera; it is not even decoded."""


@dataclass(frozen=True, slots=True)
class ResponseCreate:
    """Answer now."""


@dataclass(frozen=True, slots=True)
class ResponseCancel:
    """Stop the answer."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool of the satellite."""

    call_id: str
    output: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Steer:
    """A text for the work that goes on."""

    text: str = field(repr=False)
    mode: SteerMode | None = None


@dataclass(frozen=True, slots=True)
class PlaybackDone:
    """Everything that was sent has been heard."""

    turn_id: str | None = None
    """Of the answer, or id of the announcement, that ended with it."""


@dataclass(frozen=True, slots=True)
class SatelliteState:
    """The controls of a satellite as they are now."""

    volume: float | None = None
    """Between 0 and 1."""

    muted: bool | None = None


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """The satellite wants no more."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of a newer satellite; to be counted, nothing else."""

    type: str


type ClientEvent = (
    SessionConfig
    | AudioAppend
    | AudioCommit
    | FrameAppend
    | ResponseCreate
    | ResponseCancel
    | ToolResult
    | Steer
    | PlaybackDone
    | SatelliteState
    | SessionEnd
    | Unknown
)
