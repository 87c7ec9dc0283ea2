"""What a run does besides talking: tools."""

import pytest

from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.run_items import (
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.gateway.run_reader import RunReader
from custom_components.openclaw_voice.gateway.run_tools import (
    MAX_ARGUMENT_DEPTH,
    MAX_ARGUMENTS,
    MAX_TOOL_TEXT,
    MAX_WAITING_TOOLS,
)
from tests.gateway.run_frames import (
    ENDED,
    STARTED,
    Payload,
    agent,
    assistant,
    chat,
    disposition,
    said,
    taken,
    tool_end,
    tool_result,
    tool_start,
)


@pytest.fixture
def reader() -> RunReader:
    """Return the reader of a new run."""
    return RunReader()


# Tools


def test_a_tool_is_told_at_its_start_and_at_its_end(reader: RunReader) -> None:
    """Arguments come at the start, the result at the end."""
    reader.read_event(agent("item", kind="tool", phase="start", toolCallId="c1", name="exec"))
    reader.read_event(tool_start())
    assert taken(reader) == [STARTED]

    reader.read_event(agent("tool", phase="update", toolCallId="c1", name="exec"))
    reader.read_event(tool_result())
    assert taken(reader) == []

    reader.read_event(tool_end())
    assert taken(reader) == [ENDED]


@pytest.mark.parametrize(
    ("result_frame", "end"),
    [
        (tool_result(isError=True), tool_end()),
        (tool_result(), tool_end(status="failed")),
        (tool_result(isError=True), tool_end(status="failed")),
    ],
    ids=["error in the result", "failed at the end", "both"],
)
def test_a_failed_tool_is_an_error(
    reader: RunReader, result_frame: GatewayEvent, end: GatewayEvent
) -> None:
    """A command with a bad exit code is told by its end only."""
    for frame in (tool_start(), result_frame, end):
        reader.read_event(frame)

    last = taken(reader)[-1]
    assert isinstance(last, ToolActivity)
    assert last.is_error


def test_a_tool_of_which_only_the_end_came_is_told_whole(reader: RunReader) -> None:
    """Its other frames went to a connection that was lost."""
    reader.read_event(tool_end())

    assert taken(reader) == [
        ToolActivity(call_id="c1", name="exec", phase=ToolPhase.START, title="Exec ls"),
        ToolActivity(call_id="c1", name="exec", phase=ToolPhase.END, title="Exec ls"),
    ]


def test_a_tool_whose_end_was_lost_ends_when_the_agent_speaks(reader: RunReader) -> None:
    """The answer comes after the tool, told or not."""
    for frame in (tool_start(), tool_result(), assistant("It is on.")):
        reader.read_event(frame)

    assert taken(reader) == [
        STARTED,
        ToolActivity(call_id="c1", name="exec", phase=ToolPhase.END, result="file"),
        *said("It is on."),
    ]


@pytest.mark.parametrize(
    "end",
    [
        chat("final", "Hello"),
        chat("aborted", stopReason="rpc"),
        disposition("empty"),
    ],
    ids=["answered", "aborted", "failed"],
)
def test_a_tool_ends_with_the_run_at_the_latest(reader: RunReader, end: GatewayEvent) -> None:
    """No tool is left open behind a run."""
    reader.read_event(tool_start())
    reader.read_event(end)
    reader.read_event(chat("error"))

    phases = [item.phase for item in taken(reader) if isinstance(item, ToolActivity)]
    assert reader.has_ended
    assert phases == [ToolPhase.START, ToolPhase.END]


def test_repeated_frames_of_a_tool_say_nothing_new(reader: RunReader) -> None:
    """A gateway may send a frame twice."""
    for frame in (tool_start(), tool_result(), tool_end()):
        reader.read_event(frame)
        reader.read_event(frame)

    assert taken(reader) == [STARTED, ENDED]


def test_the_end_of_a_tool_after_the_agent_spoke_is_late(reader: RunReader) -> None:
    """A tool that was taken for ended does not start again."""
    for frame in (tool_start(), assistant("Still working."), tool_end()):
        reader.read_event(frame)

    phases = [item.phase for item in taken(reader) if isinstance(item, ToolActivity)]
    assert phases == [ToolPhase.START, ToolPhase.END]


def test_a_call_id_may_be_used_again(reader: RunReader) -> None:
    """Some models number their calls anew in each message."""
    for frame in (tool_start(), tool_result(), tool_end()) * 2:
        reader.read_event(frame)

    assert taken(reader) == [STARTED, ENDED, STARTED, ENDED]


@pytest.mark.parametrize(
    "frame",
    [
        tool_start(toolCallId=None),
        tool_start(name=""),
        tool_start(phase="new"),
        tool_result(),
        tool_end(toolCallId=5),
        tool_end(name=None),
        tool_end(kind="preamble"),
        tool_end(phase="update"),
    ],
    ids=[
        "start without id",
        "start without name",
        "unknown phase",
        "result of no tool",
        "end without id",
        "end without name",
        "end of something else",
        "no end",
    ],
)
def test_frames_that_belong_to_no_tool_say_nothing(reader: RunReader, frame: GatewayEvent) -> None:
    """A tool has an id and a name, and it starts before it ends."""
    reader.read_event(frame)

    assert taken(reader) == []


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"content": [{"text": "one"}, {"text": ""}, {"text": "two"}]}, "one\ntwo"),
        ({"content": [{"text": "x" * 5_000}]}, "x" * MAX_TOOL_TEXT),
        ({"content": [{"text": "a\ud83d"}]}, "a"),
        ({"content": [{"type": "image"}, 5, None]}, None),
        ({"content": []}, None),
        ({}, None),
        ("text", None),
        (None, None),
    ],
    ids=["blocks", "long", "half an emoji", "no text", "empty", "none", "string", "null"],
)
def test_the_result_of_a_tool_is_its_text(
    reader: RunReader, output: object, text: str | None
) -> None:
    """Results are shown, so they are text and not endless."""
    for frame in (tool_start(), tool_result(result=output), tool_end()):
        reader.read_event(frame)

    last = taken(reader)[-1]
    assert isinstance(last, ToolActivity)
    assert last.result == text


