"""The WebSocket of satellites, on real sockets, with scripted backends."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

from aiohttp import WSServerHandshakeError, web
from homeassistant.auth.models import User
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime import endpoint, server_events, socket_channel
from custom_components.openclaw_voice.realtime.backend import (
    OutputAudio,
    ResponseStarted,
    SpeechEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.endpoint import URL
from custom_components.openclaw_voice.realtime.hub import HubEventKind
from custom_components.openclaw_voice.realtime.protocol import Reason

from .realtime_world import LIMIT, SPEECH, World, configure, told, until_closed, world_of


@pytest.fixture
async def world(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> AsyncGenerator[World]:
    """Return the endpoint."""
    async with world_of(hass, hass_client_no_auth, hass_access_token) as made:
        yield made


async def test_a_satellite_talks(world: World, hass_admin_user: User) -> None:
    """With binary audio both ways."""
    audio = {"sampleRate": 16000, "transport": "binary", "maxAheadMs": 0}
    async with world.session(audio=audio, satelliteId="kitchen") as socket:
        await socket.send_bytes(SPEECH)
        backend = world.backends[0]
        backend.tell(
            TurnStarted(turn_id="t"),
            SpeechEnded(turn_id="t"),
            ResponseStarted(turn_id="t"),
            OutputAudio(turn_id="t", pcm=SPEECH),
        )
        assert (await told(socket))["type"] == "turn.started"
        assert (await told(socket))["type"] == "response.started"
        assert await socket.receive_bytes(timeout=LIMIT) == SPEECH
        assert backend.heard == SPEECH
        session = world.hub.session_of("kitchen")
        assert session is not None
        await socket.send_json({"type": "session.end"})
        events, code = await until_closed(socket)
    assert (events[-1]["type"], events[-1]["reason"], code) == (
        "session.ended",
        "client_ended",
        1000,
    )
    assert world.users == [hass_admin_user]


async def test_a_satellite_may_speak_json(world: World) -> None:
    """As clients of the old endpoint do, with their token in the first message."""
    async with world.connected(bearer="") as socket:
        await configure(socket, apiKey=world.token, audio={"maxAheadMs": 0})
        assert (await told(socket))["type"] == "session.ready"
        world.backends[0].tell(OutputAudio(turn_id="t", pcm=bytes(3200)))
        assert (await told(socket))["type"] == "audio.delta"


async def test_a_signed_path_lets_in(world: World) -> None:
    """A browser cannot send a header."""
    refresh = world.hass.auth.async_validate_access_token(world.token)
    assert refresh is not None
    path = async_sign_path(world.hass, URL, timedelta(seconds=30), refresh_token_id=refresh.id)
    async with world.connected(path=path, bearer="") as socket:
        await configure(socket)
        assert (await told(socket))["type"] == "session.ready"
    assert world.users == [refresh.user]


@pytest.mark.parametrize(("path", "bearer"), [(URL, "wrong"), (f"{URL}?authSig=wrong", "")])
async def test_a_wrong_token_is_refused_before_the_upgrade(
    world: World, path: str, bearer: str
) -> None:
    """Home Assistant counts it for its ban."""
    with (
        patch("homeassistant.components.http.ban.process_wrong_login") as counted,
        pytest.raises(WSServerHandshakeError) as refused,
    ):
        async with world.connected(path=path, bearer=bearer):
            pass
    assert refused.value.status == 401
    assert counted.await_count == 1


@pytest.mark.parametrize("config", [{}, {"apiKey": "wrong"}])
async def test_a_wrong_token_in_the_first_message_is_refused(
    world: World, config: dict[str, Any]
) -> None:
    """It counts, too."""
    with patch.object(endpoint, "process_wrong_login") as counted:
        async with world.connected(bearer="") as socket:
            await configure(socket, **config)
            events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["auth_failed"], 1008)
    assert counted.await_count == 1


async def test_an_inactive_user_is_refused(world: World, hass_admin_user: User) -> None:
    """Although the token is right."""
    hass_admin_user.is_active = False
    async with world.connected(bearer="") as socket:
        await configure(socket, apiKey=world.token)
        events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["auth_failed"], 1008)


@pytest.mark.parametrize("bearer", [None, ""])
async def test_a_revoked_token_ends_the_session(world: World, bearer: str | None) -> None:
    """At once, however it came."""
    refresh = world.hass.auth.async_validate_access_token(world.token)
    assert refresh is not None
    async with world.connected(bearer=bearer) as socket:
        await configure(socket, **({} if bearer is None else {"apiKey": world.token}))
        assert (await told(socket))["type"] == "session.ready"
        world.hass.auth.async_remove_refresh_token(refresh)
        events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["token_revoked"] * 2, 1008)


async def test_a_token_that_is_revoked_meanwhile_lets_nobody_in(world: World) -> None:
    """While the connection was made."""
    refresh = world.hass.auth.async_validate_access_token(world.token)
    assert refresh is not None
    prepare = web.WebSocketResponse.prepare

    async def prepare_slowly(socket: web.WebSocketResponse, request: web.Request) -> Any:  # noqa: ANN401
        world.hass.auth.async_remove_refresh_token(refresh)
        return await prepare(socket, request)

    with patch.object(web.WebSocketResponse, "prepare", prepare_slowly):
        async with world.connected() as socket:
            events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["token_revoked"], 1008)
    assert not world.users


async def test_the_first_message_has_to_come_in_time(world: World) -> None:
    """Others do not prolong that."""
    with patch.object(endpoint, "FIRST_MESSAGE_LIMIT", 0.05):
        async with world.connected() as socket:
            await socket.send_json({"type": "audio.commit"})
            events, code = await until_closed(socket)
    assert [event["reason"] for event in events] == ["config_required", "config_timeout"]
    assert code == 4408


@pytest.mark.parametrize("message", ["no json", "[]", "{}", '{"type": "audio.commit"}'])
async def test_too_many_messages_in_a_row_that_cannot_be_taken_end_it(
    world: World, message: str
) -> None:
    """Also before there is a session."""
    async with world.connected() as socket:
        for _ in range(3):
            await socket.send_str(message)
        events, code = await until_closed(socket)
    assert len(events) == 4
    assert events[-1]["reason"] == "too_many_problems"
    assert code == 1008


async def test_mistakes_are_survived(world: World) -> None:
    """As long as good messages come between them."""
    async with world.session(audio={"transport": "binary"}) as socket:
        for _ in range(3):
            await socket.send_str("{")
            await socket.send_json({"type": "from.the.future"})
            assert (await told(socket))["reason"] == "invalid_event"
        await socket.send_json({"type": "session.config"})
        assert (await told(socket))["reason"] == "already_configured"
        await socket.send_json({"type": "frame.append", "data": "AAAA"})
        assert (await told(socket))["reason"] == "unsupported_frame"
        await socket.send_bytes(b"\1")
        await socket.send_bytes(b"")
        await socket.send_json({"type": "session.end"})
        _, code = await until_closed(socket)
    assert code == 1000


@pytest.mark.parametrize("size", [128 * 1024 + 1, 256 * 1024 + 1])
async def test_a_message_that_is_too_large_ends_the_session(world: World, size: int) -> None:
    """With the right close code, however large it is."""
    async with world.session() as socket:
        session = world.hub.sessions[0]
        await socket.send_str(" " * size)
        _, code = await until_closed(socket)
        await world.nothing_left()
    assert code == 1009
    assert session.summary is not None
    # The rest of a much larger message is not even read: that looks like hanging up.
    assert session.summary.reason in {"message_too_large", "disconnected"}


async def test_a_newer_session_replaces_the_older(world: World) -> None:
    """A satellite that has restarted is not locked out."""
    kitchen = {"satelliteId": "kitchen"}
    async with world.session(**kitchen) as old, world.session(**kitchen):
        events, code = await until_closed(old)
        assert len(world.backends) == 2
    assert ([event["reason"] for event in events], code) == (["replaced"] * 2, 4409)


async def test_there_may_be_too_many_sessions(world: World) -> None:
    """One more is refused."""
    with patch("custom_components.openclaw_voice.realtime.hub.MAX_SESSIONS", 1):
        async with world.session(), world.connected() as socket:
            await configure(socket)
            events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["too_many_sessions"], 1013)


async def test_a_satellite_may_not_begin_sessions_in_a_loop(world: World) -> None:
    """Each of them costs something."""
    kitchen = {"satelliteId": "kitchen"}
    for _ in range(30):
        world.hub.take_start("kitchen", world.hass.loop.time())
    async with world.connected() as socket:
        await configure(socket, **kitchen)
        events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["rate_limited"], 1013)
    assert not world.backends


async def test_there_may_be_too_many_sockets(world: World) -> None:
    """Also of those that say nothing."""
    with patch("custom_components.openclaw_voice.realtime.hub.MAX_SOCKETS", 1):
        async with world.connected():
            with pytest.raises(WSServerHandshakeError) as refused:
                async with world.connected():
                    pass
    assert refused.value.status == 503


async def test_strangers_shut_nobody_out(world: World) -> None:
    """Whoever says who they are is let in, and is no stranger any more."""
    with patch("custom_components.openclaw_voice.realtime.hub.MAX_STRANGERS", 1):
        async with world.connected(bearer="") as stranger:
            with pytest.raises(WSServerHandshakeError):
                async with world.connected(bearer=""):
                    pass
            async with world.session():
                await configure(stranger, apiKey=world.token)
                assert (await told(stranger))["type"] == "session.ready"
                async with world.connected(bearer=""):
                    assert len(world.hub.sessions) == 2


@pytest.mark.parametrize(
    ("reason", "code"), [(Reason.NO_AGENT, 1008), (Reason.AGENT_UNREACHABLE, 1008)]
)
async def test_nobody_may_be_there_to_answer(world: World, reason: Reason, code: int) -> None:
    """Then there is no session."""
    world.refusal = reason
    async with world.connected() as socket:
        await configure(socket)
        events, closed = await until_closed(socket)
    assert ([event["reason"] for event in events], closed) == ([reason], code)


async def test_a_mistake_of_ours_is_told_and_quotes_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The satellite tries again later."""
    mistake = AsyncMock(side_effect=ValueError("Grandma's token"))
    with patch.object(world.view, "_prepare", mistake):
        async with world.connected() as socket:
            await configure(socket)
            events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["internal_error"], 1011)
    assert "ValueError" in caplog.text
    assert "Grandma" not in caplog.text


