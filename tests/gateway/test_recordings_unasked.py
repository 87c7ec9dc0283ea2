"""What the real gateway tells unasked is read, and is the same live and afterwards."""

from collections.abc import Iterator
from typing import Any

from custom_components.openclaw_voice.gateway.cron import CronRun
from custom_components.openclaw_voice.gateway.heartbeat import Heartbeat
from custom_components.openclaw_voice.gateway.unasked_message import (
    UnaskedMessage,
    message_of,
    read_history,
)
from tests.recordings import Recording


def recorded(name: str, event: str) -> Iterator[dict[str, Any]]:
    """Yield the payloads of an event."""
    for line in Recording.load(name).on():
        if line.direction == "in" and line.frame.get("event") == event:
            yield line.frame["payload"]


def live_messages(name: str) -> list[UnaskedMessage]:
    """Return the final messages of all runs, as they came."""
    return [found for payload in recorded(name, "chat") if (found := message_of(payload))]


def test_jobs_are_the_same_live_and_afterwards() -> None:
    """Also when the job is gone: which run, when, what was said, what failed, and what is none for people."""
    live = [run for each in recorded("unasked-jobs", "cron") if (run := CronRun.from_event(each))]
    rows = Recording.load("unasked-jobs").answer("cron.runs")["entries"]
    listed = [run for row in reversed(rows) if (run := CronRun.from_row(row))]

    assert [(run.name, run.text) for run in live] == [
        ("Bins", "The bins go out."),
        ("Broken", ""),
        ("Plants", ""),
    ]
    assert [run.is_system for run in live] == [False, False, True]
    assert [run.is_ok for run in live] == [True, False, True]
    assert [run.agent_id for run in live] == ["main"] * 3
    facts = [(run.id, run.at, run.text, run.error, run.is_ok, run.is_system) for run in live]
    assert facts == [
        (run.id, run.at, run.text, run.error, run.is_ok, run.is_system) for run in listed
    ]


def test_heartbeats_say_something_nothing_or_much() -> None:
    """Only the beginning of much is pushed."""
    said = [Heartbeat.from_payload(each) for each in recorded("unasked-heartbeats", "heartbeat")]
    found = [beat for beat in said if beat and beat.has_text]

    assert len(said) == 3
    assert [beat.text.strip() for beat in found] == ["Done.", ("Much. " * 50)[:200].strip()]


def test_injected_messages_are_the_same_live_and_afterwards() -> None:
    """With a label and without."""
    recording = Recording.load("unasked-messages")
    answer, *live = live_messages("unasked-messages")
    history = recording.answer("chat.history")

    found = read_history(history, answer.session_key, lambda run_id: run_id == answer.run_id)

    assert [(message.label, message.text) for message in live] == [
        ("Laundry", "The laundry is done."),
        (None, "The laundry is done."),
    ]
    assert found.messages == tuple(live)


def test_what_a_run_says_besides_its_answer_is_known() -> None:
    """It is one more final message of the run; the history has it before the answer."""
    answer, besides = live_messages("unasked-second-answer")

    assert besides.run_id == answer.run_id
    assert besides.text == "By the way."
    assert answer.text != besides.text
