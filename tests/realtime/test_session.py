"""A realtime session, between a scripted backend and a satellite that writes everything down."""

import asyncio
from dataclasses import replace
from unittest.mock import patch

import pytest

from custom_components.openclaw_voice.realtime import announcing, server_events as say, session
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    BackendError,
    ClientToolCall,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    Rotated,
    Rotating,
    Speaker,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnDetection,
    TurnEnded,
    TurnMode,
    TurnStarted,
    UsageReported,
)
from custom_components.openclaw_voice.realtime.backend_events import MAX_ACTIVITIES
from custom_components.openclaw_voice.realtime.client_events import (
    AudioAppend,
    AudioCommit,
    FrameAppend,
    PlaybackDone,
    ResponseCancel,
    ResponseCreate,
    SatelliteState,
    SessionEnd,
    Steer,
    ToolResult,
    Unknown,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session import RealtimeSession, SessionHooks
from custom_components.openclaw_voice.realtime.session_config import (
    AudioConfig,
    ClientTool,
    Feature,
    SatelliteInfo,
    SessionConfig,
    SessionMode,
)
from custom_components.openclaw_voice.realtime.session_ears import ECHO, MAX_BURST
from custom_components.openclaw_voice.realtime.session_output import PATIENCE
from custom_components.openclaw_voice.realtime.session_state import Cause, SessionState
from custom_components.openclaw_voice.realtime.session_tasks import MAX_TASKS
from custom_components.openclaw_voice.realtime.session_watch import SessionLimits

from .session_bench import SECOND, Bench, turn


async def test_a_turn_goes_its_way() -> None:
    """The satellite is told each step in order, and the backend what was heard."""
    bench = Bench(turn_detection=TurnDetection(silence=0.5))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
        assert bench.is_in(SessionState.SPEAKING)
        bench.session.receive(PlaybackDone("t"))
        assert bench.is_in(SessionState.IDLE)
    assert bench.channel.types == [
        "session.ready",
        "turn.started",
        "transcript.done",
        "response.started",
        "transcript.delta",
        "latency.metrics",
        "transcript.done",
        "audio.done",
        "turn.ended",
        "session.ended",
    ]
    assert bench.channel.pcm == SECOND
    assert bench.backend.calls == [("played", "m"), ("drained",)]
    ready = bench.channel.last(say.SessionReady)
    assert (ready.session_id, ready.agent, ready.notes) == ("s", "main", ("a_note",))
    latency = bench.channel.last(say.LatencyMetrics)
    assert latency.endpoint == 0.5
    assert latency.first_text is not None
    assert latency.first_audio is not None
    assert bench.summary is not None
    assert (bench.summary.turns, bench.summary.backend) == (1, "assist")
    assert bench.backend.is_closed.is_set()
    assert bench.is_in(SessionState.CLOSED)


async def test_the_backend_knows_how_long_it_takes_to_be_sure_of_an_end() -> None:
    """Whatever the satellite has asked for."""
    bench = Bench()
    bench.backend.info = replace(bench.backend.info, silence=0.7)
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.channel.until(say.LatencyMetrics)
    assert bench.channel.last(say.LatencyMetrics).endpoint == 0.7


async def test_what_is_said_before_the_backend_is_ready_is_kept() -> None:
    """Two seconds of it, the newest; from then on all of it."""
    bench = Bench()
    bench.backend.starts_when.clear()
    async with bench.running():
        bench.session.hear(b"\1\1" * 16_000)
        bench.session.hear(b"\2\2" * 32_000 + b"\3")
        bench.backend.starts_when.set()
        await bench.channel.until(say.SessionReady)
        bench.session.receive(AudioAppend(b"\3"))
        assert bench.backend.heard == b"\2\2" * 31_999 + b"\3\3"
        bench.backend.dropped = 0.5
    assert bench.summary is not None
    assert bench.summary.dropped == pytest.approx(1.5, abs=0.001)


async def test_who_speaks_over_an_answer_stops_it() -> None:
    """The words that were heard are told, what comes late of the answer is not."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0.4))
    bench.now = 100.0
    async with bench.running():
        bench.backend.tell(
            TurnStarted(turn_id="t"),
            SpeechEnded(turn_id="t"),
            ResponseStarted(turn_id="t"),
            Transcript(speaker=Speaker.ASSISTANT, text="one two three four"),
            OutputAudio(turn_id="t", pcm=SECOND),
        )
        await bench.state(SessionState.SPEAKING)
        bench.now = 100.5
        bench.backend.tell(
            TurnStarted(turn_id="u", interrupts=True),
            OutputAudio(turn_id="t", pcm=SECOND),
            Transcript(speaker=Speaker.ASSISTANT, text=" five"),
            Transcript(speaker=Speaker.ASSISTANT, text="one two three four five", is_final=True),
            Transcript(speaker=Speaker.USER, text="Stop"),
        )
        await bench.channel.until(say.TurnStarted, 2)
        await bench.channel.until(say.TranscriptDelta, 2)
        assert bench.is_in(SessionState.LISTENING)
    types = bench.channel.types
    assert types[types.index("audio.clear") :] == [
        "audio.clear",
        "transcript.done",
        "turn.started",
        "transcript.delta",
        "session.ended",
    ]
    cut = bench.channel.last(say.TranscriptDone).text
    assert cut.endswith("...")
    assert len(cut) < len("one two three four")
    assert len(bench.channel.pcm) < len(SECOND)


async def test_the_satellite_stops_an_answer() -> None:
    """Whatever the backend does; it is told how much was heard."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(*turn()[:-1])
        await bench.channel.until(say.AudioDone)
        bench.session.receive(ResponseCancel())
        assert bench.is_in(SessionState.IDLE)
        assert bench.channel.types[-1] == "audio.clear"
        assert bench.backend.calls[-1][0] == "interrupt"
        bench.session.receive(ResponseCancel())
        assert [call for call, *_ in bench.backend.calls].count("interrupt") == 1
        assert bench.channel.types.count("audio.clear") == 2
        bench.backend.tell(*turn(turn_id="u"))
        await bench.channel.until(say.TurnEnded)
    assert bench.summary is not None
    assert bench.summary.turns == 2


async def test_the_backend_takes_audio_back() -> None:
    """It is only told the satellite when there is something to drop."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(OutputCleared(reason="nothing"), *turn()[:-1])
        await bench.channel.until(say.AudioDone)
        bench.backend.tell(OutputCleared(reason="reset"))
        await bench.channel.until(say.AudioClear)
        assert bench.is_in(SessionState.IDLE)
    assert bench.channel.types.count("audio.clear") == 1
    assert bench.channel.last(say.AudioClear).reason == "reset"


@pytest.mark.parametrize("ends", [True, False], ids=["the last audio is here", "more may come"])
async def test_all_words_of_an_answer_are_told_when_they_were_sent(ends: bool) -> None:
    """They are often known long before: who interrupts is told what was heard."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0.4))
    bench.now = 100.0
    words = "one two three four five"
    async with bench.running():
        bench.backend.tell(
            ResponseStarted(turn_id="t"),
            OutputAudio(turn_id="t", pcm=SECOND),
            Transcript(speaker=Speaker.ASSISTANT, text=words),
            Transcript(speaker=Speaker.ASSISTANT, text=words, is_final=True),
            *([OutputEnded(turn_id="t"), TurnEnded(turn_id="t")] if ends else []),
            Activity(call_id="c", summary="Running clock..."),
        )
        await bench.channel.until(say.ToolProgress)
        assert "transcript.done" not in bench.channel.types
        bench.now = 100.5
        bench.session.receive(ResponseCancel())
        cut = bench.channel.last(say.TranscriptDone).text
        assert cut == "one two..."
        bench.backend.tell(
            TurnStarted(turn_id="u"), Activity(call_id="d", summary="Running clock...")
        )
        await bench.channel.until(say.ToolProgress, 2)
    assert bench.channel.types.count("transcript.done") == 1


async def test_words_that_were_told_are_not_told_again() -> None:
    """The satellite has all the audio, and most of it was heard when somebody interrupts."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0))
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
        assert bench.channel.last(say.TranscriptDone).text == "It is noon."
        bench.backend.tell(
            TurnStarted(turn_id="u", interrupts=True),
            Activity(call_id="c", summary="Running clock..."),
        )
        await bench.channel.until(say.ToolProgress)
    assert bench.channel.types.count("audio.clear") == 1
    assert bench.channel.types.count("transcript.done") == 2


async def test_words_of_an_answer_that_has_no_end_are_told() -> None:
    """It fails, or another one begins."""
    bench = Bench()
    words = Transcript(speaker=Speaker.ASSISTANT, text="One.", is_final=True)
    more = Transcript(speaker=Speaker.ASSISTANT, text="Two.", is_final=True)
    async with bench.running():
        bench.backend.tell(ResponseStarted(turn_id="t"), words, ResponseStarted(turn_id="t"))
        await bench.channel.until(say.TranscriptDone)
        bench.backend.tell(
            more, Problem(error=BackendError("provider_unavailable", is_recoverable=True))
        )
        await bench.channel.until(say.TranscriptDone, 2)
        bench.backend.tell(words, TurnStarted(turn_id="u"))
        await bench.channel.until(say.TranscriptDone, 3)
    types = bench.channel.types
    assert types.index("error") < len(types) - 1 - types[::-1].index("transcript.done")
    assert bench.channel.last(say.TranscriptDone).text == "One."


async def test_words_that_were_never_all_known_are_told_as_cut_off() -> None:
    """A speech model hears somebody as soon as it speaks, and stops."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(
            ResponseStarted(turn_id="t"),
            Transcript(speaker=Speaker.ASSISTANT, text="one two "),
            OutputAudio(turn_id="t", pcm=SECOND),
            OutputEnded(turn_id="t"),
            TurnEnded(turn_id="t"),
        )
        await bench.channel.until(say.TurnEnded)
        assert bench.channel.last(say.TranscriptDone).text == "one two..."
    assert bench.channel.types.count("transcript.done") == 1


