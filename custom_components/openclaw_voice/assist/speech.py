"""What a model writes -> what may be read aloud, while it still arrives (pure)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechWords:
    """What is said in place of what cannot be read aloud; "" leaves it out."""

    table: str = ""
    """A sentence."""

    code: str = ""
    """A sentence."""

    link: str = ""
    """A word for an address that has no text of its own."""
