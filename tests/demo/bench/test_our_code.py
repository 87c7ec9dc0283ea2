"""The frames our code is timed with, and that all of it takes part."""

import json

import pytest

from demo.bench import our_code
from demo.bench.our_code import cumulative_texts, frames_of, microseconds_per_delta
from demo.process import DemoError
from tests.recordings.recording import JsonObject, Recording


def kind_of(frame: JsonObject) -> str | None:
    """Return what tells the frames with text apart."""
    payload = frame["payload"]
    return payload.get("stream") or payload.get("state")


def shape_of(value: object) -> object:
    """Return the names and the nesting of an object, without its values."""
    return {key: shape_of(item) for key, item in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("kind", ["assistant", "delta"])
def test_frames_with_text_have_the_shape_of_recorded_ones(kind: str) -> None:
    """Else the time to parse them would be another."""
    recorded = [frame for frame, _ in Recording.load("agent-answer").received()]
    made = [json.loads(frame) for frame in frames_of("run-1", ["Hel", "Hello"])]
    like = next(frame for frame in recorded if "event" in frame and kind_of(frame) == kind)
    ours = next(frame for frame in made if kind_of(frame) == kind)
    assert shape_of(ours) == shape_of(like)


def test_texts_grow_in_even_steps_to_the_whole_answer() -> None:
    """Every text begins with the one before it."""
    texts = list(cumulative_texts(100, 8))
    assert [len(text) for text in texts] == [12, 25, 37, 50, 62, 75, 87, 100]
    assert all(texts[-1].startswith(text) for text in texts)


async def test_every_piece_becomes_a_delta() -> None:
    """The whole way is timed: a turn that loses a piece would raise."""
    assert await microseconds_per_delta(characters=100, deltas=8) > 0


async def test_a_turn_that_loses_pieces_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure of work that was not done would be too good."""

    async def hear_nothing(listener: object, turn: our_code.Turn) -> None:
        async for _ in turn.deltas():
            pass

    monkeypatch.setattr(our_code._Listener, "listen", hear_nothing)
    with pytest.raises(DemoError, match="one delta for each piece"):
        await microseconds_per_delta(characters=100, deltas=8)
