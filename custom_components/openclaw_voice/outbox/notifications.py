"""The one table: what of all that the gateway tells is a notification, and what it carries (pure).

Two things come besides: a `message` in a session of ours is found by `gateway.unasked`, which knows
what our runs hand out, and the full text of a heartbeat must be read. Texts for people that the
gateway does not give (a title for a heartbeat) are added by whoever knows the language.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from ..gateway.approvals import (
    APPROVAL_REQUESTED,
    APPROVAL_RESOLVED,
    Approval,
    ApprovalKind,
    ApprovalResolved,
)
from ..gateway.cron import CRON_EVENT, CronRun
from ..gateway.frames import JsonObject, as_text, seconds
from ..gateway.health import UpdateInfo
from ..gateway.heartbeat import HEARTBEAT_EVENT, Heartbeat, HeartbeatText
from ..gateway.questions import (
    QUESTION_REQUESTED,
    QUESTION_RESOLVED,
    AgentQuestion,
    QuestionPart,
    QuestionResolved,
)
from ..gateway.redact import redact
from ..gateway.unasked_message import UnaskedMessage
from .notification import Notification, NotificationKind

MAX_TEXT: Final = 20_000
"""Characters of a message that are kept: nobody reads or hears more of what was not asked for."""

MAX_TITLE: Final = 200
"""Characters of a title, a label, a header."""

MAX_QUESTION: Final = 500
"""Characters of one question beside the message, which has all of them whole."""

MAX_LINKS: Final = 20
"""Links of a message that are kept."""

MAX_LINK_TEXT: Final = 6_000
"""Characters of all of them; what does not fit is left out, because a part of it leads nowhere.

