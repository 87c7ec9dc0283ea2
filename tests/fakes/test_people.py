"""The fake asks people in the words of the real gateway: the same fields of the same kinds."""

import asyncio
import json
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import (
    DEFAULT_SCOPES,
    ConnectionSettings,
    Credentials,
)
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from tests.contract.conftest import running
from tests.fakes.small_gateway import SmallGateway
from tests.recordings import Recording

LIMIT = 10.0
KEY = "agent:main:homeassistant:0a1b2c3d:conversation:x"
ROOM = {
    "id": "room",
    "header": "Room",
    "question": "Which room?",
    "options": [{"label": "Kitchen"}],
}
ASKED = json.dumps({"id": "ask_user", "args": {"questions": [ROOM]}})


def recorded(name: str, event: str) -> dict[str, Any]:
    """Return the first recorded payload of an event."""
    frames = (line.frame for line in Recording.load(name).lines)
    return next(frame["payload"] for frame in frames if frame.get("event") == event)


@pytest.mark.parametrize(
    ("recording", "message", "event"),
    [
        ("ask-approval", 'exec {"command":"echo hello"}', "exec.approval.requested"),
        ("ask-question", f"tool_call {ASKED}", "question.requested"),
    ],
)
async def test_the_fields_are_the_recorded_ones(
    socket_enabled: None, recording: str, message: str, event: str
) -> None:
    """A reader that works with the fake works with the gateway."""
    told: asyncio.Queue[GatewayEvent] = asyncio.Queue()
    async with SmallGateway() as gateway:
        settings = ConnectionSettings(
            url=gateway.url,
            credentials=Credentials(secret=gateway.secret),
            identity=DeviceIdentity.create(),
            client_version="0.1.0",
            scopes=(*DEFAULT_SCOPES, "operator.admin"),
        )
        async with asyncio.timeout(LIMIT), running(GatewayClient(settings)) as client:
            await client.wait_ready(LIMIT)
            client.subscribe_events(
                lambda each: told.put_nowait(each) if each.name == event else None
            )
            await client.request("sessions.patch", {"key": KEY, "permissionMode": "guarded"})
            async with client.chat.start(
                session_key=KEY, message=f"MODEL:TOOL {message}", method=RunMethod.CHAT_SEND
            ):
                payload = (await told.get()).payload

    real = recorded(recording, event)
    assert payload.keys() <= real.keys()
    for ours, theirs in inner(payload, real):
        assert ours.keys() <= theirs.keys()
        assert {key: type(value) for key, value in ours.items()} == {
            key: type(theirs[key]) for key in ours
        }


def inner(*payloads: dict[str, Any]) -> list[tuple[dict[str, Any], ...]]:
    """Return what is in the payloads: the request, or each of the questions."""
    if "request" in payloads[0]:
        return [tuple(payload["request"] for payload in payloads)]
    return list(zip(*(payload["questions"] for payload in payloads), strict=False))
