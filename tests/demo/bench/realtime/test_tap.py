"""A port that notes what passes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from demo.bench.realtime.tap import Tap
from demo.process import DemoError, free_port

pytestmark = pytest.mark.usefixtures("socket_enabled")

SOUND = '{"method": "talk.session.appendAudio"}'


async def echo(socket: ServerConnection) -> None:
    """Say what is heard."""
    async for message in socket:
        await socket.send(message)


@asynccontextmanager
async def echoing() -> AsyncGenerator[Tap]:
    """Serve an echo behind a tap."""
    async with (
        serve(echo, "127.0.0.1", 0, compression=None) as server,
        Tap(next(iter(server.sockets)).getsockname()[1]) as tap,
    ):
        yield tap


async def test_what_passes_is_noted_both_ways() -> None:
    """A client and a server behind it notice nothing."""
    async with echoing() as tap:
        async with connect(f"ws://127.0.0.1:{tap.port}", compression=None, proxy=None) as socket:
            for text in (SOUND, "x" * 100_000):
                await socket.send(text)
                assert await socket.recv() == text
        taken = tap.since(0)
        up, down = list(taken.messages_up()), list(taken.messages_down())
    assert [message.payload for message in up] == [message.payload for message in down]
    assert [len(message.payload) for message in up][:2] == [len(SOUND), 100_000]
    assert all(one.at <= other.at for one, other in zip(up, down, strict=True))


async def test_the_one_connection_with_sound_is_found() -> None:
    """Others may come and go meanwhile."""
    async with echoing() as tap:
        for text in ("nothing", SOUND, SOUND):
            url = f"ws://127.0.0.1:{tap.port}"
            async with connect(url, compression=None, proxy=None) as socket:
                await socket.send(text)
                await socket.recv()
        assert tap.since(2) is tap.connections[2]
        for count in (0, 3):
            with pytest.raises(DemoError, match="connections have carried sound"):
                tap.since(count)


async def test_without_a_target_nothing_stays_open() -> None:
    """Whoever connects is hung up on."""
    async with Tap(free_port()) as tap, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
        writer.write(b"hello")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_what_is_open_ends_with_the_tap() -> None:
    """Both ends are told."""
    async with (
        asyncio.timeout(5),
        echoing() as tap,
        connect(f"ws://127.0.0.1:{tap.port}", compression=None, proxy=None) as socket,
    ):
        await socket.send(SOUND)
        await socket.recv()
        await tap.__aexit__()
        await socket.wait_closed()
