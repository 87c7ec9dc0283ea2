"""Whether somebody says yes or no, when that is what was asked (pure).

Only a whole utterance counts, in the language it was asked in: "yes", not "yes, but not now". The
sentences are in `consent_sentences.py`.
"""

from functools import cache
import re

from hassil import Intents, recognize

from .commands import MAX_LENGTH, parsed, plain
from .consent_sentences import SENTENCES, SKIPPED


def can_consent(language: str) -> bool:
    """Tell whether yes and no are known in a language (BCP 47 tag)."""
    return _base(language) in SENTENCES


def consent(text: str, language: str) -> bool | None:
    """Return True for a clear yes, False for a clear no, None for anything else."""
    if len(text) > MAX_LENGTH or not can_consent(language) or not (words := plain(text)):
        return None
    found = recognize(words, _intents(_base(language)))
    return None if found is None else found.intent.name == "Yes"


@cache
def _intents(language: str) -> Intents:
    return parsed(language, SENTENCES[language], SKIPPED[language])


def _base(language: str) -> str:
    return re.split("[-_]", language)[0].lower()
