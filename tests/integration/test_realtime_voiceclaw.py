"""A client that knows nothing but the retired endpoint of the gateway works as it did."""

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    Rotated,
    Rotating,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)

from .realtime_world import World, configure, told, until_closed, world_of

FIELDS: Final[dict[str, dict[str, type]]] = {
    "session.ready": {"sessionId": str},
    "session.rotating": {},
    "session.rotated": {"sessionId": str},
    "session.ended": {"summary": str, "durationSec": int, "turnCount": int},
    "audio.delta": {"data": str},
    "transcript.delta": {"text": str, "role": str},
    "transcript.done": {"text": str, "role": str},
    "turn.started": {},
    "turn.ended": {},
    "tool.progress": {"callId": str, "summary": str},
    "tool.cancelled": {"callIds": list},
    "usage.metrics": {"totalTokens": int},
    "latency.metrics": {"firstAudioFromTurnStartMs": int},
    "error": {"message": str, "code": int},
}
"""What such a client reads of the events it knows."""

CONFIG: Final[dict[str, Any]] = {
    "provider": "openai",
    "voice": "puck",
    "brainAgent": "enabled",
    "sessionKey": "kitchen/satellite 1",
    "userId": "somebody",
    "deviceContext": {
        "timezone": "Europe/Berlin",
        "locale": "de-DE",
        "deviceModel": "Phone",
        "location": "kitchen",
    },
    "watchdog": "disabled",
    "instructionsOverride": "Likes short answers.",
    "conversationHistory": [{"role": "user", "text": "Hello"}, {"role": "assistant", "text": "Hi"}],
}


@pytest.fixture
async def world(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> AsyncGenerator[World]:
    """Return the endpoint."""
    async with world_of(hass, hass_client_no_auth, hass_access_token) as made:
        yield made


async def test_a_client_of_the_old_endpoint_talks(world: World) -> None:
    """Its key is a token of Home Assistant; what it does not know it ignores, and so do we."""
    answer = bytes(range(250)) * 10
    async with world.connected(bearer="") as socket:
        await configure(socket, apiKey=world.token, **CONFIG)
        events = [await told(socket)]
        backend = world.backends[0]
        data = b64encode(bytes(4800)).decode()
        await socket.send_json({"type": "audio.append", "data": data})
        for other in ("audio.commit", "response.create", "what.is.this"):
            await socket.send_json({"type": other})
        await socket.send_json({"type": "tool.result", "callId": "zzz", "output": "{}"})
        await socket.send_json({"type": "session.config", "apiKey": "another"})
        backend.tell(
            TurnStarted(turn_id="t"),
            Transcript(speaker=Speaker.USER, text="What "),
            SpeechEnded(turn_id="t"),
            Transcript(speaker=Speaker.USER, text="What time is it?", is_final=True),
            ResponseStarted(turn_id="t"),
            Activity(call_id="c", summary="Running clock..."),
            ActivityCancelled(call_ids=("c",)),
            Transcript(speaker=Speaker.ASSISTANT, text="Nine."),
            OutputAudio(turn_id="t", pcm=answer),
            Transcript(speaker=Speaker.ASSISTANT, text="Nine.", is_final=True),
            OutputEnded(turn_id="t"),
            TurnEnded(turn_id="t"),
            UsageReported(counts={"total_tokens": 180}),
            Rotating(),
            Rotated(),
        )
        while FIELDS.keys() - {event["type"] for event in events} != {"session.ended"}:
            events.append(await told(socket))
        await socket.send_json({"type": "session.end"})
        last, code = await until_closed(socket)
    events += last
    assert {event["type"] for event in events} >= FIELDS.keys()
    for event in events:
        for name, kind in FIELDS.get(event["type"], {}).items():
            assert isinstance(event[name], kind), event
    (error,) = [event for event in events if event["type"] == "error"]
    assert (error["message"], error["code"]) == ("session already configured", 400)
    heard = [b64decode(event["data"]) for event in events if event["type"] == "audio.delta"]
    # A scripted backend speaks at 16 kHz, such a client plays 24 kHz.
    assert sum(map(len, heard)) == pytest.approx(len(answer) * 1.5, abs=40)
    assert len(backend.heard) == pytest.approx(4800 / 1.5, abs=100)
    assert code == 1000


@pytest.mark.parametrize(
    ("sent", "message", "code"),
    [
        ("hello", "invalid JSON event", 400),
        ("[1]", "invalid JSON event", 400),
        ('{"a": 1}', "invalid JSON event: type: a text", 400),
        ('{"type": "audio.append", "data": "AAAA"}', "session.config required before media", 400),
        ('{"type": "response.create"}', "session.config required before media", 400),
    ],
)
async def test_its_mistakes_are_told_as_they_were(
    world: World, sent: str, message: str, code: int
) -> None:
    """The session may still begin."""
    async with world.connected(bearer="") as socket:
        await socket.send_str(sent)
        refused = await told(socket)
        assert (refused["message"], refused["code"]) == (message, code)
        await configure(socket, apiKey=world.token)
        assert (await told(socket))["type"] == "session.ready"