async def test_more_of_an_answer_may_follow() -> None:
    """A filler was heard, the agent still works: the session thinks again."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(*turn()[:-2], Activity(call_id="c", summary="Running clock..."))
        await bench.channel.until(say.ToolProgress)
        assert bench.is_in(SessionState.SPEAKING)
        assert bench.channel.types.count("transcript.done") == 1
        bench.session.receive(PlaybackDone())
        assert bench.is_in(SessionState.THINKING)
        assert bench.channel.last(say.TranscriptDone).text == "It is noon."
        bench.backend.tell(TurnEnded(turn_id="t"))
        await bench.state(SessionState.IDLE)


async def test_a_turn_without_an_answer_is_over() -> None:
    """Nothing was understood."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"))
        await bench.state(SessionState.THINKING)
        bench.backend.tell(TurnEnded(turn_id="t"))
        await bench.state(SessionState.IDLE)
    assert bench.summary is not None
    assert bench.summary.turns == 0


async def test_a_session_may_be_for_one_turn() -> None:
    """It ends when the answer was heard."""
    bench = Bench(mode=SessionMode.SINGLE)
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
        bench.session.receive(PlaybackDone("t"))
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED
    assert "error" not in bench.channel.types


PACED = AudioConfig(sample_rate=16_000, max_ahead=0.4)
UNPACED = AudioConfig(sample_rate=16_000, max_ahead=0.0)