async def test_controls_that_tremble_are_no_flood(world: World) -> None:
    """Every change that is told becomes states in a database."""
    changes: list[HubEventKind] = []
    async with world.session(satelliteId="kitchen") as socket:
        await world.ready()
        world.hub.subscribe(lambda event: changes.append(event.kind))
        for number in range(200):
            await socket.send_json({"type": "satellite.state", "volume": number % 2 / 2})
        await socket.send_json({"type": "session.end"})
        await until_closed(socket)
    # The second is the end of it; a slow computer may see a few more.
    assert 2 <= changes.count(HubEventKind.CHANGED) <= 10
    await world.nothing_left()


async def test_texts_are_limited(world: World) -> None:
    """Also over several sessions of a satellite."""
    for count in (20, 11):
        async with world.session(satelliteId="kitchen") as socket:
            for _ in range(count):
                await socket.send_json({"type": "steer", "text": "faster"})
            events = [await told(socket) for _ in range(count)]
    assert [event for event in events if event["type"] == "error"] == [
        {
            "type": "error",
            "message": "too many of these in a minute",
            "code": 429,
            "reason": "rate_limited",
            "recoverable": True,
        }
    ]


async def test_a_socket_without_a_session_is_closed_too(world: World) -> None:
    """Home Assistant stops."""
    async with world.connected() as socket:
        await world.view.async_close(Reason.STOPPED)
        events, code = await until_closed(socket)
    assert (events, code) == ([], 1001)


