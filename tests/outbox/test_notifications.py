"""What of all that a gateway tells is a notification, and what it carries."""

from datetime import UTC, datetime
import json
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.heartbeat import HeartbeatText
from custom_components.openclaw_voice.gateway.unasked_message import UnaskedMessage
from custom_components.openclaw_voice.outbox.notification import (
    MAX_EVENT_TEXT,
    Notification,
    NotificationKind,
    event_data,
)
from custom_components.openclaw_voice.outbox.notifications import (
    MAX_LINK_TEXT,
    MAX_LINKS,
    MAX_TEXT,
    MAX_TITLE,
    TABLE,
    Arrival,
    asked_by,
    is_for_us,
    of_asked,
    of_message,
    with_full_text,
)

from .told import (
    APPROVAL,
    APPROVAL_RESOLVED,
    BUSY_HEARTBEAT,
    HEARTBEAT,
    JOB,
    JOB_FINISHED,
    JOB_ID,
    JOB_RUN,
    NO_UPDATE,
    OTHER_CHAT,
    OTHER_HOME,
    OURS,
    PLUGIN_APPROVAL,
    QUESTION,
    QUESTION_RESOLVED,
    STOPPING,
    SYSTEM_EVENT_JOB,
    UNDELIVERED_JOB,
    UPDATE,
    JsonObject,
    at,
)

NOW = datetime(2026, 11, 20, 10, 2, tzinfo=UTC)
ARRIVAL = Arrival(now=NOW, boot_id="boot-1")


def read(event: str, payload: JsonObject) -> Notification | None:
    """Return what the table makes of an event."""
    return TABLE[event](payload, ARRIVAL)


def notified(event: str, payload: JsonObject) -> Notification:
    """Return what the table makes of an event that is a notification."""
    notification = read(event, payload)
    assert notification is not None
    # Automations get it as JSON.
    json.dumps(event_data(notification, entry_id="entry-1"))
    return notification


def message(**fields: object) -> UnaskedMessage:
    """Return a message nobody asked for."""
    known: dict[str, Any] = {
        "session_key": OURS,
        "agent_id": "main",
        "run_id": "run-1",
        "message_id": "295c08bf",
        "text": "The laundry is done",
        "at": NOW,
    }
    return UnaskedMessage(**known | fields)


def is_ours(key: str) -> bool:
    """Tell whether a session belongs to this home."""
    return key.startswith("agent:main:homeassistant:0a1b2c3d:")


def test_a_job_that_has_finished_brings_what_it_said() -> None:
    """Its name is the title; the id is the same as in the list of runs."""
    assert notified("cron", JOB_FINISHED) == Notification(
        id=f"job:{JOB_ID}:1795168927034",
        kind=NotificationKind.JOB_FINISHED,
        title="Trash",
        message="The trash goes out today.",
        agent_id="main",
        session_key=JOB_RUN,
        time=datetime(2026, 11, 20, 10, 2, 11, 60000, tzinfo=UTC),
        data={"job_id": JOB_ID, "status": "ok", "error": None, "duration": 4.026},
    )


def test_a_job_whose_result_could_not_be_sent_has_a_result_all_the_same() -> None:
    """So ends every reminder on a gateway without channels."""
    job = notified("cron", UNDELIVERED_JOB)
    assert (job.message, job.data["status"]) == ("Dentist tomorrow.", "ok")


def test_a_job_that_failed_says_so() -> None:
    """With what it said until then."""
    failed = notified("cron", JOB_FINISHED | {"status": "error", "error": "The model is away."})
    assert failed.data["error"] == "The model is away."


