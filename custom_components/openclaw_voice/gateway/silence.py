"""What an agent writes that is not meant for people (pure)."""

from typing import Final

from .run_reader import SILENT_REPLY

NOTHING_TO_DO: Final = "HEARTBEAT_OK"
"""What a model says when it has looked around and found nothing."""


def is_silent(text: str) -> bool:
    """Tell whether a text says nothing to people."""
    return text.strip(" \t\r\n*`.") in ("", SILENT_REPLY, NOTHING_TO_DO)