def test_arguments_that_are_no_object_are_left_out(reader: RunReader) -> None:
    """A reader of arguments always gets an object."""
    reader.read_event(tool_start(args="ls"))

    assert taken(reader) == [ToolActivity(call_id="c1", name="exec", phase=ToolPhase.START)]


def arguments_of(reader: RunReader, arguments: Payload) -> Payload:
    """Return what the reader makes of the arguments of a tool."""
    reader.read_event(tool_start(args=arguments))
    (start,) = taken(reader)
    assert isinstance(start, ToolActivity)
    return start.arguments


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 5_000, "x" * MAX_TOOL_TEXT),
        (["a", {"b": "x" * 5_000}], ["a", {"b": "x" * MAX_TOOL_TEXT}]),
        ("half \ud83e", "half "),
        ({"\ud83ekey": ["\udd16"]}, {"key": [""]}),
        ({"x" * 5_000: 1}, {"x" * MAX_TOOL_TEXT: 1}),
        ([1, 1.5, True, None, [], {}], [1, 1.5, True, None, [], {}]),
        (list(range(5_000)), list(range(MAX_ARGUMENTS - 1))),
        (
            [list(range(MAX_ARGUMENTS)), "and more"],
            [list(range(MAX_ARGUMENTS - 2))],
        ),
    ],
    ids=[
        "long text",
        "long text inside",
        "half an emoji",
        "half an emoji inside",
        "long key",
        "other values",
        "long list",
        "long list inside",
    ],
)
def test_arguments_are_no_flood_and_whole_characters(
    reader: RunReader, value: object, shown: object
) -> None:
    """Arguments are shown and kept, as results are."""
    assert arguments_of(reader, {"value": value}) == {"value": shown}


def test_arguments_within_arguments_end_somewhere(reader: RunReader) -> None:
    """What is deeper is left out, so that nothing recurses without an end."""
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]

    shown: object = arguments_of(reader, {"value": deep})["value"]

    depth = 0
    while isinstance(shown, list):
        (shown,) = shown
        depth += 1
    assert depth == MAX_ARGUMENT_DEPTH - 1
    assert shown == "…"


def test_the_labels_of_a_tool_are_whole_characters(reader: RunReader) -> None:
    """Name, id and title are shown, too."""
    reader.read_event(tool_start("c1\ud83e", "exec\ud83e"))
    reader.read_event(tool_end("c1\ud83e", name="exec\ud83e", title="Exec \ud83e" + "x" * 5_000))

    start, end = taken(reader)

    assert isinstance(start, ToolActivity)
    assert isinstance(end, ToolActivity)
    assert (start.call_id, start.name) == (end.call_id, end.name) == ("c1", "exec")
    assert end.title == ("Exec " + "x" * 5_000)[:MAX_TOOL_TEXT]


@pytest.mark.parametrize("name", [None, "", "\ud83e", 5], ids=["none", "empty", "half", "number"])
def test_a_tool_without_a_name_is_none(reader: RunReader, name: object) -> None:
    """There would be nothing to show."""
    reader.read_event(tool_start(name=name))
    reader.read_event(tool_end(name=name))

    assert taken(reader) == []


def test_a_flood_of_tools_is_dropped_call_by_call(reader: RunReader) -> None:
    """Nobody takes them, so further calls are dropped as a whole, and text is not."""
    for number in range(MAX_WAITING_TOOLS + 50):
        for frame in (tool_start(f"c{number}"), tool_result(call_id=f"c{number}")):
            reader.read_event(frame)
        reader.read_event(tool_end(f"c{number}"))
    reader.read_event(assistant("It is on."))

    items = taken(reader)
    tools = [item for item in items if isinstance(item, ToolActivity)]
    started = [tool.call_id for tool in tools if tool.phase is ToolPhase.START]
    ended = [tool.call_id for tool in tools if tool.phase is ToolPhase.END]
    assert started == ended
    assert 0 < len(tools) <= MAX_WAITING_TOOLS + 1
    assert items[-2:] == said("It is on.")


def test_tools_are_told_again_once_somebody_takes_them(reader: RunReader) -> None:
    """Only what waits counts."""
    for number in range(2 * MAX_WAITING_TOOLS):
        reader.read_event(tool_start(f"c{number}"))
        reader.read_event(tool_end(f"c{number}"))
        assert len(taken(reader)) == 2


def test_the_end_of_a_dropped_call_is_dropped_too(reader: RunReader) -> None:
    """Also when somebody has taken what waited in between."""
    for number in range(MAX_WAITING_TOOLS + 1):
        reader.read_event(tool_start(f"c{number}"))
    taken(reader)

    reader.read_event(tool_end(f"c{MAX_WAITING_TOOLS}"))
    reader.read_event(tool_result(call_id=f"c{MAX_WAITING_TOOLS}"))

    assert taken(reader) == []
