"""Which pipeline and which voice answer, and what the backend can do."""

from collections.abc import Callable
from dataclasses import replace

from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.realtime.assist_backend import SILENCE
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendName,
    TurnDetection,
    TurnEnded,
    TurnMode,
)
from custom_components.openclaw_voice.realtime.pipelines import async_agent_of

from .engines import (
    MIND,
    Ear,
    Mind,
    WholeMouth,
    add_engines,
    add_pipeline,
)
from .talk import Talk


async def test_the_pipeline_of_the_agent_is_taken(
    home: HomeAssistant, ear: Ear, mind: Mind, mouth: WholeMouth
) -> None:
    """The first of them that hears and speaks, whichever is preferred."""
    other = Mind("conversation.other")
    await add_engines(home, other)
    await add_pipeline(home, stt_engine=None)
    await add_pipeline(home, conversation_engine="conversation.other")
    ours = await add_pipeline(home)
    await add_pipeline(home)
    talk = Talk(home)
    info = await talk.start()
    assert info == replace(
        info, name=BackendName.ASSIST, input_rate=16_000, output_rate=24_000, notes=()
    )
    assert talk.backend.agent == MIND
    assert talk.backend._settings.pipeline_id == ours
    await talk.backend.close()


@pytest.mark.parametrize("is_named", [True, False])
async def test_another_pipeline_answers_with_its_own_agent(
    home: HomeAssistant, ear: Ear, mind: Mind, mouth: WholeMouth, *, is_named: bool
) -> None:
    """The one that is named, or the preferred one if no other has the agent: with a note."""
    other = Mind("conversation.other")
    await add_engines(home, other)
    theirs = await add_pipeline(home, conversation_engine="conversation.other")
    if is_named:
        await add_pipeline(home)
    else:
        home.data[KEY_ASSIST_PIPELINE].pipeline_store.async_set_preferred_item(theirs)
    talk = Talk(home, pipeline_id=theirs if is_named else None)
    info = await talk.start()
    assert info.notes == ("pipeline_agent_answers",)
    assert talk.backend.agent == "conversation.other"
    talk.ask()
    await talk.hears(TurnEnded)
    assert (len(other.asked), len(mind.asked)) == (1, 0)
    await talk.backend.close()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"stt_engine": None}, "no_backend"),
        ({"tts_engine": None}, "no_backend"),
        ({"stt_engine": "stt.gone"}, "backend_start_failed"),
        ({"tts_engine": "tts.gone"}, "backend_start_failed"),
        ({"tts_language": "fr"}, "backend_start_failed"),
        ({"conversation_engine": "conversation.gone"}, "backend_start_failed"),
    ],
)
async def test_a_pipeline_that_cannot_talk_does_not_start(
    home: HomeAssistant,
    ear: Ear,
    mind: Mind,
    mouth: WholeMouth,
    *,
    fields: dict[str, str | None],
    reason: str,
) -> None:
    """Whoever wanted it is told before it says anything."""
    pipeline_id = await add_pipeline(home, **fields)
    with pytest.raises(BackendError) as raised:
        await Talk(home, pipeline_id=pipeline_id).start()
    assert raised.value.reason == reason


async def test_without_pipelines_there_is_no_backend(hass: HomeAssistant) -> None:
    """Nor an agent of one."""
    with pytest.raises(BackendError, match="no_backend"):
        await Talk(hass).start()
    assert async_agent_of(hass, "any") is None


async def test_a_pipeline_that_is_not_there_is_no_backend(home: HomeAssistant) -> None:
    """The satellite named it."""
    with pytest.raises(BackendError, match="no_backend"):
        await Talk(home, pipeline_id="gone").start()


@pytest.mark.parametrize(
    ("wanted", "spoken", "notes"),
    [(None, "ben", ()), ("ada", "ada", ()), ("Zephyr", "ben", ("voice_unavailable",))],
)
async def test_the_voice_may_be_chosen(
    home: HomeAssistant,
    ear: Ear,
    mind: Mind,
    mouth: WholeMouth,
    *,
    wanted: str | None,
    spoken: str,
    notes: tuple[str, ...],
) -> None:
    """Where the engine has it; old satellites name one that only another provider has."""
    pipeline_id = await add_pipeline(home, tts_voice="ben")
    talk = Talk(home, pipeline_id=pipeline_id, voice=wanted)
    assert (await talk.start()).notes == notes
    talk.ask()
    await talk.hears(TurnEnded)
    assert mouth.voices == [spoken]
    await talk.backend.close()


@pytest.mark.parametrize(
    ("detection", "silence"),
    [
        (TurnDetection(), SILENCE),
        (TurnDetection(silence=0.9), 0.9),
        (TurnDetection(mode=TurnMode.MANUAL), None),
    ],
)
async def test_it_says_how_much_silence_ends_an_utterance(
    make: Callable[..., Talk], detection: TurnDetection, silence: float | None
) -> None:
    """None where somebody says so."""
    assert (await make(turn_detection=detection).start()).silence == silence


async def test_what_this_backend_cannot_do(talk: Talk) -> None:
    """It says so, or does nothing."""
    talk.backend.played("a-mark")
    talk.backend.drained()
    await talk.backend.tool_result("call-1", "done")
    with pytest.raises(BackendError) as raised:
        await talk.backend.steer("Faster!", None)
    assert raised.value.is_recoverable
