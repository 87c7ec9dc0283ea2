"""What tests of spoken turns have in common."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from homeassistant.core import Event, HomeAssistant, callback

from .support import WAIT_LIMIT

KITCHEN: Final = "assist_satellite.kitchen"
IMPATIENT: Final = {"main": {"patience": 0.1}}
"""Options of an agent whose turns are handed over soon; see `impatience`."""

LATE_ANSWER: Final = "openclaw_voice_late_answer"


@asynccontextmanager
async def late_answer(hass: HomeAssistant) -> AsyncGenerator[dict[str, Any]]:
    """Run the block, then wait for a late answer; its data is in the dictionary afterwards."""
    data: dict[str, Any] = {}
    came = asyncio.Event()

    @callback
    def take(event: Event[Any]) -> None:
        data.update(event.data)
        came.set()

    stop = hass.bus.async_listen(LATE_ANSWER, take)
    try:
        yield data
        async with asyncio.timeout(WAIT_LIMIT):
            await came.wait()
    finally:
        stop()
