"""Tests of the reference client against a scripted endpoint."""

import asyncio
import io
import struct

import pytest

from custom_components.openclaw_voice.realtime import server_events as events
from custom_components.openclaw_voice.realtime.backend import Speaker
from custom_components.openclaw_voice.realtime.client_events import (
    AudioCommit,
    PlaybackDone,
    ResponseCancel,
    SatelliteState,
    SessionEnd,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_config import Feature, SessionMode
from demo.satellite.client import Report
from demo.satellite.main import talk
from demo.satellite.microphone import Questions
from demo.satellite.protocol import Options
from demo.satellite.screen import SIGNS, Screen
from demo.satellite.speaker import Recording

from .endpoint import TOKEN, Peer, endpoint

SPEED = 50
"""How much faster than people the satellite of a test lives."""

LIMIT = 10.0
FIRST, SECOND = (struct.pack("<h", level) * 1500 for level in (9000, 12000))
ANSWER = struct.pack("<640h", *range(640))
USER, ASSISTANT = Speaker


async def say(peer: Peer, turn: str, question: str, answer: str, pieces: int = 3) -> None:
    """Play a turn."""
    await peer.send(
        events.TurnStarted(turn_id=turn),
        events.TranscriptDone(text=question, speaker=USER),
        events.ResponseStarted(turn_id=turn),
        events.ToolProgress(call_id="c", summary="Running clock..."),
        events.TranscriptDelta(text=answer, speaker=ASSISTANT),
        *[ANSWER] * pieces,
        events.LatencyMetrics(endpoint=0.5, first_audio=0.6),
        events.TranscriptDone(text=answer, speaker=ASSISTANT),
    )


async def complete(peer: Peer, turn: str) -> None:
    """End a turn, and see that it was heard."""
    await peer.send(events.AudioDone(turn_id=turn), events.TurnEnded(turn_id=turn))
    assert await peer.next_event() == PlaybackDone(turn)


async def session(
    address: str,
    *,
    questions: tuple[bytes, ...] = (FIRST,),
    options: Options | None = None,
    interrupt_after: float | None = None,
    speed: float = SPEED,
) -> tuple[Report, bytes, str]:
    """Run a session; return its report, what was heard, and what was shown."""
    recording, shown = Recording(), io.StringIO()
    async with asyncio.timeout(LIMIT):
        report = await talk(
            address,
            TOKEN,
            options or Options(cancels_echo=True),
            microphone=Questions(list(questions), 16000, speed=speed),
            sink=recording,
            screen=Screen(shown),
            interrupt_after=interrupt_after,
            speed=speed,
        )
    return report, bytes(recording.samples), shown.getvalue()


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("is_token_in_config", [True, False])
async def test_it_asks_one_after_the_other_and_plays_the_answers(
    socket_enabled: None, is_binary: bool, is_token_in_config: bool
) -> None:
    """With both ways that audio travels, and both ways to authenticate."""

    async def script(peer: Peer) -> None:
        assert peer.config.satellite_id == "kitchen-1"
        assert peer.config.satellite.name == "Kitchen"
        assert Feature.ECHO_CANCELLATION in peer.config.satellite.features
        await peer.ready()
        await peer.hear(FIRST)
        await say(peer, "turn-1", "What time is it?", "Nine.")
        await complete(peer, "turn-1")
        await peer.hear(SECOND)
        await say(peer, "turn-2", "And now?", "Ten.")
        await complete(peer, "turn-2")
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    options = Options(
        satellite_id="kitchen-1",
        name="Kitchen",
        is_binary=is_binary,
        cancels_echo=True,
        token=TOKEN if is_token_in_config else None,
    )
    async with endpoint(script) as address:
        report, heard, shown = await session(address, questions=(FIRST, SECOND), options=options)
    assert heard == ANSWER * 6
    assert [(turn.user, turn.assistant) for turn in report.turns] == [
        ("What time is it?", "Nine."),
        ("And now?", "Ten."),
    ]
    assert all(turn.first_audio_s is not None for turn in report.turns)
    assert report.turns[0].tools == ["Running clock..."]
    assert (report.backend, report.agent, report.reason) == ("assist", "main", "client_ended")
    assert report.close_code == 1000
    assert "You: What time is it?\n" in shown
    assert "Agent: Nine.\n" in shown
    for word in ("Claw answers", "no_realtime", "thinks", "speaks", "Running clock", "600 ms"):
        assert word in shown


async def test_it_interrupts_an_answer(socket_enabled: None) -> None:
    """Silence at once; what still comes of the answer is not played."""
    cut = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await say(peer, "turn-1", "Tell me a story.", "Once upon a time", pieces=200)
        assert await peer.next_event() == ResponseCancel()
        await peer.send(ANSWER, events.AudioClear(reason="cancelled", turn_id="turn-1"))
        cut.set()
        await peer.send(events.TurnEnded(turn_id="turn-1"))
        await peer.hear(SECOND)
        await peer.send(events.TurnStarted(turn_id="turn-2"), events.TurnEnded(turn_id="turn-2"))
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address:
        report, heard, shown = await session(
            address, questions=(FIRST, SECOND), interrupt_after=0.2
        )
    assert cut.is_set()
    assert 0.2 <= len(heard) / 32000 < 7
    clear_ms = report.turns[0].clear_ms
    assert clear_ms is not None
    assert 0 < clear_ms < 5000
    seconds = float(shown.split("silence (cancelled) after ")[1].split(" s")[0])
    assert seconds >= 0.2


async def test_speech_over_an_answer_silences_it(socket_enabled: None) -> None:
    """Home Assistant hears it; the satellite obeys."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await say(peer, "turn-1", "Tell me a story.", "Once", pieces=1000)
        await peer.send(
            events.AudioClear(reason="barge_in", turn_id="turn-1"),
        )
        await say(peer, "turn-2", "Stop.", "Yes.", pieces=1)
        await complete(peer, "turn-2")
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address:
        report, heard, _ = await session(address)
    assert len(heard) < 1000 * len(ANSWER)
    assert heard.endswith(ANSWER)
    assert [turn.user for turn in report.turns] == ["Tell me a story.", "Stop."]
    assert report.turns[0].clear_ms is None


@pytest.mark.parametrize(("text", "line"), [("Dinner.", "Dinner."), ("", "(a sound)")])
async def test_announcements_are_played_and_confirmed(
    socket_enabled: None, text: str, line: str
) -> None:
    """Whoever announces waits for it."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.send(
            events.Announcement(id="a1", text=text), ANSWER, events.AudioDone(turn_id="a1")
        )
        assert await peer.next_event() == PlaybackDone("a1")
        await peer.send(events.Listen())
        await peer.end(Reason.IDLE)

    async with endpoint(script) as address:
        report, heard, shown = await session(address)
    assert heard == ANSWER
    assert report.announcements == [text]
    assert (report.reason, report.close_code) == ("idle", 4408)
    assert f"Announcement: {line}\n" in shown


