"""Which session a question belongs to, and whether its answer is spoken (pure)."""

from typing import Final
import uuid

from .options import AgentOptions, When
from .question import Origin, Question
from .session_key import SessionKind, SessionScope

SHARED_VALUE: Final = "home"
"""Of the one session that everybody shares; a question may name it, too."""

_NAMED: Final = "openclaw_voice:"
"""Begins the id of a conversation that names its session."""


def named_conversation(name: str) -> str:
    """Return the id of the conversation of Home Assistant whose questions belong to a session by name."""
    return f"{_NAMED}{name}"


def session_scope(question: Question, options: AgentOptions) -> SessionScope:
    """Return the scope of a question, without the generation that `Memory` adds.

    What is not known is not guessed: a question without a person or room belongs to its satellite,
    and one without a satellite to its conversation. A question without a conversation gets one of
    its own, so call this once for each question.
    """
    if name := (question.session or _name_of(question.conversation_id)).strip():
        return SessionScope(kind=SessionKind.SHARED, value=name)
    origin = question.origin
    match options.scope:
        case SessionKind.SHARED:
            return SessionScope(kind=SessionKind.SHARED, value=SHARED_VALUE)
        case SessionKind.PERSON if origin.person is not None:
            return SessionScope(kind=SessionKind.PERSON, value=origin.person.id)
        case SessionKind.AREA if origin.area is not None:
            return SessionScope(kind=SessionKind.AREA, value=origin.area.id)
        case SessionKind.CONVERSATION:
            pass
        case _ if origin.satellite_id is not None:
            return SessionScope(kind=SessionKind.SATELLITE, value=origin.satellite_id)
    value = question.conversation_id or uuid.uuid4().hex
    return SessionScope(kind=SessionKind.CONVERSATION, value=value)


def _name_of(conversation_id: str | None) -> str:
    """Return the name of the session that a conversation names, if it does."""
    conversation_id = conversation_id or ""
    return conversation_id[len(_NAMED) :] if conversation_id.startswith(_NAMED) else ""


def kinds_of(scope: SessionKind) -> frozenset[SessionKind]:
    """Return the kinds of sessions turns may have, unless they name one themselves."""
    if scope in {SessionKind.SHARED, SessionKind.CONVERSATION}:
        return frozenset({scope})
    return frozenset({scope, SessionKind.SATELLITE, SessionKind.CONVERSATION})


def is_spoken(options: AgentOptions, origin: Origin) -> bool:
    """Tell whether an answer is made fit for speech.

    `auto` looks for a satellite or device. The microphone of the Assist dialog has neither, so it
    cannot be told from typing.
    """
    if options.spoken_style is When.AUTO:
        return origin.satellite_id is not None or origin.device_id is not None
    return options.spoken_style is When.ALWAYS
