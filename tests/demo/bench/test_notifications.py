"""A gateway that has a lot to say, and how the bench counts what becomes of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.cron import CronRun
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from demo.bench import loud_gateway
from demo.bench.loud_gateway import LoudGateway
from demo.bench.notifications import Heard
from demo.process import DemoError

from .test_figures import ROWS, TELLER, row


@pytest.mark.usefixtures("socket_enabled")
async def test_our_client_understands_the_loud_gateway() -> None:
    """It can be set up, refuses what it does not know, and tells all in order, without gaps."""
    texts = [f"Message {number}" for number in range(50)]
    heard: list[str] = []
    last = asyncio.Event()

    def take(event: GatewayEvent) -> None:
        run = CronRun.from_event(event.payload)
        assert run is not None
        assert not run.is_system
        heard.append(run.text)
        if len(heard) == len(texts):
            last.set()

    async with LoudGateway.served() as gateway, asyncio.timeout(10):
        client = GatewayClient(
            ConnectionSettings(
                url=gateway.url,
                credentials=Credentials(secret="loud"),
                identity=DeviceIdentity.create(),
                client_version="1",
            )
        )
        running = asyncio.create_task(client.run())
        await client.wait_ready(5)
        client.subscribe_events(take)
        assert (await client.status.agents()).default_id == "main"
        assert await client.status.gateway_id() == loud_gateway.GATEWAY_ID
        await gateway.tell(texts, seconds=0.05)
        await last.wait()
        assert not client.connection.anomalies
        await client.stop()
        await running
    assert heard == texts


@pytest.mark.usefixtures("socket_enabled")
async def test_a_loud_gateway_speaks_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """When Home Assistant does not come, the bench ends."""
    monkeypatch.setattr(loud_gateway, "CLIENT_LIMIT", 0.01)
    async with LoudGateway.served() as gateway:
        with pytest.raises(DemoError, match="not connected"):
            await gateway.tell(["Hello"], seconds=0)


@pytest.mark.parametrize(
    ("texts", "lost", "repeated", "is_in_order"),
    [
        (["a", "b", "c"], 0, 0, True),
        (["a", "c", "b"], 0, 0, False),
        (["a", "c"], 1, 0, False),
        (["a", "b", "b", "c"], 0, 1, False),
        ([], 3, 0, False),
    ],
)
def test_what_became_of_all_is_counted(
    texts: list[str], lost: int, repeated: int, is_in_order: bool
) -> None:
    """Events of other entries are not."""
    heard = Heard("entry-1")
    heard.take({"entry_id": "entry-2", "message": "a"})
    for text in texts:
        heard.take({"entry_id": "entry-1", "message": text})
    rows: list[Mapping[str, Any]] = [ROWS[0], row(TELLER.owner, 0.0015)]
    burst = heard.burst(["a", "b", "c"], rows, start=0.0, last_sent_at=heard.at + 1)
    assert (burst.lost, burst.repeated, burst.is_in_order) == (lost, repeated, is_in_order)
    assert (burst.sent, burst.behind_s) == (3, 0.0)
