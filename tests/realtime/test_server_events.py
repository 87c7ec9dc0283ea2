"""Tests of what satellites are sent."""

import json
from typing import Any

import pytest

from custom_components.openclaw_voice.realtime import server_events as events
from custom_components.openclaw_voice.realtime.backend import BackendName, Capabilities, Speaker
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_config import AudioConfig, Transport

READY = events.SessionReady(
    session_id="s",
    backend=BackendName.GATEWAY,
    agent="main",
    audio=AudioConfig(sample_rate=16000, transport=Transport.BINARY, max_ahead=0.4),
    capabilities=Capabilities(barge_in=True, tool_control=True, manual_turns=False),
    notes=("no_realtime",),
)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            READY,
            {
                "type": "session.ready",
                "sessionId": "s",
                "backend": "gateway",
                "agent": "main",
                "audio": {
                    "encoding": "pcm16",
                    "sampleRate": 16000,
                    "channels": 1,
                    "transport": "binary",
                    "maxAheadMs": 400,
                },
                "capabilities": {
                    "bargeIn": True,
                    "toolControl": True,
                    "frames": False,
                    "manualTurns": False,
                },
                "notes": ["no_realtime"],
                "protocolVersion": 1,
                "limits": {
                    "messageBytes": 131072,
                    "textsPerMinute": 30,
                    "firstMessageMs": 10000,
                    "idleMs": 60000,
                },
            },
        ),
        (events.SessionRotating(), {"type": "session.rotating"}),
        (events.SessionRotated(session_id="s"), {"type": "session.rotated", "sessionId": "s"}),
        (
            events.SessionEnded(
                reason=Reason.IDLE, duration=61.6, turn_count=2, tokens=5, mean_first_audio=0.71
            ),
            {
                "type": "session.ended",
                "reason": "idle",
                "durationSec": 62,
                "turnCount": 2,
                "summary": "",
                "tokens": 5,
                "firstAudioMs": 710,
            },
        ),
        (events.AudioDelta(pcm=b"\0\1\2\3"), {"type": "audio.delta", "data": "AAECAw=="}),
        (
            events.AudioClear(reason="barge_in", turn_id="t"),
            {"type": "audio.clear", "reason": "barge_in", "turnId": "t"},
        ),
        (events.AudioClear(reason="cancelled"), {"type": "audio.clear", "reason": "cancelled"}),
        (events.AudioDone(turn_id="t"), {"type": "audio.done", "turnId": "t"}),
        (
            events.Announcement(id="a", text="Dinner"),
            {"type": "announcement", "id": "a", "text": "Dinner"},
        ),
        (
            events.Listen(purpose=events.Purpose.ANSWER),
            {"type": "listen", "purpose": "answer"},
        ),
        (events.ListenEnded(), {"type": "listen.ended"}),
        (events.SatelliteSet(volume=0.0), {"type": "satellite.set", "volume": 0.0}),
        (events.SatelliteSet(muted=False), {"type": "satellite.set", "muted": False}),
        (events.TurnStarted(), {"type": "turn.started"}),
        (events.TurnEnded(turn_id="t"), {"type": "turn.ended", "turnId": "t"}),
        (events.ResponseStarted(turn_id="t"), {"type": "response.started", "turnId": "t"}),
        (
            events.TranscriptDelta(text="Hi", speaker=Speaker.USER),
            {"type": "transcript.delta", "text": "Hi", "role": "user"},
        ),
        (
            events.TranscriptDone(text="Hi", speaker=Speaker.ASSISTANT),
            {"type": "transcript.done", "text": "Hi", "role": "assistant"},
        ),
        (
            events.ToolCall(call_id="c", name="led", arguments="{}"),
            {"type": "tool.call", "callId": "c", "name": "led", "arguments": "{}"},
        ),
        (
            events.ToolProgress(call_id="c", summary="Running"),
            {"type": "tool.progress", "callId": "c", "summary": "Running"},
        ),
        (events.ToolCancelled(call_ids=("c",)), {"type": "tool.cancelled", "callIds": ["c"]}),
        (
            events.SteerResult(is_ok=False, message="no run"),
            {"type": "steer.result", "ok": False, "message": "no run"},
        ),
        (
            events.UsageMetrics(total_tokens=3, input_audio_tokens=0),
            {"type": "usage.metrics", "totalTokens": 3, "inputAudioTokens": 0},
        ),
        (
            events.LatencyMetrics(
                endpoint=0.5,
                endpoint_source="own",
                provider_first_byte=0.1,
                first_audio=0.64,
                first_text=0.2,
                first_output=0.2,
                first_output_modality="text",
            ),
            {
                "type": "latency.metrics",
                "endpointMs": 500,
                "endpointSource": "own",
                "providerFirstByteMs": 100,
                "firstAudioFromTurnStartMs": 640,
                "firstTextFromTurnStartMs": 200,
                "firstOutputFromTurnStartMs": 200,
                "firstOutputModality": "text",
            },
        ),
        (
            events.error(Reason.NO_AGENT),
            {
                "type": "error",
                "message": "name an agent, or choose one for the satellite",
                "code": 400,
                "reason": "no_agent",
                "recoverable": False,
            },
        ),
        (
            events.error(Reason.PROVIDER_UNAVAILABLE, message="Later.", is_recoverable=True),
            {
                "type": "error",
                "message": "Later.",
                "code": 502,
                "reason": "provider_unavailable",
                "recoverable": True,
            },
        ),
    ],
    ids=lambda value: value.type if isinstance(value, events.ServerEvent) else "",
)
def test_events_become_messages(event: events.ServerEvent, message: dict[str, Any]) -> None:
    """In the units and names of the wire; what is not known is not sent."""
    assert json.loads(json.dumps(events.build(event))) == message


def test_speech_is_not_shown() -> None:
    """An event may end up in a log."""
    said = [
        events.Announcement(id="a", text="secret"),
        events.TranscriptDelta(text="secret", speaker=Speaker.USER),
        events.TranscriptDone(text="secret", speaker=Speaker.USER),
        events.ToolCall(call_id="c", name="led", arguments="secret"),
        events.ToolProgress(call_id="c", summary="secret"),
        events.SteerResult(is_ok=True, message="secret"),
    ]
    assert [event for event in said if "secret" in repr(event)] == []