@pytest.mark.parametrize(
    "payload",
    [
        {"jobId": JOB_ID, "action": "started", "job": JOB, "runAtMs": 1795168927034},
        {"jobId": JOB_ID, "action": "removed", "job": JOB},
        JOB_FINISHED | {"summary": ""},
        JOB_FINISHED | {"summary": " \n"},
        JOB_FINISHED | {"summary": "NO_REPLY"},
        JOB_FINISHED | {"job": JOB | {"declarationKey": "memory-core:memory-dreaming-promotion"}},
        {},
    ],
    ids=["started", "removed", "no text", "blank", "silent", "system", "nothing"],
)
def test_a_job_without_anything_to_say_to_people_is_none(payload: JsonObject) -> None:
    """The gateway has jobs for itself, too."""
    assert read("cron", payload) is None


def test_a_job_that_wakes_an_agent_is_one_notification() -> None:
    """The heartbeat has the answer, the job only what was put before the agent."""
    both = (read("cron", SYSTEM_EVENT_JOB), read("heartbeat", HEARTBEAT))
    assert [told.kind for told in both if told] == [NotificationKind.HEARTBEAT]


def test_a_heartbeat_brings_the_beginning_of_what_was_said() -> None:
    """The gateway does not tell whose it is."""
    assert notified("heartbeat", HEARTBEAT) == Notification(
        id="heartbeat:1795168941915",
        kind=NotificationKind.HEARTBEAT,
        message="Water the plants.",
        time=datetime(2026, 11, 20, 10, 2, 21, 915000, tzinfo=UTC),
        data={"reason": "no-route"},
    )


def test_a_heartbeat_is_completed() -> None:
    """With the text, the agent and the session it was found in."""
    whole = HeartbeatText(agent_id="kitchen", session_key="agent:kitchen:main", text="All of it.")
    told = with_full_text(notified("heartbeat", HEARTBEAT), whole)
    assert (told.message, told.agent_id, told.session_key) == (
        "All of it.",
        "kitchen",
        "agent:kitchen:main",
    )
    assert told.id == "heartbeat:1795168941915"


@pytest.mark.parametrize("payload", [BUSY_HEARTBEAT, HEARTBEAT | {"preview": "HEARTBEAT_OK"}, {}])
def test_a_heartbeat_without_anything_to_say_is_none(payload: JsonObject) -> None:
    """A busy gateway tells of one every second."""
    assert read("heartbeat", payload) is None


def test_a_message_brings_its_label_and_its_links() -> None:
    """Who put it into the session is its title."""
    links = ("https://example.org/a.png", "https://example.org/" + "b" * MAX_LINK_TEXT)
    assert of_message(message(label="Laundry", links=links)) == Notification(
        id="message:295c08bf",
        kind=NotificationKind.MESSAGE,
        title="Laundry",
        message="The laundry is done",
        agent_id="main",
        session_key=OURS,
        time=NOW,
        data={"run_id": "run-1", "label": "Laundry", "links": ["https://example.org/a.png"]},
    )


def test_an_approval_brings_what_a_decision_needs() -> None:
    """Command, place, risks, what may be decided and until when."""
    assert notified("exec.approval.requested", APPROVAL) == Notification(
        id="approval:e14230fb-d302-4f8e-b340-8e03a441f64a",
        kind=NotificationKind.APPROVAL_REQUESTED,
        title="echo",
        message="echo approved-command",
        agent_id="kitchen",
        session_key=OURS,
        time=datetime(2026, 11, 20, 10, 11, 19, 477000, tzinfo=UTC),
        data={
            "approval_id": "e14230fb-d302-4f8e-b340-8e03a441f64a",
            "approval_kind": "exec",
            "command": "echo approved-command",
            "is_command_cut": False,
            "cwd": "/home/user/workspace",
            "host": "gateway",
            "risks": [],
            "severity": None,
            "warning": None,
            "decisions": ["allow-once", "deny"],
            "expires": "2026-11-20T10:41:19.477000+00:00",
        },
    )


def test_an_approval_of_a_plugin_belongs_to_nobody() -> None:
    """The gateway names neither agent nor session."""
    approval = notified("plugin.approval.requested", PLUGIN_APPROVAL)
    assert (approval.title, approval.message) == (
        "Unlock the front door",
        "lock.unlock lock.front_door",
    )
    assert (approval.agent_id, approval.session_key) == (None, None)
    assert approval.data["severity"] == "warning"


