"""How a session reaches its satellite: the door between a session and its socket (pure)."""

from typing import Protocol

from .protocol import Reason
from .server_events import ServerEvent


class Channel(Protocol):
    """Takes what a satellite is sent, and never makes anybody wait."""

    def send(self, event: ServerEvent) -> None:
        """Send an event; it is never dropped. One that is closed ignores it."""

    def send_audio(self, pcm: bytes) -> None:
        """Send audio, which is dropped and counted when the satellite takes it too slowly."""

    @property
    def dropped(self) -> float:
        """Seconds of audio that were dropped."""

    def close(self, reason: Reason) -> None:
        """Send what waits, then hang up. Idempotent; the first reason counts."""
