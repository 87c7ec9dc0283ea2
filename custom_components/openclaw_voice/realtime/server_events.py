"""What a satellite is sent: events, and the JSON objects they become (pure).

Some events share their name with one of a backend: import this module, not the names. A field
that is None is not sent.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Final

from ..gateway.frames import MILLISECONDS, JsonObject
from .backend import BackendName, Capabilities, Speaker
from .protocol import (
    FIRST_MESSAGE_LIMIT,
    IDLE_LIMIT,
    MAX_MESSAGE,
    MAX_TEXT_PER_MINUTE,
    RULES,
    VERSION,
    Reason,
)
from .session_config import AudioConfig


def _milliseconds(value: float) -> int:
    """Turn seconds into what the wire counts."""
    return round(value * MILLISECONDS)


def _base64(value: bytes) -> str:
    """Turn audio into text."""
    return b64encode(value).decode("ascii")


def _audio(config: AudioConfig) -> JsonObject:
    """Describe the audio of a session."""
    return {
        "encoding": "pcm16",
        "sampleRate": config.sample_rate,
        "channels": 1,
        "transport": str(config.transport),
        "maxAheadMs": _milliseconds(config.max_ahead),
    }


def _capabilities(capabilities: Capabilities) -> JsonObject:
    """Describe what a session can do."""
    return {
        "bargeIn": capabilities.barge_in,
        "toolControl": capabilities.tool_control,
        "frames": False,
        "manualTurns": capabilities.manual_turns,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """Something a satellite is told."""

    type: ClassVar[str]


_WIRE: Final[Mapping[str, tuple[str, Callable[[Any], object]]]] = {
    "audio": ("audio", _audio),
    "call_ids": ("callIds", list),
    "capabilities": ("capabilities", _capabilities),
    "duration": ("durationSec", round),
    "endpoint": ("endpointMs", _milliseconds),
    "first_audio": ("firstAudioFromTurnStartMs", _milliseconds),
    "first_output": ("firstOutputFromTurnStartMs", _milliseconds),
    "first_text": ("firstTextFromTurnStartMs", _milliseconds),
    "is_ok": ("ok", bool),
    "mean_first_audio": ("firstAudioMs", _milliseconds),
    "notes": ("notes", list),
    "pcm": ("data", _base64),
    "purpose": ("purpose", str),
    "provider_first_byte": ("providerFirstByteMs", _milliseconds),
    "speaker": ("role", str),
}
"""Fields that have another name, or another unit, on the wire."""


def build(event: ServerEvent) -> JsonObject:
    """Return the JSON object that says it."""
    message: JsonObject = {"type": event.type}
    for item in fields(event):
        value = getattr(event, item.name)
        if value is not None:
            name, convert = _WIRE.get(item.name) or (_camel(item.name), None)
            message[name] = convert(value) if convert else value
    return message


def _camel(name: str) -> str:
    """Return a field's name as the wire spells it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReady(ServerEvent):
    """The satellite may send audio."""

    type: ClassVar[str] = "session.ready"
    session_id: str
    backend: BackendName
    agent: str | None
    """The id of the agent that answers; None in standby."""

    agent_name: str | None = None
    audio: AudioConfig
    capabilities: Capabilities
    notes: tuple[str, ...] = ()
    """Slugs: what was chosen other than asked for."""

    protocol_version: int = VERSION
    limits: Mapping[str, int] = field(
        default_factory=lambda: {
            "messageBytes": MAX_MESSAGE,
            "textsPerMinute": MAX_TEXT_PER_MINUTE,
            "firstMessageMs": _milliseconds(FIRST_MESSAGE_LIMIT),
            "idleMs": _milliseconds(IDLE_LIMIT),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRotating(ServerEvent):
    """What answers is being replaced; go on sending."""

    type: ClassVar[str] = "session.rotating"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRotated(ServerEvent):
    """What answers was replaced; the id stays."""

    type: ClassVar[str] = "session.rotated"
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(ServerEvent):
    """The last message of every session."""

    type: ClassVar[str] = "session.ended"
    reason: Reason
    duration: float
    """Seconds."""

    turn_count: int
    """Turns of the user."""

    summary: str = ""
    tokens: int | None = None
    mean_first_audio: float | None = None
    """Mean seconds from the end of an utterance to the first audio of its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDelta(ServerEvent):
    """Audio to play, at the satellite's rate; with binary transport its bytes go alone."""

    type: ClassVar[str] = "audio.delta"
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioClear(ServerEvent):
    """Drop everything that is queued for playback, now."""

    type: ClassVar[str] = "audio.clear"
    reason: str
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDone(ServerEvent):
    """The last audio of an answer, or of an announcement (its id), was sent."""

    type: ClassVar[str] = "audio.done"
    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement(ServerEvent):
    """What follows is no answer: text, then its audio, then `audio.done` with this id."""

    type: ClassVar[str] = "announcement"
    id: str
    text: str = field(repr=False)


class Purpose(StrEnum):
    """What a satellite is asked to listen for."""

    CONVERSATION = "conversation"
    """As after a wake word: somebody is to talk with the agent."""

    ANSWER = "answer"
    """Somebody is to answer a question, in this session, until `listen.ended`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen(ServerEvent):
    """Home Assistant wants to hear somebody: open the microphone."""

    type: ClassVar[str] = "listen"
    purpose: Purpose = Purpose.CONVERSATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenEnded(ServerEvent):
    """The answer was heard, or there was none: in standby, close the microphone."""

    type: ClassVar[str] = "listen.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteSet(ServerEvent):
    """Somebody changed a control that the satellite offers."""

    type: ClassVar[str] = "satellite.set"
    volume: float | None = None
    """Between 0 and 1."""

    muted: bool | None = None
    """Of the microphone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(ServerEvent):
    """Somebody began to speak; after `audio.clear` when it was over an answer."""

    type: ClassVar[str] = "turn.started"
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded(ServerEvent):
    """The answer is complete; not sent for one that was interrupted."""

    type: ClassVar[str] = "turn.ended"
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted(ServerEvent):
    """An answer is being worked on."""

    type: ClassVar[str] = "response.started"
    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptDelta(ServerEvent):
    """More words."""

    type: ClassVar[str] = "transcript.delta"
    text: str = field(repr=False)
    speaker: Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptDone(ServerEvent):
    """All words of the user's utterance, or of the answer as far as it was heard."""

    type: ClassVar[str] = "transcript.done"
    text: str = field(repr=False)
    speaker: Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(ServerEvent):
    """A tool that the satellite offers is to run; answered by `tool.result`."""

    type: ClassVar[str] = "tool.call"
    call_id: str
    name: str
    arguments: str = field(repr=False)
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress(ServerEvent):
    """What a tool does."""

    type: ClassVar[str] = "tool.progress"
    call_id: str
    summary: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCancelled(ServerEvent):
    """Tools that will not end any more."""

    type: ClassVar[str] = "tool.cancelled"
    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerResult(ServerEvent):
    """What became of a `steer`."""

    type: ClassVar[str] = "steer.result"
    is_ok: bool
    message: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageMetrics(ServerEvent):
    """Tokens of a turn, as far as they are told."""

    type: ClassVar[str] = "usage.metrics"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMetrics(ServerEvent):
    """How long an answered turn took, in seconds; before the answer's `transcript.done`."""

    type: ClassVar[str] = "latency.metrics"
    endpoint: float | None = None
    """From the end of the sound to the decision that the utterance is over."""

    endpoint_source: str | None = None
    provider_first_byte: float | None = None
    first_audio: float | None = None
    first_text: float | None = None
    first_output: float | None = None
    first_output_modality: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(ServerEvent):
    """Something was refused or failed."""

    type: ClassVar[str] = "error"
    message: str
    code: int
    reason: Reason
    recoverable: bool
    """The session goes on."""


def error(
    reason: Reason, *, message: str | None = None, is_recoverable: bool | None = None
) -> Error:
    """Return the error of a reason; what is not given is as the table of reasons says."""
    rule = RULES[reason]
    return Error(
        message=message or rule.message,
        code=rule.code or RULES[Reason.INTERNAL_ERROR].code or 0,
        reason=reason,
        recoverable=rule.is_recoverable if is_recoverable is None else is_recoverable,
    )
