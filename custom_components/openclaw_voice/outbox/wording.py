"""A notification as people are told of it: what is said, what is written (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .late_answer import cut
from .notification import Notification, NotificationKind

PREFIX: Final = "told_"
"""Begins the slug of every text that is needed here, in the `common` translations."""

SLUGS: Final = (
    *(f"{PREFIX}{kind.value}" for kind in NotificationKind),
    f"{PREFIX}decision",
    f"{PREFIX}decisions",
    f"{PREFIX}options",
    f"{PREFIX}allow_once",
    f"{PREFIX}allow_always",
    f"{PREFIX}deny",
)

MAX_WRITTEN: Final = 1_000
"""Characters of what is sent or shown; what can be decided is always part of them."""

MAX_CHOICES: Final = 600
"""Characters of that."""

_WITH_HEADING: Final = frozenset(
    {
        NotificationKind.APPROVAL_REQUESTED,
        NotificationKind.APPROVAL_RESOLVED,
        NotificationKind.QUESTION_ASKED,
        NotificationKind.QUESTION_ANSWERED,
    }
)
"""A title alone would not tell what they are."""

_ENDS: Final = tuple(".!?…:;")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The texts of one notification, in one language."""

    title: str = field(repr=False)
    """Never empty."""

    aloud: str = field(repr=False)
    """What is said after the title, as it was written; not fit for speech yet."""

    written: str = field(repr=False)
    """Never empty, at most `MAX_WRITTEN`."""


def wording(
    notification: Notification, texts: Mapping[str, str], *, agent: str, gateway: str
) -> Wording:
    """Return what people are told.

    Args:
        notification: What happened.
        texts: The texts of `SLUGS`.
        agent: Name of the agent.
        gateway: Name of the gateway.
    """
    data = notification.data
    heading = texts[PREFIX + notification.kind.value].format(
        agent=agent, gateway=gateway, latest=_text(data.get("latest"))
    )
    title = notification.title.strip()
    if not title:
        title = heading
    elif notification.kind in _WITH_HEADING:
        title = f"{heading}: {title}"
    choices = cut("\n".join(_choices(notification, texts)), MAX_CHOICES)
    message = notification.message.strip()
    room = MAX_WRITTEN - (len(choices) + 2 if choices else 0)
    parts = (cut(message, room), choices)
    return Wording(
        title=title,
        aloud=_aloud(notification, message, choices),
        written="\n\n".join(part for part in parts if part) or title,
    )


def with_end(text: str, mark: str) -> str:
    """Return a text that a voice does not run into the next one."""
    return text if text.endswith(_ENDS) else text + mark


def _aloud(notification: Notification, message: str, choices: str) -> str:
    match notification.kind:
        case NotificationKind.APPROVAL_REQUESTED:
            return ""  # Nobody wants to hear a command letter by letter.
        case NotificationKind.QUESTION_ASKED:
            return "\n\n".join(part for part in (message, choices) if part)
        case _:
            return message


def _choices(notification: Notification, texts: Mapping[str, str]) -> Iterable[str]:
    """Yield what can be decided or answered, or what was decided."""
    data = notification.data
    match notification.kind:
        case NotificationKind.APPROVAL_REQUESTED if decisions := _list(data.get("decisions")):
            named = ", ".join(_decision(decision, texts) for decision in decisions)
            yield texts[f"{PREFIX}decisions"].format(decisions=named)
        case NotificationKind.APPROVAL_RESOLVED if decision := _text(data.get("decision")):
            yield texts[f"{PREFIX}decision"].format(decision=_decision(decision, texts))
        case NotificationKind.QUESTION_ASKED:
            questions = [each for each in _items(data.get("questions")) if _list(each["options"])]
            for each in questions:
                # Which options belong to which question is only in doubt when there are several.
                before = f"{_text(each.get('question'))} – " if len(questions) > 1 else ""
                named = ", ".join(_list(each["options"]))
                yield before + texts[f"{PREFIX}options"].format(options=named)


def _decision(decision: str, texts: Mapping[str, str]) -> str:
    """Return a decision as people say it; one nobody has heard of as it is."""
    return texts.get(PREFIX + decision.replace("-", "_"), decision)


def _items(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, Mapping) and "options" in item]


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