@pytest.mark.parametrize(
    ("audio", "name"), [(PACED, None), (UNPACED, "k")], ids=["paced", "named itself"]
)
@pytest.mark.parametrize("says_so", [True, False])
async def test_the_end_of_the_only_answer_is_heard(
    audio: AudioConfig, name: str | None, says_so: bool
) -> None:
    """Loudspeakers are late: the satellite has a moment to say that there is silence."""
    bench = Bench(mode=SessionMode.SINGLE, audio=audio, satellite_id=name)
    bench.now = 100.0
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.state(SessionState.SPEAKING)
        for step in range(20):
            bench.now = 100.0 + step / 10
            bench.session._output._step()
        await bench.channel.until(say.TurnEnded)
        assert bench.channel.pcm == SECOND
        bench.session.receive(PlaybackDone("another"))
        assert bench.is_in(SessionState.SPEAKING)
        if says_so:
            bench.session.receive(PlaybackDone("t"))
        else:
            bench.now += PATIENCE
            bench.session._output._step()
        assert bench.is_in(SessionState.IDLE)
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED


async def test_a_satellite_that_says_nothing_of_its_speaker_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session for one turn ends by itself."""
    monkeypatch.setattr(session, "PATIENCE", 0.02)
    bench = Bench(mode=SessionMode.SINGLE, satellite_id="k")
    async with bench.running():
        bench.backend.tell(*turn(SECOND[:640]))
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED


async def test_a_speaker_that_ran_dry_has_not_played_the_end() -> None:
    """More of the answer was on its way; who stops it in the last moment has heard it."""
    bench = Bench(mode=SessionMode.SINGLE, audio=PACED)
    bench.now = 100.0
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.state(SessionState.SPEAKING)
        bench.session.receive(PlaybackDone("t"))
        for step in range(12):
            bench.now = 100.0 + step / 10
            bench.session._output._step()
        assert bench.channel.pcm == SECOND
        assert bench.is_in(SessionState.SPEAKING)
        bench.session.receive(ResponseCancel())
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED


async def test_late_words_of_the_user_begin_no_wait() -> None:
    """Speech models tell them after their answer."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), *turn()[3:])
        await bench.channel.until(say.TurnEnded)
        bench.session.receive(PlaybackDone("t"))
        bench.backend.tell(Transcript(speaker=Speaker.USER, text="Time?", is_final=True))
        await bench.channel.until(say.TranscriptDone, 2)
        assert bench.is_in(SessionState.IDLE)
    assert bench.summary is not None
    assert bench.summary.turns == 1


