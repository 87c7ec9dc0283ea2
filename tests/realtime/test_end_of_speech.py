"""Where speech starts and ends: the level says when, the detector whether."""

from collections.abc import Callable, Iterable

from hypothesis import given, settings, strategies as st
import numpy as np
from pymicro_vad import MicroVad  # type: ignore[import-untyped]  # it has no stubs
import pytest

from custom_components.openclaw_voice.realtime.end_of_speech import (
    FORMAT,
    Detector,
    EndOfSpeech,
    SpeechEvent,
    SpeechKind,
)
from demo.voice.programs import USER_VOICE, speak

QUIET = 20
"""The level of a room at night."""

SPEECH = 4_000
FAN = 1_000
SLOW_START = 20
SLOW_END = 65
"""Frames that the detector of Assist takes to be sure of speech, and to be sure of its end."""


class SlowDetector:
    """Hears speech in what is as loud as it, as late as the detector of Assist."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.heard = 0
        self.frames = 0

    def __call__(self, frame: bytes) -> float:
        """Return how probable speech is."""
        self.frames += 1
        is_speech = np.std(np.frombuffer(frame, "<i2")) > SPEECH / 2
        if self.heard < SLOW_START:
            self.heard = self.heard + 1 if is_speech else 0
        else:
            self.heard = SLOW_START + SLOW_END if is_speech else self.heard - 1
        return 0.9 if self.heard >= SLOW_START else 0.1


def sound(seconds: float, level: float = QUIET) -> bytes:
    """Return noise of a level."""
    samples = np.random.default_rng(1).normal(0, level, round(seconds * FORMAT.rate))
    return np.clip(samples, -32_768, 32_767).astype("<i2").tobytes()


def pieces(pcm: bytes, size: int = 1_920) -> Iterable[bytes]:
    """Yield audio as it comes from a microphone."""
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def feed(listener: EndOfSpeech, *parts: bytes) -> list[SpeechEvent]:
    """Return what happens in audio."""
    return [event for piece in pieces(b"".join(parts)) for event in listener.feed(piece)]


def told(events: Iterable[SpeechEvent]) -> list[tuple[str, float]]:
    """Return events in short."""
    return [(event.kind.value, round(event.position, 2)) for event in events]


def make(
    silence: float = 0.5, min_speech: float = 0.1, limit: float = 30.0, is_manual: bool = False
) -> EndOfSpeech:
    """Return a listener with a slow detector."""
    return EndOfSpeech(
        SlowDetector,
        silence=silence,
        min_speech=min_speech,
        limit=limit,
        is_manual=is_manual,
    )


def test_speech_has_a_start_and_an_end() -> None:
    """Both lie where the sound is, however slow the detector."""
    events = feed(make(), sound(1), sound(1, SPEECH), sound(1))
    assert told(events) == [("started", 1.0), ("ended", 2.0)]


def test_a_quiet_room_says_nothing_and_asks_no_detector() -> None:
    """A microphone may be open all day."""
    made = []

    def detector() -> Detector:
        made.append(SlowDetector())
        return made[-1]

    listener = EndOfSpeech(detector)
    uneven = [part for _ in range(50) for part in (sound(0.05), sound(0.05, 2 * QUIET))]
    assert feed(listener, sound(60), *uneven) == []
    assert [each.frames for each in made] == [1]
    assert not listener.is_speaking


@pytest.mark.parametrize("silence", [0.3, 0.5, 1.2])
def test_the_end_is_known_after_the_silence_and_no_later(silence: float) -> None:
    """The detector goes on for longer; it is not waited for."""
    listener = make(silence=silence)
    feed(listener, sound(0.6), sound(0.9, SPEECH))
    assert feed(listener, sound(silence - 0.06)) == []
    assert listener.is_speaking
    assert told(feed(listener, sound(0.12))) == [("ended", 1.5)]
    assert not listener.is_speaking


def test_pauses_shorter_than_the_silence_belong_to_it() -> None:
    """People breathe, also for longer than the detector goes on."""
    parts = [part for _ in range(3) for part in (sound(0.6, SPEECH), sound(0.9))]
    events = feed(make(silence=1), sound(0.5), *parts, sound(1))
    assert told(events) == [("started", 0.5), ("ended", 4.1)]


def test_a_short_word_counts_though_the_detector_notices_it_late() -> None:
    """A yes is over before Assist's detector is sure of it."""

    class Late:
        """Is sure of everything after a while."""

        frames = 0

        def __call__(self, frame: bytes) -> float:
            self.frames += 1
            return float(self.frames > 35)

    events = feed(EndOfSpeech(Late), sound(1), sound(0.2, SPEECH), sound(1))
    assert told(events) == [("started", 1.0), ("ended", 1.2)]


