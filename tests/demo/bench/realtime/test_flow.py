"""Which sound was where when."""

from array import array
from base64 import b64encode
import json

import pytest

from demo.bench.realtime.flow import (
    Flow,
    Piece,
    from_gateway,
    from_provider,
    marked,
    marks_at,
    to_gateway,
    to_provider,
)
from demo.bench.realtime.wire import Message
from demo.process import DemoError
from demo.voice.speech_model import LOUD, loudness

RATE = 16_000


def test_an_answer_is_put_together_by_its_seconds() -> None:
    """Each piece has come as a whole when it came."""
    flow = Flow([Piece(at=5.0, pcm=bytes(32_000)), Piece(at=6.0, pcm=bytes(16_000))], RATE)
    assert flow.seconds == 1.5
    assert flow.middles() == [(5.0, 0.5), (6.0, 1.25)]
    assert [flow.came_at(second) for second in (0.1, 1.0, 1.01, 1.5)] == [5.0, 5.0, 6.0, 6.0]
    with pytest.raises(DemoError, match=r"only 1\.5 seconds"):
        flow.came_at(1.6)
    assert Flow([], RATE).seconds == 0


def test_a_mark_is_found_and_is_no_speech() -> None:
    """It is too soft for the stand-in's ears, whatever frame they look at."""
    pcm = marked(RATE, 0.06, mark_at=0.03)
    assert len(pcm) == 1920
    samples = array("h", pcm)
    heard = [index / RATE for index, sample in enumerate(samples) if sample]
    assert heard[0] >= 0.03
    assert heard[-1] <= 0.035
    assert max(loudness(pcm[at : at + 640]) for at in range(0, 1280, 2)) < LOUD
    assert not any(marked(RATE, 0.06, mark_at=None))


def test_a_mark_has_come_with_its_last_piece() -> None:
    """It may be cut, and the next one is another."""
    quiet, loud = bytes(320), marked(RATE, 0.01, mark_at=0.0)
    pieces = [
        Piece(at=at, pcm=pcm)
        for at, pcm in ((1.0, quiet), (2.0, loud), (2.06, loud), (2.07, quiet), (2.08, loud))
    ]
    assert marks_at(pieces) == [2.06, 2.08]
    assert marks_at(pieces[:1]) == []


def message(at: float, **fields: object) -> Message:
    """Return a message that is a JSON object."""
    return Message(at=at, payload=json.dumps(fields).encode())


def test_sound_is_found_in_what_gateway_and_provider_say() -> None:
    """Everything else is left out."""
    sound = b64encode(b"abcd").decode()
    piece = [Piece(at=2.0, pcm=b"abcd")]
    append = {"audioBase64": sound, "timestamp": 1}
    assert list(to_gateway([
        message(1.0, type="req", method="connect", params={}),
        message(2.0, type="req", method="talk.session.appendAudio", params=append),
    ])) == piece  # fmt: skip
    assert list(from_gateway([
        message(1.0, type="event", event="talk.event", payload={"type": "mark"}),
        message(1.0, type="res", ok=True, payload={}),
        message(2.0, type="event", event="talk.event", payload={"type": "audio", **append}),
    ])) == piece  # fmt: skip
    assert list(to_provider([
        message(1.0, type="session.update"),
        message(2.0, type="input_audio_buffer.append", audio=sound),
    ])) == piece  # fmt: skip
    assert list(from_provider([
        message(1.0, type="response.done"),
        message(2.0, type="response.output_audio.delta", delta=sound),
    ])) == piece  # fmt: skip
