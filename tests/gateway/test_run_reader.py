"""What a run says, and how its events end it."""

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    RunFailedError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.recovery import RunFate, RunTrace
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    RunItem,
)
from custom_components.openclaw_voice.gateway.run_reader import (
    RunReader,
)
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from tests.gateway.garbage import JSON_OBJECTS
from tests.gateway.run_frames import (
    SILENT,
    Payload,
    aborted,
    agent,
    answered,
    assistant,
    chat,
    disposition,
    message,
    response,
    result,
    said,
    taken,
    tool_start,
)


@pytest.fixture
def reader() -> RunReader:
    """Return the reader of a new run."""
    return RunReader()


def test_text_is_handed_out_when_it_comes(reader: RunReader) -> None:
    """The `chat` delta of the same text, up to 50 ms later, adds nothing."""
    reader.read_event(assistant("Hel"))
    assert taken(reader) == said("Hel")

    reader.read_event(chat("delta", "Hel"))
    assert taken(reader) == []

    reader.read_event(assistant("Hello"))
    reader.read_event(chat("delta", "Hello"))
    assert taken(reader) == [ChatDelta("lo")]


def test_what_a_slow_reader_has_not_taken_is_joined(reader: RunReader) -> None:
    """A thousand pieces of text wait as one."""
    for count in range(1, 1_001):
        reader.read_event(assistant("x" * count))

    assert taken(reader) == said("x" * 1_000)


@pytest.mark.parametrize("text", [None, 5, ["x"]], ids=["none", "number", "list"])
def test_a_frame_without_text_says_nothing(reader: RunReader, text: object) -> None:
    """Frames about text carry text, or are passed over."""
    reader.read_event(agent("assistant", text=text, itemId="m:1"))

    assert taken(reader) == []


def test_retracted_text_is_said_again_as_a_new_message(reader: RunReader) -> None:
    """`replace` starts the model call again: other words come with all of it."""
    reader.read_event(assistant("It is five"))
    reader.read_event(assistant("", replace=True))
    reader.read_event(assistant("It was six", item_id="n:1"))
    reader.read_event(chat("final", "It was six"))

    assert taken(reader) == said("It is five", "It was six")
    assert reader.final == answered("It was six")


def test_thoughts_and_progress_are_not_said(reader: RunReader) -> None:
    """Only the stream `assistant` is what the agent says."""
    for stream in ("thinking", "usage", "command_output", "run_status", "approval", "new"):
        reader.read_event(agent(stream, text="secret", delta="secret", itemId="m:1"))
    reader.read_event(agent("item", kind="preamble", phase="end", progressText="secret"))
    reader.read_event(chat("status", phase="starting_model"))

    assert taken(reader) == []
    assert not reader.has_ended


# The fallback


def test_chat_deltas_are_enough(reader: RunReader) -> None:
    """A gateway that sends no text to `agent` streams through `chat`."""
    reader.read_event(chat("delta", "Hel", deltaText="Hel"))
    reader.read_event(chat("delta", "Hello", deltaText="lo"))
    reader.read_event(chat("final", "Hello you"))

    assert taken(reader) == said("Hello you")
    assert reader.final == answered("Hello you")


def test_the_fallback_is_not_mixed_with_the_other_stream(reader: RunReader) -> None:
    """The two kinds of text differ around tools, so one run uses one of them."""
    reader.read_event(chat("delta", "Let me look."))
    reader.read_event(assistant("Let me look."))
    reader.read_event(chat("delta", "Let me look.\n\nIt is on."))
    reader.read_event(assistant("It is on.", item_id="m:2"))

    assert taken(reader) == said("Let me look.\n\nIt is on.")


def test_a_chat_delta_without_a_message_says_nothing(reader: RunReader) -> None:
    """A delta that carries no text is no start of the fallback."""
    reader.read_event(chat("delta"))
    reader.read_event(assistant("Hello"))

    assert taken(reader) == said("Hello")


