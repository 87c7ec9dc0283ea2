"""What the gateway's history and memory say about a run that was lost sight of."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.recovery import (
    RESTART_RECOVERY,
    RunFate,
    RunTrace,
    trace_run,
    trace_wait,
)
from tests.gateway.garbage import JSON_OBJECTS
from tests.recordings import Recording

RUN = "run-1"
NEXT = "run-2"
LAST = "run-3"

type Row = dict[str, Any]


def user(run_id: str = RUN) -> Row:
    """Return the row of what a run was asked."""
    return {"role": "user", "content": "Hello", "idempotencyKey": f"{run_id}:user"}


def said(
    text: str | None = "Hello you",
    run_id: str = RUN,
    stop_reason: str | None = "stop",
    **more: object,
) -> Row:
    """Return a row of what a run said."""
    content = [] if text is None else [{"type": "text", "text": text}]
    row = {"role": "assistant", "content": content, "__openclaw": {"runId": run_id}}
    return row | ({"stopReason": stop_reason} if stop_reason else {}) | more


def preface(run_id: str = RUN) -> Row:
    """Return the row of what a run said before it used a tool."""
    return said("Let me look.", run_id, None, openclawStreamFallback={"source": "segment"})


def tool_call(run_id: str = RUN) -> Row:
    """Return the row of a tool call."""
    call = {"type": "toolCall", "id": "call_1", "name": "exec", "arguments": {}}
    return said(None, run_id, "toolUse") | {"content": [call]}


def tool_result(run_id: str = RUN) -> Row:
    """Return the row of a tool's result."""
    return {
        "role": "toolResult",
        "content": [{"type": "text", "text": "hello"}],
        "isError": False,
        "__openclaw": {"runId": run_id},
    }


def continuation(run_id: str = NEXT) -> Row:
    """Return the row with which the gateway continues an interrupted turn."""
    return user(run_id) | {
        "content": "[System] Your previous turn was interrupted by a gateway restart",
        "provenance": {"kind": "internal_system", "sourceTool": RESTART_RECOVERY},
    }


def aborted() -> Row:
    """Return the row of a run that somebody stopped."""
    return said("Hello", model="gateway-injected", openclawAbort={"aborted": True, "origin": "rpc"})


def failed_before_reply() -> Row:
    """Return the row of a run that failed without reaching the model."""
    return {
        "role": "custom",
        "customType": "run-failed-before-reply",
        "content": "This turn ended before a reply: no key",
        "__openclaw": {"runId": RUN},
    }


def history(*rows: Row, in_flight: str | None = None, active: tuple[str, ...] = ()) -> Row:
    """Return an answer of `chat.history`."""
    answer: Row = {"messages": list(rows), "sessionInfo": {"activeRunIds": list(active)}}
    return answer | ({"inFlightRun": {"runId": in_flight}} if in_flight else {})


def answered(text: str = "Hello you") -> RunTrace:
    """Return the trace of an answered run."""
    return RunTrace(fate=RunFate.ANSWERED, text=text)


INTERRUPTED = RunTrace(fate=RunFate.INTERRUPTED)
CONTINUED = RunTrace(fate=RunFate.CONTINUED, run_id=NEXT)
RUNS_ON = RunTrace(fate=RunFate.CONTINUED, run_id=NEXT, is_active=True)


