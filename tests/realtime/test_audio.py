"""Lengths, chunks and rates of audio; the resampler by tones through its whole range."""

from itertools import product
from math import gcd
import tracemalloc

from hypothesis import given, settings, strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from custom_components.openclaw_voice.realtime.audio import (
    ENGINE_RATES,
    SAMPLE_BYTES,
    AudioFormat,
    Chunker,
    Resampler,
)
from custom_components.openclaw_voice.realtime.protocol import SAMPLE_RATES

PAIRS = [
    (source, target) for source, target in product(ENGINE_RATES, SAMPLE_RATES) if source != target
]
LOUD = 10_000
"""The amplitude of tones."""

SECONDS = 0.24
"""A whole number of samples at each rate."""
SETTLED = slice(1 / 10, 9 / 10)
"""Where in a tone neither its beginning nor its end is heard, in parts of it."""

pieces = st.lists(st.binary(max_size=400), max_size=12)
pairs = st.sampled_from([*PAIRS, (16_000, 16_000)])


def tone(rate: int, hertz: float, seconds: float = SECONDS, amplitude: float = LOUD) -> bytes:
    """Return a sine."""
    time = np.arange(round(rate * seconds)) / rate
    return np.rint(amplitude * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()


def samples_of(pcm: bytes) -> NDArray[np.float64]:
    """Return the samples."""
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def convert(source: int, target: int, pcm: bytes) -> bytes:
    """Return a whole stream at the other rate."""
    resampler = Resampler(source, target)
    return resampler.process(pcm) + resampler.flush()


def settled(pcm: bytes) -> NDArray[np.float64]:
    """Return the samples without both ends."""
    samples = samples_of(pcm)
    return samples[round(len(samples) * SETTLED.start) : round(len(samples) * SETTLED.stop)]


def level(samples: NDArray[np.float64]) -> float:
    """Return how loud they are beside a tone, in dB; rounding alone is -90 dB."""
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) / (LOUD / np.sqrt(2)) + 1e-6))


def sweep(start: float, stop: float) -> list[float]:
    """Return frequencies that hit no zero of the filter by chance."""
    return [*np.linspace(start, stop, 23)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_tones_below_the_edge_pass_unchanged(source: int, target: int) -> None:
    """Up to 85 % of what the lower rate can hold, they are equally loud, and where they were."""
    half = min(source, target) / 2
    for hertz in sweep(60, 0.85 * half):
        heard = settled(convert(source, target, tone(source, hertz)))
        assert level(heard) == pytest.approx(0, abs=0.05), hertz
        assert level(heard - settled(tone(target, hertz))) < -45, hertz


@pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source, target in PAIRS if source > target]
)
def test_tones_that_the_lower_rate_cannot_hold_are_gone(source: int, target: int) -> None:
    """They do not come back as other tones."""
    for hertz in sweep(1.01 * target / 2, 0.99 * source / 2):
        assert level(settled(convert(source, target, tone(source, hertz)))) < -65, hertz


@pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source, target in PAIRS if source < target]
)
def test_a_higher_rate_adds_no_tones(source: int, target: int) -> None:
    """Above half of the source's rate there is nothing."""
    half = source / 2
    for hertz in sweep(60, 0.85 * half):
        heard = settled(convert(source, target, tone(source, hertz)))
        spectrum = np.abs(np.fft.rfft(heard * np.blackman(len(heard))))
        above = np.fft.rfftfreq(len(heard), 1 / target) > 1.01 * half
        assert spectrum[above].max() < spectrum.max() * 10 ** (-65 / 20), hertz


