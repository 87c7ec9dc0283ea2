"""A subscriber that fails harms nobody."""

import pytest

from custom_components.openclaw_voice.gateway.callbacks import call_safely


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
