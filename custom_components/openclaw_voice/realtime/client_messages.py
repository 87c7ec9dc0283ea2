"""Messages of a satellite -> events (pure).

What is read is whole and within bounds: whoever gets an event need not check it again.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
import re
from typing import Final

from .backend import BackendName, Speaker, TurnDetection, TurnMode
from .client_events import (
    AudioAppend,
    AudioCommit,
    ClientEvent,
    FrameAppend,
    PlaybackDone,
    ResponseCancel,
    ResponseCreate,
    SatelliteState,
    SessionEnd,
    Steer,
    SteerMode,
    ToolResult,
    Unknown,
)
from .message_fields import MAX_NAME, Fields, decode
from .protocol import (
    DEFAULT_MAX_AHEAD,
    DEFAULT_SAMPLE_RATE,
    MAX_MESSAGE,
    SAMPLE_RATES,
    ProtocolProblem,
    Reason,
)
from .session_config import (
    AudioConfig,
    ClientTool,
    DeviceContext,
    Feature,
    HistoryEntry,
    SatelliteInfo,
    SessionConfig,
    SessionMode,
    Transport,
)

MAX_TEXT: Final = 8000
"""Characters of a text for the agent."""

MAX_TOKEN: Final = 4096
"""Characters of an access token."""

MAX_HISTORY: Final = 12
"""Entries of the history that count: the last ones."""

MAX_TOOLS: Final = 16
MAX_AHEAD: Final = 10.0
"""Seconds that a satellite may ask to be sent ahead."""

SILENCE: Final = (0.1, 5.0)
"""Seconds of silence that a satellite may choose to end an utterance."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}")
_NOT_IN_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]")


def parse(message: str | bytes, transport: Transport = Transport.JSON) -> ClientEvent:
    """Read one message of a satellite.

    With binary transport the bytes of a binary message are audio; else they hold JSON, too.

    Raises:
        ProtocolProblem: It cannot be taken; the message is only told by names of fields.
    """
    if len(message) > MAX_MESSAGE:
        raise ProtocolProblem(Reason.MESSAGE_TOO_LARGE)
    if isinstance(message, bytes) and transport is Transport.BINARY:
        return AudioAppend(message)
    fields = decode(message)
    kind = fields.required_text("type", MAX_MESSAGE)
    reader = _READERS.get(kind)
    return Unknown(kind[:MAX_NAME]) if reader is None else reader(fields)


def _session_config(fields: Fields) -> SessionConfig:
    """Read the first message."""
    device = fields.part("deviceContext")
    satellite_id = fields.name("satelliteId")
    mode = fields.member("mode", SessionMode) or SessionMode.CONVERSATION
    if mode is SessionMode.STANDBY and satellite_id is None:
        raise ProtocolProblem(Reason.INVALID_EVENT, "satelliteId: a name, or nobody can reach you")
    return SessionConfig(
        audio=_audio(fields.part("audio")),
        api_key=fields.text("apiKey", MAX_TOKEN) or None,
        backend=_backend(fields),
        agent=fields.name("agent", 255),
        satellite_id=satellite_id,
        satellite=_satellite(fields.part("satellite")),
        language=_language(fields),
        turn_detection=_turn_detection(fields.part("turnDetection")),
        half_duplex=fields.flag("halfDuplex"),
        pipeline_id=fields.name("pipeline"),
        mode=mode,
        voice=fields.name("voice"),
        model=fields.name("model"),
        provider=fields.name("provider"),
        session_key=_session_key(fields),
        user_id=fields.name("userId"),
        has_tools=fields.one_of("brainAgent", ("enabled", "none")) != "none",
        asks_when_silent=_watchdog(fields),
        device_context=DeviceContext(
            time_zone=device.name("timezone"),
            locale=device.name("locale"),
            device_model=device.name("deviceModel"),
            location=device.name("location", 255),
        ),
        instructions=fields.text("instructionsOverride", MAX_TEXT) or None,
        history=_history(fields),
        tools=_tools(fields),
    )


def _audio(fields: Fields) -> AudioConfig:
    """Read which audio a satellite wants."""
    max_ahead = fields.seconds("maxAheadMs", 0, MAX_AHEAD)
    return AudioConfig(
        sample_rate=fields.one_of("sampleRate", SAMPLE_RATES) or DEFAULT_SAMPLE_RATE,
        transport=fields.member("transport", Transport) or Transport.JSON,
        max_ahead=DEFAULT_MAX_AHEAD if max_ahead is None else max_ahead,
    )


