"""Moments and stages of a spoken turn."""

from demo.voice.spoken_turn import header_size
from demo.voice.timeline import Timeline


def test_stages_lie_between_the_moments() -> None:
    """The first and the last text count, and the end of the question."""
    timeline = Timeline(asked=2.0)
    timeline.note_event("stt-vad-end", 2.5)
    timeline.note_event("stt-end", 3.25)
    timeline.note_event("intent-start", 3.3)
    timeline.note_text(4.0)
    timeline.note_text(6.0)
    timeline.first_sound, timeline.last_sound = 4.5, 9.0
    assert timeline.stages() == {
        "end_of_speech": 0.5,
        "speech_to_text": 0.75,
        "first_text": 0.75,
        "answer": 2.0,
        "first_audio": 0.5,
        "audio": 4.5,
    }
    assert timeline.first_sound_s == 2.5


def test_what_has_not_been_seen_has_no_time() -> None:
    """A turn without speech has no stage of it."""
    timeline = Timeline(asked=0.0)
    timeline.note_text(1.0)
    assert timeline.stages() == {"answer": 0.0}
    assert timeline.first_sound_s is None


def test_headers_are_no_sound() -> None:
    """A tag tells its own size; other content begins with sound."""
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2])
    assert header_size(tag) == 10 + 130
    assert header_size(b"ID") > 2
    assert header_size(b"RIFF....WAVE") == 44
    assert header_size(b"\xff\xfb\x90") == 0
