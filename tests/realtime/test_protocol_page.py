"""The page about the satellite protocol says what the code does."""

from collections.abc import Iterator
from dataclasses import fields
import json
from pathlib import Path
import re
from typing import ClassVar, override
from unittest.mock import MagicMock

import pytest

from custom_components.openclaw_voice import voice_backends
from custom_components.openclaw_voice.gateway.frames import JsonObject
from custom_components.openclaw_voice.realtime import (
    backend_choice,
    gateway_backend,
    pipelines,
    protocol,
    server_events as events,
    tts_output,
)
from custom_components.openclaw_voice.realtime.backend import (
    BackendName,
    Capabilities,
    Speaker,
    TurnDetection,
    TurnMode,
)
from custom_components.openclaw_voice.realtime.client_events import (
    AudioAppend,
    AudioCommit,
    ClientEvent,
    FrameAppend,
    PlaybackDone,
    ResponseCancel,
    SatelliteState,
    SessionEnd,
    Steer,
    SteerMode,
    ToolResult,
)
from custom_components.openclaw_voice.realtime.client_messages import _READERS, parse
from custom_components.openclaw_voice.realtime.message_fields import Fields
from custom_components.openclaw_voice.realtime.protocol import RULES, Reason
from custom_components.openclaw_voice.realtime.session_config import (
    AudioConfig,
    Feature,
    SatelliteInfo,
    SessionConfig,
    SessionMode,
    Transport,
)
from custom_components.openclaw_voice.realtime.session_ears import MAX_BURST

