"""A text that automations look for."""

import pytest
import voluptuous as vol

from custom_components.openclaw_voice.text_pattern import MAX_PATTERN, TextPattern

TEXT = "Morning briefing\nThe Straße is free. Invoice 4711 is * due."


@pytest.mark.parametrize(
    "pattern",
    [
        "briefing",
        "BRIEFING",
        " free ",
        "strasse",
        "invoice*due",
        "*4711*",
        "morning*invoice",
        "* due",
    ],
)
def test_a_text_is_found_anywhere_whatever_its_case(pattern: str) -> None:
    """An asterisk stands for anything in between, also the end of a line."""
    assert TextPattern(pattern).is_in(TEXT)


@pytest.mark.parametrize("pattern", ["evening", "due*invoice", "free*free", "47 11", "4711*4711"])
def test_a_text_that_is_not_there_is_not_found(pattern: str) -> None:
    """Parts must follow each other, and none is counted twice."""
    assert not TextPattern(pattern).is_in(TEXT)


@pytest.mark.parametrize("pattern", ["", "  ", "*", " ** ", "x" * (MAX_PATTERN + 1)])
def test_a_pattern_of_no_use_is_refused(pattern: str) -> None:
    """It would take everything, or make every notification slow."""
    with pytest.raises(vol.Invalid, match="text to look for"):
        TextPattern(pattern)


def test_many_asterisks_take_no_time() -> None:
    """Nothing is tried again, so a hostile text costs no more than its length."""
    assert not TextPattern("a*" * 200 + "b").is_in("a" * 100_000)
