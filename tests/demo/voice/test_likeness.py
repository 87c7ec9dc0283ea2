"""How much of a text was heard."""

import pytest

from demo.voice.likeness import plain_words, share_heard


def test_words_are_those_a_recogniser_writes() -> None:
    """Case, punctuation and printed apostrophes do not count."""
    assert plain_words("“It’s ten, isn't it?” – Küche_1") == [
        "it's",
        "ten",
        "isn't",
        "it",
        "küche",
        "1",
    ]


@pytest.mark.parametrize(
    ("said", "heard", "share"),
    [
        ("Turn on the light!", "turn on the light", 1.0),
        ("Turn on the light", "turn the light", 0.75),
        ("Turn on the light", "and turn on all the light", 1.0),
        ("Turn on the light", "light the on turn", 0.25),
        ("Turn on the light", "", 0.0),
        ("…", "", 0.0),
    ],
)
def test_share_of_the_words_in_their_order(said: str, heard: str, share: float) -> None:
    """Words in another order are not what was said; more words do no harm."""
    assert share_heard(said, heard) == share
