"""Which backend answers."""

import asyncio

import pytest

from custom_components.openclaw_voice.realtime.backend import BackendError
from custom_components.openclaw_voice.realtime.backend_choice import FELL_BACK, start_first

from .scripted import INFO, ScriptedBackend


async def test_the_first_that_starts_answers() -> None:
    """Those before it are closed, and told of."""
    first, second = ScriptedBackend(), ScriptedBackend()
    first.fails_to_start = "provider_auth"
    failures: list[BackendError] = []
    backend, info = await start_first([lambda: first, lambda: second], on_failure=failures.append)
    assert backend is second
    assert info.notes == (*INFO.notes, FELL_BACK)
    assert first.is_closed.is_set()
    assert [failure.reason for failure in failures] == ["provider_auth"]


async def test_the_preferred_one_needs_no_note() -> None:
    """Nothing went wrong."""
    first = ScriptedBackend()
    assert await start_first([lambda: first], on_failure=lambda _: None) == (first, INFO)
    assert not first.is_closed.is_set()


@pytest.mark.parametrize(("count", "reason"), [(0, "no_backend"), (1, "provider_auth")])
async def test_none_may_be_able_to(count: int, reason: str) -> None:
    """The last one says why."""
    first = ScriptedBackend()
    first.fails_to_start = "provider_auth"
    with pytest.raises(BackendError) as failure:
        await start_first([lambda: first] * count, on_failure=lambda _: None)
    assert failure.value.reason == reason


async def test_a_start_that_is_cancelled_is_undone() -> None:
    """The satellite has left."""
    first = ScriptedBackend()
    first.starts_when.clear()
    task = asyncio.create_task(start_first([lambda: first], on_failure=lambda _: None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert first.is_closed.is_set()