PAGE = (Path(__file__).parents[2] / "docs/satellite-protocol.md").read_text(encoding="utf-8")
EXAMPLES = "\n".join(re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
BINARY = AudioConfig(sample_rate=16000, transport=Transport.BINARY, max_ahead=0.4)
SAMPLES = b"\0\0\1\0\2\0\3\0"
USER, ASSISTANT = Speaker

FROM_SATELLITE: list[ClientEvent] = [
    SessionConfig(
        satellite_id="kitchen-1",
        satellite=SatelliteInfo(
            name="Kitchen satellite",
            area="kitchen",
            features=frozenset({Feature.ECHO_CANCELLATION, Feature.VOLUME}),
        ),
        audio=BINARY,
    ),
    AudioAppend(bytes(1920)),
    PlaybackDone("turn-1"),
    SessionEnd(),
    SessionConfig(api_key="<access token>", session_key="desk", language="en"),
    AudioAppend(SAMPLES),
    ResponseCancel(),
    SessionConfig(turn_detection=TurnDetection(mode=TurnMode.MANUAL)),
    AudioAppend(SAMPLES),
    AudioCommit(),
    PlaybackDone("announcement-1"),
    SessionConfig(satellite_id="kitchen-1", mode=SessionMode.STANDBY, audio=BINARY),
    PlaybackDone("announcement-2"),
    AudioAppend(bytes(1920)),
    SatelliteState(volume=0.5, muted=False),
    SatelliteState(volume=0.3),
    ToolResult("call-2", "done"),
    Steer("In French, please.", SteerMode.STEER),
    FrameAppend(),
]
"""What the examples of a satellite are, in their order."""

FROM_HOME_ASSISTANT: list[events.ServerEvent | bytes] = [
    events.SessionReady(
        session_id="9f0c",
        backend=BackendName.GATEWAY,
        agent="main",
        agent_name="Claw",
        audio=BINARY,
        capabilities=Capabilities(barge_in=True, tool_control=True, manual_turns=True),
    ),
    events.TurnStarted(turn_id="turn-1"),
    events.TranscriptDelta(text="What time ", speaker=USER),
    events.TranscriptDone(text="What time is it?", speaker=USER),
    events.ResponseStarted(turn_id="turn-1"),
    events.ToolProgress(call_id="call-1", summary="Asking Claw..."),
    events.ToolProgress(call_id="call-1", summary="Claw has answered."),
    events.TranscriptDelta(text="It is nine.", speaker=ASSISTANT),
    bytes(1280),
    events.LatencyMetrics(endpoint=0.5, endpoint_source="silence", first_audio=0.64),
    events.TranscriptDone(text="It is nine.", speaker=ASSISTANT),
    events.AudioDone(turn_id="turn-1"),
    events.TurnEnded(turn_id="turn-1"),
    events.SessionEnded(
        reason=Reason.CLIENT_ENDED,
        duration=8.2,
        turn_count=1,
        summary=RULES[Reason.CLIENT_ENDED].message,
        mean_first_audio=0.64,
    ),
    events.AudioDelta(pcm=SAMPLES),
    events.AudioClear(reason="turn_detected", turn_id="turn-1"),
    events.TranscriptDone(text="It is...", speaker=ASSISTANT),
    events.TurnStarted(turn_id="turn-2"),
    events.AudioClear(reason="response_cancelled", turn_id="turn-2"),
    events.Announcement(id="announcement-1", text="The washing machine is done."),
    bytes(1280),
    events.AudioDone(turn_id="announcement-1"),
    events.Listen(),
    events.SessionReady(
        session_id="77ab",
        backend=BackendName.NONE,
        agent=None,
        audio=BINARY,
        capabilities=Capabilities(barge_in=False, tool_control=False, manual_turns=False),
    ),
    events.Announcement(id="announcement-2", text="Shall I close the shutters?"),
    bytes(1280),
    events.AudioDone(turn_id="announcement-2"),
    events.Listen(purpose=events.Purpose.ANSWER),
    events.ListenEnded(),
    events.SatelliteSet(volume=0.3),
    events.ToolCall(call_id="call-2", name="set_led", arguments='{"colour": "red"}'),
    events.SteerResult(is_ok=True, message="Understood."),
    events.error(Reason.UNSUPPORTED_FRAME),
    events.ToolCancelled(call_ids=("call-1",)),
    events.SessionRotating(),
    events.SessionRotated(session_id="9f0c"),
    events.error(Reason.IDLE),
    events.SessionEnded(
        reason=Reason.IDLE,
        duration=95,
        turn_count=3,
        summary=RULES[Reason.IDLE].message,
        tokens=812,
        mean_first_audio=0.705,
    ),
]
"""What the examples of Home Assistant are, in their order."""


def examples(sender: str) -> Iterator[str]:
    """Return what one side sends in the examples."""
    return (line.removeprefix(sender).strip() for line in EXAMPLES if line.startswith(sender))


def rows(title: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    text = re.split(rf"^##+ {re.escape(title)}\n", PAGE, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [[name.strip("`"), *others] for name, *others in cells]


def test_what_satellites_send_in_the_examples_is_understood() -> None:
    """An example that is copied works."""
    read = [
        parse(bytes(int(line.split()[1])), Transport.BINARY)
        if line.startswith("binary")
        else parse(line)
        for line in examples("→")
    ]
    assert read == FROM_SATELLITE


def test_what_satellites_get_in_the_examples_is_what_we_send() -> None:
    """To the last field."""
    shown = [
        bytes(int(line.split()[1])) if line.startswith("binary") else json.loads(line)
        for line in examples("←")
    ]
    sent = [
        event if isinstance(event, bytes) else json.loads(json.dumps(events.build(event)))
        for event in FROM_HOME_ASSISTANT
    ]
    assert shown == sent


def test_examples_say_who_sends_what() -> None:
    """No line of an example is left out of the replay."""
    assert len(EXAMPLES) > 40
    assert [line for line in EXAMPLES if line and line[0] not in "→←"] == []


def test_every_event_of_a_satellite_has_a_row() -> None:
    """And no other has one."""
    assert [row[0] for row in rows("What a satellite sends")] == list(_READERS)


class Noting(Fields):
    """Fields that note under which names they are asked for."""

    asked: ClassVar[set[str]] = set()

    @override
    def __init__(self, values: JsonObject, path: str = "") -> None:
        """Hold nothing, and note what is looked for."""
        noting = MagicMock(spec=dict)
        noting.get.side_effect = self.asked.add
        super().__init__(noting, path)


def test_every_field_of_a_config_has_a_row() -> None:
    """With its name as it is read."""
    Noting.asked.clear()
    assert _READERS["session.config"](Noting({})) == SessionConfig()
    listed = {"role", "text", "name", "description"}
    text = "\n".join(" ".join(row) for row in rows("`session.config`"))
    names = Noting.asked | listed
    assert len(names) > 30
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


def kinds() -> list[type[events.ServerEvent]]:
    """Return the classes of all events that are sent."""
    return events.ServerEvent.__subclasses__()


def test_every_event_of_ours_has_a_row_with_its_fields() -> None:
    """As it is on the wire."""
    sent: dict[str, JsonObject] = {}
    for event in FROM_HOME_ASSISTANT:
        if isinstance(event, events.ServerEvent):
            sent.setdefault(event.type, {}).update(events.build(event))
    table = {row[0]: row[1] for row in rows("What Home Assistant sends")}
    assert sorted(table) == sorted({kind.type for kind in kinds()})
    for name, message in sent.items():
        told = set(re.findall(r"`(\w+)\??`", table[name]))
        assert message.keys() - {"type"} <= told, name
    for kind in kinds():
        assert table[kind.type].count("`") >= 2 * len(fields(kind)), kind.type


def test_the_table_of_reasons_is_the_one_of_the_code() -> None:
    """Satellites are written after it."""
    expected = [
        [
            str(reason),
            str(rule.code or ""),
            str(int(rule.close)),
            "yes" if rule.is_recoverable else "no",
            rule.message,
        ]
        for reason, rule in RULES.items()
    ]
    assert rows("Reasons and close codes") == expected


def test_it_is_said_what_to_do_after_every_close_code() -> None:
    """A satellite must not connect again for ever."""
    advice = PAGE.split("What to do then:")[1]
    assert set(re.findall(r"\b\d{4}\b", advice)) == {
        str(int(rule.close)) for rule in RULES.values()
    }


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (0, f"{protocol.FIRST_MESSAGE_LIMIT:g} s"),
        (1, f"{protocol.MAX_MESSAGE} bytes"),
        (1, f"more than {MAX_BURST:g} s before"),
        (2, f"{protocol.MAX_CHUNK * 1000:g} ms"),
        (3, f"{protocol.MAX_TEXT_PER_MINUTE} a minute"),
        (4, f"{protocol.MAX_SESSIONS} in all"),
        (5, f"{protocol.MAX_STANDBY}"),
        (6, f"{protocol.MAX_PROBLEMS}"),
        (7, f"{protocol.IDLE_LIMIT:g} s"),
        (8, f"every {protocol.PING_INTERVAL:g} s"),
    ],
)
def test_limits_are_those_of_the_code(row: int, value: str) -> None:
    """Nothing is tuned in two places."""
    assert value in rows("Limits")[row][1]


def test_the_version_is_told() -> None:
    """At the top."""
    assert f"This is version {protocol.VERSION}." in PAGE


def test_every_note_is_explained() -> None:
    """Of all backends, and of what chooses them."""
    told = set(re.findall(r"`([a-z]+_[a-z_]+)`", PAGE.split("### Notes")[1].split("\n## ")[0]))
    assert told == {
        backend_choice.FELL_BACK,
        gateway_backend.NOTE_MODEL,
        gateway_backend.NOTE_VOICE,
        pipelines.NOTE_OTHER_AGENT,
        tts_output.NOTE_VOICE,
        voice_backends.NOTE_AGENT_ONLY,
        voice_backends.NOTE_LANGUAGE,
        voice_backends.NOTE_NO_CLIENT_TOOLS,
        voice_backends.NOTE_TOOLS,
    }