async def test_tools_and_rotations_are_told() -> None:
    """In the words of the satellite; tokens add up."""
    bench = Bench(tools=(ClientTool(name="lamp"),))
    async with bench.running():
        bench.backend.tell(
            Activity(call_id="a", summary="Running"),
            Activity(call_id="b", summary="Running"),
            ActivityCancelled(call_ids=("b", "c")),
            Activity(call_id="a", summary="Done", is_final=True),
            ClientToolCall(call_id="d", name="lamp", arguments="{}"),
            ClientToolCall(call_id="e", name="siren", arguments="{}"),
            Rotating(),
            Rotated(),
            UsageReported(counts={"total_tokens": 5, "odd": 1}),
            UsageReported(counts={"total_tokens": 2}),
            Problem(error=BackendError("provider_unavailable")),
        )
        await bench.channel.until(say.Error)
    assert bench.channel.types[1:11] == [
        "tool.progress",
        "tool.progress",
        "tool.cancelled",
        "tool.progress",
        "tool.call",
        "session.rotating",
        "session.rotated",
        "usage.metrics",
        "usage.metrics",
        "error",
    ]
    assert bench.backend.calls == [("tool_result", "e", '{"error": "unknown tool"}')]
    assert bench.summary is not None
    assert bench.summary.tokens == {"total_tokens": 7}
    assert bench.channel.last(say.SessionEnded).tokens == 7


async def test_the_satellite_is_served() -> None:
    """What it wants reaches the backend, or is refused with a reason."""
    texts = iter([0.0, 0.0, 0.0, 5.0])
    bench = Bench(
        hooks=SessionHooks(take_text=lambda: next(texts)),
        turn_detection=TurnDetection(mode=TurnMode.MANUAL),
    )
    async with bench.running():
        bench.session.receive(ResponseCreate())
        await bench.channel.until(say.SessionReady)
        bench.session.receive(AudioAppend(bytes(4)))
        bench.session.receive(AudioCommit())
        # Whether somebody has said something is for the backend to tell.
        assert bench.is_in(SessionState.IDLE)
        bench.session.receive(ResponseCreate())
        bench.session.receive(Steer("faster"))
        await bench.channel.until(say.SteerResult)
        bench.backend.steer_result = BackendError("gateway_lost")
        bench.session.receive(Steer("slower"))
        await bench.channel.until(say.Error)
        bench.backend.tool_error = BackendError("pipeline_error")
        bench.session.receive(ToolResult("c", "ok"))
        await bench.channel.until(say.Error, 2)
        bench.session.receive(Steer("too much"))
        bench.session.receive(FrameAppend())
        bench.session.receive(SessionConfig())
        bench.session.receive(Unknown("news"))
        bench.session.receive(SatelliteState(volume=0.5))
        bench.session.receive(SatelliteState(muted=True))
        bench.session.receive(SessionEnd())
        bench.session.receive(ResponseCreate())
        await bench.ended()
    errors = [event.reason for event in bench.channel.events if isinstance(event, say.Error)]
    assert errors == [
        Reason.GATEWAY_LOST,
        Reason.PIPELINE_ERROR,
        Reason.RATE_LIMITED,
        Reason.UNSUPPORTED_FRAME,
        Reason.ALREADY_CONFIGURED,
    ]
    assert bench.backend.calls == [
        ("commit",),
        ("respond",),
        ("steer", "faster", None),
        ("steer", "slower", None),
        ("tool_result", "c", "ok"),
    ]
    assert bench.session.unknown_events == 1
    assert bench.session.satellite_state == SatelliteState(volume=0.5, muted=True)
    assert bench.channel.reason is Reason.CLIENT_ENDED


async def test_home_assistant_announces() -> None:
    """When nobody speaks, and the microphone hears nothing of it."""
    bench = Bench()
    bench.now = 100.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.backend.tell(TurnStarted(turn_id="t"))
        await bench.state(SessionState.LISTENING)
        announcing = asyncio.create_task(bench.session.announce("Dinner", bytes(48_000), 24_000))
        await asyncio.sleep(0)
        assert "announcement" not in bench.channel.types
        bench.backend.tell(SpeechEnded(turn_id="t"), TurnEnded(turn_id="t"))
        await bench.channel.until(say.AudioDone)
        assert bench.session.is_announcing
        assert bench.is_in(SessionState.SPEAKING)
        bench.session.hear(b"\1\1")
        assert bench.backend.heard == bytes(2)
        bench.session.receive(PlaybackDone(bench.channel.last(say.Announcement).id))
        assert await announcing
        assert bench.is_in(SessionState.IDLE)
        bench.now += ECHO
        bench.session.hear(b"\1\1")
        assert bench.backend.heard == bytes(2) + b"\1\1"
        assert len(bench.channel.pcm) == 32_000
        bench.session.ask_to_listen()
        bench.session.set_controls(volume=0.2)
        assert bench.channel.types[-2:] == ["listen", "satellite.set"]


