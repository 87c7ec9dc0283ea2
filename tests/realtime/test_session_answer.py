"""What somebody answers when Home Assistant itself asks: in a conversation, and in standby."""

import asyncio
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from custom_components.openclaw_voice.realtime import answer_listener, server_events as say
from custom_components.openclaw_voice.realtime.answer_listener import PREROLL, AnswerListener
from custom_components.openclaw_voice.realtime.backend import (
    SpeechEnded,
    TurnDetection,
    TurnMode,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.client_events import AudioCommit, PlaybackDone
from custom_components.openclaw_voice.realtime.end_of_speech import FORMAT, level_alone
from custom_components.openclaw_voice.realtime.session_config import (
    AudioConfig,
    Feature,
    SatelliteInfo,
)
from custom_components.openclaw_voice.realtime.session_state import SessionState

from .scripted import WAIT_LIMIT
from .session_bench import SECOND, Bench

MANUAL = TurnDetection(mode=TurnMode.MANUAL)


def sound(seconds: float, level: float) -> bytes:
    """Return noise of a level, at 16 kHz."""
    samples = np.random.default_rng(1).normal(0, level, round(seconds * FORMAT.rate))
    return np.clip(samples, -32_768, 32_767).astype("<i2").tobytes()


WORDS = sound(0.6, 4_000)
QUIET = sound(0.6, 20)


async def heard(
    bench: Bench,
    **limits: Any,  # noqa: ANN401 - arguments
) -> tuple[list[bytes], asyncio.Task[None]]:
    """Ask for an answer; return the pieces it comes in, and what ends with it."""
    pieces: list[bytes] = []
    answer = bench.session.hear_answer(**limits)

    async def collect() -> None:
        pieces.extend([pcm async for pcm in answer])

    return pieces, asyncio.create_task(collect())


async def over(task: asyncio.Task[None]) -> None:
    """Wait for the end of an answer."""
    async with asyncio.timeout(WAIT_LIMIT):
        await task


async def test_one_utterance_is_heard_with_its_beginning() -> None:
    """The backend hears silence meanwhile, and everything that follows."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench)
        assert bench.channel.last(say.Listen).purpose == "answer"
        assert bench.is_in(SessionState.LISTENING)
        for pcm in (QUIET, WORDS, QUIET):
            bench.session.hear(pcm)
        await over(answer)
        assert bench.is_in(SessionState.IDLE)
        assert bench.channel.types[-2:] == ["listen", "listen.ended"]
        bench.session.hear(WORDS)
    said = b"".join(pieces)
    assert said == (QUIET + WORDS + QUIET)[-len(said) :]
    assert len(said) == pytest.approx(FORMAT.size(PREROLL) + len(WORDS + QUIET), abs=1_000)
    silence = bytes(len(QUIET + WORDS + QUIET))
    assert bench.backend.heard == silence + WORDS


@pytest.mark.parametrize("cancels_echo", [False, True])
async def test_the_question_is_no_answer(cancels_echo: bool) -> None:
    """A room sounds a little longer than its loudspeaker."""
    features = frozenset({Feature.ECHO_CANCELLATION} if cancels_echo else ())
    bench = Bench(satellite=SatelliteInfo(features=features))
    bench.now = 1.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        asking = asyncio.create_task(bench.session.announce("Tea?", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        bench.session.receive(PlaybackDone())
        assert await asking
        pieces, answer = await heard(bench, start_limit=0.05)
        bench.session.hear(WORDS[: FORMAT.size(0.2)])
        bench.now = 1.3
        bench.session.hear(QUIET)
        await over(answer)
    assert bool(pieces) is cancels_echo


async def test_it_is_resampled() -> None:
    """Whoever asks hears 16 kHz, whatever the satellite has."""
    bench = Bench(audio=AudioConfig(sample_rate=48_000))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench)
        loud = np.repeat(np.frombuffer(WORDS, "<i2"), 3).tobytes()
        for pcm in (loud, bytes(72_000), b"\1"):
            bench.session.hear(pcm)
        await over(answer)
    assert len(b"".join(pieces)) == pytest.approx(len(WORDS) + 24_000, abs=2_000)


@pytest.mark.parametrize(
    ("said", "asked", "ends"), [(None, None, True), (None, 1.0, False), (0.5, 1.0, True)]
)
async def test_people_may_be_given_more_time(
    said: float | None, asked: float | None, ends: bool
) -> None:
    """By whoever asks, unless the satellite knows better."""
    bench = Bench(turn_detection=TurnDetection(silence=said))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        _, answer = await heard(bench, silence=asked)
        for pcm in (QUIET, WORDS, QUIET):
            bench.session.hear(pcm)
        assert ("listen.ended" in bench.channel.types) is ends
    await over(answer)


async def test_nobody_may_answer() -> None:
    """Then it ends without anything."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench, start_limit=0.01)
        bench.session.hear(QUIET)
        await over(answer)
        assert bench.is_in(SessionState.IDLE)
    assert pieces == []


async def test_the_end_of_a_session_ends_it() -> None:
    """Whatever was said by then is all; one that is over hears nothing."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench)
        bench.session.hear(WORDS)
    await over(answer)
    assert len(b"".join(pieces)) == pytest.approx(len(WORDS), abs=1_000)
    pieces, answer = await heard(bench)
    await over(answer)
    assert pieces == []


@pytest.mark.parametrize("is_manual", [False, True])
async def test_the_satellite_may_say_that_it_is_over(is_manual: bool) -> None:
    """It is no end of an utterance for the backend, which hears nothing of a button."""
    detection = MANUAL if is_manual else TurnDetection()
    bench = Bench(turn_detection=detection)
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench)
        bench.session.hear(WORDS)
        bench.session.receive(AudioCommit())
        await over(answer)
        bench.session.receive(AudioCommit())
        assert bench.backend.calls == []
        bench.session.hear(QUIET)
        bench.session.receive(AudioCommit())
        bench.session.receive(AudioCommit())
        assert bench.backend.calls == [("commit",)]
    assert b"".join(pieces) == WORDS[-len(b"".join(pieces)) :]
    assert bench.backend.heard == (b"" if is_manual else bytes(len(WORDS))) + QUIET


async def test_only_so_much_is_taken() -> None:
    """From somebody who does not stop."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        pieces, answer = await heard(bench, limit=1.0)
        for _ in range(5):
            bench.session.hear(WORDS)
        await over(answer)
    assert len(b"".join(pieces)) == 2 * len(WORDS)


async def test_a_microphone_that_falls_still_has_ended() -> None:
    """The satellite was unplugged, or stops by itself; as long as it sends, it goes on."""
    ended = asyncio.Event()
    with patch.object(answer_listener, "STILL", 0.02):
        listener = AnswerListener(
            16_000, level_alone, TurnDetection(), start_limit=1.0, limit=30.0, on_end=ended.set
        )
        listener.hear(WORDS)
        async with asyncio.timeout(WAIT_LIMIT):
            await ended.wait()
    assert [len(pcm) async for pcm in listener.utterance()] == [len(WORDS)]


async def test_a_microphone_that_goes_on_is_waited_for() -> None:
    """A look too early looks again."""
    listener = AnswerListener(
        16_000, level_alone, TurnDetection(), start_limit=30.0, limit=30.0, on_end=lambda: None
    )
    for heard_before in (b"", WORDS):
        listener.hear(heard_before)
        listener._timer.cancel()
        listener._look()
        assert not listener._is_over
    listener.end()
    listener.end()
    assert [len(pcm) async for pcm in listener.utterance()] == [len(WORDS)]


async def test_a_newer_question_ends_the_older() -> None:
    """There is one microphone."""
    bench = Bench()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        _, first = await heard(bench)
        pieces, second = await heard(bench)
        await over(first)
        for pcm in (WORDS, QUIET):
            bench.session.hear(pcm)
        await over(second)
    assert pieces != []


async def test_who_speaks_with_the_agent_is_not_disturbed() -> None:
    """The state is that of their turn."""
    bench = Bench()
    async with bench.running():
        bench.backend.tell(TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"))
        await bench.state(SessionState.THINKING)
        _, answer = await heard(bench)
        assert bench.is_in(SessionState.THINKING)
        bench.session.stop_listening()
        await over(answer)
        assert bench.is_in(SessionState.THINKING)
