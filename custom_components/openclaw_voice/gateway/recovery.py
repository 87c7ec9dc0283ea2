"""What the gateway's history says about a run we lost sight of (pure).

Source: gateway protocol 4, "Recovery" and `chat.history`; the recordings of lost connections.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .frames import JsonObject, as_list, as_object, as_text

RESTART_RECOVERY: Final = "main_session_restart_recovery"
"""Who writes the row with which the gateway continues a turn after a restart."""


class RunFate(StrEnum):
    """What became of a run."""

    ANSWERED = "answered"
    """`text` holds the whole answer."""

    RUNNING = "running"
    """Its events come by themselves."""

    CONTINUED = "continued"
    """The gateway runs the turn again under `run_id`."""

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


def trace_run(history: JsonObject, run_id: str) -> RunTrace:
    """Find out from an answer of `chat.history` what became of `run_id`."""
    active = _active_runs(history)
    if run_id in active:
        return RunTrace(fate=RunFate.RUNNING)
    rows = [as_object(row) for row in as_list(history.get("messages"))]
    answers = [row for row in rows if _belongs_to(row, run_id)]
    if answers and (fate := _fate_of(answers[-1])) is not None:
        texts = [_text(row) for row in answers if row.get("role") == "assistant"]
        return RunTrace(fate=fate, text="\n\n".join(text for text in texts if text))
    if not answers and not any(row.get("idempotencyKey") == f"{run_id}:user" for row in rows):
        return RunTrace(fate=RunFate.UNKNOWN)
    successor = next(filter(None, map(_continuation, rows)), None) or next(iter(active), None)
    if successor is None:
        return RunTrace(fate=RunFate.INTERRUPTED)
    later = trace_run(history, successor)
    if later.fate in (RunFate.ANSWERED, RunFate.ABORTED, RunFate.FAILED):
        return later
    return RunTrace(fate=RunFate.CONTINUED, run_id=successor)


def _continuation(row: JsonObject) -> str | None:
    """Return the id of the run that this row starts in place of an interrupted one."""
    provenance = as_object(row.get("provenance"))
    key = as_text(row.get("idempotencyKey"))
    if provenance.get("sourceTool") != RESTART_RECOVERY or key is None:
        return None
    return key.removesuffix(":user")


def _active_runs(history: JsonObject) -> list[str]:
    in_flight = as_text(as_object(history.get("inFlightRun")).get("runId"))
    listed = as_list(as_object(history.get("sessionInfo")).get("activeRunIds"))
    return [run_id for run_id in (in_flight, *listed) if isinstance(run_id, str)]


def _belongs_to(row: JsonObject, run_id: str) -> bool:
    return (
        row.get("role") in ("assistant", "toolResult")
        and as_object(row.get("__openclaw")).get("runId") == run_id
    )


def _fate_of(last_row: JsonObject) -> RunFate | None:
    """Return how a run ended by its last row, None when that row is not an end."""
    if last_row.get("openclawAbort"):
        return RunFate.ABORTED
    match last_row.get("stopReason"):
        case "stop" if _text(last_row):
            return RunFate.ANSWERED
        case "stop" | "error":
            return RunFate.FAILED
        case _:
            return None


def _text(row: JsonObject) -> str:
    content = row.get("content")
    if isinstance(content, str):
        return content
    blocks = map(as_object, as_list(content))
    return "".join(as_text(block.get("text")) or "" for block in blocks)
