"""The satellite, with a test in Home Assistant's place."""

import asyncio

import pytest
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.pipeline import PipelineStage, RunPipeline
from wyoming.satellite import RunSatellite
from wyoming.snd import Played
from wyoming.tts import Synthesize
from wyoming.vad import VoiceStopped

from demo.voice.satellite import Satellite, SatelliteError, text_of
from demo.voice.server import Spoken, VoiceServer

LIMIT = 5.0
RATE = 22_050


async def send(home: AsyncTcpClient, *events: Eventable) -> None:
    """Send events to the satellite."""
    for event in events:
        await home.write_event(event.event())


async def receive(home: AsyncTcpClient, kind: type[Eventable]) -> Event:
    """Return the next event of a kind; others are passed over."""
    async with asyncio.timeout(LIMIT):
        while event := await home.read_event():
            if kind.is_type(event.type):
                return event
    raise AssertionError("the satellite hung up")


def sound(seconds: float, *, is_announcement: bool) -> list[Eventable]:
    """Return the events of a sound, as Home Assistant sends them."""
    samples = bytes(2 * round(seconds * RATE))
    return [
        AudioStart(rate=RATE, width=2, channels=1),
        AudioChunk(rate=RATE, width=2, channels=1, audio=samples),
        AudioStop() if is_announcement else AudioStop(timestamp=round(seconds * 1000)),
    ]


async def test_home_assistant_is_told_what_it_is(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """Its name and its area; a ping is answered with what it asks."""
    await send(home, Describe(), Ping(text="1"))
    info = Info.from_event(await receive(home, Info))
    assert info.satellite is not None
    assert (info.satellite.name, info.satellite.area) == ("Paper satellite", "Attic")
    assert Pong.from_event(await receive(home, Pong)).text == "1"
    assert not satellite.is_connected


async def test_a_question_is_spoken_until_its_words_are_known(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """A run is asked for, sound comes, silence after it, and the words end the wait."""
    await send(home, RunSatellite())
    await satellite.wait_until_connected(limit=LIMIT)
    asking = asyncio.create_task(satellite.ask("What time is it", limit=LIMIT))
    run = RunPipeline.from_event(await receive(home, RunPipeline))
    assert (run.start_stage, run.end_stage) == (PipelineStage.ASR, PipelineStage.TTS)
    # The question is shorter than one piece, so the second one is silence.
    for _ in range(2):
        assert AudioChunk.from_event(await receive(home, AudioChunk)).rate == 16_000
    await send(home, VoiceStopped(), Transcript(text="what time is it"))
    assert await asking == "what time is it"


async def test_a_failed_pipeline_ends_the_question(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """The reason is Home Assistant's, and is kept."""
    await send(home, RunSatellite())
    await satellite.wait_until_connected(limit=LIMIT)
    asking = asyncio.create_task(satellite.ask("What time is it", limit=LIMIT))
    await receive(home, RunPipeline)
    await send(home, Error(text="No speech-to-text."))
    with pytest.raises(SatelliteError, match=r"No speech-to-text\."):
        await asking
    assert satellite.errors == ("No speech-to-text.",)


async def test_another_question_takes_the_place_of_the_first(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """As the wake word does."""
    await send(home, RunSatellite())
    await satellite.wait_until_connected(limit=LIMIT)
    first = asyncio.create_task(satellite.ask("One", limit=LIMIT))
    await receive(home, RunPipeline)
    second = asyncio.create_task(satellite.ask("Two", limit=LIMIT))
    await receive(home, RunPipeline)
    with pytest.raises(SatelliteError, match="Another question"):
        await first
    await send(home, Transcript(text="two"))
    assert await second == "two"


async def test_without_home_assistant_nothing_can_be_asked(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """Before it has connected, and after it has hung up in the middle of a question."""
    with pytest.raises(SatelliteError, match="not connected"):
        await satellite.ask("What time is it")
    await send(home, RunSatellite())
    await satellite.wait_until_connected(limit=LIMIT)
    asking = asyncio.create_task(satellite.ask("What time is it", limit=LIMIT))
    await receive(home, RunPipeline)
    await satellite.hang_up()
    with pytest.raises(SatelliteError, match="hung up"):
        await asking


async def test_a_question_that_nobody_takes_has_a_limit(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """Silence does not go on for ever."""
    await send(home, RunSatellite())
    await satellite.wait_until_connected(limit=LIMIT)
    with pytest.raises(TimeoutError):
        await satellite.ask("What time is it", limit=0.15)


async def test_answers_and_announcements_are_played(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """Each is kept with its sound, and Home Assistant is told when it has been played."""
    await send(home, RunSatellite(), Synthesize(text="It is ten."))
    await send(home, *sound(0.05, is_announcement=False))
    await receive(home, Played)
    await send(home, *sound(0.02, is_announcement=True))
    await receive(home, Played)
    answer, announcement = satellite.playbacks
    assert (answer.is_announcement, answer.text) == (False, "It is ten.")
    assert (announcement.is_announcement, announcement.text) == (True, "")
    assert answer.sound.seconds == pytest.approx(0.05, abs=0.001)
    assert announcement.sound.rate == RATE
    assert answer.started_at <= answer.received_at <= announcement.started_at
    assert await satellite.wait_for_playback(after=1, limit=LIMIT) == announcement
    with pytest.raises(TimeoutError):
        await satellite.wait_for_playback(after=2, limit=0.01)
    with pytest.raises(TimeoutError):
        await satellite.wait_for_playback(is_wanted=lambda played: not played.sound, limit=0.01)


async def test_playing_takes_as_long_as_the_sound(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """At the pace of a loudspeaker Home Assistant waits for the end."""
    satellite.pace = 1.0
    await send(home, RunSatellite(), *sound(0.1, is_announcement=True))
    start = asyncio.get_running_loop().time()
    await receive(home, Played)
    assert asyncio.get_running_loop().time() - start > 0.08


async def test_the_text_of_a_playback_is_found_by_its_length(
    satellite: Satellite, home: AsyncTcpClient, server: VoiceServer
) -> None:
    """The last text that is as long; a text that was not spoken to its end is none."""
    server._spoken.extend(
        Spoken(text=text, seconds=seconds, is_complete=is_complete)
        for text, seconds, is_complete in (
            ("before", 1.0, True),
            ("this", 1.01, True),
            ("given up", 1.0, False),
            ("longer", 2.0, True),
        )
    )
    await send(home, RunSatellite(), *sound(1.0, is_announcement=True))
    played = await satellite.wait_for_playback(limit=LIMIT)
    assert text_of(played, server) == "this"
    await send(home, *sound(3.0, is_announcement=True))
    assert text_of(await satellite.wait_for_playback(after=1, limit=LIMIT), server) is None
