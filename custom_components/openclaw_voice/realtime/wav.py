"""The audio inside a WAV stream that comes in pieces (pure)."""

from array import array
import struct
from typing import Final

_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_FORMAT: Final = struct.Struct("<HHIIHH")
_LINEAR_PCM: Final = (0x0001, 0xFFFE)
_SAMPLE_BITS: Final = 16
_SAMPLE_BYTES: Final = 2
_CHANNELS: Final = (1, 2)
_MAX_HEADER_BYTES: Final = 64 * 1024
_ENDLESS: Final = 0x7FFF0000
"""From this many bytes on, a size says that the writer did not know it."""


class WavError(Exception):
    """It is no WAV stream, or not one of 16-bit PCM."""


class WavReader:
    """Takes a WAV stream in pieces of any size, and gives its audio as mono PCM16 LE.

    Writers that do not know the length say 0 or a very large one: then all that follows is audio.
    """

    def __init__(self) -> None:
        """Nothing is known before the header has come."""
        self.rate: int | None = None
        """Samples a second, once known."""

        self._channels = 0
        self._header = bytearray()
        self._is_audio = False
        self._left: int | None = None
        self._frame_begun = b""

    def feed(self, data: bytes) -> bytes:
        """Take a piece, and return the audio that it completes.

        Raises:
            WavError: It cannot be read.
        """
        if not self._is_audio:
            self._header += data
            start = self._find_audio()
            if start is None:
                return b""
            self._is_audio = True
            data = bytes(self._header[start:])
            self._header.clear()
        return self._mono(self._limited(data))

    def _find_audio(self) -> int | None:
        header = self._header
        if len(header) < _RIFF_HEADER:
            return None
        if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
            raise WavError("no WAV stream")
        at = _RIFF_HEADER
        while len(header) >= at + _CHUNK_HEADER:
            name, size = struct.unpack_from("<4sI", header, at)
            at += _CHUNK_HEADER
            if name == b"data":
                if self.rate is None:
                    raise WavError("no format before the audio")
                self._left = size if 0 < size < _ENDLESS else None
                return at
            if at + size > _MAX_HEADER_BYTES:
                raise WavError("no audio in reach")
            if name == b"fmt " and len(header) >= at + size:
                self._read_format(bytes(header[at : at + size]))
            at += size + size % 2
        return None

    def _read_format(self, chunk: bytes) -> None:
        if len(chunk) < _FORMAT.size:
            raise WavError("the format is cut off")
        coding, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
        if coding not in _LINEAR_PCM or bits != _SAMPLE_BITS or channels not in _CHANNELS:
            raise WavError("no PCM of 16 bits")
        if not rate:
            raise WavError("no rate")
        self.rate, self._channels = rate, channels

    def _limited(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def _mono(self, data: bytes) -> bytes:
        data = self._frame_begun + data
        whole = len(data) - len(data) % (_SAMPLE_BYTES * self._channels)
        data, self._frame_begun = data[:whole], data[whole:]
        if self._channels == 1:
            return data
        samples = array("h", data)
        pairs = zip(samples[::2], samples[1::2], strict=True)
        return array("h", [(left + right) >> 1 for left, right in pairs]).tobytes()