def test_the_content_of_a_message_may_be_text(reader: RunReader) -> None:
    """Content comes as blocks or as a string."""
    reader.read_event(chat("final", message={"role": "assistant", "content": "Hello"}))

    assert reader.final == answered("Hello")


def test_only_text_blocks_are_text(reader: RunReader) -> None:
    """Thoughts and images among the blocks are not said."""
    blocks = [
        {"type": "thinking", "text": "secret"},
        {"type": "text", "text": "Hel"},
        {"type": "text", "text": 5},
        "odd",
        {"type": "text", "text": "lo"},
    ]
    reader.read_event(chat("final", message={"content": blocks}))

    assert reader.final == answered("Hello")


# The end


def test_a_final_completes_the_text(reader: RunReader) -> None:
    """The last words may come with the end only."""
    reader.read_event(assistant("Hel"))
    reader.read_event(chat("final", "Hello"))

    assert taken(reader) == said("Hello")
    assert reader.final == answered("Hello")
    assert reader.has_ended


def test_a_final_without_a_message_ends_what_was_said(reader: RunReader) -> None:
    """What was streamed is the answer then."""
    reader.read_event(assistant("Hello"))
    reader.read_event(chat("final"))

    assert reader.final == answered("Hello")


def test_a_final_without_any_text_waits_for_the_response(reader: RunReader) -> None:
    """Only the last response tells what became of such a run."""
    reader.read_event(chat("final"))
    assert reader.needs_response
    assert not reader.has_ended

    assert reader.read_response(response("ok", result=result("Hello")))
    assert taken(reader) == said("Hello")
    assert reader.final == answered("Hello")


@pytest.mark.parametrize("state", ["final", "aborted", "error"])
def test_the_first_end_counts(reader: RunReader, state: str) -> None:
    """A gateway may end a run twice; frames after the first end say nothing."""
    reader.read_event(chat("final", "Hello"))
    items = taken(reader)

    reader.read_event(chat(state, "More", errorMessage="no"))
    reader.read_event(assistant("More", item_id="m:2"))
    reader.read_event(tool_start())
    assert reader.read_response(response("ok", result=result("More")))
    reader.read_trace(RunTrace(fate=RunFate.ANSWERED, text="More"))
    reader.give_up_on_response()

    assert items == said("Hello")
    assert taken(reader) == []
    assert reader.final == answered("Hello")
    assert reader.error is None


def test_the_lifecycle_error_after_an_abort_is_no_error(reader: RunReader) -> None:
    """A cancelled run also ends with "This operation was aborted"."""
    reader.read_event(assistant("Hel"))
    reader.read_event(chat("aborted", "Hel", stopReason="rpc"))
    reader.read_event(agent("lifecycle", phase="error", error="This operation was aborted"))

    assert reader.final == aborted("Hel")
    assert reader.error is None


@pytest.mark.parametrize("stop_reason", ["rpc", "aborted", "restart", None])
def test_an_abort_before_the_first_word_is_an_abort(
    reader: RunReader, stop_reason: str | None
) -> None:
    """Somebody stopped the run, and nothing was said."""
    reader.read_event(chat("aborted", stopReason=stop_reason))

    assert reader.final == aborted()


def test_an_aborted_run_without_a_message_keeps_what_was_said(reader: RunReader) -> None:
    """The partial text is in the deltas."""
    reader.read_event(assistant("Hel"))
    reader.read_event(chat("aborted", stopReason="rpc"))

    assert reader.final == aborted("Hel")


def test_a_stop_word_keeps_what_was_said(reader: RunReader) -> None:
    """With text, `stop` is an abort like others."""
    reader.read_event(chat("aborted", "Hel", stopReason="stop"))

    assert taken(reader) == said("Hel")
    assert reader.final == aborted("Hel")


def test_a_run_that_stopped_by_itself_waits_for_the_response(reader: RunReader) -> None:
    """Stopped by nobody and without text: silent or empty, the response tells."""
    reader.read_event(chat("aborted", stopReason="stop"))
    assert reader.needs_response

    reader.read_response(response("error", result=result(finalAssistantVisibleText="NO_REPLY")))
    assert reader.final == SILENT


