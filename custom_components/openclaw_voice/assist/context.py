"""What the agent is told about a turn besides the words themselves (pure)."""

from typing import Final

VOICE_INSTRUCTION: Final = (
    "You are being asked through Assist, the voice assistant of Home Assistant. "
    "Your answer is usually read aloud, so answer in the language of the question, "
    "in a few short, plain sentences. "
    "Avoid Markdown, lists, tables, code and emoji unless they are asked for."
)


def build_instructions(extra_system_prompt: str | None = None) -> str:
    """Return the instructions for a run.

    Args:
        extra_system_prompt: What Home Assistant adds to this very turn, for instance the automation
            that started the conversation.
    """
    extra = (extra_system_prompt or "").strip()
    return f"{VOICE_INSTRUCTION}\n\n{extra}" if extra else VOICE_INSTRUCTION
