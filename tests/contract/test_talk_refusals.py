"""What the gateway refuses of a voice session, and in which words: some cases differ by them only."""

from base64 import b64encode
from collections.abc import AsyncGenerator

import pytest

from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import RequestError
from custom_components.openclaw_voice.gateway.frames import JsonObject
from custom_components.openclaw_voice.gateway.talk_items import CONSULT_TOOL, CONTROL_TOOL

from .conftest import Server

WISH: JsonObject = {"mode": "realtime", "transport": "gateway-relay", "brain": "agent-consult"}
SILENCE = b64encode(bytes(960)).decode()
MOST = 524_288
"""Characters of base64 in one piece of sound."""


@pytest.fixture
async def connection(server: Server) -> AsyncGenerator[Connection]:
    """Return a connection."""
    async with Connection(server.settings(), on_event=lambda _: None) as connection:
        yield connection


@pytest.fixture
async def session_id(connection: Connection, session_key: str) -> str:
    """Return a session that was created on it."""
    created = await connection.request("talk.session.create", WISH | {"sessionKey": session_key})
    return str(created["sessionId"])


async def refusal(connection: Connection, method: str, **params: object) -> tuple[str, str]:
    """Return code and message with which something is refused."""
    with pytest.raises(RequestError) as raised:
        await connection.request(method, params)
    code, _, message = str(raised.value).partition(": ")
    assert code == raised.value.code
    return code, message


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ({"sessionKey": "agent:nobody:x"}, "INVALID_REQUEST", "Unknown agent id"),
        ({"provider": "xai"}, "UNAVAILABLE", 'Realtime voice provider "xai" is not configured'),
    ],
)
async def test_a_session_that_cannot_be(
    connection: Connection, session_key: str, wish: JsonObject, code: str, words: str
) -> None:
    """It says what is wrong with it."""
    params = WISH | {"sessionKey": session_key} | wish

    found, message = await refusal(connection, "talk.session.create", **params)

    assert found == code
    assert words in message


async def test_too_many_sessions(connection: Connection, session_id: str, session_key: str) -> None:
    """A connection has two of them."""
    await connection.request("talk.session.create", WISH | {"sessionKey": f"{session_key}-2"})

    code, message = await refusal(
        connection, "talk.session.create", **WISH, sessionKey=f"{session_key}-3"
    )

    assert (code, "Too many active realtime relay sessions for this connection" in message) == (
        "UNAVAILABLE",
        True,
    )


async def test_a_session_of_somebody_else(server: Server, session_id: str) -> None:
    """Only the connection that made it may use it."""
    async with Connection(server.settings(), on_event=lambda _: None) as other:
        code, message = await refusal(other, "talk.session.cancelOutput", sessionId=session_id)

    assert (code, "not owned by this connection" in message) == ("UNAVAILABLE", True)


async def test_a_session_that_was_closed(connection: Connection, session_id: str) -> None:
    """It is not known any more."""
    assert (await connection.request("talk.session.close", {"sessionId": session_id}))["ok"]

    code, message = await refusal(connection, "talk.session.cancelOutput", sessionId=session_id)

    assert (code, "Unknown Talk session" in message) == ("UNAVAILABLE", True)


@pytest.mark.parametrize(
    ("audio", "words"),
    [("no base64!", "invalid base64"), ("A" * (MOST + 4), "frame is too large")],
    ids=["no base64", "too large"],
)
async def test_sound_that_is_not_taken(
    connection: Connection, session_id: str, audio: str, words: str
) -> None:
    """The session goes on."""
    params = {"sessionId": session_id, "audioBase64": audio, "timestamp": 0}

    code, message = await refusal(connection, "talk.session.appendAudio", **params)

    assert code == "UNAVAILABLE"
    assert words in message
    taken = await connection.request(
        "talk.session.appendAudio", params | {"audioBase64": SILENCE, "timestamp": 60}
    )
    assert taken["ok"]


async def test_odd_and_much_sound(connection: Connection, session_id: str) -> None:
    """Are taken."""
    for audio in (b64encode(bytes(961)).decode(), "A" * MOST):
        params = {"sessionId": session_id, "audioBase64": audio, "timestamp": 0}
        assert (await connection.request("talk.session.appendAudio", params))["ok"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": CONTROL_TOOL}, "unsupported realtime Talk tool"),
        ({"sessionKey": "agent:main:other"}, "belongs to another agent session"),
    ],
    ids=["tool", "session key"],
)
async def test_a_question_the_agent_is_not_asked(
    connection: Connection, session_id: str, session_key: str, change: JsonObject, words: str
) -> None:
    """Only by its own tool, in the session that was named at the beginning."""
    params = {
        "sessionKey": session_key,
        "relaySessionId": session_id,
        "callId": "call-1",
        "name": CONSULT_TOOL,
        "args": {"question": "Hello?"},
    }

    code, message = await refusal(connection, "talk.client.toolCall", **params | change)

    assert code == "INVALID_REQUEST"
    assert words in message


async def test_results_nobody_has_asked_for(connection: Connection, session_id: str) -> None:
    """Are taken, and so are marks."""
    result = {"callId": "call-unknown", "result": {}, "options": {"suppressResponse": True}}
    mark = {"markName": "audio-99"}
    for method, params in (("submitToolResult", result), ("acknowledgeMark", mark)):
        wish = {"sessionId": session_id, **params}
        assert (await connection.request(f"talk.session.{method}", wish))["ok"]


async def test_a_device_that_may_only_read(server: Server) -> None:
    """It may look what there is, and not talk."""
    scopes = ("operator.read",)
    settings = server.settings(scopes=scopes, required_scopes=scopes)
    async with Connection(settings, on_event=lambda _: None) as reader:
        assert (await reader.request("talk.catalog", {}))["realtime"]["ready"]
        code, _ = await refusal(reader, "talk.session.create", **WISH)

    assert code == "FORBIDDEN"
