"""Sound on its way to the gateway, and what is heard of its answers."""

import asyncio

import pytest

from custom_components.openclaw_voice.realtime import sound
from custom_components.openclaw_voice.realtime.sound import (
    MAX_KEPT,
    PIECE,
    PLAYED_GRACE,
    Loudspeaker,
    Microphone,
)

PIECE_BYTES = 2880
SECOND = 48_000


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class Gateway:
    """Takes sound."""

    def __init__(self) -> None:
        """Have nothing."""
        self.pieces: list[tuple[bytes, float]] = []

    def append(self, pcm: bytes, at: float) -> None:
        """Take a piece."""
        self.pieces.append((pcm, at))

    @property
    def stamps(self) -> list[float]:
        """When the pieces were heard."""
        return [round(at, 3) for _, at in self.pieces]


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def gateway() -> Gateway:
    """Return who takes the sound."""
    return Gateway()


def test_sound_is_stamped_when_it_was_heard(clock: Clock, gateway: Gateway) -> None:
    """What comes in a burst was not heard at once; afterwards the clock is right again."""
    microphone = Microphone(clock)
    microphone.connect(gateway.append)
    clock.now += 1.0

    microphone.append(bytes(3 * PIECE_BYTES + 1))
    clock.now += 1.0
    microphone.append(bytes(PIECE_BYTES - 1))

    assert [len(pcm) for pcm, _ in gateway.pieces] == [PIECE_BYTES] * 4
    assert gateway.stamps == [0.94, 1.0, 1.06, 1.94]


def test_sound_does_not_wait_for_the_next_message(clock: Clock, gateway: Gateway) -> None:
    """Resampling keeps a little back of the first message: what is there is sent."""
    microphone = Microphone(clock)
    microphone.connect(gateway.append)
    for size in (PIECE_BYTES - 60, PIECE_BYTES, PIECE_BYTES):
        clock.now += PIECE
        microphone.append(bytes(size))

    assert [len(pcm) for pcm, _ in gateway.pieces] == [PIECE_BYTES - 60, PIECE_BYTES, PIECE_BYTES]
    assert gateway.stamps == pytest.approx([0.001, 0.06, 0.12], abs=0.0011)


@pytest.mark.parametrize(("milliseconds", "sent"), [(10, 50), (20, 60), (32, 64), (100, 100)])
def test_sound_is_sent_in_pieces_the_gateway_likes(
    milliseconds: int, sent: int, clock: Clock, gateway: Gateway
) -> None:
    """However long the messages of a satellite are."""
    microphone = Microphone(clock)
    microphone.connect(gateway.append)
    for _ in range(30):
        microphone.append(bytes(48 * milliseconds))

    assert {len(pcm) // 48 for pcm, _ in gateway.pieces} == {sent}


def test_the_clock_of_another_session_begins_anew(clock: Clock, gateway: Gateway) -> None:
    """And what was said in between is not lost."""
    microphone = Microphone(clock)
    microphone.append(bytes(PIECE_BYTES))
    clock.now += 5.0
    microphone.connect(gateway.append)

    assert gateway.stamps == [0.0]


def test_too_much_is_dropped_from_its_beginning(clock: Clock, gateway: Gateway) -> None:
    """Whole samples, which are counted."""
    microphone = Microphone(clock)
    microphone.append(bytes(SECOND))
    microphone.append(b"\x01" * SECOND)
    microphone.append(b"\x02" * (SECOND // 2 + 1))

    microphone.connect(gateway.append)

    kept = b"".join(pcm for pcm, _ in gateway.pieces)
    assert microphone.dropped == pytest.approx(0.5, abs=0.001)
    assert kept.count(0) == SECOND // 2 - 2
    assert len(kept) <= MAX_KEPT * SECOND


def test_silence_ends_an_utterance(clock: Clock, gateway: Gateway) -> None:
    """Half a sample that came before it is none."""
    microphone = Microphone(clock)
    microphone.connect(gateway.append)

    microphone.append(b"\x01")
    microphone.end_utterance(0.6)

    assert len(gateway.pieces) == 10
    assert b"".join(pcm for pcm, _ in gateway.pieces)[:2] == b"\x01\x00"


def test_an_answer_is_heard_for_as_long_as_it_is(clock: Clock) -> None:
    """Unless the satellite says that it was, before that."""
    speaker = Loudspeaker(clock)
    assert not speaker.is_playing
    speaker.play(bytes(SECOND), None)
    speaker.play(bytes(SECOND), None)
    clock.now += 2.0 + PLAYED_GRACE - 0.01
    assert speaker.is_playing
    clock.now += 0.02
    assert not speaker.is_playing

    speaker.play(bytes(SECOND), None)
    assert speaker.drain() == ()
    assert not speaker.is_playing


def test_marks_alone_are_not_heard(clock: Clock) -> None:
    """Each is given back once."""
    speaker = Loudspeaker(clock)
    for name in ("a", "b", "c"):
        speaker.play(b"", name)

    assert not speaker.is_playing
    assert speaker.heard("b")
    assert not speaker.heard("b")
    assert not speaker.heard("z")
    assert speaker.drain() == ("a", "c")
    speaker.play(b"", "d")
    speaker.clear()
    assert speaker.drain() == ()


async def test_it_is_waited_until_everything_was_heard() -> None:
    """Also when more comes meanwhile."""
    speaker = Loudspeaker(asyncio.get_running_loop().time)
    await speaker.wait_silent()
    speaker.play(bytes(SECOND), None)
    waiting = asyncio.create_task(speaker.wait_silent())
    await asyncio.wait({waiting}, timeout=0)
    assert not waiting.done()

    speaker.drain()

    await asyncio.wait_for(waiting, 1.0)


async def test_a_satellite_that_does_not_say_what_was_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It must have been, after a while."""
    monkeypatch.setattr(sound, "PLAYED_GRACE", 0.01)
    speaker = Loudspeaker(asyncio.get_running_loop().time)
    speaker.play(bytes(960), None)

    await asyncio.wait_for(speaker.wait_silent(), 1.0)

    assert not speaker.is_playing


async def test_a_microphone_that_is_not_still_needs_no_silence(
    gateway: Gateway, clock: Clock
) -> None:
    """And without a session there is nobody to send it to."""
    speaker = Loudspeaker(clock)
    microphone = Microphone(clock)
    filling = asyncio.create_task(microphone.fill(speaker))
    speaker.play(bytes(SECOND), None)
    clock.now += 3 * PIECE

    await asyncio.wait({filling}, timeout=2 * PIECE)
    assert gateway.pieces == []
    microphone.connect(gateway.append)
    microphone.append(b"")
    await asyncio.wait({filling}, timeout=2 * PIECE)
    filling.cancel()

    assert gateway.pieces == []