def test_silence_is_a_result(reader: RunReader) -> None:
    """The lifecycle tells it before the `chat` error that looks like a failure."""
    reader.read_event(disposition("silent"))
    reader.read_event(chat("error", errorMessage="Agent couldn't generate a response."))

    assert reader.final == SILENT
    assert reader.error is None


def test_an_empty_answer_is_an_error(reader: RunReader) -> None:
    """The model answered nothing, and people have to know."""
    reader.read_event(disposition("empty"))
    reader.read_event(chat("error", errorMessage="Agent couldn't generate a response."))

    assert isinstance(reader.error, EmptyAnswerError)
    assert reader.final is None


@pytest.mark.parametrize("word", ["visible", "", 5, ["silent"]], ids=str)
def test_other_dispositions_decide_nothing(reader: RunReader, word: object) -> None:
    """A run with a visible text that fails is a failure."""
    reader.read_event(disposition(word))
    reader.read_event(chat("error", errorMessage="no", errorKind="timeout"))

    assert reader.needs_response
    assert not reader.has_ended


@pytest.mark.parametrize("text", ["NO_REPLY", " NO_REPLY\n"])
def test_the_word_for_silence_is_not_said(reader: RunReader, text: str) -> None:
    """A gateway that lets the word through means silence too."""
    reader.read_event(chat("final", text))

    assert taken(reader) == []
    assert reader.final == SILENT


def test_a_failure_waits_for_the_response_and_keeps_its_reason(reader: RunReader) -> None:
    """A `chat` error alone may be silence; the response decides, the error explains."""
    reader.read_event(chat("error", errorMessage="refused, token=hunter2", errorKind="rate_limit"))
    assert reader.needs_response

    reader.read_response(response("error", error={"code": "UNAVAILABLE", "message": "failed"}))

    assert isinstance(reader.error, RunFailedError)
    assert str(reader.error) == "refused, token=***"
    assert reader.error.kind == "rate_limit"


def test_the_reason_of_the_provider_is_more_exact(reader: RunReader) -> None:
    """`failoverReason` comes before `errorKind`."""
    detail = {"failoverReason": "overloaded"}
    reader.read_event(chat("error", errorKind="rate_limit", errorDetail=detail))
    reader.give_up_on_response()

    assert isinstance(reader.error, RunFailedError)
    assert reader.error.kind == "overloaded"
    assert str(reader.error) == "the run failed"


def test_of_two_failures_the_later_one_counts(reader: RunReader) -> None:
    """A failed run can send two different errors."""
    reader.read_event(chat("error", errorMessage="first", errorKind="unknown"))
    reader.read_event(chat("error", errorMessage="second", errorKind="timeout"))
    reader.give_up_on_response()

    assert str(reader.error) == "second"


def test_a_failure_whose_response_does_not_come_is_a_failure(reader: RunReader) -> None:
    """The events alone have to do then."""
    reader.read_event(chat("error", errorMessage="no"))
    reader.give_up_on_response()

    assert isinstance(reader.error, RunFailedError)


def test_an_end_without_text_whose_response_does_not_come_is_empty(reader: RunReader) -> None:
    """Nothing was said and nothing explains why."""
    reader.read_event(chat("final"))
    reader.give_up_on_response()

    assert isinstance(reader.error, EmptyAnswerError)


@pytest.mark.parametrize(
    ("extra", "is_from_gateway"),
    [
        ({"model": "gateway-injected"}, True),
        ({"provider": "openclaw"}, True),
        ({"model": "demo-1", "provider": "demo"}, False),
        ({}, False),
    ],
    ids=["injected", "provider", "model", "nothing told"],
)
def test_texts_made_by_the_gateway_are_told_from_those_of_a_model(
    reader: RunReader, extra: Payload, is_from_gateway: bool
) -> None:
    """A refused thinking level is answered by the gateway itself."""
    reader.read_event(chat("final", message=message("Use one of: off.", **extra)))

    assert reader.final == answered("Use one of: off.", is_from_gateway=is_from_gateway)


