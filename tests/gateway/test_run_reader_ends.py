"""How the last response, the history or a restart of the gateway end a run."""

import pytest

from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    RequestError,
    RunFailedError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.recovery import RunFate, RunTrace
from custom_components.openclaw_voice.gateway.run_items import (
    ChatFinal,
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.gateway.run_reader import RunReader
from custom_components.openclaw_voice.gateway.run_tools import MAX_WAITING_TOOLS
from tests.gateway.run_frames import (
    SILENT,
    Payload,
    aborted,
    answered,
    assistant,
    chat,
    disposition,
    response,
    result,
    said,
    taken,
    tool_end,
    tool_start,
)


@pytest.fixture
def reader() -> RunReader:
    """Return the reader of a new run."""
    return RunReader()


# The last response


@pytest.mark.parametrize("status", ["accepted", "in_flight", "started", "pending"])
def test_an_interim_response_is_not_the_last_one(reader: RunReader, status: str) -> None:
    """The call is answered again, or its events tell the end."""
    assert not reader.read_response(response(status))
    assert not reader.has_ended


def test_the_last_response_alone_answers(reader: RunReader) -> None:
    """Every event may be lost: the stored response has the text."""
    assert reader.read_response(response("ok", result=result("One.", "Two.")))

    assert taken(reader) == said("One.\n\nTwo.")
    assert reader.final == answered("One.\n\nTwo.")


def test_the_last_response_has_only_the_text_after_the_tool(reader: RunReader) -> None:
    """What was said before is not lost and not said twice."""
    reader.read_event(assistant("Let me look."))
    reader.read_event(assistant("It is", item_id="m:2"))
    reader.read_response(response("ok", result=result("It is on.")))

    assert taken(reader) == said("Let me look.", "It is on.")
    assert reader.final == answered("Let me look.\n\nIt is on.")


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ("Now let me look.", "No"),
        ("No, let me look.", "No"),
        ("Let me check if it is locked", "locked"),
    ],
    ids=["begins alike", "the first word", "the last word"],
)
@pytest.mark.parametrize("frame", [tool_start(), tool_end()], ids=["start", "end only"])
def test_a_short_answer_after_a_tool_is_not_lost(
    reader: RunReader, frame: GatewayEvent, before: str, answer: str
) -> None:
    """Its frames went to a lost connection, and it happens to be a piece of the text before."""
    reader.read_event(assistant(before))
    reader.read_event(frame)
    reader.read_response(response("ok", result=result(answer)))

    assert [item for item in taken(reader) if not isinstance(item, ToolActivity)] == said(
        before, answer
    )
    assert reader.final == answered(f"{before}\n\n{answer}")


def test_an_answer_after_more_tools_than_are_kept_is_not_lost(reader: RunReader) -> None:
    """A tool nobody is told of ends the text before it as well."""
    for number in range(MAX_WAITING_TOOLS):
        reader.read_event(tool_start(f"c{number}"))
    reader.read_event(assistant("No, let me look."))
    reader.read_event(tool_start("one more"))
    reader.read_response(response("ok", result=result("No")))

    assert taken(reader)[-4:] == said("No, let me look.", "No")


def test_a_response_without_text_ends_what_was_said(reader: RunReader) -> None:
    """The streamed text is the answer then."""
    reader.read_event(assistant("Hello"))
    reader.read_response(response("ok", result=result()))

    assert reader.final == answered("Hello")


def test_a_response_that_says_silence_is_silent(reader: RunReader) -> None:
    """Without a text, the meta data tell."""
    reader.read_response(response("ok", result=result(finalAssistantVisibleText="NO_REPLY")))

    assert reader.final == SILENT


@pytest.mark.parametrize(
    "payload",
    [{}, {"result": None}, {"result": {"payloads": [None, {"text": 5}], "meta": []}}],
    ids=["no result", "null", "garbage"],
)
@pytest.mark.parametrize("status", ["ok", "error", "new", None, ["ok"], {}, 5], ids=str)
def test_a_response_that_says_nothing_is_an_empty_answer(
    reader: RunReader, status: object, payload: Payload
) -> None:
    """Whatever the status, nothing was answered."""
    assert reader.read_response(response(status, **payload))

    assert isinstance(reader.error, EmptyAnswerError)


def test_a_failure_without_a_reason_and_without_text_is_an_empty_answer(
    reader: RunReader,
) -> None:
    """The gateway's sentence for it, with nothing behind, says that nothing was generated."""
    reader.read_event(chat("error", errorMessage="Agent couldn't generate a response."))
    reader.read_response(response("error", result=result("⚠️ Agent couldn't…")))

    assert isinstance(reader.error, EmptyAnswerError)


def test_a_failure_with_a_reason_stays_one(reader: RunReader) -> None:
    """A response with the status `error` does not hide why."""
    reader.read_event(chat("error", errorMessage="too long", errorKind="context_length"))
    reader.read_response(response("error", result=result("too long")))

    assert isinstance(reader.error, RunFailedError)
    assert reader.error.kind == "context_length"