With a long message the bus event is as large as Home Assistant records one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What an event does not say itself."""

    now: datetime
    """When it came (UTC), for those without a time."""

    boot_id: str | None = None
    """Of the process of the gateway that sent it."""


HEARTBEAT_ID: Final = "heartbeat:"
"""Begins the ids of heartbeats."""

UPDATE_ID: Final = "update:"
"""Begins the ids of updates."""

_QUESTION: Final = "question:"
_ANSWERED: Final = ":answered"

type Reader = Callable[[JsonObject, Arrival], Notification | None]
"""The payload of an event -> the notification; None when it is none."""


# what each kind carries


def of_job(run: CronRun) -> Notification | None:
    """Return a scheduled job that has ended, None when it has nothing to say to people.

    A job that puts something before an agent is told by the heartbeat it causes, not twice.
    """
    if run.is_system or not run.text.strip():
        return None
    return Notification(
        id=f"job:{run.id}",
        kind=NotificationKind.JOB_FINISHED,
        title=run.name[:MAX_TITLE],
        message=run.text[:MAX_TEXT],
        agent_id=run.agent_id,
        session_key=run.session_key,
        time=run.ended or run.at,
        data={
            "job_id": run.job_id,
            "status": "ok" if run.is_ok else "error",
            "error": run.error,
            "duration": run.duration,
        },
    )


def of_heartbeat(heartbeat: Heartbeat) -> Notification | None:
    """Return what an agent says after it has looked around, None when that is nothing.

    The message is the beginning of it; `with_full_text` completes it.
    """
    if not heartbeat.has_text:
        return None
    return Notification(
        id=f"{HEARTBEAT_ID}{_milliseconds(heartbeat.at)}",
        kind=NotificationKind.HEARTBEAT,
        message=heartbeat.text[:MAX_TEXT],
        agent_id=heartbeat.agent_id,
        time=heartbeat.at,
        data={"reason": heartbeat.reason},
    )


def of_message(message: UnaskedMessage) -> Notification:
    """Return what an agent says in a session without being asked."""
    return Notification(
        id=f"message:{message.message_id}",
        kind=NotificationKind.MESSAGE,
        title=(message.label or "")[:MAX_TITLE],
        message=message.text[:MAX_TEXT],
        agent_id=message.agent_id,
        session_key=message.session_key,
        time=message.at,
        data={
            "run_id": message.run_id,
            "label": message.label and message.label[:MAX_TITLE],
            "links": _links(message.links),
        },
    )


def of_approval(approval: Approval) -> Notification:
    """Return something an agent may do only when somebody lets it."""
    return Notification(
        id=f"approval:{approval.id}",
        kind=NotificationKind.APPROVAL_REQUESTED,
        title=approval.title[:MAX_TITLE],
        message=approval.command,
        agent_id=approval.agent_id,
        session_key=approval.session_key,
        time=approval.created,
        data={
            "approval_id": approval.id,
            "approval_kind": approval.kind.value,
            "command": approval.command,
            "is_command_cut": approval.is_cut,
            "cwd": approval.cwd,
            "host": approval.host,
            "risks": list(approval.risks),
            "severity": approval.severity,
            "warning": approval.warning,
            "decisions": list(approval.decisions),
            "expires": approval.expires.isoformat(),
        },
    )


def of_approval_resolved(resolved: ApprovalResolved) -> Notification:
    """Return that an approval is over, whoever decided it, also when we did."""
    approval = resolved.approval
    return Notification(
        id=f"approval:{resolved.id}:resolved",
        kind=NotificationKind.APPROVAL_RESOLVED,
        title=approval.title[:MAX_TITLE] if approval else "",
        agent_id=approval.agent_id if approval else None,
        session_key=approval.session_key if approval else None,
        time=resolved.at,
        data={
            "approval_id": resolved.id,
            "decision": resolved.decision,
            "resolved_by": resolved.resolved_by,
        },
    )


def of_question(question: AgentQuestion) -> Notification:
    """Return what an agent asks people in the middle of its work."""
    return Notification(
        id=f"{_QUESTION}{question.id}",
        kind=NotificationKind.QUESTION_ASKED,
        title=question.parts[0].header[:MAX_TITLE],
        message="\n".join(part.text for part in question.parts)[:MAX_TEXT],
        agent_id=question.agent_id,
        session_key=question.session_key,
        time=question.created,
        data={
            "question_id": question.id,
            "questions": [_part(part) for part in question.parts],
            "expires": question.expires.isoformat(),
        },
    )


def of_question_answered(resolved: QuestionResolved) -> Notification:
    """Return that a question is over. `of_asked` adds what the gateway does not repeat."""
    return Notification(
        id=f"{_QUESTION}{resolved.id}{_ANSWERED}",
        kind=NotificationKind.QUESTION_ANSWERED,
        time=resolved.at,
        data={"question_id": resolved.id, "status": redact(resolved.status, MAX_TITLE)},
    )


def asked_by(answered: Notification) -> str:
    """Return the id of the notification of the question that is over."""
    return answered.id.removesuffix(_ANSWERED)


def of_asked(answered: Notification, asked: Notification) -> Notification:
    """Return that a question is over, with where it was asked."""
    return replace(
        answered, title=asked.title, agent_id=asked.agent_id, session_key=asked.session_key
    )


def of_update(update: UpdateInfo, now: datetime) -> Notification:
    """Return that there is a newer gateway than the one that runs."""
    return Notification(
        id=f"{UPDATE_ID}{update.latest}",
        kind=NotificationKind.UPDATE_AVAILABLE,
        time=now,
        data={
            "installed": update.installed,
            "latest": update.latest,
            "channel": update.channel,
        },
    )


def of_stopping(payload: JsonObject, arrival: Arrival) -> Notification:
    """Return that the gateway stops; once for each of its processes."""
    return Notification(
        id=f"stopping:{arrival.boot_id or _milliseconds(arrival.now)}",
        kind=NotificationKind.GATEWAY_STOPPING,
        time=arrival.now,
        data={
            "reason": redact(as_text(payload.get("reason")) or "") or None,
            "restart_expected": seconds(payload.get("restartExpectedMs")),
        },
    )


# the table


def _finished_job(payload: JsonObject, _: Arrival) -> Notification | None:
    run = CronRun.from_event(payload)
    return None if run is None else of_job(run)


def _heartbeat(payload: JsonObject, _: Arrival) -> Notification | None:
    heartbeat = Heartbeat.from_payload(payload)
    return None if heartbeat is None else of_heartbeat(heartbeat)


def _approval(kind: ApprovalKind, payload: JsonObject, _: Arrival) -> Notification | None:
    approval = Approval.from_payload(kind, payload)
    return None if approval is None else of_approval(approval)


def _resolved(kind: ApprovalKind, payload: JsonObject, arrival: Arrival) -> Notification | None:
    resolved = ApprovalResolved.from_payload(kind, payload, now=arrival.now)
    return None if resolved is None else of_approval_resolved(resolved)


def _question(payload: JsonObject, _: Arrival) -> Notification | None:
    question = AgentQuestion.from_payload(payload)
    return None if question is None else of_question(question)


def _answered(payload: JsonObject, arrival: Arrival) -> Notification | None:
    resolved = QuestionResolved.from_payload(payload, now=arrival.now)
    return None if resolved is None else of_question_answered(resolved)


def _update(payload: JsonObject, arrival: Arrival) -> Notification | None:
    update = UpdateInfo.from_payload(payload.get("updateAvailable"))
    return None if update is None else of_update(update, arrival.now)


TABLE: Final[Mapping[str, Reader]] = {
    CRON_EVENT: _finished_job,
    HEARTBEAT_EVENT: _heartbeat,
    **{name: partial(_approval, kind) for name, kind in APPROVAL_REQUESTED.items()},
    **{name: partial(_resolved, kind) for name, kind in APPROVAL_RESOLVED.items()},
    QUESTION_REQUESTED: _question,
    QUESTION_RESOLVED: _answered,
    "update.available": _update,
    "shutdown": of_stopping,
}
"""By the name of the gateway's event. What is not in here is never a notification."""


