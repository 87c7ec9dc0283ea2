"""The voice server, asked as Home Assistant's Wyoming integration asks it."""

from collections.abc import AsyncGenerator, Sequence

import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
)

from demo.voice import server as server_module
from demo.voice.programs import SoundError
from demo.voice.server import VoiceServer
from demo.voice.sound import RATE, Sound

LIMIT = 5.0
TWO_SENTENCES = "It is ten. The light is on"


async def talk(server: VoiceServer, events: Sequence[Eventable]) -> list[Event]:
    """Send events and return what comes until the server hangs up."""
    async with AsyncTcpClient("127.0.0.1", server.port) as client:
        for event in events:
            await client.write_event(event.event())
        received = []
        while event := await client.read_event():
            received.append(event)
        return received


def seconds_of(events: Sequence[Event]) -> float:
    """Return how much sound these events carry."""
    samples = b"".join(
        AudioChunk.from_event(event).audio for event in events if AudioChunk.is_type(event.type)
    )
    return Sound(samples=samples).seconds


async def test_home_assistant_is_told_what_the_server_can(server: VoiceServer) -> None:
    """Both programs carry the name of the server, and speech takes text that still comes."""
    async with AsyncTcpClient("127.0.0.1", server.port) as client:
        await client.write_event(Describe().event())
        event = await client.read_event()
    assert event is not None
    info = Info.from_event(event)
    assert [program.name for program in (*info.asr, *info.tts)] == [server.name, server.name]
    assert info.tts[0].supports_synthesize_streaming


@pytest.mark.parametrize(
    "begin",
    [[Transcribe(language="en"), AudioStart(rate=RATE, width=2, channels=1)], [Transcribe()]],
    ids=["announced", "at once"],
)
async def test_an_utterance_is_heard(server: VoiceServer, begin: list[Eventable]) -> None:
    """All its pieces reach the recogniser, and what that makes of them is kept."""
    piece = AudioChunk(rate=RATE, width=2, channels=1, audio=bytes(20))
    (answer,) = await talk(server, [*begin, piece, piece, AudioStop()])
    assert Transcript.from_event(answer).text == "20 samples"
    (heard,) = server.heard
    assert (heard.text, len(heard.sound.samples)) == ("20 samples", 40)


async def test_a_recogniser_that_is_gone_is_told(server: VoiceServer) -> None:
    """Home Assistant gets an error and not an empty utterance."""
    (answer,) = await talk(server, [Transcribe(), AudioStop()])
    assert Error.from_event(answer).text == "The recogniser is gone."
    assert server.heard == ()


async def test_a_text_is_spoken_whole(server: VoiceServer) -> None:
    """One sound for all of it."""
    events = await talk(server, [Synthesize(text=TWO_SENTENCES)])
    assert (events[0].type, events[-1].type) == ("audio-start", "audio-stop")
    assert seconds_of(events) == pytest.approx(0.07)
    (spoken,) = server.spoken
    assert (spoken.text, spoken.sentences) == (TWO_SENTENCES, [TWO_SENTENCES])
    assert not spoken.is_streamed
    assert server.texts == (TWO_SENTENCES,)


async def test_a_text_is_spoken_while_it_comes(server: VoiceServer) -> None:
    """The first sentence is heard before the text has ended; the text that comes again is not spoken twice."""
    async with AsyncTcpClient("127.0.0.1", server.port) as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk(text="It is ten. The ").event())
        assert (await client.read_event()).type == "audio-start"  # type: ignore[union-attr]  # it is there
        first = await client.read_event()
        assert first is not None
        assert seconds_of([first]) == pytest.approx(0.03)
        assert server.texts == ()
        for event in (
            SynthesizeChunk(text="light is on"),
            Synthesize(text=TWO_SENTENCES),
            SynthesizeStop(),
        ):
            await client.write_event(event.event())
        rest = [event async for event in _until_closed(client)]
    assert SynthesizeStopped.is_type(rest[-1].type)
    assert seconds_of(rest) == pytest.approx(0.04)
    (spoken,) = server.spoken
    assert (spoken.text, spoken.is_streamed) == (TWO_SENTENCES, True)
    assert spoken.sentences == ["It is ten.", "The light is on"]
    assert spoken.seconds == pytest.approx(0.07)


async def test_a_client_that_goes_away_leaves_a_text_that_is_not_complete(
    server: VoiceServer,
) -> None:
    """What Home Assistant gave up is not counted as spoken."""
    async with AsyncTcpClient("127.0.0.1", server.port) as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk(text="It is ten. The ").event())
        await server.wait_for(
            lambda: bool(server.spoken and server.spoken[0].sentences), limit=LIMIT
        )
    assert server.texts == ()
    await talk(server, [Synthesize(text="Next.")])
    assert server.texts == ("Next.",)


async def test_a_voice_that_fails_is_told(
    server: VoiceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's own complaint reaches Home Assistant, for a whole text and for a streamed one."""

    async def fail(text: str, *, voice: str) -> Sound:
        raise SoundError("flite is not installed.")

    monkeypatch.setattr(server_module, "speak", fail)
    whole = await talk(server, [Synthesize(text="It is ten.")])
    streamed = await talk(
        server, [SynthesizeStart(), SynthesizeChunk(text="One. "), SynthesizeStop()]
    )
    assert [Error.from_event(events[-1]).text for events in (whole, streamed)] == [
        "flite is not installed."
    ] * 2
    assert server.texts == ()


async def _until_closed(client: AsyncTcpClient) -> AsyncGenerator[Event]:
    while event := await client.read_event():
        yield event