async def test_a_satellite_that_does_not_read_is_cut_off(world: World) -> None:
    """It cannot be told why; its session ends all the same."""
    with patch.object(socket_channel, "SLOW_LIMIT", 0.1):
        async with world.session(audio={"maxAheadMs": 0, "sampleRate": 48000}, satelliteId="k"):
            backend = world.backends[0]
            session = world.hub.session_of("k")
            assert session is not None
            for number in range(40):
                backend.tell(OutputAudio(turn_id=str(number), pcm=bytes(320_000)))
            async with asyncio.timeout(LIMIT):
                await backend.is_closed.wait()


async def test_too_many_events_that_wait_cut_a_satellite_off(world: World) -> None:
    """Events are never dropped, so this is the other bound."""
    with patch.object(socket_channel, "MAX_EVENTS", 5):
        async with world.session():
            for number in range(10):
                world.backends[0].tell(TurnStarted(turn_id=str(number)))
            async with asyncio.timeout(LIMIT):
                await world.backends[0].is_closed.wait()


async def test_audio_that_is_too_much_is_dropped_and_counted(world: World) -> None:
    """Events pass."""
    async with world.session(audio={"transport": "binary", "sampleRate": 16000}) as socket:
        session = world.hub.sessions[0]
        with patch.object(socket_channel, "MAX_AUDIO", 0.0):
            session._channel.use(session.config.audio)  # type: ignore[attr-defined]
        world.backends[0].tell(
            OutputAudio(turn_id="t", pcm=SPEECH), TurnStarted(turn_id="u", interrupts=True)
        )
        assert (await told(socket))["type"] == "audio.clear"
        assert session._channel.dropped == pytest.approx(0.02)


def test_nothing_is_sent_to_a_socket_that_is_being_closed() -> None:
    """Neither audio nor events; the first reason counts."""
    channel = socket_channel.SocketChannel(MagicMock(), lambda: None)
    channel.close(Reason.IDLE)
    channel.close(Reason.STOPPED)
    channel.send_audio(SPEECH)
    channel.send(server_events.Listen())
    assert (channel._items, channel._reason) == (deque(), Reason.IDLE)
