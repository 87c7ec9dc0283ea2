"""One session of the demo's satellite, against a scripted endpoint."""

import struct

import pytest

from custom_components.openclaw_voice.realtime import server_events as events
from custom_components.openclaw_voice.realtime.backend import Speaker
from custom_components.openclaw_voice.realtime.client_events import (
    PlaybackDone,
    ResponseCancel,
    SessionEnd,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_config import Feature
from demo import realtime_session
from demo.realtime_session import SessionError, converse
from demo.voice.sound import Sound

from .satellite.endpoint import TOKEN, Peer, endpoint

QUESTIONS = {"First?": 9000, "Second?": 12000}
FIRST, SECOND = (struct.pack("<h", level) * 500 for level in (300, -300))
"""Answers of 31 milliseconds."""


async def say_levels(text: str, *, voice: str) -> Sound:
    """Return a short sound that is different for each question."""
    return Sound(samples=struct.pack("<h", QUESTIONS[text]) * 960)


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    """Speak without the programs of the system."""
    monkeypatch.setattr(realtime_session, "speak", say_levels)


async def answer(peer: Peer, turn: str, question: str, sound: bytes) -> None:
    """Hear a question and answer it."""
    await peer.hear(struct.pack("<h", QUESTIONS[question]) * 100)
    await peer.send(
        events.TurnStarted(turn_id=turn),
        events.TranscriptDone(text=question, speaker=Speaker.USER),
        sound,
        events.TranscriptDone(text=f"To {question}", speaker=Speaker.ASSISTANT),
    )


async def test_questions_are_asked_in_turn_and_answers_kept_apart() -> None:
    """The satellite says who and where it is; the first answer is interrupted."""

    async def script(peer: Peer) -> None:
        config = peer.config
        assert (config.satellite_id, config.backend) == ("demo-satellite", "assist")
        assert (config.satellite.name, config.satellite.area) == ("Demo satellite", "Kitchen")
        assert Feature.ECHO_CANCELLATION in config.satellite.features
        await peer.ready()
        await answer(peer, "t1", "First?", FIRST * 40)
        assert await peer.next_event() == ResponseCancel()
        await peer.send(events.AudioClear(reason="response_cancelled", turn_id="t1"))
        await answer(peer, "t2", "Second?", SECOND)
        await peer.send(events.AudioDone(turn_id="t2"), events.TurnEnded(turn_id="t2"))
        assert await peer.next_event() == PlaybackDone("t2")
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address:
        seen = await converse(
            address, TOKEN, list(QUESTIONS), backend="assist", interrupt_after=0.1
        )

    first, second = seen.answers
    assert (first.question, second.question) == tuple(QUESTIONS)
    assert (first.turn.user, second.turn.assistant) == ("First?", "To Second?")
    assert 0.1 <= first.sound.seconds < 1.0
    assert first.sound.samples in FIRST * 40
    assert second.sound.samples == SECOND
    assert first.turn.clear_ms is not None
    assert seen.report.close_code == 1000


async def test_a_session_that_cannot_be_opened_is_told_in_a_sentence() -> None:
    """Such as with a token that is refused."""

    async def never(_: Peer) -> None:
        raise AssertionError

    async with endpoint(never) as address:
        with pytest.raises(SessionError, match="refuses the token"):
            await converse(address, "wrong", list(QUESTIONS), backend="assist")


async def test_a_session_does_not_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers."""
    monkeypatch.setattr(realtime_session, "SESSION_LIMIT", 0.05)

    async def wait(peer: Peer) -> None:
        await peer.socket.wait_closed()

    async with endpoint(wait) as address:
        with pytest.raises(SessionError, match="has not ended"):
            await converse(address, TOKEN, list(QUESTIONS), backend="assist")
