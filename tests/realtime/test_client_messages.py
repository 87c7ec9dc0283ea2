"""Tests of reading what satellites send."""

import base64
from dataclasses import fields
import json
from typing import Any

from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.openclaw_voice.realtime.backend import (
    BackendName,
    Speaker,
    TurnDetection,
    TurnMode,
)
from custom_components.openclaw_voice.realtime.client_events import (
    AudioAppend,
    AudioCommit,
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
from custom_components.openclaw_voice.realtime.client_messages import _READERS, parse
from custom_components.openclaw_voice.realtime.message_fields import Fields
from custom_components.openclaw_voice.realtime.protocol import (
    MAX_MESSAGE,
    ProtocolProblem,
    Reason,
)
from custom_components.openclaw_voice.realtime.session_config import (
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


def config(**values: object) -> SessionConfig:
    """Read a first message."""
    event = parse(json.dumps({"type": "session.config", **values}))
    assert isinstance(event, SessionConfig)
    return event


def problem(message: object, transport: Transport = Transport.JSON) -> ProtocolProblem:
    """Return what is wrong with a message."""
    text = message if isinstance(message, str | bytes) else json.dumps(message)
    with pytest.raises(ProtocolProblem) as caught:
        parse(text, transport)
    return caught.value


def test_a_config_needs_nothing_but_its_type() -> None:
    """What is not said is not known, or the default."""
    assert config() == SessionConfig()
    assert config(**dict.fromkeys(("agent", "audio", "conversationHistory", "voice"))) == config()


def test_a_config_may_say_everything() -> None:
    """Every field is read, in our units."""
    event = config(
        apiKey="token",
        audio={"sampleRate": 16000, "transport": "binary", "maxAheadMs": 250},
        backend="assist",
        agent=" main ",
        satelliteId="kitchen-1",
        satellite={
            "name": "Kitchen",
            "area": "kitchen",
            "manufacturer": "We",
            "model": "Box",
            "softwareVersion": "1.2",
            "features": ["echo_cancellation", "volume", "smell"],
        },
        language="de_DE",
        turnDetection={"mode": "manual", "silenceMs": 700, "threshold": 0.5},
        halfDuplex=False,
        pipeline="pipeline-1",
        mode="single",
        voice="cedar",
        model="model",
        provider="gemini",
        sessionKey="  my key/1  ",
        userId="user",
        brainAgent="none",
        watchdog="enabled",
        deviceContext={
            "timezone": "Europe/Vienna",
            "locale": "de-AT",
            "deviceModel": "Phone",
            "location": "Vienna",
        },
        instructionsOverride="Be brief.",
        conversationHistory=[{"role": "user", "text": "Hi"}, {"role": "assistant", "text": " "}],
        tools=[{"name": "led", "description": "Lights up"}, {"name": "timer"}],
    )
    assert event == SessionConfig(
        api_key="token",
        audio=AudioConfig(sample_rate=16000, transport=Transport.BINARY, max_ahead=0.25),
        backend=BackendName.ASSIST,
        agent="main",
        satellite_id="kitchen-1",
        satellite=SatelliteInfo(
            name="Kitchen",
            area="kitchen",
            manufacturer="We",
            model="Box",
            software_version="1.2",
            features=frozenset({Feature.ECHO_CANCELLATION, Feature.VOLUME}),
        ),
        language="de-DE",
        turn_detection=TurnDetection(mode=TurnMode.MANUAL, silence=0.7, threshold=0.5),
        half_duplex=False,
        pipeline_id="pipeline-1",
        mode=SessionMode.SINGLE,
        voice="cedar",
        model="model",
        provider="gemini",
        session_key="my-key-1",
        user_id="user",
        has_tools=False,
        asks_when_silent=True,
        device_context=DeviceContext(
            time_zone="Europe/Vienna", locale="de-AT", device_model="Phone", location="Vienna"
        ),
        instructions="Be brief.",
        history=(HistoryEntry(speaker=Speaker.USER, text="Hi"),),
        tools=(ClientTool(name="led", description="Lights up"), ClientTool(name="timer")),
    )
    assert all(
        getattr(event, field.name) != getattr(SessionConfig(), field.name)
        for field in fields(event)
    )


def test_secrets_and_speech_are_not_shown() -> None:
    """An event may end up in a log."""
    shown = repr(
        config(
            apiKey="secret",
            instructionsOverride="secret",
            conversationHistory=[{"role": "user", "text": "secret"}],
            deviceContext={"location": "secret"},
        )
    )
    assert "secret" not in shown
    for message in ({"type": "steer", "text": "secret"}, {"type": "audio.append", "data": "AAAA"}):
        event = parse(json.dumps(message))
        assert repr(event).split("(")[1] in {")", "mode=None)"}


def test_no_backend_named_is_whichever_can() -> None:
    """So is `auto`."""
    assert config(backend="auto").backend is None
    assert config(backend="gateway").backend is BackendName.GATEWAY


def test_playback_may_be_unpaced() -> None:
    """Zero is a value, not a missing one."""
    assert config(audio={"maxAheadMs": 0}).audio.max_ahead == 0


def test_keys_are_made_fit_and_cut() -> None:
    """A client may send any key it has used so far."""
    assert config(sessionKey="é" + "a" * 200).session_key == "-" + "a" * 127
    assert config(sessionKey="   ").session_key is None


def test_only_the_last_of_a_long_history_counts() -> None:
    """It is told to the agent with every question."""
    history = [{"role": "user", "text": str(number)} for number in range(20)]
    texts = [entry.text for entry in config(conversationHistory=history).history]
    assert texts == [str(number) for number in range(8, 20)]


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"audio": []}, "audio: an object"),
        ({"audio": {"sampleRate": 44100}}, "audio.sampleRate: one of 8000, 16000, 24000, 48000"),
        ({"audio": {"sampleRate": True}}, "audio.sampleRate: one of 8000, 16000, 24000, 48000"),
        ({"audio": {"sampleRate": 8000.0}}, "audio.sampleRate: one of 8000, 16000, 24000, 48000"),
        ({"audio": {"transport": "opus"}}, "audio.transport: one of json, binary"),
        ({"audio": {"maxAheadMs": -1}}, "audio.maxAheadMs: a number from 0 to 10000"),
        ({"audio": {"maxAheadMs": "1"}}, "audio.maxAheadMs: a number from 0 to 10000"),
        ({"audio": {"maxAheadMs": False}}, "audio.maxAheadMs: a number from 0 to 10000"),
        ({"backend": "cloud"}, "backend: one of auto, gateway, assist"),
        ({"language": "german!"}, "language: a language tag"),
        ({"turnDetection": {"mode": "none"}}, "turnDetection.mode: one of server, manual"),
        (
            {"turnDetection": {"silenceMs": 50}},
            "turnDetection.silenceMs: a number from 100 to 5000",
        ),
        ({"mode": "forever"}, "mode: one of conversation, single, standby"),
        ({"mode": "standby"}, "satelliteId: a name, or nobody can reach you"),
        ({"backend": "none"}, "backend: one of auto, gateway, assist"),
        ({"brainAgent": "maybe"}, "brainAgent: one of enabled, none"),
        ({"watchdog": 1}, "watchdog: one of enabled, disabled"),
        ({"agent": 5}, "agent: a text"),
        ({"agent": "a" * 256}, "agent: at most 255 characters"),
        ({"satelliteId": "a\nb"}, "satelliteId: printable characters"),
        ({"satellite": {"features": "volume"}}, "satellite.features: a list of texts"),
        ({"satellite": {"features": [[]]}}, "satellite.features: a list of texts"),
        ({"conversationHistory": {}}, "conversationHistory: a list"),
        ({"conversationHistory": ["a"]}, "conversationHistory: a list of objects"),
        ({"conversationHistory": [{"role": "user"}]}, "conversationHistory.text: a text"),
        ({"tools": [{}]}, "tools.name: a name"),
        ({"tools": [{"name": "a"}] * 17}, "tools: at most 16"),
    ],
)
def test_a_wrong_field_is_named(values: dict[str, Any], detail: str) -> None:
    """The developer of a satellite sees what to change, and another config may follow."""
    found = problem({"type": "session.config", **values})
    assert (found.reason, found.code, found.is_recoverable) == (Reason.INVALID_EVENT, 400, True)
    assert str(found) == f"invalid JSON event: {detail}"


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "audio.append", "data": "AAEC"}, AudioAppend(b"\0\1\2")),
        ({"type": "audio.commit"}, AudioCommit()),
        ({"type": "frame.append", "data": "not decoded", "mimeType": 5}, FrameAppend()),
        ({"type": "response.create"}, ResponseCreate()),
        ({"type": "response.cancel"}, ResponseCancel()),
        ({"type": "tool.result", "callId": "c", "output": ""}, ToolResult("c", "")),
        ({"type": "steer", "text": "wait"}, Steer("wait")),
        ({"type": "steer", "text": "", "mode": "cancel"}, Steer("", SteerMode.CANCEL)),
        ({"type": "playback.done"}, PlaybackDone()),
        ({"type": "playback.done", "turnId": "turn-1"}, PlaybackDone("turn-1")),
        ({"type": "satellite.state", "volume": 1}, SatelliteState(volume=1.0)),
        ({"type": "satellite.state", "muted": False}, SatelliteState(muted=False)),
        ({"type": "session.end"}, SessionEnd()),
        ({"type": "session.dance", "steps": 3}, Unknown("session.dance")),
        ({"type": "x" * 1000}, Unknown("x" * 128)),
    ],
)
def test_events_are_read(message: dict[str, Any], event: object) -> None:
    """As text or as bytes; fields nobody knows are ignored."""
    text = json.dumps({**message, "new": "field"})
    assert parse(text) == event
    assert parse(text.encode()) == event
    assert parse(text, Transport.BINARY) == event


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        b"\xff\xfe\0",
        "[" * 100_000,
        '{"type": ' + "9" * 5000 + "}",
        {"type": 5},
        {"type": "audio.append"},
        {"type": "audio.append", "data": "A"},
        {"type": "audio.append", "data": "Ä==="},
        {"type": "audio.append", "data": 7},
        {"type": "tool.result", "callId": " ", "output": ""},
        {"type": "tool.result", "callId": "c", "output": {}},
        {"type": "steer"},
        {"type": "satellite.state", "muted": 1},
        '{"type": "satellite.state", "volume": NaN}',
        '{"type": "satellite.state", "volume": 1e999}',
    ],
)
def test_what_is_no_event_is_refused(message: object) -> None:
    """The session goes on; nothing of the message is told."""
    assert problem(message).reason is Reason.INVALID_EVENT


