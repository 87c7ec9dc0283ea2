"""What answers in a realtime session: the door between a session and its backend (pure).

The same session runs on the gateway's speech-to-speech or on Home Assistant's own speech engines.
Durations are seconds, audio is linear PCM: signed 16 bits, little endian, mono, at the rate the
backend names.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class BackendName(StrEnum):
    """Which one answers; the values are those of the satellite protocol."""

    GATEWAY = "gateway"
    ASSIST = "assist"
    NONE = "none"
    """Nothing answers: the satellite waits for its wake word."""


class TurnMode(StrEnum):
    """Who finds the end of what somebody says."""

    SERVER = "server"
    MANUAL = "manual"
    """The satellite tells with `audio.commit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDetection:
    """How the end of an utterance is found; None: the backend's own default."""

    mode: TurnMode = TurnMode.SERVER
    silence: float | None = None
    threshold: float | None = None
    """Between 0 and 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRequest:
    """What a backend has to know to answer in one session."""

    session_key: str
    """Of the agent's session on the gateway."""

    agent_name: str = "Agent"
    """What people call it."""

    language: str | None = None
    """As BCP 47 tag."""

    voice: str | None = None
    model: str | None = None
    turn_detection: TurnDetection = field(default_factory=TurnDetection)
    pipeline_id: str | None = None
    conversation_id: str | None = None
    device_id: str | None = None
    satellite_id: str | None = None
    """Entity id of the satellite, if it has one."""

    context: str = field(default="", repr=False)
    """Where and by whom it is spoken, for the agent."""

    context_now: Callable[[], str] | None = None
    """The same as it is at a question, instead of `context`: it tells the time."""

    asks_agent: bool = True
    """The speech model may ask the agent; without it, it does no more than talk."""

    cancels_echo: bool = False
    """The satellite does not hear its own loudspeaker: it may be interrupted by speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a session on this backend can do."""

    barge_in: bool
    tool_control: bool
    manual_turns: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """A backend that has started."""

    name: BackendName
    input_rate: int
    """Samples a second it takes."""

    output_rate: int
    """Samples a second it gives."""

    capabilities: Capabilities
    silence: float | None = None
    """After which somebody has ended; None: as was asked for, if anything was."""

    notes: tuple[str, ...] = ()
    """Slugs of what the satellite is told about the choice."""


class Speaker(StrEnum):
    """Whose words they are."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechNoticed:
    """Somebody seems to speak. If so, the turn starts when there are words of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """Somebody began to speak."""

    turn_id: str
    interrupts: bool = False
    """It is over an answer: drop what is queued for playback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The answer of a turn is complete, or there is none."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """The user has stopped speaking: from here the answer is waited for."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Words, as they are known; increments until the final one, which is whole."""

    speaker: Speaker
    text: str = field(repr=False)
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted:
    """The agent, or the model, works on an answer."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputAudio:
    """A piece of the spoken answer, at the backend's output rate."""

    turn_id: str
    pcm: bytes = field(repr=False)
    mark: str | None = None
    """To be given to `Backend.played` when the piece has been heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnded:
    """The last audio of an answer was handed out."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCleared:
    """What is queued for playback must not be heard any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A tool is at work, or has ended."""

    call_id: str
    summary: str = field(repr=False)
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCancelled:
    """Tools that will not end any more."""

    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToolCall:
    """A tool that the satellite itself offers is called; answered by `Backend.tool_result`."""

    call_id: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotating:
    """The connection behind the session is being replaced; it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """The connection behind the session was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported:
    """Tokens of a turn, as far as they are told."""

    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something failed that the session survives."""

    error: BackendError


type BackendEvent = (
    SpeechNoticed
    | TurnStarted
    | TurnEnded
    | SpeechEnded
    | Transcript
    | ResponseStarted
    | OutputAudio
    | OutputEnded
    | OutputCleared
    | Activity
    | ActivityCancelled
    | ClientToolCall
    | Rotating
    | Rotated
    | UsageReported
    | Problem
)


class BackendError(Exception):
    """A backend cannot go on, or not with this turn.

    `reason` is one of the error reasons of the satellite protocol.
    """

    def __init__(self, reason: str, *, is_recoverable: bool = False) -> None:
        """Nothing said or secret is part of it."""
        super().__init__(reason)
        self.reason = reason
        self.is_recoverable = is_recoverable


class Backend(Protocol):
    """Answers in one session. Its owner starts it, iterates `events` in one task, and closes it."""

    @property
    def dropped(self) -> float:
        """Seconds of what the microphone heard that had to be dropped."""
        return 0.0

    async def start(self) -> BackendInfo:
        """Get ready, within limits of its own.

        Raises:
            BackendError: It cannot answer here.
        """

    def events(self) -> AsyncIterator[BackendEvent]:
        """Return what happens, until the backend is closed.

        The iterator raises BackendError when it cannot go on.
        """

    def append_audio(self, pcm: bytes) -> None:
        """Take what the microphone hears, at the input rate. Never waits; drops the oldest."""

    def commit(self) -> None:
        """The satellite says that the utterance is over."""

    def interrupt(self, heard: float) -> None:
        """Stop the answer that is being given; so many seconds of it were heard."""

    def played(self, mark: str) -> None:
        """A piece of the answer has been heard."""

    def drained(self) -> None:
        """Everything that was handed out has been heard."""

    def respond(self) -> None:
        """Answer now, without waiting for more."""

    def note(self, text: str) -> None:
        """Take something the agent has to know with the next question. Nobody is told now."""

    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """Tell what goes on something; return what became of it.

        Raises:
            BackendError: It cannot be told now.
        """

    async def tool_result(self, call_id: str, output: str) -> None:
        """Give the result of a tool of the satellite."""

    async def close(self) -> None:
        """End what goes on; what people were promised is handed over. Idempotent."""