# White space


@pytest.mark.parametrize("text", ["", " ", " \n\n "], ids=repr)
def test_white_space_is_no_answer(reader: RunReader, text: str) -> None:
    """Nothing would be said, so the last response decides, and it has no text either."""
    reader.read_event(assistant(text))
    reader.read_event(chat("final", text))
    assert taken(reader) == []
    assert reader.needs_response

    reader.read_response(response("ok", result=result(text)))

    assert taken(reader) == []
    assert isinstance(reader.error, EmptyAnswerError)


def test_white_space_at_the_end_leaves_what_was_said(reader: RunReader) -> None:
    """The streamed text is the answer then."""
    reader.read_event(assistant("Hello"))
    reader.read_event(chat("final", " \n"))

    assert reader.final == answered("Hello")


def test_a_run_that_was_stopped_before_the_first_word_has_no_text(reader: RunReader) -> None:
    """White space is no word."""
    reader.read_event(assistant(" "))
    reader.read_event(chat("aborted", " ", stopReason="rpc"))

    assert taken(reader) == []
    assert reader.final == aborted()


def test_a_history_with_white_space_is_an_empty_answer(reader: RunReader) -> None:
    """There as well, nothing was answered."""
    reader.read_trace(RunTrace(fate=RunFate.ANSWERED, text=" \n"))

    assert isinstance(reader.error, EmptyAnswerError)


# Garbage


FRAMES = st.one_of(
    st.builds(GatewayEvent, name=st.sampled_from(["agent", "chat"]), payload=JSON_OBJECTS),
    st.builds(
        lambda state, payload: chat(state, **payload),
        st.sampled_from(["status", "delta", "final", "aborted", "error"]),
        st.dictionaries(
            st.sampled_from(["message", "stopReason", "errorMessage", "errorKind", "errorDetail"]),
            JSON_OBJECTS | st.sampled_from(["stop", "rpc", 5, None]),
        ),
    ),
    st.builds(
        lambda stream, data: GatewayEvent(name="agent", payload={"stream": stream, "data": data}),
        st.sampled_from(["assistant", "tool", "item", "lifecycle"]),
        JSON_OBJECTS,
    ),
)


@given(
    st.lists(FRAMES, max_size=10),
    st.lists(JSON_OBJECTS, max_size=2),
    st.sampled_from(RunMethod),
    st.booleans(),
)
def test_no_frame_breaks_the_reader(
    frames: list[GatewayEvent], answers: list[Payload], method: RunMethod, is_resumed: bool
) -> None:
    """Whatever comes, the run ends once and what it says stays in order."""
    reader = RunReader(method, is_resumed=is_resumed)

    for frame in frames:
        reader.read_event(frame)
    for answer in answers:
        reader.read_response(response(answer.get("status"), result=answer.get("result")))
    reader.give_up_on_response()

    assert reader.has_ended
    assert (reader.final is None) is not (reader.error is None)
    assert all(isinstance(item, RunItem.__value__) for item in taken(reader))


@pytest.mark.parametrize("is_resumed", [True, False])
def test_a_resumed_run_says_all_at_its_end(is_resumed: bool) -> None:
    """Its beginning was missed, so its pieces would be pieces of sentences."""
    reader = RunReader(is_resumed=is_resumed)

    reader.read_event(assistant("is noon."))
    early = taken(reader)
    reader.read_event(chat("final", "Let me look.\n\nIt is noon."))

    assert bool(early) is not is_resumed
    if is_resumed:
        assert taken(reader) == said("Let me look.\n\nIt is noon.")
    assert reader.final is not None


def test_nothing_is_read_of_a_run_that_was_stopped(reader: RunReader) -> None:
    """What was said is all; stopping it twice changes nothing."""
    reader.read_event(assistant("Once upon"))
    reader.stop()
    reader.read_event(assistant("Once upon a time"))
    reader.stop()

    assert reader.final == aborted("Once upon")