def test_binary_messages_are_audio_where_that_was_chosen() -> None:
    """Whatever is in them, and even if a sample is cut in two."""
    assert parse(b'{"type"', Transport.BINARY) == AudioAppend(b'{"type"')
    assert problem(b'{"type"').reason is Reason.INVALID_EVENT


@pytest.mark.parametrize("transport", Transport)
def test_messages_have_a_size(transport: Transport) -> None:
    """The session cannot go on after a larger one."""
    found = problem(b" " * (MAX_MESSAGE + 1), transport)
    assert (found.reason, found.is_recoverable) == (Reason.MESSAGE_TOO_LARGE, False)


def test_half_characters_become_something_that_can_be_written() -> None:
    """JSON can hold them; files and sockets cannot."""
    event = parse('{"type": "steer", "text": "a\\ud83db"}')
    assert event == Steer("a?b")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    "type",
    "apiKey",
    "audio",
    "sampleRate",
    "transport",
    "maxAheadMs",
    "backend",
    "agent",
    "satelliteId",
    "satellite",
    "name",
    "features",
    "language",
    "turnDetection",
    "silenceMs",
    "threshold",
    "pipeline",
    "mode",
    "voice",
    "sessionKey",
    "brainAgent",
    "watchdog",
    "deviceContext",
    "conversationHistory",
    "role",
    "text",
    "tools",
    "data",
    "callId",
    "output",
    "turnId",
    "volume",
    "muted",
]
OBJECTS = st.dictionaries(
    st.sampled_from(NAMES),
    JSON_VALUES
    | st.sampled_from(["user", "manual", "server", "binary", "single", 16000, 0, "AA=="])
    | st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=4)
    | st.lists(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=2), max_size=2),
    max_size=8,
)


