"""PCM audio: how long it plays, in chunks of a length, and at another rate (pure).

All of it is linear PCM: signed 16 bits, little endian, mono. A stream may be cut anywhere, also
within a sample: what takes a stream keeps the odd byte for the next piece.
"""

from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from .protocol import SAMPLE_RATES

SAMPLE_BYTES = 2
ENGINE_RATES = (*SAMPLE_RATES, 11_025, 22_050, 32_000, 44_100)
"""Samples a second of what text-to-speech engines make: can be brought to one of `SAMPLE_RATES`.

With 11025 Hz and its multiples, audio comes out in groups of up to 40 ms.
"""

_FULL_SCALE = 32_767
_PASSBAND = 0.85
"""What is kept unchanged: up to this part of half the lower rate. From half the rate on, nothing."""

_HALF_WIDTH = 28
"""Reach of the filter to either side, in samples of the lower rate: also how much it delays."""

_KAISER_BETA = 6.6
"""Keeps what must not be heard 70 dB down."""

_BLOCK_SAMPLES = 65_536
"""So much is multiplied at once: windows overlap, and a whole answer of them would fill memory."""

type Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """PCM at one rate.

    Raises:
        ValueError: The rate is none of `SAMPLE_RATES`.
    """

    rate: int
    """Samples a second."""

    def __post_init__(self) -> None:
        """Check the rate."""
        _check_rate(self.rate, SAMPLE_RATES)

    def seconds(self, pcm: bytes) -> float:
        """Return how long audio plays."""
        return len(pcm) / (self.rate * SAMPLE_BYTES)

    def size(self, seconds: float) -> int:
        """Return the bytes of so much audio, in whole samples."""
        return round(seconds * self.rate) * SAMPLE_BYTES

    def silence(self, seconds: float) -> bytes:
        """Return audio in which nothing is heard."""
        return bytes(self.size(seconds))


class Resampler:
    """Brings one stream of audio to another rate. What cannot be had there is taken out, not folded.

    Nothing is shifted: the first sample out belongs to the first in. But it is known only when the
    filter has seen what follows: up to 1.9 ms of it with 16 kHz as the lower rate, 3.8 ms with 8 kHz.

    Raises:
        ValueError: The source is none of `ENGINE_RATES`, or the target none of `SAMPLE_RATES`.
    """

    def __init__(self, source: int, target: int) -> None:
        """Convert from and to so many samples a second."""
        _check_rate(source, ENGINE_RATES)
        _check_rate(target, SAMPLE_RATES)
        self._source = source
        self._target = target
        self._filter = None if source == target else _filter(source, target)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream; what is left of the old one is dropped."""
        self._odd = b""
        self._owed = 0
        if self._filter:
            self._buffer: Samples = np.zeros(self._filter.lead, np.float32)

    def process(self, pcm: bytes) -> bytes:
        """Take the next piece of the stream, and return what is known by now of the other."""
        whole, self._odd = _whole_samples(self._odd + pcm)
        if self._filter is None:
            return whole
        self._owed += len(whole) // SAMPLE_BYTES * self._target
        samples = np.frombuffer(whole, "<i2").astype(np.float32)
        return self._convert(self._filter, samples)

    def flush(self) -> bytes:
        """End the stream: return the rest, so that both last equally long. The next one is new."""
        rest = b""
        if self._filter is not None:
            wanted = -(-self._owed // self._source) * SAMPLE_BYTES
            rest = self._convert(self._filter, np.zeros(self._filter.tail, np.float32))[:wanted]
        self.reset()
        return rest

    def _convert(self, bank: _Filter, samples: Samples) -> bytes:
        """Filter what is complete, and keep what later samples need."""
        buffer = np.concatenate((self._buffer, samples))
        groups = max(0, (len(buffer) - bank.window) // bank.step + 1)
        self._buffer = buffer[groups * bank.step :]
        if not groups:
            return b""
        # A view by hand: numpy's own takes longer to make than what is done with it.
        item = buffer.itemsize
        windows: Samples = np.ndarray(
            (groups, bank.window), np.float32, buffer, 0, (bank.step * item, item)
        )
        block = max(1, _BLOCK_SAMPLES // bank.window)
        heard = b"".join(bank.apply(windows[at : at + block]) for at in range(0, groups, block))
        self._owed -= len(heard) // SAMPLE_BYTES * self._source
        return heard


class Chunker:
    """Cuts a stream of audio into chunks of one length."""

    def __init__(self, audio_format: AudioFormat, seconds: float) -> None:
        """Make chunks of so many seconds, of at least one sample."""
        self._size = max(audio_format.size(seconds), SAMPLE_BYTES)
        self._rest = bytearray()

    def push(self, pcm: bytes) -> tuple[bytes, ...]:
        """Take the next piece of the stream; return the chunks that are complete."""
        self._rest += pcm
        end = len(self._rest) // self._size * self._size
        chunks = bytes(self._rest[:end])
        del self._rest[:end]
        return tuple(chunks[at : at + self._size] for at in range(0, end, self._size))

    def flush(self) -> bytes:
        """End the stream; return what is no whole chunk. The next one is new."""
        rest, _ = _whole_samples(bytes(self._rest))
        self._rest.clear()
        return rest


@dataclass(frozen=True, slots=True)
class _Filter:
    """A low-pass between two rates: from each window of samples, the same number of new ones."""

    taps: Samples
    """One column for each new sample of a group."""

    step: int
    """By so many samples a window is further than the one before."""

    lead: int
    """Samples before the first that its window sees."""

    tail: int
    """Samples after the last that bring out everything."""

    @property
    def window(self) -> int:
        """The samples that one group is made from."""
        return len(self.taps)

    def apply(self, windows: Samples) -> bytes:
        """Return the new samples of some windows."""
        # Multiplying a copy is many times faster: its rows do not overlap.
        heard = np.ascontiguousarray(windows) @ self.taps
        np.rint(heard, heard)
        np.maximum(heard, -_FULL_SCALE - 1, heard)
        np.minimum(heard, _FULL_SCALE, heard)
        return heard.astype("<i2").tobytes()


@cache
def _filter(source: int, target: int) -> _Filter:
    """Return the low-pass between two rates: a sinc in a Kaiser window, one phase a column."""
    shared = gcd(source, target)
    step, phases = source // shared, target // shared
    narrowing = min(1.0, target / source)
    reach = round(_HALF_WIDTH / narrowing)
    window = 2 * reach + step
    # How far the window's samples are from the new one, in samples of the source.
    distance = (
        np.arange(window)[:, None] - (reach - 1) - np.arange(phases)[None, :] * (source / target)
    )
    cutoff = narrowing * (1 + _PASSBAND) / 2
    shape = np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, None))
    taps = np.sinc(cutoff * distance) * np.i0(_KAISER_BETA * shape) * (np.abs(distance) <= reach)
    taps /= taps.sum(axis=0)
    return _Filter(
        taps=np.ascontiguousarray(taps, np.float32),
        step=step,
        lead=reach - 1,
        tail=window,
    )


def _whole_samples(pcm: bytes) -> tuple[bytes, bytes]:
    """Divide audio into whole samples and the odd byte after them."""
    end = len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES
    return pcm[:end], pcm[end:]


def _check_rate(rate: int, allowed: tuple[int, ...]) -> None:
    """Refuse a rate that nothing here uses."""
    if rate not in allowed:
        raise ValueError(f"{rate} is none of the rates {allowed}")
