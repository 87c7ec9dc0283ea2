"""Whether Home Assistant is told everything when a gateway says a lot on its own, and how soon."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
import time
from typing import Any, Final

from ..client import HomeAssistantClient
from ..config_flow import run_config_flow
from ..home_assistant import DOMAIN
from .figures import NotificationBurst, longest_burst_blocks
from .loud_gateway import LoudGateway

EVENT: Final = "openclaw_voice_notification"
SENT: Final = 1_000
SECONDS: Final = 10.0

ARRIVAL_LIMIT: Final = 60.0
"""Seconds to wait for what is still missing when the gateway has told its last one."""

type JsonObject = dict[str, Any]


class Heard:
    """The texts of the bus events of one entry, in their order."""

    def __init__(self, entry_id: str) -> None:
        """Nothing was heard."""
        self.texts: list[str] = []
        self.at = 0.0
        """When the last one came, on the clock of `time.perf_counter`."""

        self._entry_id = entry_id

    def take(self, data: JsonObject) -> None:
        """Take the data of an event."""
        if data["entry_id"] == self._entry_id:
            self.texts.append(str(data["message"]))
            self.at = time.perf_counter()

    def burst(
        self,
        sent: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        *,
        start: float,
        last_sent_at: float,
    ) -> NotificationBurst:
        """Return what became of what was sent."""
        our_block, any_block = longest_burst_blocks(rows)
        return NotificationBurst(
            sent=len(sent),
            lost=len({*sent} - {*self.texts}),
            repeated=len(self.texts) - len({*self.texts}),
            is_in_order=self.texts == [*sent],
            seconds=self.at - start,
            behind_s=max(0.0, self.at - last_sent_at),
            our_block=our_block,
            any_block=any_block,
        )


async def measure_notifications(
    probe: HomeAssistantClient, listener: HomeAssistantClient
) -> tuple[NotificationBurst, NotificationBurst]:
    """Add a loud gateway, let it speak slowly and then at once, and remove it again.

    Args:
        probe: Runs commands.
        listener: Takes the events; it can be used for nothing else afterwards.

    Raises:
        DemoError: The gateway could not be added, or the probe has not seen our code.
    """
    async with LoudGateway.served() as gateway:
        answers = {"user": {"url": gateway.url, "token": "loud"}}
        result = await run_config_flow(probe, DOMAIN, answers, lambda _: None)
        entry_id: str = result["result"]["entry_id"]
        try:
            await probe.wait_for_entry(entry_id, "loaded")
            async with aclosing(await listener.subscribe(EVENT)) as events:
                texts = [f"Message {number} of a day" for number in range(SENT)]
                paced = await _measure(probe, events, gateway, entry_id, texts, seconds=SECONDS)
                texts = [f"Message {number} at once" for number in range(SENT)]
                burst = await _measure(probe, events, gateway, entry_id, texts, seconds=0.0)
        finally:
            await probe.rest("DELETE", f"/api/config/config_entries/entry/{entry_id}")
    return paced, burst


async def _measure(
    probe: HomeAssistantClient,
    events: AsyncIterator[JsonObject],
    gateway: LoudGateway,
    entry_id: str,
    texts: list[str],
    *,
    seconds: float,
) -> NotificationBurst:
    heard = Heard(entry_id)

    async def listen() -> None:
        while len(heard.texts) < len(texts):
            heard.take(await anext(events))

    await probe.call("loop_probe/start")
    listening = asyncio.create_task(listen(), name="bench listener")
    start = time.perf_counter()
    await gateway.tell(texts, seconds=seconds)
    last_sent_at = time.perf_counter()
    await asyncio.wait({listening}, timeout=ARRIVAL_LIMIT)
    rows: list[Mapping[str, Any]] = await probe.call("loop_probe/stop")
    if not listening.done():
        listening.cancel()
    return heard.burst(texts, rows, start=start, last_sent_at=last_sent_at)
