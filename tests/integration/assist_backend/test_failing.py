"""What fails is told, and not tried forever."""

import asyncio
from collections.abc import AsyncGenerator

from homeassistant.components import tts
from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.realtime import tts_output
from custom_components.openclaw_voice.realtime.backend import (
    Problem,
    Transcript,
    TurnEnded,
    TurnStarted,
)

from .engines import (
    Ear,
    Mind,
    WholeMouth,
    add_pipeline,
)
from .talk import Talk, quiet, says


async def test_three_failures_in_a_row_end_the_session(talk: Talk, mind: Mind) -> None:
    """Each is told; a turn that goes well begins the count anew."""
    mind.error = ValueError("secret")
    for count in (1, 2):
        talk.ask()
        await talk.hears(Problem, count)
        talk.backend.drained()
    mind.error = None
    talk.ask()
    await talk.hears(TurnEnded, 3)
    mind.error = ValueError("secret")
    for count in (3, 4):
        talk.backend.drained()
        talk.ask()
        await talk.hears(Problem, count)
    talk.backend.drained()
    assert all(problem.error.is_recoverable for problem in talk.all_of(Problem))
    talk.ask()
    error = await talk.ended()
    assert error is not None
    assert (error.reason, error.is_recoverable) == ("pipeline_error", False)


async def test_a_pipeline_that_cannot_run_fails_once_for_a_question(
    talk: Talk, home: HomeAssistant, pipeline: str, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    """However long the question is, and whether or not the pipeline is still there."""
    store = home.data[KEY_ASSIST_PIPELINE].pipeline_store
    other = await add_pipeline(home)
    store.async_set_preferred_item(other)
    await store.async_delete_item(pipeline)
    talk.hear(quiet(0.2), says(1))
    await home.async_block_till_done()
    talk.hear(says(4), quiet(0.6))
    await talk.hears(Problem)
    assert len(talk.all_of(TurnStarted)) == len(talk.all_of(Problem)) == 1
    assert "PipelineNotFound" in caplog.text


async def test_hearing_nothing_is_no_error(talk: Talk, ear: Ear, mind: Mind) -> None:
    """Somebody has coughed; four times are no failure."""
    ear.text = ""
    for count in range(1, 5):
        talk.ask()
        await talk.hears(TurnEnded, count)
    assert not talk.all_of(Problem) + talk.all_of(Transcript)
    assert not mind.asked


async def test_an_engine_that_cannot_hear_is_an_error(talk: Talk, ear: Ear) -> None:
    """The user is told, and may try again."""
    ear.error = ValueError("broken")
    talk.ask()
    problem = await talk.hears(Problem)
    assert isinstance(problem, Problem)
    assert str(problem.error) == "pipeline_error"


async def test_an_engine_that_cannot_speak_is_an_error(
    talk: Talk, mouth: WholeMouth, caplog: pytest.LogCaptureFixture
) -> None:
    """What it should have said is not in the log."""
    mouth.error = ValueError("broken")
    talk.ask()
    await talk.hears(Problem)
    assert talk.all_of(Transcript)[-1].is_final
    ours = [record for record in caplog.records if "openclaw_voice" in record.name]
    assert not [record for record in ours if "zwölf" in record.getMessage()]


async def test_an_engine_that_stalls_is_an_error(
    talk: Talk, mouth: WholeMouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence that never comes is waited for no longer than it may take."""
    monkeypatch.setattr(tts_output, "STALL_LIMIT", 0.01)
    stuck = asyncio.Event()

    async def stall(self: tts.ResultStream) -> AsyncGenerator[bytes]:
        await stuck.wait()
        yield b""

    monkeypatch.setattr(tts.ResultStream, "async_stream_result", stall)
    talk.ask()
    await talk.hears(Problem)


async def test_an_engine_that_is_gone_is_an_error(
    talk: Talk, home: HomeAssistant, mouth: WholeMouth
) -> None:
    """Before the agent was asked, so that nobody thinks in vain."""
    await mouth.async_remove()
    talk.ask()
    await talk.hears(Problem)