def _backend(fields: Fields) -> BackendName | None:
    """Read what is to answer; None is whichever can."""
    value = fields.one_of("backend", ("auto", BackendName.GATEWAY, BackendName.ASSIST))
    return None if value in {None, "auto"} else BackendName(value)


def _satellite(fields: Fields) -> SatelliteInfo:
    """Read how a satellite describes itself; features of newer ones are left out."""
    return SatelliteInfo(
        name=fields.name("name"),
        area=fields.name("area"),
        manufacturer=fields.name("manufacturer"),
        model=fields.name("model"),
        software_version=fields.name("softwareVersion"),
        features=frozenset(
            Feature(feature) for feature in fields.names("features") if feature in Feature
        ),
    )


def _language(fields: Fields) -> str | None:
    """Read a language tag."""
    value = fields.name("language")
    if value is not None and not _LANGUAGE.fullmatch(value):
        raise ProtocolProblem(Reason.INVALID_EVENT, "language: a language tag")
    return value and value.replace("_", "-")


def _turn_detection(fields: Fields) -> TurnDetection:
    """Read how the end of an utterance is found."""
    return TurnDetection(
        mode=fields.member("mode", TurnMode) or TurnMode.SERVER,
        silence=fields.seconds("silenceMs", *SILENCE),
        threshold=fields.number("threshold", 0, 1),
    )


def _watchdog(fields: Fields) -> bool | None:
    """Read whether somebody silent is asked; None: not said."""
    value = fields.one_of("watchdog", ("enabled", "disabled"))
    return None if value is None else value == "enabled"


def _session_key(fields: Fields) -> str | None:
    """Read a key; what may not be in one becomes a hyphen, and what is too much is cut."""
    value = (fields.text("sessionKey", MAX_TEXT) or "").strip()
    return _NOT_IN_KEY.sub("-", value)[:MAX_NAME] or None


def _history(fields: Fields) -> tuple[HistoryEntry, ...]:
    """Read the last that was said."""
    entries = []
    for entry in fields.parts("conversationHistory")[-MAX_HISTORY:]:
        speaker = entry.member("role", Speaker)
        text = entry.required_text("text", MAX_TEXT)
        if speaker is not None and text.strip():
            entries.append(HistoryEntry(speaker=speaker, text=text))
    return tuple(entries)


def _tools(fields: Fields) -> tuple[ClientTool, ...]:
    """Read which tools a satellite runs itself."""
    tools = fields.parts("tools")
    if len(tools) > MAX_TOOLS:
        raise ProtocolProblem(Reason.INVALID_EVENT, f"tools: at most {MAX_TOOLS}")
    return tuple(
        ClientTool(
            name=tool.required_name("name"), description=tool.text("description", MAX_TEXT) or ""
        )
        for tool in tools
    )


def _audio_append(fields: Fields) -> AudioAppend:
    """Read audio that comes as text."""
    data = fields.required_text("data", MAX_MESSAGE)
    try:
        return AudioAppend(b64decode(data, validate=True))
    except ValueError:
        raise ProtocolProblem(Reason.INVALID_EVENT, "data: base64") from None


def _tool_result(fields: Fields) -> ToolResult:
    """Read what a tool of the satellite came to."""
    return ToolResult(fields.required_name("callId"), fields.required_text("output", MAX_MESSAGE))


def _steer(fields: Fields) -> Steer:
    """Read a text for the work that goes on."""
    return Steer(fields.required_text("text", MAX_TEXT), fields.member("mode", SteerMode))


def _playback_done(fields: Fields) -> PlaybackDone:
    """Read what has been heard."""
    return PlaybackDone(fields.name("turnId"))


def _satellite_state(fields: Fields) -> SatelliteState:
    """Read the controls of a satellite."""
    return SatelliteState(fields.number("volume", 0, 1), fields.flag("muted"))


_READERS: Final[Mapping[str, Callable[[Fields], ClientEvent]]] = {
    "session.config": _session_config,
    "audio.append": _audio_append,
    "audio.commit": lambda _: AudioCommit(),
    "frame.append": lambda _: FrameAppend(),
    "response.create": lambda _: ResponseCreate(),
    "response.cancel": lambda _: ResponseCancel(),
    "tool.result": _tool_result,
    "steer": _steer,
    "playback.done": _playback_done,
    "satellite.state": _satellite_state,
    "session.end": lambda _: SessionEnd(),
}
"""How the events of the protocol are read; all others are unknown."""