def test_less_than_the_shortest_speech_is_none() -> None:
    """A clap is loud, and the detector may err."""
    listener = EndOfSpeech(lambda: lambda _: 1.0, min_speech=0.2)
    assert feed(listener, sound(1), sound(0.1, SPEECH), sound(1)) == []
    assert told(feed(listener, sound(0.4, SPEECH), sound(1))) == [("started", 2.1), ("ended", 2.5)]


def test_a_detector_that_knows_nothing_yet_is_given_everything() -> None:
    """The one of Assist has to listen for most of a second first."""
    asked = []

    class Cold(SlowDetector):
        """Answers after a while."""

        def __call__(self, frame: bytes) -> float:
            asked.append(frame)
            probability = super().__call__(frame)
            return probability if self.frames > 76 else -1

    listener = EndOfSpeech(Cold)
    assert feed(listener, sound(2)) == []
    assert len(asked) == 77
    listener.reset()
    assert told(feed(listener, sound(1), sound(0.4, SPEECH), sound(1))) == [
        ("started", 1.0),
        ("ended", 1.4),
    ]


def test_going_on_right_after_the_end_is_heard() -> None:
    """The detector has never stopped, so it takes somewhat more than a clap."""
    listener = make(silence=0.2)
    parts = (sound(1), sound(1, SPEECH), sound(0.3), sound(0.1, SPEECH), sound(0.1))
    assert told(feed(listener, *parts)) == [("started", 1.0), ("ended", 2.0)]
    listener = make(silence=0.2)
    parts = (sound(1), sound(1, SPEECH), sound(0.3), sound(1, SPEECH), sound(1))
    assert told(feed(listener, *parts)) == [
        ("started", 1.0),
        ("ended", 2.0),
        ("started", 2.3),
        ("ended", 3.3),
    ]


def test_noise_is_no_speech() -> None:
    """It is loud, but the detector does not hear words in it."""
    assert feed(make(), sound(1), sound(5, FAN), sound(1)) == []


def test_the_start_is_not_looked_for_too_far_back() -> None:
    """What was loud for long before is not what the user says."""
    events = feed(make(), sound(1), sound(3, FAN), sound(1, SPEECH), sound(1, QUIET))
    assert events[0].kind is SpeechKind.STARTED
    assert 3.5 < events[0].position <= 4.0
    assert told(events)[1] == ("ended", 5.0)


def test_speech_ends_while_a_fan_goes_on() -> None:
    """When the level does not tell, the detector does."""
    events = feed(make(), sound(1), sound(1, SPEECH), sound(2, FAN))
    assert told(events[:1]) == [("started", 1.0)]
    assert events[1].kind is SpeechKind.ENDED
    assert 2.0 <= events[1].position <= 2.7


def test_one_gets_used_to_a_fan() -> None:
    """After some seconds it is what the room sounds like, and costs no detector."""
    made = []

    def detector() -> Detector:
        made.append(SlowDetector())
        return made[-1]

    listener = EndOfSpeech(detector)
    feed(listener, sound(15, FAN))
    asked = sum(each.frames for each in made)
    assert told(feed(listener, sound(3, FAN), sound(1, SPEECH * 4), sound(1, FAN))) == [
        ("started", 18.0),
        ("ended", 19.0),
    ]
    assert sum(each.frames for each in made) - asked < 200


def test_a_microphone_that_is_off_tells_nothing_of_the_room() -> None:
    """Where a fan runs: it would stand out afterwards, as if somebody spoke."""
    listener = make()
    feed(listener, sound(15, FAN))
    events = feed(listener, bytes(FORMAT.size(1)), sound(1, SPEECH * 4), sound(1, FAN))
    assert told(events) == [("started", 16.0), ("ended", 17.0)]


def test_speech_without_end_is_cut() -> None:
    """A radio must not keep a turn open for ever."""
    events = feed(make(limit=2), sound(1), sound(3, SPEECH), sound(1))
    assert told(events) == [
        ("started", 1.0),
        ("ended", 3.0),
        ("started", 3.0),
        ("ended", 4.0),
    ]


