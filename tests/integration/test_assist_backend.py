"""The realtime backend on Home Assistant's pipelines, with engines that do what a test says."""

from array import array
import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeassistant.components import tts
from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
import pytest

from custom_components.openclaw_voice.realtime import assist_backend, assist_turn, tts_output
from custom_components.openclaw_voice.realtime.assist_backend import AssistBackend, speech_detector
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendName,
    BackendRequest,
    OutputAudio,
    OutputEnded,
    Problem,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    Transcript,
    TurnDetection,
    TurnEnded,
    TurnMode,
    TurnStarted,
)

from .support import WAIT_LIMIT
from .voice_engines import (
    MIND,
    PAUSE,
    Ear,
    FlowingMouth,
    Mind,
    WholeMouth,
    add_engines,
    add_pipeline,
    set_up_voice,
    sound_of,
    text_of,
    wav,
)

SPEECH = array("h", [8000, -8000] * 80)
"""10 ms that somebody speaks."""

REQUEST = BackendRequest(session_key="agent:main:one")


def says(seconds: float) -> bytes:
    """Return audio in which somebody speaks."""
    return SPEECH.tobytes() * round(seconds * 100)


def quiet(seconds: float) -> bytes:
    """Return audio in which nobody speaks."""
    return bytes(round(seconds * 16_000) * 2)


def loudness() -> Callable[[bytes], float]:
    """Return a detector that takes everything loud for speech."""
    return lambda pcm: float(any(pcm))


