"""Recorded runs of a real gateway, read frame by frame."""

import json

import pytest

from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    GatewayError,
    RequestError,
    RunFailedError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent, parse_frame
from custom_components.openclaw_voice.gateway.recovery import trace_run
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    RunItem,
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.gateway.run_reader import (
    RunReader,
)
from tests.gateway.run_frames import (
    SILENT,
    Payload,
    aborted,
    answered,
    said,
    taken,
)
from tests.recordings import Recording

PICTURE = "https://example.com/picture.png"


def replay(name: str, *, number: int = 0) -> tuple[RunReader, list[bool]]:
    """Let a new reader read the frames of a recorded run, over all connections.

    Returns it together with what it says of each response: whether it was the last one.
    """
    lines = Recording.load(name).lines
    calls = [line for line in lines if line.frame.get("method") == "agent"]
    keys = list(dict.fromkeys(call.frame["params"]["idempotencyKey"] for call in calls))
    requests = {
        (call.connection, call.frame["id"])
        for call in calls
        if call.frame["params"]["idempotencyKey"] == keys[number]
    }
    reader, is_last = RunReader(), []
    for line in lines:
        if line.direction != "in":
            continue
        frame = parse_frame(json.dumps(line.frame))
        if isinstance(frame, GatewayEvent):
            if frame.payload.get("runId") == keys[number]:
                reader.read_event(frame)
        elif (line.connection, frame.request_id) in requests:
            is_last.append(reader.read_response(frame))
    return reader, is_last


def words(count: int) -> str:
    """Return what the model server says when it is asked for some words."""
    return " ".join(f"word{number}" for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("name", "number", "items", "responses"),
    [
        pytest.param(
            "agent-answer", 0, [*said(words(8)), answered(words(8))], [False, True], id="answer"
        ),
        pytest.param(
            "agent-serial", 0, [*said(words(5)), answered(words(5))], [False, True], id="first"
        ),
        pytest.param(
            "agent-serial", 1, [*said("second"), answered("second")], [False, True], id="second"
        ),
        pytest.param(
            "agent-media",
            0,
            [*said("Here is the picture."), answered("Here is the picture.", links=(PICTURE,))],
            [False, True],
            id="media",
        ),
        pytest.param(
            "agent-media", 1, [answered("", links=(PICTURE,))], [False, True], id="media alone"
        ),
        pytest.param("agent-silent", 0, [SILENT], [False, True], id="silent"),
        pytest.param(
            "agent-abort", 0, [*said(words(2)), aborted(words(2))], [False, True], id="aborted"
        ),
        pytest.param("agent-abort-at-once", 0, [aborted()], [True], id="aborted at once"),
        pytest.param(
            "agent-abort-from-other-connection",
            0,
            [*said(words(1)), aborted(words(1))],
            [False, True],
            id="aborted from another connection",
        ),
        pytest.param(
            "agent-recovery",
            0,
            [*said(words(8)), answered(words(8))],
            [False, False, True],
            id="picked up on another connection",
        ),
        pytest.param(
            "agent-recovery-after-tool",
            0,
            [
                *said("Let", "The tool answered: hello"),
                answered("Let\n\nThe tool answered: hello"),
            ],
            [False, True],
            id="picked up after its end",
        ),
        pytest.param(
            "agent-terminated",
            0,
            [*said(words(9)), answered(words(9))],
            [False, True],
            id="gateway is stopping",
        ),
    ],
)
def test_a_recorded_run_is_told_as_it_was(
    name: str, number: int, items: list[RunItem], responses: list[bool]
) -> None:
    """Every word and the end of a real run come once."""
    reader, is_last = replay(name, number=number)

    assert [*taken(reader), reader.final] == items
    assert reader.error is None
    assert is_last == responses


