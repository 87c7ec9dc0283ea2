"""The reference satellite at the real endpoint: both sides of the protocol, without anybody between."""

import asyncio
from collections.abc import AsyncGenerator
import io

from homeassistant.core import HomeAssistant
import numpy as np
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.realtime.backend import (
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from demo.satellite.client import Report
from demo.satellite.main import talk
from demo.satellite.microphone import Questions
from demo.satellite.protocol import Options
from demo.satellite.screen import Screen
from demo.satellite.speaker import Recording

from .realtime_world import LIMIT, World, world_of

RATE = 16_000
SPEED = 50
"""How much faster than people the satellite lives."""


@pytest.fixture
async def world(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> AsyncGenerator[World]:
    """Return the endpoint."""
    async with world_of(hass, hass_client_no_auth, hass_access_token) as made:
        yield made


def loud(seconds: float) -> bytes:
    """Return something that somebody says."""
    noise = np.random.default_rng(1).normal(0, 4_000, round(seconds * RATE))
    return noise.astype("<i2").tobytes()


class Client:
    """The reference satellite, at work."""

    def __init__(self, world: World, options: Options, *questions: bytes) -> None:
        """Begin to talk."""
        self.heard = Recording()
        self._world = world
        self._task = asyncio.create_task(self._talk(options, questions))

    async def _talk(self, options: Options, questions: tuple[bytes, ...]) -> Report:
        return await talk(
            await self._world.address(),
            self._world.token,
            options,
            microphone=Questions(list(questions), RATE, speed=SPEED),
            sink=self.heard,
            screen=Screen(io.StringIO()),
            speed=SPEED,
        )

    async def ended(self) -> Report:
        """Wait for the end, and return what it came to."""
        async with asyncio.timeout(LIMIT):
            return await self._task


@pytest.mark.parametrize("is_binary", [True, False])
async def test_it_talks(world: World, is_binary: bool) -> None:
    """What is said arrives, and the answer is heard to its last sample."""
    options = Options(rate=RATE, satellite_id="desk", cancels_echo=True, is_binary=is_binary)
    question, answer = loud(0.5), loud(0.7)
    client = Client(world, options, question)
    session = await world.ready()
    backend = world.backends[0]
    await backend.until_heard(question)
    backend.tell(
        TurnStarted(turn_id="t"),
        SpeechEnded(turn_id="t"),
        Transcript(speaker=Speaker.USER, text="What time is it?", is_final=True),
        ResponseStarted(turn_id="t"),
        Transcript(speaker=Speaker.ASSISTANT, text="Nine.", is_final=True),
        OutputAudio(turn_id="t", pcm=answer, mark="m"),
        OutputEnded(turn_id="t"),
        TurnEnded(turn_id="t"),
    )
    report = await client.ended()
    assert bytes(client.heard.samples) == answer
    assert [(turn.user, turn.assistant) for turn in report.turns] == [("What time is it?", "Nine.")]
    assert (report.reason, report.close_code) == ("client_ended", 1000)
    assert backend.calls == [("played", "m"), ("drained",)]
    assert session.summary is not None
    assert session.summary.turns == 1


async def test_it_stands_by(world: World) -> None:
    """It is told something, asked something, and then to talk with somebody."""
    options = Options(rate=RATE, satellite_id="desk", is_standby=True, cancels_echo=True)
    client = Client(world, options, loud(0.6))
    session = await world.ready()
    question = loud(0.3)
    async with asyncio.timeout(LIMIT):
        assert await session.announce("Tea?", question, RATE)
        said = b"".join([pcm async for pcm in session.hear_answer()])
    assert loud(0.6) in said
    session.ask_to_listen()
    report = await client.ended()
    assert bytes(client.heard.samples) == question
    assert (report.announcements, report.wants_to_talk) == (["Tea?"], True)
    assert (report.reason, report.close_code) == ("client_ended", 1000)