def test_an_approval_that_is_over_says_who_decided_what() -> None:
    """Its id differs from the request's, so that both are told."""
    assert notified("exec.approval.resolved", APPROVAL_RESOLVED) == Notification(
        id="approval:e14230fb-d302-4f8e-b340-8e03a441f64a:resolved",
        kind=NotificationKind.APPROVAL_RESOLVED,
        title="echo",
        agent_id="kitchen",
        session_key=OURS,
        time=datetime(2026, 11, 20, 10, 11, 19, 518000, tzinfo=UTC),
        data={
            "approval_id": "e14230fb-d302-4f8e-b340-8e03a441f64a",
            "decision": "allow-once",
            "resolved_by": "Home Assistant",
        },
    )


def test_an_approval_that_is_over_may_come_without_what_it_was_about() -> None:
    """Then its id must do."""
    bare = notified("exec.approval.resolved", {"id": "e14230fb", "decision": "deny"})
    assert (bare.title, bare.agent_id, bare.session_key, bare.time) == ("", None, None, NOW)


def test_a_question_brings_its_parts() -> None:
    """With what can be answered."""
    assert notified("question.requested", QUESTION) == Notification(
        id="question:ask_3e95921e5f68a18c534c5fc8dd10aa90",
        kind=NotificationKind.QUESTION_ASKED,
        title="Room",
        message="Which room?\nWhich days?",
        agent_id="main",
        session_key=OURS,
        time=datetime(2026, 11, 20, 10, 2, 40, 708000, tzinfo=UTC),
        data={
            "question_id": "ask_3e95921e5f68a18c534c5fc8dd10aa90",
            "questions": [
                {
                    "id": "room",
                    "header": "Room",
                    "question": "Which room?",
                    "options": ["Kitchen", "Bath"],
                    "takes_other": True,
                    "is_multiple": False,
                    "is_secret": False,
                },
                {
                    "id": "days",
                    "header": "Days",
                    "question": "Which days?",
                    "options": ["Mon", "Tue"],
                    "takes_other": False,
                    "is_multiple": True,
                    "is_secret": False,
                },
            ],
            "expires": "2026-11-20T10:17:40.708000+00:00",
        },
    )


def test_a_question_that_is_over_gets_its_place_from_the_question() -> None:
    """The gateway does not repeat it; what was answered is not told."""
    asked = notified("question.requested", QUESTION)
    answered = notified("question.resolved", QUESTION_RESOLVED)
    assert answered == Notification(
        id="question:ask_3e95921e5f68a18c534c5fc8dd10aa90:answered",
        kind=NotificationKind.QUESTION_ANSWERED,
        time=NOW,
        data={"question_id": "ask_3e95921e5f68a18c534c5fc8dd10aa90", "status": "answered"},
    )
    assert asked_by(answered) == asked.id
    placed = of_asked(answered, asked)
    assert (placed.title, placed.agent_id, placed.session_key) == ("Room", "main", OURS)
    assert placed.id == answered.id


def test_an_update_is_told_by_its_version() -> None:
    """So each is told once."""
    assert notified("update.available", UPDATE) == Notification(
        id="update:2026.10.1",
        kind=NotificationKind.UPDATE_AVAILABLE,
        time=NOW,
        data={"installed": "2026.9.6", "latest": "2026.10.1", "channel": "stable"},
    )
    assert read("update.available", NO_UPDATE) is None


def test_a_gateway_that_stops_says_whether_it_comes_back() -> None:
    """Once for each of its processes."""
    assert notified("shutdown", STOPPING | {"restartExpectedMs": 1500}) == Notification(
        id="stopping:boot-1",
        kind=NotificationKind.GATEWAY_STOPPING,
        time=NOW,
        data={"reason": "gateway stopping", "restart_expected": 1.5},
    )
    bare = TABLE["shutdown"]({}, Arrival(now=NOW))
    assert bare is not None
    assert (bare.id, bare.data["reason"]) == ("stopping:1795168920000", None)