def test_a_deadline_of_the_gateway_is_a_failure(reader: RunReader) -> None:
    """A response with `timeoutPhase` is no abort by somebody."""
    reader.read_event(assistant("Hel"))
    reader.read_response(response("timeout", timeoutPhase="provider", result=result("timed out")))

    assert isinstance(reader.error, RunFailedError)
    assert reader.error.kind == "timeout"


def test_a_stop_by_a_person_keeps_what_was_said(reader: RunReader) -> None:
    """Without `timeoutPhase`, `timeout` means aborted."""
    reader.read_event(assistant("Hel"))
    reader.read_response(response("timeout", summary="aborted", stopReason="rpc"))

    assert reader.final == aborted("Hel")


def test_a_thinking_level_the_model_lacks_is_a_failure(reader: RunReader) -> None:
    """The run was accepted and then failed: its text says why, without any event."""
    text = 'Thinking level "high" is not supported for stub/stub-1. Use one of: off.'
    error = {"code": "UNAVAILABLE", "message": text}
    assert not reader.read_response(response("accepted"))

    assert reader.read_response(response("error", error=error, summary=text))

    assert isinstance(reader.error, RunFailedError)
    assert str(reader.error) == text


@pytest.mark.parametrize(
    ("error", "code", "wait"),
    [
        pytest.param(
            {"code": "UNAVAILABLE", "message": "restarting", "retryable": True}
            | {"retryAfterMs": 1000, "details": {"reason": "gateway-restarting"}},
            "UNAVAILABLE",
            1.0,
            id="retryable",
        ),
        pytest.param(
            {"code": "INVALID_REQUEST", "message": "no agent"}, "INVALID_REQUEST", None, id="final"
        ),
    ],
)
def test_a_refused_call_is_the_error_of_a_request(
    reader: RunReader, error: Payload, code: str, wait: float | None
) -> None:
    """The run never began, so it may be asked for again."""
    assert reader.read_response(response(None, error=error))

    assert isinstance(reader.error, RequestError)
    assert (reader.error.code, reader.error.retry_after) == (code, wait)


# The history


@pytest.mark.parametrize(
    ("fate", "final"),
    [
        (RunFate.ANSWERED, answered("Hello you")),
        (RunFate.ABORTED, aborted("Hello you")),
        (RunFate.FAILED, None),
        (RunFate.RUNNING, None),
        (RunFate.CONTINUED, None),
        (RunFate.INTERRUPTED, None),
        (RunFate.UNKNOWN, None),
    ],
)
def test_the_history_ends_a_run_that_has_ended(
    reader: RunReader, fate: RunFate, final: ChatFinal | None
) -> None:
    """What the deltas had not is said; a run that goes on is left alone."""
    reader.read_event(assistant("Hello"))

    reader.read_trace(RunTrace(fate=fate, text="Hello you"))

    assert reader.final == final
    assert isinstance(reader.error, RunFailedError) is (fate is RunFate.FAILED)
    assert taken(reader) == said("Hello you" if final else "Hello")


# Started over


def test_a_turn_that_starts_over_goes_on_where_it_stopped(reader: RunReader) -> None:
    """The same words under another run id and item id are not said twice."""
    reader.read_event(assistant("Hello"))
    reader.restart()

    reader.read_event(assistant("Hel", item_id="n:1"))
    reader.read_event(assistant("Hello you", item_id="n:1"))
    reader.read_event(chat("final", "Hello you"))

    assert taken(reader) == said("Hello you")
    assert reader.final == answered("Hello you")


def test_a_turn_that_starts_over_may_use_the_other_kind_of_text(reader: RunReader) -> None:
    """The fallback of the first run does not bind the second."""
    reader.read_event(chat("delta", "Hello"))
    reader.restart()

    reader.read_event(assistant("Hello you"))

    assert taken(reader) == said("Hello you")


def test_tools_of_a_turn_that_starts_over_are_ended(reader: RunReader) -> None:
    """The gateway died while it used them, so their end never comes."""
    reader.read_event(tool_start())
    reader.restart()

    assert [item.phase for item in taken(reader) if isinstance(item, ToolActivity)] == [
        ToolPhase.START,
        ToolPhase.END,
    ]


def test_a_turn_that_starts_over_has_not_failed_yet(reader: RunReader) -> None:
    """What the first run said about its end is void."""
    reader.read_event(disposition("visible"))
    reader.read_event(chat("error", errorMessage="first", errorKind="timeout"))
    reader.restart()
    assert not reader.needs_response

    reader.read_event(chat("final"))
    reader.give_up_on_response()

    assert isinstance(reader.error, EmptyAnswerError)


def test_silence_before_a_start_over_does_not_hide_a_failure_after_it(reader: RunReader) -> None:
    """The disposition belongs to the run that told it."""
    reader.read_event(disposition("silent"))
    reader.restart()

    reader.read_event(chat("error", errorMessage="no", errorKind="timeout"))
    reader.give_up_on_response()

    assert isinstance(reader.error, RunFailedError)
