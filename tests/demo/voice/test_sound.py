"""Samples, and files of them."""

from pathlib import Path

import pytest

from demo.voice.sound import RATE, Sound


def test_a_file_holds_the_same_sound(tmp_path: Path) -> None:
    """What was written is read again, with its rate."""
    sound = Sound(samples=bytes(range(200)) * 4, rate=22_050)
    path = tmp_path / "sound.wav"
    sound.write(path)
    assert Sound.from_wav(path.read_bytes()) == sound


def test_length_and_pieces_are_in_seconds() -> None:
    """Pieces have one length but for the last, and together are the sound."""
    sound = Sound.silence(0.25)
    pieces = list(sound.pieces(0.1))
    assert sound.seconds == 0.25
    assert [len(piece) for piece in pieces] == [RATE // 5, RATE // 5, RATE // 10]
    assert b"".join(pieces) == sound.samples


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF"])
def test_what_is_no_wav_file_is_an_error(content: bytes) -> None:
    """The error is a sentence."""
    with pytest.raises(ValueError, match="no WAV file"):
        Sound.from_wav(content)


def test_stereo_is_refused() -> None:
    """Nothing here mixes channels."""
    content = bytearray(Sound.silence(0.1).wav())
    content[22] = 2
    with pytest.raises(ValueError, match="one channel"):
        Sound.from_wav(bytes(content))