class Talk:
    """A session on the backend, as far as the backend sees one."""

    def __init__(self, hass: HomeAssistant, **options: Any) -> None:
        """Begin nothing yet."""
        agent = options.pop("agent", MIND)
        user = options.pop("user", None)
        request = replace(REQUEST, **options)
        self.hass = hass
        self.backend = AssistBackend(hass, request, agent=agent, context=user, detector=loudness)
        self.events: list[BackendEvent] = []
        self.error: BackendError | None = None
        self._news = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> BackendInfo:
        """Start the backend, and listen to it."""
        info = await self.backend.start()
        self._listener = asyncio.create_task(self._listen())
        return info

    async def _listen(self) -> None:
        try:
            async for event in self.backend.events():
                self.events.append(event)
                self._news.set()
        except BackendError as error:
            self.error = error
        self._news.set()

    async def ended(self) -> BackendError | None:
        """Wait until nothing more is told."""
        assert self._listener is not None
        async with asyncio.timeout(WAIT_LIMIT):
            await self._listener
        return self.error

    async def hears(self, kind: type[BackendEvent], count: int = 1) -> BackendEvent:
        """Wait until so many events of a kind were told, and return the last."""
        async with asyncio.timeout(WAIT_LIMIT):
            while len(found := self.all_of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def all_of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def hear(self, *audio: bytes) -> None:
        """Let the microphone hear something, in pieces of 20 ms."""
        whole = b"".join(audio)
        for at in range(0, len(whole), 640):
            self.backend.append_audio(whole[at : at + 640])

    def ask(self) -> None:
        """Let somebody say something, and fall silent."""
        self.hear(quiet(0.2), says(0.6), quiet(0.6))

    @property
    def spoken(self) -> str:
        """What was handed out to be played."""
        return text_of(b"".join(event.pcm for event in self.all_of(OutputAudio)))


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


whole = pytest.mark.parametrize("mouth", [WholeMouth], indirect=True)
flowing = pytest.mark.parametrize("mouth", [FlowingMouth], indirect=True)


@pytest.fixture
async def pipeline(home: HomeAssistant, ear: Ear, mind: Mind, mouth: WholeMouth) -> str:
    """Return the id of a pipeline with these."""
    return await add_pipeline(home)


@pytest.fixture
async def make(home: HomeAssistant, pipeline: str) -> AsyncGenerator[Callable[..., Talk]]:
    """Return what makes sessions; whatever they are in when a test ends, nothing of them stays."""
    made: list[Talk] = []

    def make(**options: Any) -> Talk:
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


async def test_a_conversation_without_a_name_is_kept_as_well(talk: Talk, mind: Mind) -> None:
    """Home Assistant names it in the first turn."""
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert mind.asked[0].conversation_id
    assert mind.asked[1].conversation_id == mind.asked[0].conversation_id


# Speaking while the agent still answers.


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
        hass: HomeAssistant, extension: str, audio: AsyncGenerator[bytes], **wanted: Any
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


async def test_audio_that_cannot_be_read_even_then_is_a_failure(
    talk: Talk, mouth: WholeMouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for forever."""

    async def convert(*_: Any, **__: Any) -> AsyncGenerator[bytes]:
        yield b"no audio at all"

    monkeypatch.setattr(tts, "_async_convert_audio", convert)
    mouth.width = 1
    talk.ask()
    problem = await talk.hears(Problem)
    assert isinstance(problem, Problem)
    assert problem.error.reason == "pipeline_error"


# Listening.


async def test_while_an_answer_is_given_nobody_is_heard(talk: Talk, mind: Mind, ear: Ear) -> None:
    """The satellite would hear itself; up to the last word it plays."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.ask()
    mind.goes_on.set()
    mind.deltas = mind.deltas[:2]
    await talk.hears(TurnEnded)
    talk.ask()
    assert len(talk.all_of(TurnStarted)) == 1
    talk.backend.drained()
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(ear.heard) == 2


async def test_an_answer_that_was_heard_before_it_ended_needs_no_waiting(
    talk: Talk, mind: Mind
) -> None:
    """The satellite was faster than the agent."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.backend.drained()
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    talk.ask()
    await talk.hears(TurnStarted, 2)


async def test_an_answer_counts_as_heard_some_time_after_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A satellite that never says so is not deaf forever."""
    talk.ask()
    await talk.hears(TurnEnded)
    later = talk.hass.loop.time() + assist_backend.DRAIN_LIMIT + 1
    monkeypatch.setattr(talk.hass.loop, "time", lambda: later)
    talk.ask()
    monkeypatch.undo()
    await talk.hears(TurnEnded, 2)


async def test_the_last_words_of_a_question_do_not_begin_another(
    make: Callable[..., Talk], mind: Mind
) -> None:
    """Whatever was heard before an answer is forgotten with it."""
    talk = make(cancels_echo=True)
    await talk.start()
    mind.deltas = [{"role": "assistant"}, PAUSE, {"content": "Zwölf Uhr."}]
    talk.hear(quiet(0.2), says(0.6))
    talk.backend.commit()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    talk.hear(says(0.1), quiet(0.6))
    mind.goes_on.set()
    await talk.hears(TurnEnded)
    talk.backend.drained()
    talk.hear(says(0.05), quiet(0.5))
    assert len(talk.all_of(TurnStarted)) == 1


async def test_the_satellite_may_say_that_the_question_is_over(talk: Talk, ear: Ear) -> None:
    """`response.create` says the same."""
    talk.backend.commit()
    talk.hear(quiet(0.2), says(0.6))
    talk.backend.respond()
    await talk.hears(TurnEnded)
    assert len(ear.heard) == 1


async def test_in_manual_mode_the_satellite_says_when(make: Callable[..., Talk], ear: Ear) -> None:
    """Silence ends nothing, and speech interrupts nothing."""
    talk = make(turn_detection=TurnDetection(mode=TurnMode.MANUAL), cancels_echo=True)
    info = await talk.start()
    assert not info.capabilities.barge_in
    talk.hear(quiet(1), says(0.5), quiet(2))
    assert not talk.all_of(SpeechEnded)
    talk.backend.commit()
    await talk.hears(TurnEnded)
    assert ear.heard == [b"".join([quiet(1), says(0.5), quiet(2)])]
    talk.hear(says(1))
    assert len(talk.all_of(TurnStarted)) == 1


async def test_how_long_silence_is_may_be_chosen(make: Callable[..., Talk]) -> None:
    """And how sure one must be of speech."""
    talk = make(turn_detection=TurnDetection(silence=1.5, threshold=0.9))
    await talk.start()
    talk.hear(quiet(0.2), says(0.6), quiet(1.2))
    await talk.hears(TurnStarted)
    assert not talk.all_of(SpeechEnded)
    talk.hear(quiet(0.4))
    await talk.hears(TurnEnded)


async def test_an_engine_that_has_heard_enough_ends_the_question(
    make: Callable[..., Talk], ear: Ear
) -> None:
    """Some have a detector of their own; the rest of the audio is not another question."""
    talk = make()
    await talk.start()
    ear.ends_after = len(says(0.3))
    talk.hear(quiet(0.2), says(0.6))
    await talk.hears(TurnEnded)
    assert len(talk.all_of(SpeechEnded)) == 1


async def test_a_microphone_that_falls_silent_ends_the_question(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, ear: Ear
) -> None:
    """The satellite may have stopped sending."""
    monkeypatch.setattr(assist_turn, "MICROPHONE_LIMIT", 0.01)
    talk.hear(quiet(0.2), says(0.6))
    await talk.hears(TurnEnded)
    assert len(ear.heard) == 1


async def test_nobody_speaks_forever(
    make: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch, ear: Ear
) -> None:
    """What is kept for the engine is bounded."""
    monkeypatch.setattr(assist_turn, "HEARING_LIMIT", 1.0)
    talk = make(turn_detection=TurnDetection(mode=TurnMode.MANUAL))
    await talk.start()
    talk.hear(says(3))
    await talk.hears(TurnEnded)
    assert len(ear.heard[0]) <= len(says(1.1))


def test_home_assistants_detector_takes_silence_for_silence() -> None:
    """It is the one that is used unless told otherwise."""
    detect = speech_detector()
    assert max(detect(quiet(0.01)) for _ in range(50)) < 0.5


# Interrupting.


async def test_whoever_speaks_over_an_answer_interrupts_it(
    make: Callable[..., Talk], mind: Mind, ear: Ear
) -> None:
    """Where the satellite does not hear itself; the new question is heard from its first word."""
    talk = make(cancels_echo=True)
    info = await talk.start()
    assert info.capabilities.barge_in
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.hear(quiet(0.2), says(0.1), quiet(0.3))
    assert len(talk.all_of(TurnStarted)) == 1
    mind.deltas = [{"role": "assistant"}, {"content": "Halb eins."}]
    talk.hear(says(0.4), quiet(0.6))
    await talk.hears(TurnEnded, 2)
    assert mind.was_cancelled.is_set()
    assert talk.all_of(TurnStarted)[1] == TurnStarted(turn_id="turn-2", interrupts=True)
    ended = talk.events.index(TurnEnded(turn_id="turn-1"))
    assert isinstance(talk.events[ended + 1], TurnStarted)
    assert not [
        event
        for event in talk.events[ended + 1 :]
        if isinstance(event, OutputAudio) and event.turn_id == "turn-1"
    ]
    assert says(0.4) in ear.heard[1]
    assert not talk.all_of(Problem)


async def test_what_still_plays_is_interrupted_as_well(make: Callable[..., Talk]) -> None:
    """Long after the agent has ended."""
    talk = make(cancels_echo=True)
    await talk.start()
    talk.ask()
    await talk.hears(TurnEnded)
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert talk.all_of(TurnStarted)[1].interrupts


async def test_a_turn_that_begins_where_the_agent_answers_is_no_part_of_it(
    make: Callable[..., Talk], mind: Mind
) -> None:
    """Its chat log is known by a variable that whatever is started there would inherit."""
    talk = make(cancels_echo=True)
    await talk.start()

    def interrupt() -> None:
        mind.when_asked = lambda: None
        talk.ask()

    mind.when_asked = interrupt
    talk.ask()
    await talk.hears(TurnEnded, 2)
    assert len(mind.asked) == 2
    assert talk.spoken == "Es ist zwölf."
    assert not talk.all_of(Problem)


async def test_interrupting_by_hand_ends_the_answer(talk: Talk, mind: Mind) -> None:
    """And one can ask again at once."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    talk.backend.interrupt(0.0)
    await talk.hears(TurnEnded)
    await asyncio.wait_for(mind.was_cancelled.wait(), WAIT_LIMIT)
    talk.ask()
    await talk.hears(TurnStarted, 2)
    assert not talk.all_of(TurnStarted)[1].interrupts


async def test_interrupting_what_still_plays(talk: Talk) -> None:
    """Nothing more is told of the turn, which has ended."""
    talk.backend.interrupt(0.0)
    talk.ask()
    await talk.hears(TurnEnded)
    talk.backend.interrupt(0.0)
    talk.ask()
    await talk.hears(TurnEnded, 2)


# Ending, whatever goes on. The fixture looks for what is left behind.


async def test_ending_while_somebody_speaks_lets_the_engine_end(
    talk: Talk, ear: Ear, mind: Mind
) -> None:
    """It is told that the audio has ended, and not cancelled; the agent is not asked."""
    talk.hear(quiet(0.2), says(0.6))
    await asyncio.wait_for(ear.listening.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert ear.heard
    assert not ear.was_cancelled
    assert not mind.asked
    assert isinstance(talk.events[-1], TurnStarted | TurnEnded)


async def test_ending_cancels_an_engine_that_does_not_end(
    talk: Talk, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment."""
    monkeypatch.setattr(assist_turn, "STOP_GRACE", 0.01)
    ear.ends.clear()
    talk.ask()
    await asyncio.wait_for(ear.listening.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert ear.was_cancelled


async def test_ending_while_the_agent_thinks_cancels_it(talk: Talk, mind: Mind) -> None:
    """It has to stop what it does on the gateway."""
    mind.deltas = [PAUSE]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    await talk.backend.close()
    assert mind.was_cancelled.is_set()


@flowing
async def test_ending_while_an_answer_is_spoken_ends_the_engines_text(
    talk: Talk, mind: Mind, mouth: FlowingMouth
) -> None:
    """It waits for the rest of it otherwise."""
    mind.deltas = [{"role": "assistant"}, {"content": "Es ist jetzt, "}, PAUSE]
    talk.ask()
    await talk.hears(OutputAudio)
    await talk.backend.close()
    await asyncio.wait_for(mouth.ended.wait(), WAIT_LIMIT)


@whole
async def test_ending_while_sentences_wait_to_be_spoken(
    talk: Talk, mind: Mind, mouth: WholeMouth
) -> None:
    """None of them is spoken any more."""
    mouth.goes_on.clear()
    mind.deltas = [
        {"role": "assistant"},
        {"content": "Erstens dies. Und zweitens. Und drittens. "},
        PAUSE,
    ]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    await talk.backend.close()
    mouth.goes_on.set()
    await talk.hass.async_block_till_done(wait_background_tasks=True)
    assert len(mouth.said) < 3


async def test_ending_before_the_turn_has_begun(talk: Talk, ear: Ear) -> None:
    """Nobody has listened yet."""
    talk.ask()
    await talk.backend.close()
    assert not ear.listening.is_set()
    talk.ask()
    assert not talk.all_of(OutputAudio)


async def test_ending_what_has_not_started(make: Callable[..., Talk]) -> None:
    """There is nothing to end."""
    talk = make()
    await talk.backend.close()
    assert [event async for event in talk.backend.events()] == []


async def test_what_runs_the_turns_may_be_cancelled(talk: Talk, mind: Mind) -> None:
    """Home Assistant does so when it stops."""
    mind.deltas = [PAUSE]
    talk.ask()
    await asyncio.wait_for(mind.pausing.wait(), WAIT_LIMIT)
    assert talk.backend._server is not None
    talk.backend._server.cancel()
    assert await talk.ended() is None
    assert mind.was_cancelled.is_set()


# Failing.


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


# Which pipeline.


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
    fields: dict[str, str | None],
    reason: str,
) -> None:
    """Whoever wanted it is told before it says anything."""
    pipeline_id = await add_pipeline(home, **fields)
    with pytest.raises(BackendError) as raised:
        await Talk(home, pipeline_id=pipeline_id).start()
    assert raised.value.reason == reason


async def test_without_pipelines_there_is_no_backend(hass: HomeAssistant) -> None:
    """Nor with one that is named and not there."""
    with pytest.raises(BackendError, match="no_backend"):
        await Talk(hass).start()


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


async def test_what_this_backend_cannot_do(talk: Talk) -> None:
    """It says so, or does nothing."""
    talk.backend.played("a-mark")
    talk.backend.drained()
    await talk.backend.tool_result("call-1", "done")
    with pytest.raises(BackendError) as raised:
        await talk.backend.steer("Faster!", None)
    assert raised.value.is_recoverable