@pytest.mark.parametrize("begins", ["session.ready", "listen", "speech"])
async def test_who_is_about_to_speak_is_not_talked_over(begins: str) -> None:
    """Whoever has opened a session, is asked to speak, or seems to; unless they do not."""
    bench = Bench(begin=5.0, limits=SessionLimits(speech=20.0))
    bench.now = 100.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        if begins != "session.ready":
            bench.now = 105.0
        if begins == "listen":
            bench.session.ask_to_listen()
        elif begins == "speech":
            bench.backend.tell(SpeechNoticed(), Activity(call_id="c", summary="x"))
            await bench.channel.until(say.ToolProgress)
        limit = 20.0 if begins == "speech" else 5.0
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        bench.now += limit - 0.1
        for _ in range(10):
            bench.session._watch.look()
            await asyncio.sleep(0)
        assert "announcement" not in bench.channel.types
        bench.now += 0.1
        bench.session._watch.look()
        await bench.channel.until(say.Announcement)
    assert not await announcing


async def test_an_announcement_waits_for_the_first_turn() -> None:
    """Or for some silence."""
    bench = Bench(begin=60.0)
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
        assert "announcement" not in bench.channel.types
        bench.session.receive(PlaybackDone("t"))
        await bench.channel.until(say.Announcement)
    assert not await announcing
    bench = Bench(begin=0.05)
    async with bench.running():
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.Announcement)
    assert not await announcing


async def test_an_announcement_can_be_stopped() -> None:
    """By the satellite, by who speaks over it, and by the end; the backend is not meant."""
    bench = Bench(satellite=SatelliteInfo(features=frozenset({Feature.ECHO_CANCELLATION})))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        first = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        bench.session.hear(b"\1\1")
        assert bench.backend.heard == b"\1\1"
        bench.session.receive(ResponseCancel())
        assert not await first
        second = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.AudioDone, 2)
        bench.backend.tell(TurnStarted(turn_id="t"))
        assert not await second
        assert bench.is_in(SessionState.LISTENING)
        bench.backend.tell(TurnEnded(turn_id="t"))
        third = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.AudioDone, 3)
    assert not await third
    assert not await bench.session.announce("Dinner", SECOND, 16_000)
    assert bench.backend.calls == []


async def test_who_begins_to_speak_is_not_silent() -> None:
    """Speech models tell of words only when they were said."""
    bench = Bench(limits=SessionLimits(silence=30.0))
    bench.now = 100.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.now = 129.0
        bench.backend.tell(SpeechNoticed(), Activity(call_id="c", summary="x"))
        await bench.channel.until(say.ToolProgress)
        bench.now = 140.0
        bench.session._watch.look()
        for _ in range(10):
            await asyncio.sleep(0)
        assert bench.channel.reason is None
        assert bench.is_in(SessionState.IDLE)


async def test_a_silent_session_ends() -> None:
    """Nobody has spoken for a while."""
    bench = Bench(limits=SessionLimits(silence=0.01))
    async with bench.running():
        await bench.ended()
    assert bench.channel.reason is Reason.IDLE


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("option", "wish"), [(False, True), (True, None)])
async def test_somebody_silent_may_be_asked_first(
    fails: bool, option: bool, wish: bool | None
) -> None:
    """Once, when the satellite wants that, or the options do."""
    asked: list[RealtimeSession] = []

    async def ask(session: RealtimeSession) -> None:
        asked.append(session)
        if fails:
            raise RuntimeError

    bench = Bench(
        limits=SessionLimits(silence=0.01, question=0.01),
        hooks=SessionHooks(ask_gently=ask, asks_when_silent=option),
        asks_when_silent=wish,
    )
    async with bench.running():
        await bench.ended()
    assert asked == [bench.session]
    assert bench.channel.reason is Reason.IDLE


