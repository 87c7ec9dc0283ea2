"""The first message of a satellite: who is there, and what is wanted (pure)."""

from dataclasses import dataclass, field
from enum import StrEnum

from .backend import BackendName, Speaker, TurnDetection
from .protocol import DEFAULT_MAX_AHEAD, DEFAULT_SAMPLE_RATE


class Transport(StrEnum):
    """How audio travels."""

    JSON = "json"
    """As base64 in `audio.append` and `audio.delta`."""

    BINARY = "binary"
    """As binary messages of nothing but samples."""


class SessionMode(StrEnum):
    """How long a session lasts."""

    CONVERSATION = "conversation"
    SINGLE = "single"
    """One turn."""

    STANDBY = "standby"
    """No conversation: the satellite waits for its wake word, and can be told something."""


class Feature(StrEnum):
    """What the hardware of a satellite offers."""

    ECHO_CANCELLATION = "echo_cancellation"
    """It does not hear its own loudspeaker: it may be interrupted by speech."""

    VOLUME = "volume"
    """Takes `satellite.set` with `volume`, and tells it with `satellite.state`."""

    MUTE = "mute"
    """The same with `muted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """The audio of a session, both ways."""

    sample_rate: int = DEFAULT_SAMPLE_RATE
    transport: Transport = Transport.JSON
    max_ahead: float = DEFAULT_MAX_AHEAD
    """Seconds that audio may be sent before it is due; 0: as soon as it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteInfo:
    """How a satellite describes itself."""

    name: str | None = None
    area: str | None = None
    """Id or name of an area; taken when the device is created."""

    manufacturer: str | None = None
    model: str | None = None
    software_version: str | None = None
    features: frozenset[Feature] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceContext:
    """Where a satellite is, for the agent."""

    time_zone: str | None = None
    locale: str | None = None
    device_model: str | None = None
    location: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Something that was said before the session."""

    speaker: Speaker
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTool:
    """A tool that the satellite runs when `tool.call` asks for it."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """The first message: who is there, and what is wanted. None: not said."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    api_key: str | None = field(default=None, repr=False)
    """A Home Assistant access token."""

    backend: BackendName | None = None
    """None: whichever can."""

    agent: str | None = None
    """An agent's id, or the entity id of its conversation entity."""

    satellite_id: str | None = None
    satellite: SatelliteInfo = field(default_factory=SatelliteInfo)
    language: str | None = None
    """As BCP 47 tag."""

    turn_detection: TurnDetection = field(default_factory=TurnDetection)
    half_duplex: bool | None = None
    """Whether the microphone counts for nothing while something plays; None: as `features` say."""

    pipeline_id: str | None = None
    mode: SessionMode = SessionMode.CONVERSATION
    voice: str | None = None
    model: str | None = None
    provider: str | None = None
    """As it was said; the gateway decides."""

    session_key: str | None = None
    """Letters, digits, `_`, `.` and `-` only."""

    user_id: str | None = None
    has_tools: bool = True
    """Whether the agent may do more than talk."""

    asks_when_silent: bool | None = None
    """Whether somebody who has long been silent is asked gently before the session ends."""

    device_context: DeviceContext = field(default_factory=DeviceContext)
    instructions: str | None = field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = field(default=(), repr=False)
    """The last ones, oldest first."""

    tools: tuple[ClientTool, ...] = ()

    @property
    def ends_when_heard(self) -> bool:
        """Whether the end of the answer ends the session, at a satellite that can say when it is."""
        can_say = self.satellite_id is not None or self.audio.max_ahead > 0
        return self.mode is SessionMode.SINGLE and can_say

    @property
    def hears_over_answers(self) -> bool:
        """Whether somebody may interrupt an answer by speaking."""
        if self.half_duplex is not None:
            return not self.half_duplex
        return Feature.ECHO_CANCELLATION in self.satellite.features
