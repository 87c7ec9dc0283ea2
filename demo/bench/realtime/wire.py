"""What a WebSocket connection has carried, read from bytes that were noted while they passed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

HEAD_END: Final = b"\r\n\r\n"
"""After it, a connection that began as HTTP carries frames."""

TEXT: Final = 1
BINARY: Final = 2

_IS_MASKED: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Bytes that have passed."""

    at: float
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a WebSocket."""

    at: float
    """When its last byte passed."""

    payload: bytes = field(repr=False)


def messages(passed: Iterable[Passed]) -> Iterator[Message]:
    """Yield the messages of one direction of a connection, from its first byte on, without compression."""
    buffer = bytearray()
    is_framed = False
    parts: list[bytes] = []
    for piece in passed:
        buffer += piece.data
        if not is_framed:
            _, end, rest = bytes(buffer).partition(HEAD_END)
            if not end:
                continue
            buffer, is_framed = bytearray(rest), True
        while (frame := _take_frame(buffer)) is not None:
            opcode, is_last, payload = frame
            if opcode > BINARY:
                continue
            parts.append(payload)
            if is_last:
                yield Message(at=piece.at, payload=b"".join(parts))
                parts.clear()


def _take_frame(buffer: bytearray) -> tuple[int, bool, bytes] | None:
    """Take the first frame: its opcode, whether it is the last of its message, and what it carries."""
    if len(buffer) < 2:
        return None
    at, length = 2, buffer[1] & 0x7F
    if length > 125:
        wide = 2 if length == 126 else 8
        length, at = int.from_bytes(buffer[at : at + wide]), at + wide
    mask = b""
    if buffer[1] & _IS_MASKED:
        mask, at = bytes(buffer[at : at + 4]), at + 4
    if len(buffer) < at + length:
        return None
    payload = bytes(buffer[at : at + length])
    opcode, is_last = buffer[0] & 0x0F, bool(buffer[0] & 0x80)
    del buffer[: at + length]
    return opcode, is_last, _unmasked(payload, mask)


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask or not payload:
        return payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))