@pytest.mark.parametrize(
    ("rows", "trace"),
    [
        pytest.param(history(user(), said()), answered(), id="answered"),
        pytest.param(
            history(user(), said() | {"content": "Hello you"}), answered(), id="content as text"
        ),
        pytest.param(
            history(user(), preface(), tool_call(), tool_result(), said("It is on.")),
            answered("Let me look.\n\nIt is on."),
            id="answered with a tool",
        ),
        pytest.param(
            history(user("old"), said("Old", "old"), user(), said(), user("new"), said("x", "new")),
            answered(),
            id="among other turns",
        ),
        pytest.param(history(said()), answered(), id="the question is out of sight"),
        pytest.param(
            history(user(), said(stop_reason="length")), answered(), id="cut by the model's limit"
        ),
        pytest.param(history(user(), in_flight=RUN), RunTrace(fate=RunFate.RUNNING), id="running"),
        pytest.param(
            history(user(), preface(), tool_call(), active=(RUN,)),
            RunTrace(fate=RunFate.RUNNING),
            id="running a tool",
        ),
        pytest.param(
            history(user(), said(), in_flight=RUN),
            RunTrace(fate=RunFate.RUNNING),
            id="running once more",
        ),
        pytest.param(
            history(user(), aborted()), RunTrace(fate=RunFate.ABORTED, text="Hello"), id="aborted"
        ),
        pytest.param(
            history(user(), said("⚠️ model not found", stop_reason="error")),
            RunTrace(fate=RunFate.FAILED, text="⚠️ model not found"),
            id="failed",
        ),
        pytest.param(
            history(user(), failed_before_reply()),
            RunTrace(fate=RunFate.FAILED),
            id="failed before the model",
        ),
        pytest.param(
            history(user(), said(None), said(None)), RunTrace(fate=RunFate.FAILED), id="empty"
        ),
        pytest.param(
            history(user(), said("", stop_reason="aborted", errorMessage="request timed out")),
            RunTrace(fate=RunFate.FAILED),
            id="deadline",
        ),
        pytest.param(history(user()), INTERRUPTED, id="cut off"),
        pytest.param(
            history(user(), preface(), tool_call()), INTERRUPTED, id="cut off in a tool call"
        ),
        pytest.param(
            history(user(), user("new"), said(run_id="new")), INTERRUPTED, id="cut off long ago"
        ),
        pytest.param(
            history(user(), tool_call(), tool_result()), INTERRUPTED, id="cut off after a tool"
        ),
        pytest.param(history(user(), active=(NEXT,)), RUNS_ON, id="continued by the active runs"),
        pytest.param(history(user(), in_flight=NEXT), RUNS_ON, id="continued by the run in flight"),
        pytest.param(history(user(), continuation()), CONTINUED, id="continued by the row"),
        pytest.param(
            history(user(), preface(), tool_call(), continuation(), active=(NEXT,)),
            RUNS_ON,
            id="continued after a tool call",
        ),
        pytest.param(
            history(user(), continuation(), said(run_id=NEXT)),
            answered(),
            id="continued and already answered",
        ),
        pytest.param(
            history(user(), continuation(), said("no", NEXT, "error")),
            RunTrace(fate=RunFate.FAILED, text="no"),
            id="continued and failed",
        ),
        pytest.param(
            history(user(), continuation(), continuation(LAST), said("Late", LAST)),
            answered("Late"),
            id="continued twice and answered",
        ),
        pytest.param(
            history(user(), continuation(), continuation(LAST)),
            RunTrace(fate=RunFate.CONTINUED, run_id=LAST),
            id="continued twice",
        ),
        pytest.param(
            history(user(), continuation(), active=(LAST,)),
            RunTrace(fate=RunFate.CONTINUED, run_id=LAST, is_active=True),
            id="continued twice, by the active runs",
        ),
        pytest.param(
            history(user("old"), continuation(), said("Old", NEXT), user()),
            INTERRUPTED,
            id="an older turn was continued",
        ),
        pytest.param(
            history(user("old"), continuation(), said("Old", NEXT), user(), continuation(LAST)),
            RunTrace(fate=RunFate.CONTINUED, run_id=LAST),
            id="an older turn was continued, and this one",
        ),
        pytest.param(
            history(user(), continuation() | {"idempotencyKey": RUN}),
            INTERRUPTED,
            id="a continuation without the id of a run",
        ),
        pytest.param(
            history(user(), continuation() | {"idempotencyKey": None}),
            INTERRUPTED,
            id="a continuation without a key",
        ),
        pytest.param(history(), RunTrace(fate=RunFate.UNKNOWN), id="empty history"),
        pytest.param({}, RunTrace(fate=RunFate.UNKNOWN), id="no history"),
        pytest.param(
            history(user("old"), said(run_id="old"), active=(NEXT,)),
            RunTrace(fate=RunFate.UNKNOWN),
            id="never arrived",
        ),
    ],
)
def test_the_history_tells_what_became_of_a_run(rows: Row, trace: RunTrace) -> None:
    """Every shape of a history has one fate."""
    assert trace_run(rows, RUN) == trace


WORDS = [f"word{number}" for number in range(1, 25)]


def words(count: int) -> str:
    """Return what the model server says when it is asked for some words."""
    return " ".join(WORDS[:count])


@pytest.mark.parametrize(
    ("name", "connection", "number", "fate", "text"),
    [
        pytest.param("agent-recovery", "conn-2", 1, RunFate.RUNNING, "", id="running"),
        pytest.param("agent-recovery", "conn-2", 2, RunFate.ANSWERED, words(8), id="answered"),
        pytest.param(
            "agent-recovery-during-tool", "conn-2", 1, RunFate.RUNNING, "", id="running a tool"
        ),
        pytest.param(
            "agent-recovery-after-tool",
            "conn-2",
            1,
            RunFate.ANSWERED,
            "Let me look that up.\n\nThe tool answered: hello",
            id="answered with a tool",
        ),
        pytest.param("agent-killed", "after", 1, RunFate.CONTINUED, "", id="continued"),
        pytest.param("agent-killed", "after", 2, RunFate.ANSWERED, words(10), id="and answered"),
        pytest.param("agent-terminated", "after", 1, RunFate.ANSWERED, words(9), id="terminated"),
        pytest.param("agent-abort", "conn-1", 1, RunFate.ABORTED, words(2), id="aborted"),
        pytest.param("agent-deadline", "conn-1", 1, RunFate.FAILED, "", id="deadline"),
        pytest.param("agent-empty", "conn-1", 1, RunFate.FAILED, "", id="empty"),
        pytest.param(
            "agent-model-error",
            "conn-1",
            1,
            RunFate.FAILED,
            "⚠️ LLM request failed (model not found, HTTP 404).",
            id="model error",
        ),
    ],
)
def test_recorded_histories_tell_what_became_of_a_run(
    name: str, connection: str, number: int, fate: RunFate, text: str
) -> None:
    """The histories of a real gateway are read as what happened there."""
    recording = Recording.load(name)
    run = next(line.frame for line in recording.lines if line.frame.get("method") == "agent")

    trace = trace_run(
        recording.answer("chat.history", number=number, connection=connection),
        run["params"]["idempotencyKey"],
    )

    assert (trace.fate, trace.text) == (fate, text)


