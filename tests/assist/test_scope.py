"""Which turns share a session, and which answers are spoken."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.assist.options import AgentOptions, When
from custom_components.openclaw_voice.assist.question import Origin, Person, Place, Question
from custom_components.openclaw_voice.assist.scope import (
    SHARED_VALUE,
    is_spoken,
    kinds_of,
    named_conversation,
    session_scope,
)
from custom_components.openclaw_voice.assist.session_key import SessionKind, SessionScope

PERSON = Person(id="user-1", name="Anna")
AREA = Place(id="kitchen", name="Kitchen")
SATELLITE = "assist_satellite.puck"

names = st.one_of(st.none(), st.text(min_size=1, max_size=20))
origins = st.builds(
    Origin,
    satellite_id=names,
    device_id=names,
    area=st.one_of(st.none(), st.just(AREA)),
    person=st.one_of(st.none(), st.just(PERSON)),
)


def scope_of(kind: SessionKind, *, session: str | None = None, **origin: object) -> SessionScope:
    """Return the scope of a question in the conversation `talk`."""
    question = Question(
        text="Hello",
        language="en",
        conversation_id="talk",
        origin=Origin(**origin),
        session=session,
    )
    return session_scope(question, AgentOptions(scope=kind))


EVERYTHING = {"satellite_id": SATELLITE, "person": PERSON, "area": AREA}
TALK = (SessionKind.CONVERSATION, "talk")
PUCK = (SessionKind.SATELLITE, SATELLITE)


@pytest.mark.parametrize(
    ("kind", "origin", "expected"),
    [
        (SessionKind.CONVERSATION, EVERYTHING, TALK),
        (SessionKind.SATELLITE, EVERYTHING, PUCK),
        (SessionKind.SATELLITE, EVERYTHING | {"satellite_id": None}, TALK),
        (SessionKind.PERSON, EVERYTHING, (SessionKind.PERSON, "user-1")),
        (SessionKind.PERSON, EVERYTHING | {"person": None}, PUCK),
        (SessionKind.PERSON, {"area": AREA}, TALK),
        (SessionKind.AREA, EVERYTHING, (SessionKind.AREA, "kitchen")),
        (SessionKind.AREA, EVERYTHING | {"area": None}, PUCK),
        (SessionKind.AREA, {"person": PERSON}, TALK),
        (SessionKind.SHARED, {}, (SessionKind.SHARED, SHARED_VALUE)),
        (SessionKind.SHARED, EVERYTHING, (SessionKind.SHARED, SHARED_VALUE)),
    ],
)
def test_a_question_belongs_to_what_is_known_of_it(
    kind: SessionKind, origin: dict[str, Any], expected: tuple[SessionKind, str]
) -> None:
    """A person or room that is not known is never guessed: satellite, then conversation."""
    made = scope_of(kind, **origin)
    assert (made.kind, made.value) == expected
    assert (made.generation, made.is_aside) == (0, False)


@pytest.mark.parametrize("kind", SessionKind)
def test_a_question_may_name_its_session(kind: SessionKind) -> None:
    """Whatever the agent is set to, and whoever asks."""
    made = scope_of(kind, session=" briefing ", **EVERYTHING)
    assert made == SessionScope(kind=SessionKind.SHARED, value="briefing")
    assert scope_of(kind, session=" ", **EVERYTHING) == scope_of(kind, **EVERYTHING)


@pytest.mark.parametrize("conversation_id", [None, ""])
def test_a_question_without_a_conversation_gets_its_own(conversation_id: str | None) -> None:
    """Two of them never share a session."""
    question = Question(text="Hello", language="en", conversation_id=conversation_id)
    first, second = (session_scope(question, AgentOptions()) for _ in range(2))
    assert first.kind is second.kind is SessionKind.CONVERSATION
    assert first.value
    assert first.value != second.value


@given(origins, st.sampled_from(SessionKind))
def test_a_scope_always_has_a_value(origin: Origin, kind: SessionKind) -> None:
    """And it is of the kind that was wanted, or of one that says less about people."""
    question = Question(text="", language="en", origin=origin)
    made = session_scope(question, AgentOptions(scope=kind))
    assert made.value
    assert made.kind in (kind, SessionKind.SATELLITE, SessionKind.CONVERSATION)


@pytest.mark.parametrize(
    ("when", "origin", "expected"),
    [
        (When.AUTO, Origin(), False),
        (When.AUTO, Origin(person=PERSON, area=AREA), False),
        (When.AUTO, Origin(satellite_id=SATELLITE), True),
        (When.AUTO, Origin(device_id="device-1"), True),
        (When.ALWAYS, Origin(), True),
        (When.NEVER, Origin(satellite_id=SATELLITE, device_id="device-1"), False),
    ],
)
def test_an_answer_is_spoken_where_there_is_a_device(
    when: When, origin: Origin, expected: bool
) -> None:
    """Unless the options say otherwise."""
    assert is_spoken(AgentOptions(spoken_style=when), origin) is expected


@given(kind=st.sampled_from(SessionKind), origin=origins)
def test_no_turn_belongs_to_another_kind_of_session(kind: SessionKind, origin: Origin) -> None:
    """What an action may name is what turns have."""
    question = Question(text="Hello", language="en", origin=origin)
    assert session_scope(question, AgentOptions(scope=kind)).kind in kinds_of(kind)


@pytest.mark.parametrize("kind", SessionKind)
@given(name=st.text(min_size=1).filter(str.strip))
def test_a_conversation_may_name_its_session(kind: SessionKind, name: str) -> None:
    """As a question may; then nothing else matters."""
    origin = Origin(satellite_id=SATELLITE, person=PERSON, area=AREA)
    conversation_id = named_conversation(name)
    question = Question(text="Hello", language="en", conversation_id=conversation_id, origin=origin)
    scope = session_scope(question, AgentOptions(scope=kind))
    assert scope == SessionScope(kind=SessionKind.SHARED, value=name.strip())
