"""What a model writes -> what may be read aloud (pure). `filter` is the whole, the others its parts."""

from .filter import SpeechFilter, spoken
from .words import SpeechWords

__all__ = ["SpeechFilter", "SpeechWords", "spoken"]
