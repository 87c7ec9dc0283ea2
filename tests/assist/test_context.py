"""What the agent is told besides the words."""

import pytest

from custom_components.openclaw_voice.assist.context import VOICE_INSTRUCTION, build_instructions


@pytest.mark.parametrize("extra", [None, "", " \n "])
def test_without_an_extra_prompt_only_the_voice_instruction_is_sent(extra: str | None) -> None:
    """Nothing is added for an empty prompt."""
    assert build_instructions(extra) == VOICE_INSTRUCTION


def test_the_extra_prompt_follows_the_voice_instruction() -> None:
    """What Home Assistant adds to a turn comes last, where it weighs most."""
    assert build_instructions(" The door is open. ") == f"{VOICE_INSTRUCTION}\n\nThe door is open."


def test_the_instruction_asks_for_what_can_be_read_aloud() -> None:
    """The instruction names speech, brevity and the language of the question."""
    for word in ("aloud", "short", "language of the question", "Markdown"):
        assert word in VOICE_INSTRUCTION