def is_taken(message: str | bytes, transport: Transport) -> bool:
    """Read a message; nothing but a problem may come of it."""
    try:
        event = parse(message, transport)
    except ProtocolProblem:
        return False
    json.dumps(repr(event)).encode()
    return True


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(_READERS)), OBJECTS, st.sampled_from(Transport))
@example("session.config", {"audio": {"sampleRate": [16000]}}, Transport.JSON)
def test_objects_of_any_shape_are_read_or_refused(
    kind: str, values: dict[str, Any], transport: Transport
) -> None:
    """Nothing but ProtocolProblem is ever raised, and only what is wrong raises it."""
    taken = is_taken(json.dumps({**values, "type": kind}), transport)
    if kind in {"audio.commit", "response.create", "response.cancel", "session.end"}:
        assert taken


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary(), st.sampled_from(Transport))
def test_anything_at_all_is_read_or_refused(message: str | bytes, transport: Transport) -> None:
    """Satellites are other people's programs."""
    taken = is_taken(message, transport)
    if isinstance(message, bytes) and transport is Transport.BINARY:
        assert taken


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=4096))
def test_audio_as_text_and_as_bytes_is_the_same(pcm: bytes) -> None:
    """Only the way it travels differs."""
    text = json.dumps({"type": "audio.append", "data": base64.b64encode(pcm).decode()})
    assert parse(text) == parse(pcm, Transport.BINARY) == AudioAppend(pcm)


def test_required_names_are_there() -> None:
    """A field that must be there is told apart from one that is empty."""
    assert Fields({"name": " a "}).required_name("name") == "a"
