"""What the probe sees of an event loop."""

import asyncio
from collections.abc import Iterator
import time

import pytest

from demo.bench.loop_probe.callback_timer import CallbackTimer, Row

BUSY_SECONDS = 0.02


@pytest.fixture
def timer() -> Iterator[CallbackTimer]:
    """Return a timer that times."""
    timer = CallbackTimer()
    timer.start()
    yield timer
    timer.stop()


def keep_busy() -> None:
    """Hold up the loop."""
    end = time.perf_counter() + BUSY_SECONDS
    while time.perf_counter() < end:
        pass


def owned_by(rows: list[Row], owner: str) -> Row:
    """Return the row of an owner."""
    return next(row for row in rows if row["owner"] == owner)


async def test_a_task_is_known_by_its_name_and_coroutine(timer: CallbackTimer) -> None:
    """Its longest step counts, with the processor's part of it."""

    async def work() -> None:
        await asyncio.sleep(0)
        keep_busy()

    await asyncio.create_task(work(), name="our task")

    row = owned_by(timer.stop(), f"task our task {work.__qualname__}")
    assert row["count"] == 2
    assert row["longest"] >= BUSY_SECONDS
    assert row["cpu_of_longest"] > 0


async def test_a_function_is_known_by_its_name(timer: CallbackTimer) -> None:
    """Timers and what is called soon have no task."""
    asyncio.get_running_loop().call_soon(keep_busy)
    await asyncio.sleep(0)
    assert owned_by(timer.stop(), "callback keep_busy")["count"] == 1


async def test_what_reads_a_socket_is_known_by_its_protocol(
    timer: CallbackTimer, socket_enabled: None
) -> None:
    """Reading happens outside of tasks."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()

    assert owned_by(timer.stop(), "protocol asyncio.streams.StreamReaderProtocol")["count"] > 0


async def test_nothing_is_timed_before_and_after(timer: CallbackTimer) -> None:
    """The probe costs nothing while nobody measures, and forgets what was."""
    timer.stop()
    timer.start()
    timer.stop()
    asyncio.get_running_loop().call_soon(keep_busy)
    await asyncio.sleep(0)
    assert all(row["owner"] != "callback keep_busy" for row in timer.stop())
