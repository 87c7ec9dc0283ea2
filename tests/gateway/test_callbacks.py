"""A subscriber that fails harms nobody."""

import pytest

from custom_components.openclaw_voice.gateway.callbacks import Listeners, call_safely


def test_a_failing_subscriber_is_logged_without_what_it_was_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it was told may be speech."""

    def fail(text: str) -> None:
        raise ValueError(text)

    call_safely(fail, "the secret plan")

    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_subscriber_gets_what_it_is_told() -> None:
    """By position and by name."""
    told: list[object] = []

    def note(text: str, *, number: int) -> None:
        told.extend((text, number))

    call_safely(note, "a", number=1)

    assert told == ["a", 1]


def test_listeners_are_told_in_order_until_they_leave() -> None:
    """One may leave while they are told, and one that fails is in nobody's way."""
    listeners = Listeners[[int]]()
    told: list[tuple[str, int]] = []

    def leave(number: int) -> None:
        told.append(("leaves", number))
        stop()

    def fail(_: int) -> None:
        raise ValueError

    listeners.add(fail)
    stop = listeners.add(leave)
    listeners.add(lambda number: told.append(("stays", number)))
    listeners.tell(1)
    listeners.tell(2)

    assert told == [("leaves", 1), ("stays", 1), ("stays", 2)]
