"""What is read from the bytes of a WebSocket."""

from collections.abc import Iterator

import pytest
from websockets.frames import Frame, Opcode

from demo.bench.realtime.wire import Message, Passed, messages

HEAD = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"


def frame(payload: bytes, *, opcode: Opcode = Opcode.TEXT, fin: bool = True, mask: bool) -> bytes:
    """Return a frame as the library sends it."""
    return Frame(opcode, payload, fin).serialize(mask=mask)


def read(stream: bytes, *, size: int) -> list[Message]:
    """Read a stream that passes in pieces of a size; the time of each is its last byte."""

    def pieces() -> Iterator[Passed]:
        for at in range(0, len(stream), size):
            piece = stream[at : at + size]
            yield Passed(at=at + len(piece), data=piece)

    return list(messages(pieces()))


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
@pytest.mark.parametrize("mask", [True, False])
def test_messages_of_all_lengths_are_read_however_they_are_cut(size: int, mask: bool) -> None:
    """Lengths of a frame are written in three ways."""
    payloads = [b"", b"{}", b"x" * 125, b"y" * 126, bytes(range(256)) * 300]
    stream = HEAD + b"".join(frame(payload, mask=mask) for payload in payloads)
    assert [message.payload for message in read(stream, size=size)] == payloads


def test_the_time_is_that_of_the_last_byte() -> None:
    """A message has come when all of it has."""
    stream = HEAD + frame(b"one", mask=False)
    end = len(stream)
    (first, second) = read(stream + frame(b"two", mask=False), size=1)
    assert first.at == end
    assert second.at == end + 5


def test_parts_are_put_together_and_pings_are_none() -> None:
    """Control frames may come between the parts of a message."""
    stream = HEAD + b"".join(
        [
            frame(b"be", opcode=Opcode.BINARY, fin=False, mask=True),
            frame(b"ping", opcode=Opcode.PING, mask=True),
            frame(b"gin", opcode=Opcode.CONT, mask=True),
            frame(b"rest", mask=True)[:-1],
        ]
    )
    assert [message.payload for message in read(stream, size=4)] == [b"begin"]


def test_a_connection_that_was_never_upgraded_has_none() -> None:
    """Its head has not ended."""
    assert read(HEAD[:-1], size=3) == []
