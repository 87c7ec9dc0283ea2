"""What the bare client makes of the gateway's frames."""

from itertools import pairwise

from demo.bench.bare_client import text_of
from tests.recordings.recording import JsonObject, Recording

ANSWER = " ".join(f"word{number}" for number in range(1, 9))


def texts(recording: str, event: str) -> list[str]:
    """Return the texts that the frames of one kind carry."""
    frames: list[JsonObject] = [frame for frame, _ in Recording.load(recording).received()]
    found = [text_of(frame["payload"]) for frame in frames if frame.get("event") == event]
    return [text for text in found if text is not None]


def test_both_kinds_of_frames_carry_the_growing_text() -> None:
    """Each text begins with the one before it, and the last one is the answer."""
    for event in ("agent", "chat"):
        seen = texts("agent-answer", event)
        assert len(seen) >= 8
        assert all(later.startswith(text) for text, later in pairwise(seen))
        assert seen[-1] == ANSWER


def test_an_end_without_a_message_carries_no_text() -> None:
    """Silent and empty answers end like this."""
    assert text_of({"state": "final"}) is None