@pytest.mark.parametrize(
    ("name", "arguments", "end", "answer"),
    [
        pytest.param(
            "agent-tool",
            {"command": "echo hello"},
            {"title": "Exec print text", "result": "hello"},
            "The tool answered: hello",
            id="tool",
        ),
        pytest.param(
            "agent-failed-tool",
            {"command": "exit 3"},
            {
                "title": "Exec exit 3",
                "result": "(no output)\n\n(Command exited with code 3)",
                "is_error": True,
            },
            "The tool answered: (no output)",
            id="failed tool",
        ),
        pytest.param(
            "agent-recovery-during-tool",
            {"command": "sleep 3; echo hello"},
            {"title": "Exec run sleep 3 → print text"},
            "The tool answered: hello",
            id="connection lost while a tool runs",
        ),
    ],
)
def test_a_recorded_tool_stands_between_two_messages(
    name: str, arguments: Payload, end: Payload, answer: str
) -> None:
    """The text before a tool, the tool and the answer come in their order."""
    reader, _ = replay(name)

    items = taken(reader)

    call_id = next(item.call_id for item in items if isinstance(item, ToolActivity))
    assert items == [
        *said("Let me look that up."),
        ToolActivity(call_id=call_id, name="exec", phase=ToolPhase.START, arguments=arguments),
        ToolActivity(call_id=call_id, name="exec", phase=ToolPhase.END, **end),
        *said(answer),
    ]
    assert reader.final == answered(f"Let me look that up.\n\n{answer}")


@pytest.mark.parametrize(
    ("name", "items", "kind", "message", "fields"),
    [
        pytest.param(
            "agent-empty", [], EmptyAnswerError, "the model answered nothing", {}, id="empty"
        ),
        pytest.param(
            "agent-model-error",
            [],
            RunFailedError,
            "The selected model was not found by the provider. "
            "Check the model id or choose a different model.",
            {"kind": "model_not_found"},
            id="unknown model",
        ),
        pytest.param(
            "agent-deadline",
            said(words(7)),
            RunFailedError,
            "Request timed out before a response was generated. Please try again, "
            "or increase `agents.defaults.timeoutSeconds` in your config.",
            {"kind": "timeout"},
            id="deadline",
        ),
    ],
)
def test_a_recorded_failure_is_told_as_it_was(
    name: str, items: list[RunItem], kind: type[GatewayError], message: str, fields: Payload
) -> None:
    """What was said until then stays, and the error says why."""
    reader, is_last = replay(name)

    assert taken(reader) == items
    assert reader.final is None
    assert type(reader.error) is kind
    assert str(reader.error) == message
    assert {field: getattr(reader.error, field) for field in fields} == fields
    assert is_last == [False, True]


def test_a_recorded_refusal_of_a_gateway_that_stops_may_be_tried_again() -> None:
    """A second run, asked for meanwhile, is refused with the time to wait."""
    reader, is_last = replay("agent-terminated", number=1)

    assert isinstance(reader.error, RequestError)
    assert str(reader.error) == "UNAVAILABLE: agent unavailable during gateway restart"
    assert reader.error.detail_code == "gateway-restarting"
    assert reader.error.retry_after == 1.0
    assert is_last == [True]


def test_media_in_a_recorded_history_are_links() -> None:
    """A run that is only found there again is told as its events would have told it."""
    recording = Recording.load("agent-media")
    run = next(line for line in recording.lines if line.frame.get("method") == "agent")
    run_id = run.frame["params"]["idempotencyKey"]
    reader = RunReader()

    reader.read_trace(trace_run(recording.answer("chat.history"), run_id))

    assert taken(reader) == said("Here is the picture.")
    assert reader.final == answered("Here is the picture.", links=(PICTURE,))


def test_a_recorded_restart_says_nothing_twice() -> None:
    """After a kill the gateway starts over under another id, from the first word."""
    recording = Recording.load("agent-killed")
    reader = RunReader()

    for connection in ("before", "after"):
        for line in recording.on(connection):
            if line.direction == "in" and line.frame["type"] == "event":
                event = parse_frame(json.dumps(line.frame))
                assert isinstance(event, GatewayEvent)
                reader.read_event(event)
        if connection == "before":
            assert taken(reader) == said(words(2))
            reader.restart()

    assert taken(reader) == [ChatDelta(words(10).removeprefix(words(2)))]
    assert reader.final == answered(words(10))