async def test_in_standby_it_is_told_and_asked_something(socket_enabled: None) -> None:
    """The microphone is open for the answer alone."""

    async def script(peer: Peer) -> None:
        assert peer.config.mode is SessionMode.STANDBY
        await peer.ready()
        await peer.send(
            events.Announcement(id="a1", text="Tea?"), ANSWER, events.AudioDone(turn_id="a1")
        )
        assert await peer.next_event() == PlaybackDone("a1")
        assert not peer.heard
        await peer.send(events.Listen(purpose=events.Purpose.ANSWER))
        await peer.hear(FIRST)
        await peer.send(events.ListenEnded(), events.SatelliteSet(volume=0.5))
        assert await peer.next_event() == SatelliteState(0.5, False)
        await peer.send(events.Listen(purpose=events.Purpose.CONVERSATION))
        peer.heard.clear()
        assert await peer.next_event() == SessionEnd()
        assert not peer.heard
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address:
        options = Options(satellite_id="kitchen-1", is_standby=True)
        report, heard, shown = await session(address, options=options)
    assert heard == ANSWER
    assert report.announcements == ["Tea?"]
    assert report.wants_to_talk
    assert [line[4:] for line in shown.splitlines() if line[2] in SIGNS.values()] == [
        "stands by",
        "speaks",
        "stands by",
        "listens",
        "stands by",
    ]


