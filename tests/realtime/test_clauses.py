"""Where a text that grows may be cut to be spoken."""

import pytest

from custom_components.openclaw_voice.realtime.clauses import Clauses

TEXT = "Ja, am 21. November, z. B. um halb drei, wird es warm. Und danach? Wieder kalt"


def pieces_of(text: str, *, is_flowing: bool = False) -> list[str]:
    """Return the pieces of a text that comes letter by letter, without what is left."""
    clauses = Clauses(is_flowing=is_flowing)
    return [piece for letter in text for piece in clauses.feed(letter)]


def test_the_first_clause_comes_early_and_then_sentences() -> None:
    """Not at ordinals and abbreviations; a first word alone is too short."""
    assert pieces_of(TEXT) == [
        "Ja, am 21. November,",
        " z. B. um halb drei, wird es warm.",
        " Und danach?",
    ]


def test_a_voice_that_takes_text_as_it_grows_gets_it_at_once() -> None:
    """After the first clause nothing is held back."""
    first, *rest = pieces_of(TEXT, is_flowing=True)
    assert first == "Ja, am 21. November,"
    assert "".join(rest) == TEXT[len(first) :]
    assert {len(piece) for piece in rest} == {1}


@pytest.mark.parametrize("is_flowing", [True, False])
def test_nothing_is_lost(is_flowing: bool) -> None:
    """The rest is there at the end, once."""
    clauses = Clauses(is_flowing=is_flowing)
    assert "".join([*clauses.feed(TEXT), clauses.rest()]) == TEXT
    assert clauses.rest() == ""


def test_a_point_in_a_number_ends_nothing() -> None:
    """The blank after it decides."""
    assert pieces_of("Es sind genau 3.5 Grad oder 3,5 Grad, sagt man.") == [
        "Es sind genau 3.5 Grad oder 3,5 Grad,"
    ]


def test_full_width_marks_need_no_blank() -> None:
    """Their languages have none."""
    assert pieces_of("今天的天气非常好\uff0c气温二十度明天会下大雨吗\uff1f好") == [
        "今天的天气非常好\uff0c",
        "气温二十度明天会下大雨吗\uff1f",
    ]


def test_a_text_without_marks_is_cut_between_words() -> None:
    """Nobody waits for a full stop that never comes."""
    text = "wort " * 60
    pieces = pieces_of(text)
    assert pieces
    assert max(map(len, pieces)) <= 161
    assert text.startswith("".join(pieces))
    assert all(piece.endswith("wort") for piece in pieces)


def test_a_word_without_end_waits() -> None:
    """There is nowhere to cut it."""
    assert pieces_of("x" * 200) == []
