"""The fake tells runs like the real gateway: the same frames in the same order, the same fields."""

from collections.abc import Callable, Iterable
from itertools import groupby, pairwise
from typing import Any

import pytest

from tests.fakes.agent_run import AgentRun
from tests.recordings import Recording
from tests.schema.definitions import AGENT_EVENT_FIELDS

type JsonObject = dict[str, Any]

LEFT_OUT = frozenset(
    {
        # Of `chat.send` only, and never true for a run of ours.
        "isHeartbeat",
        # Told by tools of the gateway only.
        "commandBearing",
        "meta",
        "replayInvalid",
        # A measured time more or less.
        "startedAt",
        "endedAt",
        # What the provider's error was.
        "errorDetail",
        "errorObservation",
    }
)
"""Fields of recorded frames that the fake's have not, and no client reads."""

NOT_TOLD = frozenset({"item preamble update", "item preamble end", "command_output delta"}) | {
    "command_output end",
    "item tool update",
    "tool update",
    "usage",
    # Of `chat.send` only.
    "chat status",
    "run_status preparing_context",
    "run_status preparing_workspace",
    "run_status starting_model",
    "lifecycle fallback_step",
}
"""Frames of a recording that the fake leaves out in between, and no client reads."""


def answer(run: AgentRun) -> list[JsonObject]:
    """Tell a plain run."""
    return [*run.start(), *run.say("Hel"), *run.say("lo"), *run.end(), run.response_ok()]


def tool(run: AgentRun) -> list[JsonObject]:
    """Tell a run around a tool."""
    arguments = {"command": "echo hello"}
    return [
        *run.start(),
        *run.say("Let me look."),
        *run.tool_start("call_1", "exec", arguments, title="Exec"),
        *run.tool_end("call_1", "exec", "hello", title="Exec"),
        *run.say("It is hello."),
        *run.end(),
        run.response_ok(),
    ]


def no_answer(disposition: str) -> Callable[[AgentRun], list[JsonObject]]:
    """Tell a run without text."""
    return lambda run: [
        *run.start(),
        *run.no_answer(disposition),
        run.response_no_answer(disposition),
    ]


def sent_no_answer(disposition: str) -> Callable[[AgentRun], list[JsonObject]]:
    """Tell a run of `chat.send` without text."""
    return lambda run: [*run.start(), *run.chat_no_answer(disposition)]


def sent_answer(run: AgentRun) -> list[JsonObject]:
    """Tell a plain run of `chat.send`."""
    return answer(run)[:-1]


def abort(run: AgentRun) -> list[JsonObject]:
    """Tell an aborted run, without the answer to the abort."""
    frames = [*run.start(), *run.say("word1"), *run.abort()]
    return [*frames, run.abort_settled(), run.response_aborted()]


def failure(run: AgentRun) -> list[JsonObject]:
    """Tell a failed run."""
    return [*run.start(), *run.fail("It broke."), run.response_failed("It broke.")]


def recorded(name: str) -> list[JsonObject]:
    """Return the frames of a recorded run after its acknowledgement."""
    frames: list[JsonObject] = []
    for frame, method in Recording.load(name).received():
        is_first = (frame.get("payload") or {}).get("status") == "accepted"
        if frame["type"] == "event" or (method == "agent" and not is_first):
            frames.append(frame)
    return frames


def kind(frame: JsonObject) -> str:
    """Return what a frame is, in a few words."""
    payload = frame.get("payload", {})
    data = payload.get("data", {})
    if frame["type"] == "res":
        return f"response {payload['status']}"
    if frame["event"] == "chat":
        return f"chat {payload['state']}"
    words = (payload["stream"], data.get("kind"), data.get("phase"))
    return " ".join(word for word in words if word)


def order(frames: Iterable[JsonObject]) -> list[str]:
    """Return the kinds of frames in order; text counts once, however many pieces it has.

    A last `chat` delta that the gateway held back until the final does not count.
    """
    kinds = [kind(frame) for frame in frames]
    kinds = ["text" if word in {"assistant", "chat delta"} else word for word in kinds]
    told = [word for word, _ in groupby(word for word in kinds if word not in NOT_TOLD)]
    return [
        word
        for word, following in pairwise([*told, "the end"])
        if (word, following) != ("text", "chat final")
    ]


def fields(frames: Iterable[JsonObject]) -> dict[str, set[str]]:
    """Return the fields that frames of each kind always have, down to the data."""
    found: dict[str, set[str]] = {}
    for frame in frames:
        payload = frame.get("payload", {})
        names = {*payload, *(f"data/{name}" for name in payload.get("data", {}))}
        result = payload.get("result", {})
        names |= {f"result/{name}" for name in result}
        found[kind(frame)] = found.get(kind(frame), names) & names
    return found


CASES = [
    pytest.param("agent-answer", answer, id="answer"),
    pytest.param("agent-tool", tool, id="tool"),
    pytest.param("agent-silent", no_answer("silent"), id="silent"),
    pytest.param("agent-empty", no_answer("empty"), id="empty"),
    pytest.param("agent-abort", abort, id="abort"),
    pytest.param("agent-model-error", failure, id="failure"),
    pytest.param("send-answer", sent_answer, id="sent"),
    pytest.param("send-silent", sent_no_answer("silent"), id="sent, silent"),
    pytest.param("send-empty", sent_no_answer("empty"), id="sent, empty"),
]


@pytest.mark.parametrize(("name", "tell"), CASES)
def test_same_frames_in_the_same_order(
    name: str, tell: Callable[[AgentRun], list[JsonObject]]
) -> None:
    """A told run has the frames of the recorded one."""
    assert order(tell(AgentRun())) == order(recorded(name))


@pytest.mark.parametrize(("name", "tell"), CASES)
def test_same_fields(name: str, tell: Callable[[AgentRun], list[JsonObject]]) -> None:
    """A told frame has the fields of the recorded one, and none of its own."""
    real = fields(recorded(name))
    for frame_kind, told in fields(tell(AgentRun())).items():
        missing = {field.removeprefix("data/") for field in real[frame_kind] - told}
        assert missing <= LEFT_OUT | AGENT_EVENT_FIELDS, frame_kind
        assert told <= real[frame_kind] | {"sessionId"}, frame_kind
