"""Pipelines whose engines do what a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from homeassistant.components import tts
from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
import pytest

from ..support import WAIT_LIMIT
from .engines import (
    Ear,
    FlowingMouth,
    Mind,
    WholeMouth,
    add_engines,
    add_pipeline,
    set_up_voice,
)
from .talk import Talk


@pytest.fixture
async def home(
    hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HomeAssistant:
    """Return a Home Assistant with pipelines."""
    await set_up_voice(hass, tmp_path, monkeypatch)
    return hass


@pytest.fixture
async def ear(home: HomeAssistant) -> Ear:
    """Return an engine that hears."""
    await add_engines(home, ear := Ear())
    return ear


@pytest.fixture
async def mind(home: HomeAssistant) -> Mind:
    """Return an agent."""
    await add_engines(home, mind := Mind())
    return mind


@pytest.fixture(params=[WholeMouth, FlowingMouth])
async def mouth(home: HomeAssistant, request: pytest.FixtureRequest) -> WholeMouth | FlowingMouth:
    """Return an engine that speaks, of either kind."""
    mouth: WholeMouth | FlowingMouth = request.param()
    await add_engines(home, mouth)
    return mouth


@pytest.fixture
async def pipeline(home: HomeAssistant, ear: Ear, mind: Mind, mouth: WholeMouth) -> str:
    """Return the id of a pipeline with these."""
    return await add_pipeline(home)


@pytest.fixture
async def make(home: HomeAssistant, pipeline: str) -> AsyncGenerator[Callable[..., Talk]]:
    """Return what makes sessions; whatever they are in when a test ends, nothing of them stays."""
    made: list[Talk] = []

    def make(**options: object) -> Talk:
        made.append(Talk(home, **options))
        return made[-1]

    yield make
    for talk in made:
        await talk.backend.close()
        await talk.backend.close()
        if talk._listener is not None:
            await talk.ended()
    async with asyncio.timeout(WAIT_LIMIT):
        await home.async_block_till_done(wait_background_tasks=True)
    assert not any(home.data[KEY_ASSIST_PIPELINE].pipeline_runs._pipeline_runs.values())
    assert not home.data[tts.DATA_TTS_MANAGER].token_to_stream


@pytest.fixture
async def talk(make: Callable[..., Talk]) -> Talk:
    """Return a session that has started."""
    talk = make()
    await talk.start()
    return talk