@pytest.mark.parametrize(
    "event",
    [
        "exec.approval.requested",
        "exec.approval.resolved",
        "plugin.approval.requested",
        "plugin.approval.resolved",
        "question.requested",
        "question.resolved",
        "update.available",
    ],
)
def test_what_cannot_be_read_is_none(event: str) -> None:
    """A newer gateway must not break us."""
    assert read(event, {}) is None


def test_most_of_what_a_gateway_tells_is_none() -> None:
    """What is not in the table is never a notification."""
    assert not {"chat", "agent", "task", "health", "presence", "tick", "session.message"} & {*TABLE}


def test_texts_are_bounded() -> None:
    """A message is kept longer than the event has room for, but not without an end."""
    told = of_message(
        message(
            text="x" * 50_000, label="y" * 500, links=tuple(f"https://a/{n}" for n in range(99))
        )
    )
    assert len(told.message) == MAX_TEXT
    assert len(told.title) == len(told.data["label"]) == MAX_TITLE
    assert len(told.data["links"]) == MAX_LINKS
    data = event_data(told, entry_id="entry-1")
    assert (len(data["message"]), data["is_cut"]) == (MAX_EVENT_TEXT, True)


def test_an_event_is_small_enough_to_be_recorded() -> None:
    """Home Assistant leaves out the data of a larger one; the activity could not show it."""
    long, limit = "\N{EURO SIGN}" * 50_000, 32_768
    links = tuple(f"https://a/{n}/".ljust(1_900, "x") for n in range(20))
    part = QUESTION["questions"][0] | {"question": long}
    parts = [part | {"questionId": name} for name in ("a", "b", "c")]
    question = notified("question.requested", QUESTION | {"questions": parts})
    for notification in (question, of_message(message(text=long, links=links))):
        data = event_data(notification, entry_id="entry-1")
        assert len(json.dumps(data, ensure_ascii=False).encode()) <= limit


def test_reprs_do_not_hold_what_was_said() -> None:
    """They reach logs."""
    assert "laundry" not in repr(of_message(message(label="The laundry")))


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        ("exec.approval.requested", at(APPROVAL, OURS), True),
        ("exec.approval.requested", at(APPROVAL, OTHER_CHAT), True),
        ("exec.approval.requested", at(APPROVAL, OTHER_HOME), False),
        ("exec.approval.resolved", at(APPROVAL_RESOLVED, OTHER_HOME), False),
        ("plugin.approval.requested", PLUGIN_APPROVAL, True),
        ("question.requested", at(QUESTION, OURS), True),
        ("question.requested", at(QUESTION, OTHER_CHAT), False),
        ("question.requested", at(QUESTION, OTHER_HOME), False),
        ("question.requested", at(QUESTION, "agent:main:main"), False),
        ("question.requested", at(QUESTION, JOB_RUN), True),
        ("question.requested", at(QUESTION, None), True),
        ("cron", JOB_FINISHED, True),
        ("cron", at(JOB_FINISHED, OURS), True),
        ("cron", at(JOB_FINISHED, OTHER_CHAT), True),
        ("cron", at(JOB_FINISHED, OTHER_HOME), False),
        ("heartbeat", HEARTBEAT, True),
        ("update.available", UPDATE, True),
        ("shutdown", STOPPING, True),
    ],
)
def test_what_belongs_to_others_is_not_for_us(
    event: str, payload: JsonObject, expected: bool
) -> None:
    """Neither another person's conversation nor anything of another Home Assistant."""
    assert is_for_us(notified(event, payload), is_ours) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [(OURS, True), (OTHER_HOME, False), (OTHER_CHAT, False), ("agent:main:main", False)],
)
def test_messages_are_for_us_in_sessions_of_ours_only(key: str, expected: bool) -> None:
    """Everything else is somebody else's conversation."""
    assert is_for_us(of_message(message(session_key=key)), is_ours) is expected
