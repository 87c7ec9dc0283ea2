"""What is said in place of what cannot be read aloud (pure)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechWords:
    """Sentences and a word, in the language of the voice; "" leaves out what it stands for."""

    table: str = ""
    """A sentence."""

    code: str = ""
    """A sentence."""

    link: str = ""
    """A word for an address that has no text of its own."""
