"""What a realtime voice session on the gateway is asked for, and what it hands out (pure).

Audio is linear PCM: signed 16 bits, little endian, mono, `TALK_RATE` samples a second.
Source: gateway protocol 4, "Talk"; recordings of relay sessions of gateway 2026.9.6.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import re
from typing import Final

from .frames import MILLISECONDS, JsonObject

TALK_RATE: Final = 24_000
"""Samples a second, in both directions."""

CONSULT_TOOL: Final = "openclaw_agent_consult"
"""The tool by which the speech model asks the agent."""

CONTROL_TOOL: Final = "openclaw_agent_control"
"""The tool by which it asks what becomes of that, or changes it."""

USER: Final = "user"
ASSISTANT: Final = "assistant"

BARGE_IN: Final = "barge-in"
"""Why something is not to be heard any more: somebody speaks."""

CONTINUITY_RESET: Final = "session.continuity.reset"
"""The same: the provider hung up, and the turn is lost. The gateway connects again by itself."""

_LANGUAGE: Final = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE)


class TalkUnavailability(StrEnum):
    """Why there is no realtime voice."""

    NOT_CONFIGURED = "not_configured"
    """The gateway has no provider of a speech model, or not the one that was named."""

    UNSUPPORTED = "unsupported"
    """The gateway knows no realtime sessions, or not such ones."""

    AUTH = "auth"
    """The provider does not let the gateway in."""

    UNREACHABLE = "unreachable"
    """The provider does not answer, or has a problem of its own."""

    TOO_MANY = "too_many"
    """As many sessions go on as the gateway takes."""

    FORBIDDEN = "forbidden"
    """The device lacks the rights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRequest:
    """What a session is to be like. None: as the gateway is configured."""

    session_key: str
    """Of the agent's session. What is said in it is kept there."""

    provider: str | None = None
    voice: str | None = None
    model: str | None = None
    language: str | None = None
    """As BCP 47 tag; the gateway takes two-letter languages only and gets no other."""

    vad_threshold: float | None = None
    """From 0 to 1: how loud somebody must be to be heard."""

    silence: float | None = None
    """Seconds of silence after which somebody has ended."""

    prefix_padding: float | None = None
    """Seconds before the beginning of speech that belong to it."""

    reasoning_effort: str | None = None

    def params(self) -> JsonObject:
        """Return the params of the request that creates the session."""
        language = _LANGUAGE.fullmatch(self.language or "")
        wishes = {
            "provider": self.provider,
            "voice": self.voice,
            "model": self.model,
            "language": None if language is None else language[1].lower(),
            "vadThreshold": self.vad_threshold,
            "silenceDurationMs": _milliseconds(self.silence, 1),
            "prefixPaddingMs": _milliseconds(self.prefix_padding, 0),
            "reasoningEffort": self.reasoning_effort,
        }
        return {
            "mode": "realtime",
            "transport": "gateway-relay",
            "brain": "agent-consult",
            "sessionKey": self.session_key,
        } | {name: value for name, value in wishes.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkInfo:
    """What a session is like."""

    session_id: str
    provider: str | None = None
    model: str | None = None
    voice: str | None = None
    expires: datetime
    """When the gateway ends it (UTC)."""


class CancelStatus(StrEnum):
    """What became of stopping the answer."""

    APPLIED = "applied"
    STALE = "stale"
    """Another turn goes on than the one that was named."""

    IDLE = "idle"
    """Nothing was being answered."""


class SteerMode(StrEnum):
    """What is told the work that goes on. The values are the gateway's."""

    STATUS = "status"
    STEER = "steer"
    CANCEL = "cancel"
    FOLLOWUP = "followup"


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerResult:
    """What became of telling the agent something."""

    is_ok: bool
    mode: str | None = None
    is_active: bool = False
    """The agent is, or was until now, at work."""

    is_queued: bool = False
    is_aborted: bool = False
    message: str = field(default="", repr=False)
    """A sentence for people, in English."""

    reason: str | None = None
    """The gateway's word for why not."""

    result: JsonObject = field(default_factory=dict, repr=False)
    """All of it: what the model is to get as the result of `CONTROL_TOOL`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTurn:
    """A turn begins: from now on what is heard belongs to it."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTranscript:
    """Words of the user or of the answer."""

    role: str
    """`USER` or `ASSISTANT`."""

    text: str = field(repr=False)
    """To be appended; when it is final: all of it."""

    is_final: bool
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkResponseStarted:
    """The model begins to answer."""

    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkAudio:
    """More sound of the answer, far ahead of real time."""

    pcm: bytes = field(repr=False)
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkMark:
    """To be acknowledged when the sound before it has been heard."""

    name: str
    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkClear:
    """What waits to be played must not be heard any more. Comes also when nothing waits."""

    reason: str | None = None
    """The gateway's word: `BARGE_IN`, `CONTINUITY_RESET`, or what `cancel_output` was given."""

    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkAudioDone:
    """A response has ended; also one that only calls a tool."""

    reason: str | None = None
    """The gateway's word: `completed`, `cancelled`, `failed`."""

    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkToolCall:
    """The model calls a tool, which is our business: `CONSULT_TOOL` or `CONTROL_TOOL`."""

    call_id: str
    name: str
    arguments: JsonObject = field(default_factory=dict, repr=False)
    is_forced: bool = False
    """The gateway itself calls it. Say first that you are working on it."""

    turn_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkToolCancelled:
    """Nobody waits for the result of a tool any more."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultProgress:
    """The agent that was asked uses a tool."""

    call_id: str
    run_id: str
    tool: str
    title: str | None = field(default=None, repr=False)
    """What the gateway shows people for it."""

    is_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultEnded:
    """The agent that was asked has answered, failed, or was stopped."""

    call_id: str
    run_id: str
    text: str | None = field(default=None, repr=False)
    """Empty when it decided that nothing needs to be said; None when it failed."""

    error: str | None = None
    """Why there is no answer: redacted."""

    is_aborted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkProblem:
    """The provider of the speech model has one. The session goes on unless it is also closed."""

    phase: str | None = None
    """The gateway's word: `connect`, `stream`, `response`."""

    message: str = ""
    """Redacted."""

    kind: TalkUnavailability


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkClosed:
    """The gateway has ended the session; the last item."""

    reason: str | None = None
    """The gateway's word: `completed`, `error`."""


type TalkItem = (
    TalkTurn
    | TalkTranscript
    | TalkResponseStarted
    | TalkAudio
    | TalkMark
    | TalkClear
    | TalkAudioDone
    | TalkToolCall
    | TalkToolCancelled
    | ConsultProgress
    | ConsultEnded
    | TalkProblem
    | TalkClosed
)


def _milliseconds(seconds: float | None, least: int) -> int | None:
    return None if seconds is None else max(round(seconds * MILLISECONDS), least)