@pytest.mark.parametrize(("option", "wish"), [(True, False), (False, None)])
async def test_nobody_is_asked_who_does_not_want_it(option: bool, wish: bool | None) -> None:
    """What the satellite says counts more than the options."""
    asked: list[RealtimeSession] = []

    async def ask(session: RealtimeSession) -> None:
        asked.append(session)

    bench = Bench(
        limits=SessionLimits(silence=0.01),
        hooks=SessionHooks(ask_gently=ask, asks_when_silent=option),
        asks_when_silent=wish,
    )
    async with bench.running():
        await bench.ended()
    assert asked == []


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    """But not while a tool is at work; the session goes on."""
    bench = Bench(limits=SessionLimits(answer=0.02))
    async with bench.running():
        bench.backend.tell(
            Activity(call_id="a", summary="Running"),
            TurnStarted(turn_id="t"),
            SpeechEnded(turn_id="t"),
        )
        await bench.state(SessionState.THINKING)
        bench.backend.tell(Activity(call_id="a", summary="Done", is_final=True), *turn()[3:4])
        await bench.channel.until(say.Error)
        assert bench.is_in(SessionState.IDLE)
    assert bench.backend.calls == [("interrupt", 0.0)]
    assert bench.channel.reason is Reason.STOPPED


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (BackendError("gateway_lost"), Reason.GATEWAY_LOST),
        (BackendError("never heard of"), Reason.INTERNAL_ERROR),
        (None, Reason.COMPLETED),
    ],
)
async def test_the_session_ends_with_its_backend(told: BackendError | None, reason: Reason) -> None:
    """The satellite is told why, and hung up on."""
    bench = Bench()
    bench.backend.close_error = RuntimeError("secret")
    async with bench.running():
        bench.backend.tell(told)
        await bench.ended()
    assert bench.channel.reason is reason
    assert bench.summary is not None
    assert bench.summary.reason == reason


@pytest.mark.parametrize("reason", [None, "no_backend"])
async def test_a_backend_may_not_start(reason: str | None) -> None:
    """It says why, or takes too long."""
    bench = Bench(limits=SessionLimits(start=0.01))
    bench.backend.fails_to_start = reason
    if reason is None:
        bench.backend.starts_when.clear()
    async with bench.running():
        await bench.ended()
    expected = Reason.NO_BACKEND if reason else Reason.BACKEND_START_FAILED
    assert bench.channel.reason is expected
    assert bench.channel.types == ["error", "session.ended"]
    assert bench.summary is not None
    assert bench.summary.backend is None


async def test_a_mistake_of_ours_ends_nothing() -> None:
    """One event fails, the session goes on; nothing of it is told."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.backend.commit = lambda: 1 / 0  # type: ignore[method-assign, assignment]
        bench.session.hear(b"\1\1")
        bench.session.receive(AudioCommit())
        assert bench.channel.last(say.Error).reason is Reason.INTERNAL_ERROR
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)


async def test_a_backend_that_breaks_ends_the_session() -> None:
    """With nothing of its words."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell("no event")  # type: ignore[arg-type]
        bench.backend.tell(OutputAudio(turn_id="t", pcm=None))  # type: ignore[arg-type]
        await bench.ended()
    assert bench.channel.reason is Reason.INTERNAL_ERROR


async def test_a_session_that_is_cancelled_closes_what_it_opened() -> None:
    """Home Assistant stops."""
    bench = Bench()
    task = asyncio.create_task(bench.session.run())
    await bench.channel.until(say.SessionReady)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.backend.is_closed.is_set()
    assert bench.channel.reason is Reason.STOPPED


async def test_an_announcement_is_waited_for_within_a_limit() -> None:
    """The clock stands still, so nothing is ever heard. What was not sent never is."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0.02))
    bench.now = 1.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        with patch.object(announcing, "HEARD_LIMIT", 0.01):
            assert not await bench.session.announce("Dinner", bytes(1_280), 16_000)
        assert bench.is_in(SessionState.IDLE)
        assert bench.channel.last(say.AudioClear).reason == "timeout"
        bench.now = 2.0
        bench.backend.tell(OutputAudio(turn_id="t", pcm=b"\1\1"))
        await bench.state(SessionState.SPEAKING)
    assert bench.channel.pcm.strip(b"\0") == b"\1\1"
    assert len(bench.channel.pcm) < 1_280


@pytest.mark.parametrize("is_heard", [False, True])
async def test_an_announcement_is_taken_back_with_who_wants_it(is_heard: bool) -> None:
    """Unless it was heard to its end just then."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        task = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        task.cancel()
        if is_heard:
            bench.session.receive(PlaybackDone())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.is_in(SessionState.IDLE)
    assert ("audio.clear" in bench.channel.types) is not is_heard


