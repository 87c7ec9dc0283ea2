"""What is asked is answered, and spoken while the answer is still being given."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from homeassistant.components import tts
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
import pytest

from custom_components.openclaw_voice.realtime.assist_backend import MAX_NOTES
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    OutputAudio,
    OutputEnded,
    Problem,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnEnded,
    TurnStarted,
)

from ..support import WAIT_LIMIT
from .engines import (
    PAUSE,
    Ear,
    FlowingMouth,
    Mind,
    WholeMouth,
    sound_of,
    wav,
)
from .talk import Talk, flowing, quiet, says, whole


async def test_a_question_is_heard_understood_answered_and_spoken(
    talk: Talk, ear: Ear, mind: Mind
) -> None:
    """In this order, once each."""
    talk.ask()
    await talk.hears(TurnEnded)
    kinds = [type(event) for event in talk.events if not isinstance(event, OutputAudio)]
    order = [
        TurnStarted,
        SpeechEnded,
        Transcript,
        ResponseStarted,
        Transcript,
        Transcript,
        OutputEnded,
        TurnEnded,
    ]
    assert kinds == order
    assert talk.all_of(TurnStarted) == [TurnStarted(turn_id="turn-1")]
    asked, *answered = talk.all_of(Transcript)
    assert asked == Transcript(speaker=Speaker.USER, text="Wie spät ist es?", is_final=True)
    assert answered == [
        Transcript(speaker=Speaker.ASSISTANT, text="Es ist zwölf."),
        Transcript(speaker=Speaker.ASSISTANT, text="Es ist zwölf.", is_final=True),
    ]
    assert talk.spoken == "Es ist zwölf."
    [heard] = ear.heard
    assert says(0.6) in heard
    assert len(heard) < len(quiet(1.5))


async def test_engines_are_told_who_asks_and_where(make: Callable[..., Talk], mind: Mind) -> None:
    """And all turns of a session are one conversation."""
    user = Context()
    talk = make(
        user=user,
        device_id="a-device",
        satellite_id="assist_satellite.kitchen",
        conversation_id="our-own",
        context="Spoken by Ada.",
    )
    await talk.start()
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    first, second = mind.asked
    assert first.context is user
    assert first.device_id == "a-device"
    assert first.satellite_id == "assist_satellite.kitchen"
    assert first.extra_system_prompt == "Spoken by Ada."
    assert first.conversation_id == second.conversation_id == "our-own"


async def test_the_agent_knows_what_was_noted_with_its_next_question(
    make: Callable[..., Talk], mind: Mind
) -> None:
    """And only with that; the last of it, when it is much."""
    talk = make(context="Spoken by Ada.")
    await talk.start()
    for number in range(MAX_NOTES + 1):
        talk.backend.note(f"Note {number}.")
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    first, second = mind.asked
    notes = [f"Note {number}." for number in range(1, MAX_NOTES + 1)]
    assert first.extra_system_prompt == "\n".join(["Spoken by Ada.", *notes])
    assert second.extra_system_prompt == "Spoken by Ada."


async def test_a_conversation_without_a_name_is_kept_as_well(talk: Talk, mind: Mind) -> None:
    """Home Assistant names it in the first turn."""
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert mind.asked[0].conversation_id
    assert mind.asked[1].conversation_id == mind.asked[0].conversation_id


async def test_the_first_clause_is_spoken_while_the_agent_goes_on(
    talk: Talk, mind: Mind, mouth: WholeMouth | FlowingMouth
) -> None:
    """Neither the whole answer nor sixty letters of it are waited for."""
    mind.deltas = [
        {"role": "assistant"},
        {"content": "Es ist jetzt, "},
        PAUSE,
        {"content": "zwölf."},
    ]
    talk.ask()
    await talk.hears(OutputAudio)
    assert mind.pausing.is_set()
    assert not mind.goes_on.is_set()
    assert talk.spoken.startswith("Es ist jetzt,")
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    assert talk.spoken == "Es ist jetzt, zwölf."


@whole
async def test_an_engine_that_needs_the_whole_text_is_given_sentences(
    talk: Talk, mind: Mind, mouth: WholeMouth
) -> None:
    """One after the other, none of them empty."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist zwölf. Schlaf schön! Bis morgen. \n"}]
    talk.ask()
    await talk.hears(TurnEnded)
    assert mouth.said == ["Es ist zwölf.", " Schlaf schön!", " Bis morgen."]
    assert talk.spoken == "Es ist zwölf. Schlaf schön! Bis morgen."


