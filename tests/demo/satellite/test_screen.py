"""Tests of what a satellite shows."""

import io

from demo.satellite.screen import Screen


def test_words_are_shown_once_as_they_come() -> None:
    """A note between them begins a new line; the whole sentence does not say them again."""
    stream = io.StringIO()
    screen = Screen(stream)
    screen.state("thinks")
    screen.state("thinks")
    screen.words("assistant", "It is ")
    screen.words("assistant", "nine")
    screen.note("first audio 500 ms")
    screen.words("assistant", " o'clock")
    screen.sentence("assistant", "It is nine o'clock")
    screen.sentence("user", "Thanks")
    screen.sentence("assistant", "Bye")
    screen.words("neighbour", "Hm")
    assert stream.getvalue().splitlines() == [
        "  … thinks",
        "Agent: It is nine",
        "  first audio 500 ms",
        "Agent: … o'clock",
        "You: Thanks",
        "Agent: Bye",
        "neighbour: Hm",
    ]