# what is nobody else's


def is_for_us(notification: Notification, is_ours: Callable[[str], bool]) -> bool:
    """Return whether people here are concerned, by the session it belongs to.

    What belongs to no conversation is for everybody: scheduled jobs, heartbeats, the gateway
    itself. Of conversations, only those of this Home Assistant are. Approvals are told by the
    gateway to those who may decide them, so only those of another Home Assistant are left out.
    """
    key = notification.session_key
    if key is None or is_ours(key):
        return True
    match notification.kind:
        case NotificationKind.MESSAGE:
            return False
        case NotificationKind.APPROVAL_REQUESTED | NotificationKind.APPROVAL_RESOLVED:
            return not _is_of_a_home(key)
        case NotificationKind.QUESTION_ASKED | NotificationKind.QUESTION_ANSWERED:
            return _is_of_a_job(key)
        case _:
            return not _is_of_a_home(key)


def with_full_text(notification: Notification, whole: HeartbeatText) -> Notification:
    """Return a heartbeat with all that was said, and who said it."""
    return replace(
        notification,
        message=whole.text[:MAX_TEXT],
        agent_id=whole.agent_id,
        session_key=whole.session_key,
    )


def _is_of_a_home(session_key: str) -> bool:
    return session_key.split(":")[2:3] == ["homeassistant"]


def _is_of_a_job(session_key: str) -> bool:
    return session_key.split(":")[2:3] == ["cron"]


def _links(links: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for link in islice(links, MAX_LINKS):
        if sum(map(len, kept)) + len(link) <= MAX_LINK_TEXT:
            kept.append(link)
    return kept


def _part(part: QuestionPart) -> dict[str, object]:
    return {
        "id": part.id,
        "header": part.header[:MAX_TITLE],
        "question": part.text[:MAX_QUESTION],
        "options": list(part.options),
        "takes_other": part.takes_other,
        "is_multiple": part.is_multiple,
        "is_secret": part.is_secret,
    }


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
