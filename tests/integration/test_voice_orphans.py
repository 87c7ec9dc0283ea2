"""What the agent was asked by voice, and nobody waits for at the satellite any more."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from homeassistant.core import Event, callback
import pytest

from custom_components.openclaw_voice.outbox.late_answer import LateStatus
from demo.voice.speech_model import Consult
from tests.fakes.small_gateway import SmallGateway

from .realtime_home import LIMIT, RealtimeHome

QUESTION = "What is the weather like?"
KITCHEN = {"satelliteId": "kitchen-1", "satellite": {"name": "Kitchen satellite"}}


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway whose speech model asks the agent."""
    async with SmallGateway(time_scale=0.2) as gateway:
        yield gateway


@pytest.fixture
def told(realtime: RealtimeHome) -> asyncio.Queue[dict[str, Any]]:
    """Return the late answers automations are told."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @callback
    def take(event: Event[Any]) -> None:
        told.put_nowait(dict(event.data))

    realtime.hass.bus.async_listen("openclaw_voice_late_answer", take)
    return told


async def ask(realtime: RealtimeHome, gateway: SmallGateway, question: str) -> None:
    """Ask the agent something, and leave."""
    mind = gateway.talk.brain.mind
    mind.teach(QUESTION, Consult(question=question))
    mind.expect(QUESTION)
    left = asyncio.Event()
    realtime.hub.subscribe(lambda event: left.set() if event.summary else None)
    async with realtime.session(**KITCHEN) as caller:
        await caller.speak()
        await caller.told("tool.progress")
    async with asyncio.timeout(LIMIT):
        await left.wait()


async def next_of(told: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    """Return the next late answer that has ended."""
    async with asyncio.timeout(LIMIT):
        return await told.get()


async def test_the_answer_comes_later(
    realtime: RealtimeHome, gateway: SmallGateway, told: asyncio.Queue[dict[str, Any]]
) -> None:
    """To the satellite that has left, when it is there again."""
    entry = await realtime.add(gateway)
    await ask(realtime, gateway, "MODEL:SLOW 20 5")

    answer = await next_of(told)

    assert (answer["status"], answer["text"]) == ("answered", "word1 word2 word3 word4 word5")
    satellite = entry.runtime_data.satellites.get("kitchen-1")
    assert answer["satellite"] == satellite.entity_id(realtime.hass)


async def test_the_answer_outlives_a_lost_connection(
    realtime: RealtimeHome, gateway: SmallGateway, told: asyncio.Queue[dict[str, Any]]
) -> None:
    """The session that was kept for it is gone; the agent has gone on."""
    await realtime.add(gateway)
    await ask(realtime, gateway, "MODEL:SLOW 500 5")

    await gateway.drop()

    assert (await next_of(told))["status"] == "answered"


async def test_the_answer_outlives_a_restart(
    realtime: RealtimeHome, gateway: SmallGateway, told: asyncio.Queue[dict[str, Any]]
) -> None:
    """As the entry is set up again, it is found."""
    entry = await realtime.add(gateway)
    await ask(realtime, gateway, "MODEL:SLOW 500 5")

    assert await realtime.hass.config_entries.async_reload(entry.entry_id)

    answer = await next_of(told)
    assert (answer["status"], answer["text"]) == ("answered", "word1 word2 word3 word4 word5")
    assert gateway.received("talk.session.close") == []


async def test_the_agent_was_stopped_meanwhile(
    realtime: RealtimeHome, gateway: SmallGateway, told: asyncio.Queue[dict[str, Any]]
) -> None:
    """By the gateway, when it ended the session: people are told that nothing comes."""
    entry = await realtime.add(gateway)
    await ask(realtime, gateway, "MODEL:HANG 30")
    (owed,) = entry.runtime_data.outbox.all()
    assert await realtime.hass.config_entries.async_unload(entry.entry_id)
    gateway.talk._abort_consults(gateway.talk.line)

    assert await realtime.hass.config_entries.async_setup(entry.entry_id)

    answer = await next_of(told)
    assert (answer["id"], answer["status"], answer["error"]) == (owed.id, "failed", "run_lost")
    waiting = entry.runtime_data.outbox.get(owed.id)
    assert waiting is not None
    assert waiting.status is LateStatus.WAITING
