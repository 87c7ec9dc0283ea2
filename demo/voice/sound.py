"""Sound as the demo knows it: samples of 16 bits, one channel. Pure, but for writing a file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
import io
from pathlib import Path
from typing import Final, Self
import wave

RATE: Final = 16_000
"""Samples a second that Assist hears, and that the voices here speak."""

WIDTH: Final = 2
"""Bytes of a sample."""

CHANNELS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A piece of sound."""

    samples: bytes = field(repr=False)
    rate: int = RATE
    """Samples a second."""

    @classmethod
    def silence(cls, seconds: float) -> Self:
        """Return so many seconds of nothing."""
        return cls(samples=bytes(round(seconds * RATE) * WIDTH))

    @classmethod
    def from_wav(cls, content: bytes) -> Self:
        """Read the content of a WAV file.

        Raises:
            ValueError: It is not one, or has not one channel of 16 bits.
        """
        try:
            with wave.open(io.BytesIO(content)) as file:
                if (file.getsampwidth(), file.getnchannels()) != (WIDTH, CHANNELS):
                    raise ValueError("the sound has not one channel of 16 bits")
                return cls(samples=file.readframes(file.getnframes()), rate=file.getframerate())
        except (wave.Error, EOFError) as err:
            raise ValueError(f"this is no WAV file: {err}") from err

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / (self.rate * WIDTH)

    def wav(self) -> bytes:
        """Return the content of a WAV file."""
        content = io.BytesIO()
        with wave.open(content, "wb") as file:
            file.setnchannels(CHANNELS)
            file.setsampwidth(WIDTH)
            file.setframerate(self.rate)
            file.writeframes(self.samples)
        return content.getvalue()

    def write(self, path: Path) -> None:
        """Write it to a WAV file."""
        path.write_bytes(self.wav())

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """Yield its samples in pieces of so many seconds; the last one may be shorter."""
        size = round(seconds * self.rate) * WIDTH
        for at in range(0, len(self.samples), size):
            yield self.samples[at : at + size]
