"""Only a clear yes is one."""

from itertools import product

from hassil.parse_expression import parse_sentence
from hassil.sample import sample_expression
import pytest

from custom_components.openclaw_voice.assist.commands import MAX_LENGTH
from custom_components.openclaw_voice.assist.consent import can_consent, consent
from custom_components.openclaw_voice.assist.consent_sentences import SENTENCES, SKIPPED

LANGUAGES = ("en", "de", "fr", "es", "nl")


def sampled(language: str, answer: str) -> list[str]:
    """Return all that the templates of an answer stand for, as far as anybody would say it."""
    return [
        " ".join(text.split())
        for template in SENTENCES[language][answer]
        for text in sample_expression(parse_sentence(template).expression)
        if text.strip() and "this this" not in text
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_understood(language: str) -> None:
    """As what it is, and never as the contrary."""
    for answer, meaning in (("Yes", True), ("No", False)):
        sentences = sampled(language, answer)
        assert len(sentences) > 10
        for text in sentences:
            assert consent(text, language) is meaning, text


def test_there_are_no_other_languages() -> None:
    """Who would be understood in English has not been asked in English."""
    assert set(SENTENCES) == set(SKIPPED) == set(LANGUAGES)
    assert not can_consent("ja")
    assert consent("yes", "ja") is None
    assert can_consent("de-CH")
    assert consent("Ja.", "de_CH") is True
    assert consent("yes", "de") is None


@pytest.mark.parametrize(
    ("text", "language", "answer"),
    [
        ("Yes, please!", "en", True),
        ("YES YES", "en", True),
        ("Yes, I allow it this once.", "en", True),
        ("No, don't do that.", "en", False),
        ("No no no", "en", False),
        ("Ja, bitte.", "de", True),
        ("Ja, das darfst du diesmal.", "de", True),
        ("Nö", "de", False),
        ("Bitte nicht!", "de", False),
        ("Oui, s'il te plaît, vas-y", "fr", True),
        ("Non, surtout pas.", "fr", False),
        ("Sí, por favor.", "es", True),
        ("No, gracias", "es", False),
        ("Ja, ga je gang", "nl", True),
        ("Nee, bedankt", "nl", False),
    ],
)
def test_what_people_say(text: str, language: str, answer: bool) -> None:
    """With capitals, signs, accents and manners."""
    assert consent(text, language) is answer


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "en"),
        ("...", "en"),
        ("Please", "en"),
        ("Thank you.", "en"),
        ("Yeah.", "en"),
        ("Okay", "en"),
        ("Sure", "en"),
        ("Yes, but not now", "en"),
        ("Yes or no?", "en"),
        ("Yes no", "en"),
        ("No, yes", "en"),
        ("Yes, turn on the light", "en"),
        ("Did he say yes?", "en"),
        ("What does it do", "en"),
        ("I do not know", "en"),
        ("yes " * MAX_LENGTH + "no", "en"),
        ("Ja nein", "de"),
        ("Ja, aber später", "de"),
        ("Vielleicht", "de"),
        ("Jaja", "de"),
        ("Oui mais non", "fr"),
        ("D'accord", "fr"),
        ("Si no", "es"),
        ("Vale", "es"),
        ("Ja maar", "nl"),
        ("Misschien", "nl"),
    ],
)
def test_anything_else_is_neither(text: str, language: str) -> None:
    """Nothing happens by mistake."""
    assert consent(text, language) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_yes_with_a_no_is_neither(language: str) -> None:
    """Whatever comes first."""
    for yes, no in product(
        ("yes", "ja", "oui", "sí"),
        ("no", "nein", "non", "nee"),
    ):
        assert consent(f"{yes}, {no}", language) is not True
        assert consent(f"{no}, {yes}", language) is not True
