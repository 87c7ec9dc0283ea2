"""Which messages of a history nobody asked for."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.unasked_message import (
    Reading,
    UnaskedMessage,
    message_of,
    read_history,
)
from tests.fakes.unasked_frames import (
    NOON_MS,
    SESSION,
    command_row,
    continuation_row,
    final,
    injected,
    injected_row,
    job_row,
    mirror_row,
    prompt_row,
    said_row,
)

from .garbage import JSON_OBJECTS

type JsonObject = dict[str, Any]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def nothing(_: str) -> bool:
    """Say that this client has followed nothing."""
    return False


def followed(*run_ids: str) -> Callable[[str], bool]:
    """Say that this client has followed these runs."""
    return lambda run_id: run_id in run_ids


def reading(
    *rows: JsonObject, follows: Callable[[str], bool] = nothing, **fields: object
) -> Reading:
    """Read a history of these rows."""
    return read_history({"messages": list(rows)} | fields, SESSION, follows)


def texts(*rows: JsonObject, **options: object) -> list[str]:
    """Return what nobody asked for."""
    found = reading(*rows, **options)  # type: ignore[arg-type]  # named by the test
    return [message.text for message in found.messages]


def test_a_message_that_was_put_into_a_session_is_the_same_live_and_afterwards() -> None:
    """Its label tells who did it."""
    live = message_of(injected("row-1", "[Laundry]\n\nIt is done."))

    (afterwards,) = reading(injected_row("row-1", "[Laundry]\n\nIt is done.")).messages

    assert live == afterwards
    assert live == UnaskedMessage(
        session_key=SESSION,
        agent_id="main",
        message_id="inject-row-1",
        label="Laundry",
        text="It is done.",
        at=NOON,
    )
    assert "done" not in repr(live)
    assert "Laundry" not in repr(live)


@pytest.mark.parametrize(
    "text", ["It is done.", "[a]\nb", f"[{'x' * 101}]\n\nb", "Well, [a]\n\nb", "[]\n\nb"]
)
def test_without_a_label_it_is_all_text(text: str) -> None:
    """Only what the gateway writes is a label."""
    live = message_of(injected("row-1", text))

    assert live is not None
    assert (live.label, live.text) == (None, text)


def test_media_are_links_live_and_afterwards() -> None:
    """Else the text would be another one, and be told once more."""
    text = "Look.\nMEDIA: https://example.org/a.png\n"

    live = message_of(injected("row-1", text))
    (afterwards,) = reading(injected_row("row-1", text)).messages

    assert live == afterwards
    assert (afterwards.text, afterwards.links) == ("Look.", ("https://example.org/a.png",))


def test_the_message_of_a_run_is_the_same_live_and_afterwards() -> None:
    """A follow-up, for instance, comes under an id nobody knows."""
    live = message_of(final("run-2", "The answer to that."))

    (afterwards,) = reading(
        prompt_row("run-1"), said_row("run-1", "First."), said_row("run-2", "The answer to that.")
    ).messages

    assert live == afterwards
    assert live is not None
    assert (live.run_id, live.message_id, live.at) == ("run-2", "run-2", NOON)


@pytest.mark.parametrize(
    "payload",
    [
        final("run-1", "x") | {"state": "delta"},
        final("run-1", "x") | {"state": "aborted"},
        final("run-1", "x") | {"runId": None},
        final("run-1", "x") | {"sessionKey": ""},
        {},
    ],
    ids=["delta", "aborted", "no run", "no session", "nothing"],
)
def test_only_the_end_of_a_run_is_a_message(payload: JsonObject) -> None:
    """What is said on the way belongs to it."""
    assert message_of(payload) is None


def test_a_run_may_end_without_a_message() -> None:
    """When another one has taken up what was asked."""
    live = message_of(final("run-1", None) | {"agentId": None})

    assert live is not None
    assert (live.text, live.has_content, live.agent_id) == ("", False, "main")
    assert abs((live.at - datetime.now(UTC)).total_seconds()) < 60


def test_what_somebody_asked_for_is_no_news() -> None:
    """A person, or another program of theirs, has it."""
    found = reading(prompt_row("run-1"), said_row("run-1", "Asked."))

    assert found.messages == ()
    assert found.claimed == {"run-1"}


def test_what_a_voice_session_asked_for_is_no_news() -> None:
    """Its prompt is in no history; nor is what was spoken a message."""
    spoken: JsonObject = {"provenance": {"kind": "realtime_voice", "sourceChannel": "talk"}}
    found = reading(
        said_row("talk-call_1-5a0d", "The light is on."),
        said_row(None, "Your light is on.", **spoken),
    )

    assert found.messages == ()
    assert found.claimed == {"talk-call_1-5a0d"}


def test_what_a_job_says_in_a_session_is_told_as_a_job() -> None:
    """Its prompt is a row of the assistant, and no message either."""
    found = reading(job_row(), said_row("run-1", "Check the oven."))

    assert found.messages == ()
    assert found.claimed == {"run-1"}


def test_only_the_run_of_a_job_is_told_as_one() -> None:
    """Not what comes after it, nor the next run when the job has said nothing."""
    rows = [
        job_row(),
        injected_row("row-1", "Put in.", at=NOON_MS - 1),
        said_row("run-1", "Let me look.", stopReason="toolUse"),
        said_row("run-1", "Check the oven."),
        said_row("run-2", "A follow-up."),
        job_row("silent"),
        prompt_row("run-3"),
        said_row("run-3", "An answer."),
        said_row("run-4", "Another one.", at=NOON_MS + 1),
    ]

    assert texts(*rows) == ["Put in.", "A follow-up.", "Another one."]


def test_a_turn_that_another_agent_caused_is_told() -> None:
    """Nobody waits for it."""
    prompt = prompt_row(
        "run-1", provenance={"kind": "inter_session", "sourceTool": "sessions_send"}
    )

    assert texts(prompt, said_row("run-1", "Dinner is ready.")) == ["Dinner is ready."]


def test_an_interrupted_turn_that_nobody_follows_is_told() -> None:
    """Whoever asked is not listening any more."""
    rows = [prompt_row("run-1"), continuation_row("run-2"), said_row("run-2", "Here it is.")]

    assert texts(*rows) == ["Here it is."]
    assert texts(*rows, follows=followed("run-1")) == []
    assert texts(*rows, follows=followed("run-2")) == []


def test_a_turn_that_was_interrupted_twice_is_still_ours() -> None:
    """Each continuation goes on with the one before it."""
    rows = [
        prompt_row("run-1"),
        continuation_row("run-2"),
        said_row("run-2", "Let me look.", stopReason="toolUse"),
        continuation_row("run-3"),
        said_row("run-3", "Here it is."),
    ]

    assert texts(*rows, follows=followed("run-1")) == []
    assert texts(*rows) == ["Here it is."]


def test_a_continuation_belongs_to_what_was_interrupted() -> None:
    """Not to an earlier turn of ours that has its answer."""
    rows = [
        prompt_row("run-1"),
        said_row("run-1", "An answer."),
        continuation_row("run-2"),
        said_row("run-2", "Here it is."),
    ]

    assert texts(*rows, follows=followed("run-1")) == ["Here it is."]


def test_a_continuation_of_something_older_is_told() -> None:
    """What it goes on with is not in the history any more."""
    assert texts(continuation_row("run-2"), said_row("run-2", "Here it is.")) == ["Here it is."]


def test_all_a_run_says_is_one_message() -> None:
    """Around its tools, and with the media that belong to it."""
    picture = "MEDIA:https://example.com/a.png"
    (message,) = reading(
        said_row("run-1", "Let me look.", at=NOON_MS - 9, stopReason="toolUse"),
        {"role": "toolResult", "content": "18 degrees", "__openclaw": {"runId": "run-1"}},
        said_row("run-1", "", at=NOON_MS - 5, stopReason="toolUse"),
        said_row("run-1", f"It is cold.\n{picture}"),
    ).messages

    assert message.text == "Let me look.\n\nIt is cold."
    assert message.links == ("https://example.com/a.png",)
    assert message.at == NOON


@pytest.mark.parametrize(
    "fields",
    [
        {"inFlightRun": {"runId": "run-1"}},
        {"sessionInfo": {"activeRunIds": ["run-1"]}},
    ],
    ids=["in flight", "listed"],
)
def test_a_run_that_goes_on_has_not_said_its_message(fields: JsonObject) -> None:
    """It comes later, as a whole."""
    assert texts(said_row("run-1", "Let me look."), **fields) == []


def test_a_run_without_an_end_has_no_message() -> None:
    """It was cut off."""
    assert texts(said_row("run-1", "Let me look.", stopReason="toolUse")) == []


def test_what_somebody_stopped_is_no_message() -> None:
    """They did not want to hear it."""
    assert texts(said_row("run-1", "Once upon a", openclawAbort={"aborted": True})) == []


def test_the_answer_to_a_command_is_no_message() -> None:
    """The gateway made it for whoever gave the command."""
    assert texts(prompt_row("run-1", "/status"), command_row("run-1", "All is well.")) == []


def test_what_an_agent_sends_on_purpose_is_told_whoever_asked() -> None:
    """It comes besides the answer."""
    rows = [
        prompt_row("run-1"),
        mirror_row("run-1", "By the way.", at=NOON_MS - 1),
        said_row("run-1", "An answer."),
    ]
    live = message_of(final("run-1", "By the  way."))

    (message,) = reading(*rows, follows=followed("run-1")).messages

    assert message.text == "By the way."
    assert live is not None
    assert message.message_id == live.as_further().message_id != "run-1"


def test_what_was_sent_elsewhere_is_no_message_of_the_session() -> None:
    """Its row belongs to no tool of a run in it."""
    assert texts(mirror_row("run-1", "Hi.") | {"idempotencyKey": "elsewhere"}) == []
    assert texts(mirror_row("run-1", "Hi.") | {"__openclaw": {"id": "row-1"}}) == []


@pytest.mark.parametrize("text", ["NO_REPLY", "HEARTBEAT_OK", " \n", ""])
def test_silence_is_no_message(text: str) -> None:
    """These words are for the gateway."""
    assert texts(said_row("run-1", text), injected_row("row-1", text)) == []


def test_a_picture_alone_is_a_message() -> None:
    """It can be shown."""
    (message,) = reading(said_row("run-1", "MEDIA:https://example.com/a.png")).messages

    assert (message.text, message.links) == ("", ("https://example.com/a.png",))


def test_what_began_before_the_rows_is_not_known() -> None:
    """Until the first prompt anything may be the rest of an answer."""
    rows = [
        said_row("run-1", "The rest."),
        prompt_row("run-2"),
        said_row("run-2", "An answer."),
        said_row("run-3", "By itself."),
    ]

    cut = reading(*rows, hasMore=True)

    assert [message.text for message in cut.messages] == ["By itself."]
    assert cut.unclear == {"run-1"}
    assert texts(*rows) == ["The rest.", "By itself."]


def test_a_prompt_makes_its_run_clear() -> None:
    """Also when a row of it comes before, as what a tool has sent."""
    found = reading(said_row("run-1", "Hm."), prompt_row("run-1"), hasMore=True)

    assert found.unclear == frozenset()
    assert found.claimed == {"run-1"}


def test_messages_come_in_the_order_of_time() -> None:
    """Whatever they are."""
    rows = [
        injected_row("row-1", "First.", at=NOON_MS),
        said_row("run-1", "Third.", at=NOON_MS + 2),
        injected_row("row-2", "Second.", at=NOON_MS + 1),
    ]

    assert texts(*rows) == ["First.", "Second.", "Third."]


@pytest.mark.parametrize(
    "row",
    [
        said_row(None, "x"),
        injected_row("", "x"),
        said_row("run-1", "x", role="user"),
        said_row("run-1", "x", provenance={"kind": "internal_system"}),
    ],
    ids=["no run", "no id", "a user's", "the gateway's"],
)
def test_other_rows_are_no_messages(row: JsonObject) -> None:
    """Nobody's agent said them."""
    assert texts(row) == []


def test_a_row_without_a_time_is_old() -> None:
    """It is not told as news."""
    (message,) = reading(said_row("run-1", "x") | {"timestamp": None}).messages

    assert message.at.year == 1970


@pytest.mark.parametrize("odd", [[], {}, [[]], 7, None], ids=str)
def test_odd_rows_break_nothing(odd: object) -> None:
    """What comes besides them is found all the same."""
    prompt = prompt_row("run-0") | {"provenance": {"kind": odd, "sourceTool": odd}}
    answer = said_row("run-2", "Two.") | {"stopReason": odd, "model": odd, "openclawAbort": odd}

    assert texts(prompt, answer, said_row("run-1", "One."), hasMore=False) == ["One."]


@given(JSON_OBJECTS, JSON_OBJECTS)
def test_no_frame_breaks_the_readers(first: JsonObject, second: JsonObject) -> None:
    """Any object may come."""
    message_of(first | {"state": "final", "runId": "inject-1", "sessionKey": "x"})
    reading(first, said_row("x", "y"), second, **second)
    reading(first | {"role": "assistant"}, second, hasMore=True)