async def test_an_answer_may_be_stopped_before_it_is_heard() -> None:
    """What comes of it then is late, and nobody hears it; the next one is."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), ResponseStarted(turn_id="t"))
        await bench.channel.until(say.ResponseStarted)
        bench.session.receive(ResponseCancel())
        bench.backend.tell(OutputAudio(turn_id="t", pcm=b"\1\1"), *turn(b"\2\2", turn_id="u"))
        await bench.channel.until(say.TurnEnded)
    assert bench.channel.pcm == b"\2\2"


async def test_words_may_end_before_their_audio() -> None:
    """Then there is no time to first audio yet."""
    bench = Bench()
    async with bench.running():
        whole = turn()
        whole[5], whole[6] = whole[6], whole[5]
        bench.backend.tell(*whole)
        await bench.channel.until(say.TurnEnded)
    types = bench.channel.types
    assert types.index("transcript.done") < types.index("latency.metrics")
    assert bench.channel.last(say.LatencyMetrics).first_audio is not None


async def test_nothing_may_have_been_understood() -> None:
    """Words without letters are no turn, and end what somebody said all the same."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(
            TurnStarted(turn_id="t"), Transcript(speaker=Speaker.USER, text=" ", is_final=True)
        )
        await bench.state(SessionState.THINKING)
    assert bench.summary is not None
    assert bench.summary.turns == 0


async def test_a_problem_does_not_stop_what_is_heard() -> None:
    """It is told all the same."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(
            OutputAudio(turn_id="t", pcm=SECOND), Problem(error=BackendError("pipeline_error"))
        )
        await bench.channel.until(say.Error)
        assert bench.is_in(SessionState.SPEAKING)


async def test_so_many_tools_are_followed() -> None:
    """And no more; all of them are told."""
    bench = Bench()
    async with bench.running():
        for number in range(MAX_ACTIVITIES + 1):
            bench.backend.tell(Activity(call_id=str(number), summary="Running"))
        await bench.channel.until(say.ToolProgress, MAX_ACTIVITIES + 1)
        assert len(bench.session._reader.activities) == MAX_ACTIVITIES


async def test_an_answer_is_resampled_to_its_end() -> None:
    """The rest in the filter is part of it."""
    bench = Bench(audio=AudioConfig(sample_rate=24_000, max_ahead=0.0))
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
    assert len(bench.channel.pcm) == 48_000


async def test_too_much_at_once_is_refused() -> None:
    """A session has so many tasks, and no more."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        for _ in range(MAX_TASKS):
            bench.session.receive(Steer("faster"))
        assert bench.channel.last(say.Error).reason is Reason.RATE_LIMITED


async def test_a_mark_alone_is_no_sound() -> None:
    """It comes when everything was heard: nobody speaks again because of it."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(*turn())
        await bench.channel.until(say.TurnEnded)
        bench.session.receive(PlaybackDone("t"))
        bench.backend.tell(
            OutputAudio(turn_id="t", pcm=b"", mark="late"), Activity(call_id="c", summary="x")
        )
        await bench.channel.until(say.ToolProgress)
        assert bench.is_in(SessionState.IDLE)
    assert bench.backend.calls == [("played", "m"), ("drained",), ("played", "late")]


async def test_an_announcement_without_sound_is_over_at_once() -> None:
    """There is nothing to wait for."""
    bench = Bench()
    async with bench.running():
        assert await bench.session.announce("Hm.", b"", 16_000)
        assert bench.is_in(SessionState.IDLE)


async def test_an_answer_may_be_stopped_before_it_is_begun() -> None:
    """Somebody has asked, and does not want to know any more."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"))
        await bench.state(SessionState.THINKING)
        bench.session.receive(ResponseCancel())
        assert bench.is_in(SessionState.IDLE)
        bench.backend.tell(*turn()[3:], Activity(call_id="c", summary="x"))
        await bench.channel.until(say.ToolProgress)
        assert bench.channel.pcm == b""
        assert bench.is_in(SessionState.IDLE)
        bench.backend.tell(*turn(turn_id="u"))
        await bench.channel.until(say.TurnEnded)
        assert bench.channel.pcm == SECOND


async def test_the_end_of_an_answer_that_was_stopped_is_not_told() -> None:
    """The satellite knows; nor does it end the turn that has begun meanwhile."""
    bench = Bench(mode=SessionMode.SINGLE)
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"))
        await bench.state(SessionState.THINKING)
        bench.backend.tell(
            TurnStarted(turn_id="u", interrupts=True),
            TurnEnded(turn_id="t"),
            Activity(call_id="c", summary="x"),
        )
        await bench.channel.until(say.ToolProgress)
        assert bench.is_in(SessionState.LISTENING)
        assert "turn.ended" not in bench.channel.types
    bench = Bench()
    async with bench.running():
        bench.backend.tell(*turn()[:-1])
        await bench.channel.until(say.AudioDone)
        bench.session.receive(ResponseCancel())
        bench.backend.tell(TurnEnded(turn_id="t"), Activity(call_id="c", summary="x"))
        await bench.channel.until(say.ToolProgress)
        assert "turn.ended" not in bench.channel.types


