"""What a run hands out keeps what people say to itself."""

import pytest

from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(ChatDelta("my secret"), id="delta"),
        pytest.param(
            ChatFinal(
                outcome=RunOutcome.ANSWERED, text="my secret", links=("https://host/secret",)
            ),
            id="final",
        ),
        pytest.param(
            ToolActivity(
                call_id="1",
                name="exec",
                phase=ToolPhase.END,
                title="Exec secret",
                arguments={"command": "secret"},
                result="secret",
            ),
            id="tool",
        ),
    ],
)
def test_content_is_not_in_the_repr(item: RunItem) -> None:
    """Items may be logged, what was said and done may not."""
    assert "secret" not in repr(item)
