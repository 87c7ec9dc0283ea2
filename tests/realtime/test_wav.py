"""WAV as engines send it: cut anywhere, with headers of all kinds."""

from array import array
import io
import struct
import wave

import pytest

from custom_components.openclaw_voice.realtime.wav import WavError, WavReader

PCM = array("h", range(-100, 100)).tobytes()


def wav(pcm: bytes = PCM, *, rate: int = 22_050, channels: int = 1, width: int = 2) -> bytes:
    """Return a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(rate)
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.writeframes(pcm)
    return file.getvalue()


def sized(size: int) -> bytes:
    """Return a WAV stream whose header tells this size of its audio."""
    whole = wav()
    return whole[:40] + struct.pack("<I", size) + whole[44:]


@pytest.mark.parametrize("size", [1, 3, 7, 43, 44, 45, 1000])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    """The header is read when all of it has come, and samples stay whole."""
    stream, reader = wav(), WavReader()
    pieces = [reader.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert b"".join(pieces) == PCM
    assert all(len(piece) % 2 == 0 for piece in pieces)
    assert reader.rate == 22_050


def test_nothing_is_known_before_the_header() -> None:
    """Neither the rate nor audio."""
    reader = WavReader()
    assert reader.feed(wav()[:30]) == b""
    assert reader.rate is None


def test_what_follows_the_audio_is_not_heard() -> None:
    """Files end with notes of who made them."""
    reader = WavReader()
    assert reader.feed(wav() + b"LIST\x04\0\0\0INFO") == PCM
    assert reader.feed(b"more") == b""


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_without_a_length_everything_is_audio(size: int) -> None:
    """Who streams does not know how long it will be."""
    reader = WavReader()
    assert reader.feed(sized(size)) == PCM
    assert reader.feed(PCM) == PCM


def test_other_chunks_before_the_audio_are_skipped() -> None:
    """Also of an odd size, which is rounded up."""
    stream = wav()
    noted = stream[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + stream[36:]
    reader = WavReader()
    assert b"".join([reader.feed(noted[:50]), reader.feed(noted[50:])]) == PCM


def test_two_channels_become_one() -> None:
    """What is heard is in the middle."""
    pcm = array("h", [100, 200, -100, -300, 32_767, 32_767]).tobytes()
    stream, reader = wav(pcm, channels=2), WavReader()
    heard = reader.feed(stream[:47]) + reader.feed(stream[47:])
    assert array("h", heard).tolist() == [150, -200, 32_767]


def with_format(fields: bytes) -> bytes:
    """Return a WAV stream with this description of its audio."""
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(fields)) + fields + b"data\0\0\0\0"


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"ID3\x04" + bytes(20), id="mp3"),
        pytest.param(b"RIFF\0\0\0\0AVI " + bytes(20), id="other file"),
        pytest.param(b"RIFF\0\0\0\0WAVEdata\0\0\0\0", id="no format"),
        pytest.param(b"RIFF\0\0\0\0WAVELIST\0\0\0\x7f", id="endless header"),
        pytest.param(wav(width=1), id="8 bits"),
        pytest.param(wav(PCM + bytes(8), channels=3), id="three channels"),
        pytest.param(with_format(bytes(8)), id="short format"),
        pytest.param(with_format(struct.pack("<HHIIHH", 3, 1, 16_000, 0, 4, 16)), id="float"),
        pytest.param(with_format(struct.pack("<HHIIHH", 1, 1, 0, 0, 2, 16)), id="no rate"),
    ],
)
def test_what_cannot_be_read_is_refused(stream: bytes) -> None:
    """It would be noise."""
    with pytest.raises(WavError):
        WavReader().feed(stream)