async def test_a_session_for_one_turn_ends_when_that_is_stopped() -> None:
    """An announcement is no turn."""
    bench = Bench(mode=SessionMode.SINGLE)
    async with bench.running():
        announcing = asyncio.create_task(bench.session.announce("Dinner.", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        bench.session.receive(ResponseCancel())
        assert not await announcing
        bench.backend.tell(*turn()[:-1])
        await bench.channel.until(say.AudioDone, 2)
        assert bench.channel.reason is None
        bench.session.receive(ResponseCancel())
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED


async def test_words_of_what_was_said_before_count_for_that_only() -> None:
    """A filler was heard whole, and little of the answer that followed it in the same turn."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0.4))
    bench.now = 100.0
    async with bench.running():
        bench.backend.tell(
            ResponseStarted(turn_id="t"),
            Transcript(speaker=Speaker.ASSISTANT, text="One moment.", is_final=True),
            OutputAudio(turn_id="t", pcm=SECOND * 4),
            ResponseStarted(turn_id="t"),
            Transcript(speaker=Speaker.ASSISTANT, text="one two three four five"),
            OutputAudio(turn_id="t", pcm=SECOND * 4),
        )
        await bench.state(SessionState.SPEAKING)
        for step in range(44):
            bench.now = 100.0 + step / 10
            bench.session._output._step()
        bench.session.receive(ResponseCancel())
        assert bench.channel.last(say.TranscriptDone).text == "..."


async def test_a_pause_ends_no_words() -> None:
    """What was heard before it belongs to the same answer."""
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=0.4))
    bench.now = 100.0
    async with bench.running():
        bench.backend.tell(
            ResponseStarted(turn_id="t"),
            Transcript(speaker=Speaker.ASSISTANT, text="I look. "),
            OutputAudio(turn_id="t", pcm=SECOND),
        )
        await bench.state(SessionState.SPEAKING)
        for step in range(20):
            bench.now = 100.0 + step / 10
            bench.session._output._step()
        assert bench.is_in(SessionState.THINKING)
        bench.backend.tell(
            Transcript(speaker=Speaker.ASSISTANT, text="Noon."),
            OutputAudio(turn_id="t", pcm=SECOND),
        )
        await bench.state(SessionState.SPEAKING)
        bench.session.receive(ResponseCancel())
        assert bench.channel.last(say.TranscriptDone).text.startswith("I")


async def test_who_answers_the_question_whether_somebody_is_there_is_there() -> None:
    """They speak over it, and may speak for longer than one is waited for after it."""
    bench: Bench

    async def ask(session: RealtimeSession) -> None:
        session.happened(Cause.HEARD)

    limits = SessionLimits(silence=30.0, question=10.0)
    bench = Bench(limits=limits, hooks=SessionHooks(ask_gently=ask, asks_when_silent=True))
    bench.now = 100.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.now = 131.0
        bench.session._watch.look()
        await bench.state(SessionState.LISTENING)
        bench.now = 145.0
        bench.session._watch.look()
        for _ in range(10):
            await asyncio.sleep(0)
        assert bench.channel.reason is None


async def test_the_backend_knows_that_an_answer_was_heard_after_an_announcement() -> None:
    """Both were in the loudspeaker."""
    bench = Bench()
    async with bench.running():
        announcing = asyncio.create_task(bench.session.announce("Dinner.", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        bench.backend.tell(*turn()[3:])
        await bench.channel.until(say.TurnEnded)
        bench.session.receive(PlaybackDone())
        assert await announcing
        assert ("drained",) in bench.backend.calls


async def test_a_microphone_that_hears_faster_than_time_goes_is_none() -> None:
    """A recording at once is taken; who sends without end does not keep everybody waiting."""
    bench = Bench()
    bench.now = 100.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        for _ in range(40):
            bench.session.receive(AudioAppend(SECOND))
        assert len(bench.backend.heard) == MAX_BURST * len(SECOND)
        bench.session.receive(AudioAppend(SECOND + b"\1"))
        bench.now += 2
        bench.session.receive(AudioAppend(b"\2" + b"\3\3" * 16_000))
        assert bench.backend.heard.endswith(b"\1\2" + b"\3\3" * 16_000)
    assert bench.summary is not None
    assert bench.summary.dropped == pytest.approx(11, abs=0.001)


async def test_a_session_for_one_turn_does_not_wait_for_ever() -> None:
    """Neither for an answer, nor for another question."""
    bench = Bench(mode=SessionMode.SINGLE, limits=SessionLimits(answer=0.01))
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"))
        await bench.ended()
    assert bench.channel.reason is Reason.COMPLETED
    assert "error" in bench.channel.types