async def test_in_a_conversation_it_answers_with_its_next_question(socket_enabled: None) -> None:
    """It has listened all the time, and goes on."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await peer.send(events.Listen(purpose=events.Purpose.ANSWER))
        await peer.hear(SECOND)
        await peer.send(events.ListenEnded())
        await peer.hear(bytes(2000))
        await peer.end(Reason.IDLE)

    async with endpoint(script) as address:
        report, _, _ = await session(address, questions=(FIRST, SECOND))
    assert not report.wants_to_talk


async def test_controls_are_obeyed_and_told(socket_enabled: None) -> None:
    """Half the volume is half the samples; a muted microphone hears nothing."""

    async def script(peer: Peer) -> None:
        await peer.send(events.SatelliteSet(volume=0.5, muted=True))
        assert await peer.next_event() == SatelliteState(0.5, True)
        await peer.ready(SatelliteState(0.5, True))
        await peer.hear(bytes(6000))
        await say(peer, "turn-1", "", "Quiet.", pieces=1)
        await complete(peer, "turn-1")
        await peer.send(events.SatelliteSet(volume=0.0, muted=False))
        await peer.end(Reason.IDLE)

    async with endpoint(script) as address:
        _, heard, shown = await session(address)
    assert heard == struct.pack("<640h", *(round(level * 0.5) for level in range(640)))
    assert "volume 50%, muted" in shown


async def test_it_does_not_hear_itself_without_echo_cancellation(socket_enabled: None) -> None:
    """What the microphone hears while the loudspeaker plays is silence."""
    question = FIRST * 200

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await peer.send(*[ANSWER] * 1000)
        await peer.hear(bytes(20000))
        await peer.end(Reason.IDLE)

    async with endpoint(script) as address:
        report, _, _ = await session(address, questions=(question,), options=Options())
    assert report.reason == "idle"


async def test_errors_are_shown_and_kept(socket_enabled: None) -> None:
    """By their reason."""

    async def script(peer: Peer) -> None:
        await peer.send(events.error(Reason.NO_AGENT))
        await peer.end(Reason.NO_AGENT)

    async with endpoint(script) as address:
        report, _, shown = await session(address)
    assert (report.errors, report.reason, report.close_code) == (["no_agent"], "no_agent", 1008)
    assert "error 400 no_agent: name an agent" in shown


async def test_a_connection_that_is_lost_has_no_close_code(socket_enabled: None) -> None:
    """Nobody said why."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        peer.socket.transport.abort()

    async with endpoint(script) as address:
        report, _, _ = await session(address)
    assert (report.reason, report.close_code) == (None, None)


async def test_without_turn_detection_it_says_when_a_question_is_over(
    socket_enabled: None,
) -> None:
    """After its last piece."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        assert await peer.next_event() == AudioCommit()
        assert FIRST in peer.heard
        await say(peer, "turn-1", "Hi", "Hello.", pieces=1)
        await complete(peer, "turn-1")
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address:
        options = Options(is_manual=True, cancels_echo=True)
        report, _, _ = await session(address, options=options)
    assert report.turns[-1].assistant == "Hello."


async def test_the_end_of_the_last_answer_is_heard(socket_enabled: None) -> None:
    """The session may be over before the loudspeaker is silent."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await say(peer, "turn-1", "What time is it?", "Nine.")
        await peer.send(events.AudioDone(turn_id="turn-1"), events.TurnEnded(turn_id="turn-1"))
        await peer.end(Reason.COMPLETED)

    async with endpoint(script) as address:
        report, heard, _ = await session(
            address, options=Options(cancels_echo=True, is_single=True), speed=1
        )
    assert (heard, report.reason) == (ANSWER * 3, "completed")


async def test_a_turn_without_audio_is_over_with_its_end(socket_enabled: None) -> None:
    """Nothing will be heard, so nothing is waited for. Pieces of times are shown as they come."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(FIRST)
        await peer.send(
            events.TurnStarted(turn_id="t"),
            events.LatencyMetrics(endpoint=0.5),
            events.TurnEnded(turn_id="t"),
        )
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.COMPLETED)

    async with endpoint(script) as address:
        report, heard, shown = await session(address)
    assert (heard, report.reason) == (b"", "completed")
    assert "end of speech 500 ms\n" in shown
