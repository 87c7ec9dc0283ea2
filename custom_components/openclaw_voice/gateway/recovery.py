"""What the gateway's history and memory say about a run we lost sight of (pure).

Source: gateway protocol 4, "Recovery", `chat.history` and `agent.wait`; the recordings of lost
connections.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .frames import JsonObject, as_list, as_object, as_text

RESTART_RECOVERY: Final = "main_session_restart_recovery"
"""Who writes the row with which the gateway continues a turn after a restart."""

FAILED_BEFORE_REPLY: Final = "run-failed-before-reply"
"""The kind of row that stands in for the answer of a run that did not reach the model."""

_STOPPED: Final = frozenset({"rpc", "aborted"})
"""Why a run ended that somebody stopped."""

_USER_KEY: Final = ":user"
"""After the id of a run: the key of the row with what the user said."""


class RunFate(StrEnum):
    """What became of a run."""

    ANSWERED = "answered"
    """`text` holds the whole answer."""

    RUNNING = "running"
    """Its events come by themselves."""

    CONTINUED = "continued"
    """The gateway runs the turn again under `run_id`."""

    SILENT = "silent"
    """It decided that nothing needs to be said."""

    EMPTY = "empty"
    """The model answered nothing."""

    ABORTED = "aborted"
    """Somebody stopped it; `text` is what it had said."""

    FAILED = "failed"
    """It ended without an answer."""

    INTERRUPTED = "interrupted"
    """The message arrived, the answer was cut off; the gateway may continue the turn."""

    UNKNOWN = "unknown"
    """The message never arrived: it is safe to send it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrace:
    """The traces of one run in the history of its session."""

    fate: RunFate
    text: str = field(default="", repr=False)
    run_id: str | None = None
    """Of the run that continues the turn."""

    is_active: bool = False
    """Whether that run is running; else it may have been interrupted, too."""


def trace_run(
    history: JsonObject, run_id: str, *, others: frozenset[str] = frozenset()
) -> RunTrace:
    """Find out from an answer of `chat.history` what became of `run_id`.

    `others` are the ids of runs that belong to somebody else, and so continue nothing of ours.
    """
    active = [active_id for active_id in active_runs(history) if active_id not in others]
    rows = [as_object(row) for row in as_list(history.get("messages"))]
    current = run_id
    while current not in active:
        own = [number for number, row in enumerate(rows) if _belongs_to(row, current)]
        if not own:
            return RunTrace(fate=RunFate.UNKNOWN)
        answers = [rows[number] for number in own if rows[number].get("role") != "user"]
        fate = _fate_of(answers[-1]) if answers else None
        if fate is not None:
            return RunTrace(fate=fate, text=_joined(answers))
        # What continues a turn comes after it; a row before it continues an older one.
        rows = rows[own[-1] + 1 :]
        successor = next(filter(None, map(_continuation, rows)), None) or next(iter(active), None)
        if successor is None:
            break
        current = successor
    if current != run_id:
        return RunTrace(fate=RunFate.CONTINUED, run_id=current, is_active=current in active)
    return RunTrace(fate=RunFate.RUNNING if current in active else RunFate.INTERRUPTED)


def has_start(history: JsonObject, run_id: str) -> bool:
    """Tell whether the history reaches back to what the user said to start a run."""
    key = f"{run_id}{_USER_KEY}"
    return any(
        as_object(row).get("idempotencyKey") == key for row in as_list(history.get("messages"))
    )


def trace_wait(payload: JsonObject) -> RunTrace | None:
    """Read an answer of `agent.wait`; None when it does not know of an end.

    An answer's text is cut at 4 096 characters, and only what came after the last tool.
    """
    if payload.get("endedAt") is None:
        return None  # It is running, waits for its turn, is forgotten, or was never there.
    reply = as_object(payload.get("terminalReply"))
    text = as_text(reply.get("text")) or ""
    match reply.get("disposition"), payload.get("status"):
        case "silent", _:
            return RunTrace(fate=RunFate.SILENT)
        case "empty", _:
            return RunTrace(fate=RunFate.EMPTY)
        case _, "ok":
            # Another run may have taken the message up and answered in its place.
            return RunTrace(fate=RunFate.ANSWERED if text else RunFate.SILENT, text=text)
        case _, "error" if (
            payload.get("stopReason") in _STOPPED or payload.get("error") == "aborted"
        ):
            return RunTrace(fate=RunFate.ABORTED, text=text)
        case _:
            return RunTrace(fate=RunFate.FAILED)


def _continuation(row: JsonObject) -> str | None:
    """Return the id of the run that this row starts in place of an interrupted one."""
    key = as_text(row.get("idempotencyKey")) or ""
    if as_object(row.get("provenance")).get("sourceTool") != RESTART_RECOVERY:
        return None
    return key.removesuffix(_USER_KEY) if key.endswith(_USER_KEY) else None


def active_runs(history: JsonObject) -> list[str]:
    """Return the ids of the runs that go on in the session of a history."""
    in_flight = as_text(as_object(history.get("inFlightRun")).get("runId"))
    listed = as_list(as_object(history.get("sessionInfo")).get("activeRunIds"))
    return [run_id for run_id in (in_flight, *listed) if isinstance(run_id, str)]


def _belongs_to(row: JsonObject, run_id: str) -> bool:
    if row.get("idempotencyKey") == f"{run_id}{_USER_KEY}":
        return True
    is_answer = row.get("role") in ("assistant", "toolResult") or _is_failure(row)
    return is_answer and as_object(row.get("__openclaw")).get("runId") == run_id


def _is_failure(row: JsonObject) -> bool:
    """Tell whether a row stands for an answer that did not come about."""
    return row.get("role") == "custom" and row.get("customType") == FAILED_BEFORE_REPLY


def _fate_of(last_row: JsonObject) -> RunFate | None:
    """Return how a run ended by its last row, None when that row is not an end."""
    if last_row.get("openclawAbort"):
        return RunFate.ABORTED
    if _is_failure(last_row):
        return RunFate.FAILED
    match last_row.get("stopReason"):
        case "stop" | "length" if _text(last_row):
            return RunFate.ANSWERED
        case "stop" | "length" | "error" | "aborted":
            return RunFate.FAILED
        case _:
            return None


def _joined(answers: list[JsonObject]) -> str:
    texts = [_text(row) for row in answers if row.get("role") == "assistant"]
    return "\n\n".join(text for text in texts if text)


def _text(row: JsonObject) -> str:
    content = row.get("content")
    if isinstance(content, str):
        return content
    blocks = map(as_object, as_list(content))
    return "".join(as_text(block.get("text")) or "" for block in blocks)
