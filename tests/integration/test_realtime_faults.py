"""What goes wrong with satellites, in every state of a session: nothing is left, and they are told."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any, Final
from unittest.mock import patch

from aiohttp import ClientWebSocketResponse, WSMsgType
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime import endpoint
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendEvent,
    OutputAudio,
    SpeechEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.protocol import RULES, Reason
from custom_components.openclaw_voice.realtime.session import RealtimeSession
from custom_components.openclaw_voice.realtime.session_state import SessionState
from custom_components.openclaw_voice.realtime.session_watch import SessionLimits
from tests.realtime.session_bench import WHOLE

from .realtime_world import LIMIT, World, configure, told, until_closed, world_of

BINARY: Final = {"transport": "binary", "sampleRate": 16000}


class In(StrEnum):
    """What goes on when something happens."""

    STARTING = "starting"
    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    ANNOUNCING = "announcing"
    ASKING = "asking"
    STANDBY = "standby"


TOLD: Final[dict[In, tuple[SessionState, list[BackendEvent]]]] = {
    In.LISTENING: (SessionState.LISTENING, [TurnStarted(turn_id="t")]),
    In.THINKING: (SessionState.THINKING, [TurnStarted(turn_id="t"), SpeechEnded(turn_id="t")]),
    In.SPEAKING: (SessionState.SPEAKING, [OutputAudio(turn_id="t", pcm=bytes(320_000))]),
}
"""The states a backend leads to, and how."""


@pytest.fixture
async def world(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> AsyncGenerator[World]:
    """Return the endpoint."""
    async with world_of(hass, hass_client_no_auth, hass_access_token) as made:
        yield made


@asynccontextmanager
async def satellite_that_is(
    world: World, what: In
) -> AsyncGenerator[tuple[ClientWebSocketResponse, list[asyncio.Task[Any]]]]:
    """Have a session in which something goes on; return what waits for it, too."""
    waiting: list[asyncio.Task[Any]] = []
    if what is In.STARTING:
        world.starts_when = asyncio.Event()
    async with world.connected() as socket:
        mode = "standby" if what is In.STANDBY else "conversation"
        await configure(socket, audio=BINARY, satelliteId="k", mode=mode)
        session = await session_of(world)
        if what is not In.STARTING:
            assert (await told(socket))["type"] == "session.ready"
        if what in TOLD:
            state, events = TOLD[what]
            world.backends[0].tell(*events)
            await until(world, session, lambda: session.state is state)
        elif what is In.ANNOUNCING:
            session._watch.expect_nobody()
            waiting.append(asyncio.create_task(session.announce("Dinner", bytes(320_000), 16_000)))
            await until(world, session, lambda: session.is_announcing)
        elif what is In.ASKING:
            waiting.append(asyncio.create_task(anext(session.hear_answer(), None)))
        yield socket, waiting


async def session_of(world: World) -> RealtimeSession:
    """Wait for the session, and return it."""
    if not world.hub.sessions:
        added = asyncio.Event()
        unsubscribe = world.hub.subscribe(lambda _: added.set())
        async with asyncio.timeout(LIMIT):
            await added.wait()
        unsubscribe()
    return world.hub.sessions[0]


async def until(world: World, session: RealtimeSession, is_true: Callable[[], bool]) -> None:
    """Wait until something is true of a session that changes with its state."""
    changed = asyncio.Event()
    unsubscribe = world.hub.subscribe(lambda _: changed.set())
    async with asyncio.timeout(LIMIT):
        while not is_true():
            changed.clear()
            await changed.wait()
    unsubscribe()
    assert session in world.hub.sessions


async def goodbye(socket: ClientWebSocketResponse) -> tuple[list[dict[str, Any]], int | None]:
    """Return all events until the socket is closed, without the audio, and the close code."""
    events = []
    async with asyncio.timeout(LIMIT):
        while (message := await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            if message.type is WSMsgType.TEXT:
                events.append(message.json())
    return events, socket.close_code


async def happens(world: World, reason: Reason) -> None:
    """Let something happen in Home Assistant."""
    match reason:
        case Reason.UNLOADED:
            await world.hub.close(reason, entry_id="e")
        case Reason.STOPPED:
            await world.view.async_close(reason)
        case Reason.GATEWAY_LOST:
            for backend in world.backends:
                backend.tell(BackendError(reason))
        case _:
            refresh = world.hass.auth.async_validate_access_token(world.token)
            assert refresh is not None
            world.hass.auth.async_remove_refresh_token(refresh)


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        *product([Reason.TOKEN_REVOKED, Reason.UNLOADED, Reason.STOPPED], In),
        *((Reason.GATEWAY_LOST, what) for what in In if what not in (In.STARTING, In.STANDBY)),
    ],
)
async def test_the_satellite_is_told_why_it_ends(world: World, reason: Reason, what: In) -> None:
    """Whatever goes on: the right reason and close code, and nothing is left."""
    async with satellite_that_is(world, what) as (socket, waiting):
        await happens(world, reason)
        events, code = await goodbye(socket)
        async with asyncio.timeout(LIMIT):
            answers = await asyncio.gather(*waiting)
        assert not any(answers)
        await world.nothing_left()
    assert (events[-1]["type"], events[-1]["reason"]) == ("session.ended", reason)
    errors = [event["reason"] for event in events if event["type"] == "error"]
    assert errors == ([] if RULES[reason].code is None else [reason])
    assert code == RULES[reason].close


@pytest.mark.parametrize("is_started", [False, True])
@pytest.mark.parametrize(
    "reason",
    [
        Reason.NO_BACKEND,
        Reason.BACKEND_START_FAILED,
        Reason.PROVIDER_AUTH,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.PIPELINE_ERROR,
        Reason.GATEWAY_LOST,
        Reason.SESSION_EXPIRED,
        Reason.INTERNAL_ERROR,
    ],
)
async def test_what_answers_may_fail(world: World, reason: Reason, is_started: bool) -> None:
    """At its start or later: the satellite is told, with the right code."""
    world.start_failure = None if is_started else reason
    async with world.connected() as socket:
        await configure(socket)
        if is_started:
            assert (await told(socket))["type"] == "session.ready"
            world.backends[0].tell(BackendError(reason))
        events, code = await until_closed(socket)
    assert [event["reason"] for event in events] == [reason] * 2
    assert (events[0]["code"], events[0]["recoverable"]) == (RULES[reason].code, False)
    assert code == RULES[reason].close


@pytest.mark.parametrize("what", In)
@pytest.mark.parametrize("is_polite", [True, False])
async def test_a_satellite_may_just_leave(world: World, is_polite: bool, what: In) -> None:
    """With or without a goodbye."""
    async with satellite_that_is(world, what) as (socket, waiting):
        if is_polite:
            await socket.close()
        else:
            lost = socket._response.connection
            assert lost is not None
            assert lost.transport is not None
            lost.transport.abort()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*waiting)
        await world.nothing_left()


async def test_a_satellite_that_answers_no_ping_has_left(world: World) -> None:
    """It was unplugged: nobody closes the socket."""
    with patch.object(endpoint, "PING_INTERVAL", 0.05):
        async with world.connected(autoping=False) as socket:
            await configure(socket)
            await session_of(world)
            reading = asyncio.create_task(goodbye(socket))
            await world.nothing_left()
            await reading


async def test_a_satellite_that_answers_pings_stays(world: World) -> None:
    """And its own are answered."""
    with patch.object(endpoint, "PING_INTERVAL", 0.2):
        async with world.connected(autoping=False) as socket:
            await configure(socket)
            assert (await told(socket))["type"] == "session.ready"
            for _ in range(3):
                ping = await socket.receive(LIMIT)
                assert ping.type is WSMsgType.PING
                await socket.pong(ping.data)
            await socket.ping(b"there?")
            async with asyncio.timeout(LIMIT):
                while (message := await socket.receive()).type is not WSMsgType.PONG:
                    assert message.type is WSMsgType.PING
            assert message.data == b"there?"
            assert world.hub.sessions


async def test_a_satellite_that_says_nothing_is_sent_away(world: World) -> None:
    """After a while, with a reason."""
    silent = partial(RealtimeSession, limits=SessionLimits(silence=0.02))
    with patch.object(endpoint, "RealtimeSession", silent):
        async with world.session() as socket:
            events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["idle"] * 2, 4408)


@pytest.mark.parametrize("is_standby", [False, True])
async def test_a_satellite_may_send_much_more_than_it_can_hear(
    world: World, is_standby: bool
) -> None:
    """Minutes of audio at once, also before the backend has started; the session goes on."""
    world.starts_when = asyncio.Event()
    async with world.connected() as socket:
        mode = "standby" if is_standby else "conversation"
        await configure(socket, audio=BINARY, mode=mode, satelliteId="k")
        for _ in range(60):
            await socket.send_bytes(bytes(128_000))
        session = await session_of(world)
        world.starts_when.set()
        assert (await told(socket))["type"] == "session.ready"
        await socket.send_json({"type": "session.end"})
        _, code = await until_closed(socket)
    assert code == 1000
    assert session.summary is not None
    if not is_standby:
        heard = len(world.backends[0].heard) / 32_000
        assert heard + session.summary.dropped == pytest.approx(240, abs=0.1)


async def test_audio_may_be_cut_anywhere(world: World) -> None:
    """Odd bytes never shift the samples."""
    async with world.session(audio=BINARY) as socket:
        for size in (1, 2, 3, 0, 5, 1):
            await socket.send_bytes(b"\1\2\1\2\1\2"[size % 2 :][:size])
        await socket.send_json({"type": "session.end"})
        await until_closed(socket)
    assert len(world.backends[0].heard) == 12


@pytest.mark.parametrize("rate", [0, 1, 44_100, "16000", 1e9, True])
async def test_a_wrong_rate_is_refused(world: World, rate: object) -> None:
    """By name; a corrected configuration may follow."""
    async with world.connected() as socket:
        await configure(socket, audio={"sampleRate": rate})
        refused = await told(socket)
        assert (refused["reason"], refused["recoverable"]) == ("invalid_event", True)
        assert "audio.sampleRate" in refused["message"]
        await configure(socket, audio={"sampleRate": 48_000})
        assert (await told(socket))["audio"]["sampleRate"] == 48_000


@pytest.mark.parametrize("what", ["what time is it", "RIFF....WAVE", "\0\1\2"])
async def test_text_is_no_audio(world: World, what: str) -> None:
    """After some of it the session ends."""
    async with world.session(audio=BINARY) as socket:
        for _ in range(3):
            await socket.send_str(what)
        events, code = await until_closed(socket)
    reasons = [event["reason"] for event in events]
    assert reasons == [*["invalid_event"] * 3, "too_many_problems", "too_many_problems"]
    assert code == 1008
    assert world.backends[0].heard == b""


@pytest.mark.parametrize("data", ["no base64!", 5, None, "AAA"])
async def test_audio_has_to_be_base64_in_json(world: World, data: object) -> None:
    """What is none is named."""
    async with world.session() as socket:
        await socket.send_json({"type": "audio.append", "data": data})
        refused = await told(socket)
    assert refused["reason"] == "invalid_event"
    assert "data" in refused["message"]


async def test_a_huge_frame_ends_a_conversation(world: World) -> None:
    """Also of audio."""
    async with world.session(audio=BINARY) as socket:
        await socket.send_bytes(bytes(128 * 1024 + 2))
        events, code = await until_closed(socket)
    assert ([event["reason"] for event in events], code) == (["message_too_large"] * 2, 1009)


async def test_audio_before_the_first_message_is_too_early(world: World) -> None:
    """That is said; JSON in a binary message is read all the same."""
    async with world.connected() as socket:
        await socket.send_bytes(bytes(1920))
        assert (await told(socket))["reason"] == "config_required"
        await socket.send_bytes(b'{"type": "session.config"}')
        assert (await told(socket))["type"] == "session.ready"


async def test_a_conversation_takes_the_place_of_standby(world: World) -> None:
    """And standby its place, when it is over."""
    kitchen = {"satelliteId": "kitchen"}
    async with world.session(mode="standby", **kitchen) as waiting:
        assert (world.hub.total, world.hub.conversations) == (0, ())
        async with world.session(**kitchen) as talking:
            events, code = await until_closed(waiting)
            assert ([event["reason"] for event in events], code) == (["replaced"] * 2, 4409)
            assert len(world.hub.conversations) == 1
            await talking.send_json({"type": "session.end"})
            await until_closed(talking)
    async with world.session(mode="standby", **kitchen):
        assert world.hub.total == 1


async def test_a_satellite_in_standby_answers(world: World) -> None:
    """It is asked something, and says it by voice; then it waits again."""
    async with world.session(mode="standby", audio=BINARY, satelliteId="k") as socket:
        session = world.hub.sessions[0]
        answer = session.hear_answer(start_limit=LIMIT)
        assert await told(socket) == {"type": "listen", "purpose": "answer"}
        for pcm in (b"\xff\x1f\x01\xe0" * 8_000, *[bytes(1920)] * 12):
            await socket.send_bytes(pcm)
        assert await told(socket) == {"type": "listen.ended"}
        assert len([pcm async for pcm in answer]) > 1
        assert session.state is SessionState.IDLE


async def test_a_satellite_that_does_not_say_goodbye_is_not_waited_for(world: World) -> None:
    """It keeps its connection, and reads no more."""
    with patch.object(endpoint, "_CLOSE_LIMIT", 0.02):
        async with world.connected(autoclose=False) as socket:
            await configure(socket)
            await session_of(world)
            await world.view.async_close(Reason.STOPPED)
            await world.nothing_left()


async def test_a_session_that_was_ended_meanwhile_does_not_begin(world: World) -> None:
    """Home Assistant stops while it is found out who answers."""

    async def prepare(*_: object) -> endpoint.Prepared:
        await world.view.async_close(Reason.STOPPED)
        return endpoint.Prepared(info=WHOLE)

    with patch.object(world.view, "_prepare", prepare):
        async with world.connected() as socket:
            await configure(socket)
            events, code = await until_closed(socket)
    assert (events, code) == ([], 1001)
    assert world.hub.total == 0
