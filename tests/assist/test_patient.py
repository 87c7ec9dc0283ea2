"""Waiting for an item can be given up without losing it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from custom_components.openclaw_voice.assist.patient import PatientItems


class Source:
    """An iteration whose items come when the test wants."""

    def __init__(self) -> None:
        """Nothing there yet."""
        self.queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.is_cancelled = self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield texts, raise errors, end at None."""
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        finally:
            self.is_closed = True


def now() -> float:
    """Return the loop time."""
    return asyncio.get_running_loop().time()


async def test_what_is_there_is_taken_without_a_wait() -> None:
    """Nothing slows an answer that comes quickly."""
    source = Source()
    items = PatientItems(source)
    source.queue.put_nowait("a")
    assert await items.wait(now() - 1)
    assert await anext(items) == "a"


@pytest.mark.parametrize("until", [float("inf"), None])
async def test_an_item_is_waited_for(until: float | None) -> None:
    """It wakes whoever waits."""
    source = Source()
    items = PatientItems(source)
    asyncio.get_running_loop().call_soon(source.queue.put_nowait, "a")
    assert await items.wait(until)
    assert await anext(items) == "a"


async def test_a_wait_that_is_given_up_loses_nothing() -> None:
    """Whoever goes on with the iteration gets the item that came next, and all after it."""
    source = Source()
    items = PatientItems(source)
    assert not await items.wait(now() + 0.01)
    assert not items.has_ended
    for item in ("a", "b", None):
        source.queue.put_nowait(item)
    assert [item async for item in items] == ["a", "b"]
    assert not source.is_cancelled


async def test_an_end_is_something_that_came() -> None:
    """The wait is over, and iterating says why."""
    source = Source()
    items = PatientItems(source)
    source.queue.put_nowait(None)
    assert await items.wait(now() + 10)
    with pytest.raises(StopAsyncIteration):
        await anext(items)
    assert items.has_ended


async def test_an_error_is_raised_where_the_item_is_taken() -> None:
    """The wait itself does not fail."""
    source = Source()
    items = PatientItems(source)
    source.queue.put_nowait(ValueError("x"))
    assert await items.wait(now() + 10)
    with pytest.raises(ValueError, match="x"):
        await anext(items)
    assert items.has_ended


async def test_a_wait_can_be_ended_from_outside() -> None:
    """For whoever must leave at once."""
    source = Source()
    items = PatientItems(source)
    asyncio.get_running_loop().call_soon(items.wake)
    assert not await items.wait(now() + 10)
    source.queue.put_nowait("a")
    assert await items.wait(now() + 10)


async def test_a_cancelled_wait_keeps_the_iteration_going() -> None:
    """A turn that is cancelled may still hand its run over."""
    source = Source()
    items = PatientItems(source)
    waiting = asyncio.create_task(items.wait(now() + 10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    source.queue.put_nowait("a")
    assert await anext(items) == "a"


async def test_closing_ends_the_iteration() -> None:
    """No task is left behind, and closing again is no harm."""
    source = Source()
    items = PatientItems(source)
    assert not await items.wait(now())
    await items.aclose()
    await items.aclose()
    assert source.is_cancelled


@pytest.mark.parametrize("item", ["a", ValueError("x")], ids=["an item", "an error"])
async def test_closing_forgets_what_was_taken_ahead(item: str | Exception) -> None:
    """Also an error nobody will ask for."""
    source = Source()
    items = PatientItems(source)
    source.queue.put_nowait(item)
    assert await items.wait(now() + 10)
    await items.aclose()
    assert source.is_closed
    assert not source.is_cancelled


async def test_closing_closes_any_iteration() -> None:
    """One that is no generator has nothing to close."""

    class Endless:
        def __aiter__(self) -> Endless:
            return self

        async def __anext__(self) -> str:
            return "a"

    items = PatientItems(Endless())
    assert await anext(items) == "a"
    await items.aclose()


async def test_cancelling_whoever_iterates_ends_the_iteration() -> None:
    """As without this class."""
    source = Source()
    items = PatientItems(source)

    async def take() -> str:
        return await anext(items)

    taking = asyncio.create_task(take())
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert source.is_cancelled
