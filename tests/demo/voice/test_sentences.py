"""Cutting a text that is still coming."""

import pytest

from demo.voice.sentences import Sentences

TEXT = "It is ten. “Is it?” Yes: 10.5 degrees\nand rain… The end"
PARTS = ["It is ten.", "“Is it?”", "Yes:", "10.5 degrees", "and rain…", "The end"]


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_sentences_do_not_depend_on_the_pieces(size: int) -> None:
    """However the text comes, it is cut at the same places, and nothing of it is lost."""
    sentences = Sentences()
    cut = [
        sentence
        for at in range(0, len(TEXT), size)
        for sentence in sentences.feed(TEXT[at : at + size])
    ]
    assert cut + sentences.finish() == PARTS


def test_a_sentence_is_given_as_soon_as_it_is_whole() -> None:
    """What comes after its end shows that it is."""
    sentences = Sentences()
    assert sentences.feed("It is 10.") == []
    assert sentences.feed("5 degrees. And") == ["It is 10.5 degrees."]
    assert sentences.finish() == ["And"]
    assert sentences.finish() == []
