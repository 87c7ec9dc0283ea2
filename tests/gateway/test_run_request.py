"""What goes to the gateway to start a run."""

import pytest

from custom_components.openclaw_voice.gateway.frames import build_request
from custom_components.openclaw_voice.gateway.run_request import Patience, RunRequest

PATIENCE = Patience(silence=60, total=100.4)


def test_a_run_is_asked_for_with_its_key_and_the_gateways_deadline() -> None:
    """The gateway gives up after us, and knows a repeated request by its key."""
    request = RunRequest(session_key="agent:main:x", message="Hello", run_id="1")

    assert request.params(PATIENCE) == {
        "message": "Hello",
        "sessionKey": "agent:main:x",
        "idempotencyKey": "1",
        "timeout": 130,
    }


def test_instructions_are_added() -> None:
    """They are no part of what the user said."""
    request = RunRequest(session_key="agent:main:x", message="Hello", instructions="Be brief.")

    assert request.params(PATIENCE)["extraSystemPrompt"] == "Be brief."


@pytest.mark.parametrize("instructions", [None, "", "\ud83e"], ids=["none", "empty", "half"])
def test_no_instructions_are_left_out(instructions: str | None) -> None:
    """The gateway wants a text or nothing."""
    request = RunRequest(session_key="agent:main:x", message="Hello", instructions=instructions)

    assert "extraSystemPrompt" not in request.params(PATIENCE)


def test_two_runs_have_two_keys() -> None:
    """Equal keys would be one run."""
    keys = {RunRequest(session_key="agent:main:x", message="Hello").run_id for _ in range(2)}

    assert len(keys) == 2


def test_half_an_emoji_does_not_stop_a_run() -> None:
    """Speech to text or a template may cut a text anywhere; UTF-8 has no such halves."""
    request = RunRequest(
        session_key="agent:main:x", message="half \ud83e", instructions="\udd16 also"
    )

    params = request.params(PATIENCE)

    assert (params["message"], params["extraSystemPrompt"]) == ("half ", " also")
    assert build_request("1", "agent", params).encode()


def test_content_is_not_in_the_repr() -> None:
    """Requests may be logged, what people say may not."""
    request = RunRequest(session_key="agent:main:x", message="secret", instructions="secret")

    assert "secret" not in repr(request)