def test_after_a_reset_the_last_words_do_not_start_anything() -> None:
    """The detector still reports them; it would interrupt the answer on its own."""
    listener = make()
    feed(listener, sound(1), sound(1, SPEECH))
    listener.reset()
    assert not listener.is_speaking
    assert feed(listener, sound(0.15, SPEECH), sound(2)) == []
    assert told(feed(listener, sound(0.5, SPEECH), sound(1))) == [
        ("started", 2.15),
        ("ended", 2.65),
    ]


def test_a_commit_ends_what_is_being_said() -> None:
    """Whoever holds a button knows best."""
    listener = make()
    assert listener.commit() == ()
    feed(listener, sound(1), sound(1, SPEECH))
    assert told(listener.commit()) == [("ended", 2.0)]
    assert listener.commit() == ()
    assert feed(listener, sound(2)) == []


def test_manual_turns_begin_with_audio_and_end_with_a_commit() -> None:
    """Silence is no end, and no detector is asked."""

    def detector() -> Detector:
        raise AssertionError

    listener = EndOfSpeech(detector, is_manual=True)
    assert listener.commit() == ()
    assert told(feed(listener, sound(0.6, SPEECH), sound(3))) == [("started", 0.0)]
    assert told(listener.commit()) == [("ended", 3.6)]
    assert told(feed(listener, sound(0.6))) == [("started", 3.6)]


def test_manual_turns_have_a_limit() -> None:
    """A button may be stuck."""
    assert told(feed(make(limit=2, is_manual=True), sound(3))) == [
        ("started", 0.0),
        ("ended", 2.0),
        ("started", 2.0),
    ]


def test_less_than_a_frame_is_kept() -> None:
    """Audio may be cut anywhere, also within a sample."""
    pcm = sound(1) + sound(1, SPEECH) + sound(1)
    for size in (1, 333):
        listener = make()
        events = [event for piece in pieces(pcm, size) for event in listener.feed(piece)]
        assert told(events) == [("started", 1.0), ("ended", 2.0)]


levels = st.sampled_from([0, QUIET, FAN, SPEECH, 20_000])
scripts = st.lists(st.tuples(st.integers(1, 80), levels), max_size=10)


@given(scripts, st.sampled_from([0.05, 0.5]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_starts_and_ends_alternate_and_move_forward(
    script: list[tuple[int, int]], silence: float, is_manual: bool
) -> None:
    """Whatever is heard, and the state always says which was last."""
    listener = make(silence=silence, limit=3, is_manual=is_manual)
    events = []
    for frames, level in script:
        events += feed(listener, sound(frames / 100, level))
        kinds = [event.kind for event in events]
        assert kinds == [*SpeechKind][:2] * (len(kinds) // 2) + [SpeechKind.STARTED] * (
            len(kinds) % 2
        )
        assert listener.is_speaking == (len(kinds) % 2 == 1)
    positions = [event.position for event in events]
    assert all(0 <= at <= sum(frames for frames, _ in script) / 100 + 1e-9 for at in positions)
    for start, end in zip(positions[::2], positions[1::2], strict=False):
        assert start < end <= start + 3 + 1e-9


def micro_vad() -> Detector:
    """Return the detector of Assist."""
    detect: Callable[[bytes], float] = MicroVad().Process10ms
    return detect


@pytest.mark.e2e("speech")
@pytest.mark.parametrize("text", ["Yes.", "Turn on the light in the kitchen, please."])
async def test_real_speech_has_a_start_and_an_end(text: str) -> None:
    """As they are in the sound, and the end is known half a second after it."""
    spoken = (await speak(text, voice=USER_VOICE)).samples
    levels = np.abs(np.frombuffer(spoken, "<i2").astype(int))
    loud = np.flatnonzero(levels > 300) / FORMAT.rate
    listener = EndOfSpeech(micro_vad)
    started, ended = feed(listener, sound(1), spoken, sound(0.6))
    assert started.position == pytest.approx(1 + loud[0], abs=0.1)
    assert ended.position == pytest.approx(1 + loud[-1], abs=0.15)
    assert feed(listener, sound(5)) == []


@pytest.mark.e2e("speech")
def test_the_real_detector_hears_no_speech_in_noise() -> None:
    """A fan that is switched on, and claps."""
    listener = EndOfSpeech(micro_vad)
    claps = [part for _ in range(5) for part in (sound(0.03, 10_000), sound(0.7))]
    assert feed(listener, sound(1), sound(3, FAN), sound(1), *claps) == []