def test_a_recorded_continuation_is_followed_under_its_new_id() -> None:
    """After a kill the frames come under the id that the first history names."""
    recording = Recording.load("agent-killed")
    run_id = recording.on("before")[0].frame["params"]["idempotencyKey"]

    trace = trace_run(recording.answer("chat.history", connection="after"), run_id)

    followed = {
        line.frame["payload"]["runId"]
        for line in recording.on("after")
        if line.frame.get("event") == "chat"
    }
    assert {trace.run_id} == followed


def test_a_very_long_chain_of_continuations_is_followed_to_its_end() -> None:
    """A gateway that was restarted again and again does not exhaust the stack."""
    rows = [user(), *(continuation(f"next-{number}") for number in range(1_200))]

    assert trace_run(history(*rows), RUN).run_id == "next-1199"


def test_a_trace_does_not_show_the_text() -> None:
    """A trace may be logged, what was said may not."""
    assert "secret" not in repr(answered("my secret"))


@given(JSON_OBJECTS)
def test_no_history_breaks_the_reader(answer: dict[str, Any]) -> None:
    """Any object is a history."""
    assert trace_run(answer, "x").fate in RunFate


ROWS = st.sampled_from(
    [
        user(),
        user(NEXT),
        said(),
        said(run_id=NEXT),
        said(None),
        preface(),
        tool_call(),
        tool_result(),
        continuation(RUN),
        continuation(NEXT),
        continuation(LAST),
        aborted(),
        failed_before_reply(),
    ]
)


@given(st.lists(ROWS, max_size=8), st.lists(st.sampled_from([RUN, NEXT, LAST]), max_size=2))
def test_any_order_of_rows_has_a_fate(rows: list[Row], active: list[str]) -> None:
    """It ends, and a run is only sent again when nothing of it arrived."""
    trace = trace_run(history(*rows, active=tuple(active)), RUN)

    is_known = RUN in active or any(
        row.get("idempotencyKey") == f"{RUN}:user" or row.get("__openclaw", {}).get("runId") == RUN
        for row in rows
    )
    assert (trace.fate is RunFate.UNKNOWN) is not is_known
    assert (trace.run_id is not None) is (trace.fate is RunFate.CONTINUED)


def test_run_of_somebody_else_continues_nothing_of_ours() -> None:
    """The next turn of the session may be running already."""
    trace = trace_run(history(user(), active=(NEXT,)), RUN, others=frozenset({NEXT}))
    assert trace == INTERRUPTED


@pytest.mark.parametrize(
    "payload",
    [{}, {"status": "timeout"}, {"status": "pending"}, {"status": "ok", "endedAt": None}],
    ids=["nothing", "running or forgotten", "queued", "no end"],
)
def test_memory_without_an_end_tells_nothing(payload: dict[str, object]) -> None:
    """The same status stands for a run that goes on and for one that was never there."""
    assert trace_wait(payload) is None


@pytest.mark.parametrize(
    ("outcome", "trace"),
    [
        pytest.param(
            {"status": "ok", "terminalReply": {"disposition": "visible", "text": "Noon."}},
            RunTrace(fate=RunFate.ANSWERED, text="Noon."),
            id="answered",
        ),
        pytest.param({"status": "ok"}, RunTrace(fate=RunFate.SILENT), id="taken up by another"),
        pytest.param(
            {"status": "error", "stopReason": "stop", "terminalReply": {"disposition": "silent"}},
            RunTrace(fate=RunFate.SILENT),
            id="silent",
        ),
        pytest.param(
            {"status": "error", "terminalReply": {"disposition": "empty"}},
            RunTrace(fate=RunFate.EMPTY),
            id="empty",
        ),
        pytest.param(
            {"status": "error", "stopReason": "rpc"}, RunTrace(fate=RunFate.ABORTED), id="aborted"
        ),
        pytest.param(
            {"status": "error", "stopReason": "stop", "error": "aborted"},
            RunTrace(fate=RunFate.ABORTED),
            id="stopped by a word",
        ),
        pytest.param(
            {"status": "error", "error": "failed"}, RunTrace(fate=RunFate.FAILED), id="failed"
        ),
        pytest.param(
            {"status": "timeout", "terminalReply": {"disposition": "visible", "text": "One"}},
            RunTrace(fate=RunFate.FAILED),
            id="deadline",
        ),
        pytest.param({"status": "new"}, RunTrace(fate=RunFate.FAILED), id="unknown"),
    ],
)
def test_memory_tells_how_a_run_ended(outcome: dict[str, object], trace: RunTrace) -> None:
    """For about five minutes, whichever method it was started by."""
    assert trace_wait({"runId": "r", "endedAt": 1_795_168_783_261} | outcome) == trace