def test_the_same_rate_is_passed_through() -> None:
    """Nothing is waited for, either."""
    resampler = Resampler(24_000, 24_000)
    assert resampler.process(b"\x01\x02\x03") == b"\x01\x02"
    assert resampler.process(b"\x04\x05") == b"\x03\x04"
    assert resampler.flush() == b""
    assert resampler.process(b"\x06\x07") == b"\x06\x07"


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_constant_stays_the_same_to_the_last_bit(source: int, target: int) -> None:
    """There is neither gain nor ripple."""
    pcm = np.full(source // 4, 12_345, "<i2").tobytes()
    assert set(settled(convert(source, target, pcm))) == {12_345}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_is_too_loud_is_cut_and_does_not_wrap(source: int, target: int) -> None:
    """A square at full scale overshoots in every filter."""
    square = np.sign(np.sin(2 * np.pi * 200 * (np.arange(source // 10) + 0.5) / source))
    pcm = (square * 32_767).astype("<i2").tobytes()
    heard = samples_of(convert(source, target, pcm))
    expected = np.sin(2 * np.pi * 200 * (np.arange(len(heard)) + 0.5 * target / source) / target)
    clear = np.abs(expected) > 0.5
    assert np.all(np.sign(heard[clear]) == np.sign(expected[clear]))
    assert heard.max() == 32_767
    assert heard.min() == -32_768


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_delay_is_short(source: int, target: int) -> None:
    """What was put in comes out but for the reach of the filter and a group of samples."""
    heard = Resampler(source, target).process(bytes(source * SAMPLE_BYTES))
    missing = 1 - AudioFormat(target).seconds(heard)
    assert 0 < missing < 30 / min(source, target) + 1 / gcd(source, target)


@given(pairs, pieces)
@settings(max_examples=150, deadline=None)
def test_where_a_stream_is_cut_does_not_matter(pair: tuple[int, int], parts: list[bytes]) -> None:
    """The samples are those of the stream in one piece, also when a sample was cut in two."""
    resampler = Resampler(*pair)
    heard = b"".join([*map(resampler.process, parts), resampler.flush()])
    whole = convert(*pair, b"".join(parts))
    assert len(heard) == len(whole)
    # Products of other shapes may be added up in another order.
    assert np.max(np.abs(samples_of(heard) - samples_of(whole)), initial=0) <= 1


def test_a_long_piece_takes_little_memory() -> None:
    """An engine may give a whole answer at once."""
    pcm = tone(48_000, 500, 20)
    resampler = Resampler(48_000, 8_000)
    tracemalloc.start()
    heard = resampler.process(pcm) + resampler.flush()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * len(pcm)
    assert level(settled(heard) - settled(tone(8_000, 500, 20))) < -45


@given(pairs, st.integers(0, 500))
@settings(max_examples=150, deadline=None)
def test_both_streams_last_equally_long(pair: tuple[int, int], count: int) -> None:
    """The last sample that begins within the stream is there."""
    source, target = pair
    heard = convert(source, target, bytes(count * SAMPLE_BYTES))
    assert len(heard) == -(-count * target // source) * SAMPLE_BYTES


@pytest.mark.parametrize("end", ["flush", "reset"])
def test_a_new_stream_knows_nothing_of_the_old_one(end: str) -> None:
    """A resampler may serve one answer after the other."""
    resampler = Resampler(24_000, 16_000)
    resampler.process(tone(24_000, 500) + b"\x01")
    getattr(resampler, end)()
    pcm = tone(24_000, 1_000)
    assert resampler.process(pcm) + resampler.flush() == convert(24_000, 16_000, pcm)


def test_there_and_back_speech_is_the_same() -> None:
    """A sweep through the band of speech survives two conversions."""
    time = np.arange(8_000) / 16_000
    pcm = np.rint(LOUD * np.sin(2 * np.pi * (100 + 6_000 * time) * time)).astype("<i2").tobytes()
    back = convert(24_000, 16_000, convert(16_000, 24_000, pcm))
    assert len(back) == len(pcm)
    assert level(settled(back) - settled(pcm)) < -45


@pytest.mark.parametrize("rate", [0, -16_000, 12_345, 96_000])
def test_other_rates_are_refused(rate: int) -> None:
    """Each of them would be another filter."""
    with pytest.raises(ValueError, match=str(rate)):
        Resampler(rate, 16_000)


@pytest.mark.parametrize("rate", [0, 22_050, 44_100])
def test_satellites_have_one_of_few_rates(rate: int) -> None:
    """Only engines may speak at others."""
    with pytest.raises(ValueError, match=str(rate)):
        AudioFormat(rate)
    with pytest.raises(ValueError, match=str(rate)):
        Resampler(16_000, rate)


def test_a_format_knows_lengths() -> None:
    """Seconds and bytes, in whole samples."""
    audio_format = AudioFormat(16_000)
    assert audio_format.seconds(bytes(32_000)) == 1
    assert audio_format.size(0.06) == 1_920
    assert audio_format.size(0.00009) == 2
    assert audio_format.silence(0.5) == bytes(16_000)


@given(st.sampled_from(SAMPLE_RATES), st.integers(0, 100_000))
def test_length_and_size_undo_each_other(rate: int, count: int) -> None:
    """No sample is lost by rounding."""
    audio_format = AudioFormat(rate)
    assert audio_format.size(audio_format.seconds(bytes(count * 2))) == count * 2


@given(pieces, st.sampled_from([0.0, 0.0005, 0.003, 0.06]))
def test_chunks_are_the_stream_in_pieces_of_one_length(parts: list[bytes], seconds: float) -> None:
    """Nothing is lost but an odd byte at the end."""
    audio_format = AudioFormat(16_000)
    chunker = Chunker(audio_format, seconds)
    chunks = [chunk for part in parts for chunk in chunker.push(part)]
    rest = chunker.flush()
    size = max(audio_format.size(seconds), SAMPLE_BYTES)
    whole = b"".join(parts)
    assert {len(chunk) for chunk in chunks} <= {size}
    assert b"".join([*chunks, rest]) == whole[: len(whole) // 2 * 2]
    assert len(rest) < size
    assert chunker.flush() == b""


def test_chunks_come_as_soon_as_they_are_whole() -> None:
    """No piece waits for the next push."""
    chunker = Chunker(AudioFormat(8_000), 0.001)
    counts = [len(chunker.push(bytes(5))) for _ in range(7)]
    assert [sum(counts[:end]) for end in range(1, 8)] == [5 * end // 16 for end in range(1, 8)]
