"""What goes to the gateway to start a run."""

import pytest

from custom_components.openclaw_voice.gateway.frames import build_request
from custom_components.openclaw_voice.gateway.run_request import (
    Attachment,
    RunMethod,
    RunRequest,
)


def test_a_run_is_asked_for_with_its_key_and_the_gateways_deadline() -> None:
    """The gateway gives up after us, and knows a repeated request by its key."""
    request = RunRequest(session_key="agent:main:x", message="Hello", run_id="1")

    assert request.params() == {
        "message": "Hello",
        "sessionKey": "agent:main:x",
        "idempotencyKey": "1",
        "timeout": 21_600,
    }


def test_instructions_are_added() -> None:
    """They are no part of what the user said."""
    request = RunRequest(session_key="agent:main:x", message="Hello", instructions="Be brief.")

    assert request.params()["extraSystemPrompt"] == "Be brief."


@pytest.mark.parametrize("instructions", [None, "", "\ud83e"], ids=["none", "empty", "half"])
def test_no_instructions_are_left_out(instructions: str | None) -> None:
    """The gateway wants a text or nothing."""
    request = RunRequest(session_key="agent:main:x", message="Hello", instructions=instructions)

    assert "extraSystemPrompt" not in request.params()


def test_chat_send_has_a_context_of_quoted_data_instead_of_instructions() -> None:
    """It counts in milliseconds, and takes at most 640 characters."""
    request = RunRequest(
        session_key="agent:main:x",
        message="Hello",
        instructions="never sent",
        method=RunMethod.CHAT_SEND,
        work_context="k" * 641,
        deadline=1.5,
        run_id="1",
    )

    assert request.params() == {
        "message": "Hello",
        "sessionKey": "agent:main:x",
        "idempotencyKey": "1",
        "timeoutMs": 1500,
        "workContext": {"page": "voice", "title": "Home Assistant", "selection": "k" * 640},
    }


@pytest.mark.parametrize("context", [None, "", "\ud83e"], ids=["none", "empty", "half"])
def test_no_context_is_left_out(context: str | None) -> None:
    """The gateway wants a text or nothing."""
    request = RunRequest(
        session_key="agent:main:x",
        message="Hello",
        method=RunMethod.CHAT_SEND,
        work_context=context,
    )

    assert "workContext" not in request.params()


@pytest.mark.parametrize("method", RunMethod)
def test_files_and_the_level_of_thinking_go_with_either_method(method: RunMethod) -> None:
    """An image says that it is one; content is base64."""
    request = RunRequest(
        session_key="agent:main:x",
        message="What is this?",
        method=method,
        thinking="high",
        attachments=(
            Attachment(name="door.png", mime_type="image/png", content=b"\x89PNG"),
            Attachment(name="note.txt", mime_type="text/plain", content=b"hello"),
        ),
    )

    params = request.params()

    assert params["thinking"] == "high"
    assert params["attachments"] == [
        {"type": "image", "mimeType": "image/png", "fileName": "door.png", "content": "iVBORw=="},
        {"mimeType": "text/plain", "fileName": "note.txt", "content": "aGVsbG8="},
    ]


def test_two_runs_have_two_keys() -> None:
    """Equal keys would be one run."""
    keys = {RunRequest(session_key="agent:main:x", message="Hello").run_id for _ in range(2)}

    assert len(keys) == 2


def test_half_an_emoji_does_not_stop_a_run() -> None:
    """Speech to text or a template may cut a text anywhere; UTF-8 has no such halves."""
    request = RunRequest(
        session_key="agent:main:x", message="half \ud83e", instructions="\udd16 also"
    )

    params = request.params()

    assert (params["message"], params["extraSystemPrompt"]) == ("half ", " also")
    assert build_request("1", "agent", params).encode()


def test_content_is_not_in_the_repr() -> None:
    """Requests may be logged, what people say may not."""
    request = RunRequest(session_key="agent:main:x", message="secret", instructions="secret")

    assert "secret" not in repr(request)