@flowing
async def test_an_engine_that_takes_growing_text_is_given_one_stream(
    talk: Talk, mind: Mind, mouth: FlowingMouth
) -> None:
    """It knows best how a sentence goes on."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist zwölf. "}, {"content": "Gute Nacht."}]
    talk.ask()
    await talk.hears(TurnEnded)
    assert mouth.said == ["Es ist zwölf. Gute Nacht."]


async def test_tools_are_told_and_two_messages_are_one_answer(talk: Talk, mind: Mind) -> None:
    """What is thought is not spoken."""
    call = llm.ToolInput("exec", {"command": "date"}, id="call-1", external=True)
    mind.deltas = [
        {"role": "assistant", "content": "Ich sehe nach."},
        {"thinking_content": "Hm."},
        {"tool_calls": [call]},
        {
            "role": "tool_result",
            "tool_call_id": "call-1",
            "tool_name": "exec",
            "result": llm.ToolResult({"result": "12:00"}),
        },
        {"role": "assistant", "content": "Zwölf."},
    ]
    talk.ask()
    await talk.hears(TurnEnded)
    assert talk.all_of(Activity) == [
        Activity(call_id="call-1", summary="exec"),
        Activity(call_id="call-1", summary="exec", is_final=True),
    ]
    assert talk.spoken == "Ich sehe nach. Zwölf."
    assert talk.all_of(Transcript)[-1].text == "Ich sehe nach. Zwölf."


async def test_an_answer_that_comes_at_once_is_spoken(talk: Talk, mind: Mind) -> None:
    """Agents that do not stream, and Home Assistant's own intents."""
    mind.deltas, mind.speech = [], "Zwölf Uhr."
    talk.ask()
    await talk.hears(TurnEnded)
    assert talk.spoken == "Zwölf Uhr."


async def test_a_silent_answer_is_none(talk: Talk, mind: Mind) -> None:
    """No audio, no error; the next question is heard at once."""
    mind.deltas, mind.speech = [], ""
    talk.ask()
    await talk.hears(TurnEnded)
    assert not talk.all_of(OutputAudio) + talk.all_of(OutputEnded) + talk.all_of(Problem)
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(mind.asked) == 2


async def test_why_an_answer_breaks_off_is_said(talk: Talk, mind: Mind) -> None:
    """It is not among the pieces."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist"}]
    mind.error = HomeAssistantError("Die Uhr steht.")
    talk.ask()
    await talk.hears(TurnEnded)
    assert talk.spoken == "Es ist Die Uhr steht."


async def test_audio_at_another_rate_is_converted(talk: Talk, mouth: WholeMouth) -> None:
    """The header tells it."""
    mouth.rate = 48_000
    talk.ask()
    await talk.hears(TurnEnded)
    heard = b"".join(event.pcm for event in talk.all_of(OutputAudio))
    assert len(heard) == len("Es ist zwölf.".encode("utf-16-le")) // 4 * 2 + 2


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return how Home Assistant's converter was called; it says what a test can read."""
    calls: list[tuple[Any, ...]] = []

    async def convert(
        hass: HomeAssistant, extension: str, audio: AsyncGenerator[bytes], **wanted: object
    ) -> AsyncGenerator[bytes]:
        calls.append((extension, wanted["to_sample_rate"], wanted["to_sample_bytes"]))
        async for _ in audio:
            pass
        yield wav(sound_of("converted"))

    monkeypatch.setattr(tts, "_async_convert_audio", convert)
    return calls


@pytest.mark.parametrize(("rate", "width"), [(22_000, 2), (24_000, 1)])
async def test_audio_that_cannot_be_read_is_asked_for_again(
    talk: Talk,
    mind: Mind,
    mouth: WholeMouth,
    converter: list[tuple[Any, ...]],
    *,
    rate: int,
    width: int,
) -> None:
    """Converted by Home Assistant, and from then on at once."""
    mouth.rate, mouth.width = rate, width
    mind.deltas = [
        {"role": "assistant"},
        {"content": "Es ist, glaube ich, "},
        {"content": "zwölf."},
    ]
    talk.ask()
    await talk.hears(TurnEnded)
    pieces = 2 if isinstance(mouth, WholeMouth) else 1
    assert converter == [("wav", 24_000, 2)] * pieces
    assert talk.spoken == "converted" * pieces
    assert not talk.all_of(Problem)
    said = len(mouth.said)
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(converter) == 2 * pieces
    assert len(mouth.said) == said + pieces


@flowing
async def test_a_text_goes_on_growing_while_it_is_asked_for_again(
    talk: Talk, mind: Mind, mouth: FlowingMouth, converter: list[tuple[Any, ...]]
) -> None:
    """Nothing of it is lost."""
    mouth.rate = 22_000
    mind.deltas = [
        {"role": "assistant"},
        {"content": "Es ist jetzt, "},
        PAUSE,
        {"content": "zwölf."},
    ]
    talk.ask()
    for _ in range(2):
        await asyncio.wait_for(mouth.begun.wait(), WAIT_LIMIT)
        mouth.begun.clear()
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    assert mouth.said[-1] == "Es ist jetzt, zwölf."


async def test_audio_that_cannot_be_read_even_then_is_a_failure(
    talk: Talk, mouth: WholeMouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for forever."""

    async def convert(*_: object, **__: object) -> AsyncGenerator[bytes]:
        yield b"no audio at all"

    monkeypatch.setattr(tts, "_async_convert_audio", convert)
    mouth.width = 1
    talk.ask()
    problem = await talk.hears(Problem)
    assert isinstance(problem, Problem)
    assert problem.error.reason == "pipeline_error"
    talk.ask()
    await talk.hears(Problem, 2)
    assert not talk.spoken
