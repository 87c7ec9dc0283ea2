"""The form of session keys is final: gateways keep their sessions by it."""

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.assist.session_key import (
    MAX_LENGTH,
    SessionKind,
    SessionScope,
    home_of,
    is_ours,
    session_key,
    without_aside,
)

INSTANCE = "3a5f9c1d2e4b4f6a8c0d1e2f3a4b5c6d"
HOME = "720b2a5a"
ULID = "01JABCDEFGHJKMNPQRSTVWXYZ0"

texts = st.text(max_size=200)
kinds = st.sampled_from(SessionKind)
agent_ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
scopes = st.builds(
    SessionScope,
    kind=kinds,
    value=texts,
    generation=st.integers(min_value=0, max_value=10**6),
    is_aside=st.booleans(),
)


def key(value: str, kind: SessionKind = SessionKind.CONVERSATION, **scope: object) -> str:
    """Return the key of a scope with the agent main."""
    return session_key("main", INSTANCE, SessionScope(kind=kind, value=value, **scope))  # type: ignore[arg-type]  # the keywords are those of the scope


def tail(text: str) -> str:
    """Return what of a key follows agent and home."""
    return text.split(":", 4)[4]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (SessionKind.CONVERSATION, ULID, f"conversation:{ULID.lower()}"),
        (SessionKind.CONVERSATION, "kitchen-timer", "conversation:kitchen-timer"),
        (SessionKind.CONVERSATION, "Kitchen", "conversation:h-8081ffd3dce8da87"),
        (SessionKind.CONVERSATION, "a:b", "conversation:h-407cbc39e8593002"),
        (SessionKind.CONVERSATION, "", "conversation:h-5b300b6f1b0088fc"),
        (SessionKind.CONVERSATION, "x" * 41, "conversation:h-f93b8355b3a2f858"),
        (SessionKind.CONVERSATION, "h-8081ffd3dce8da87", "conversation:h-eff2864cf8d80b32"),
        (SessionKind.SATELLITE, "assist_satellite.den", "satellite:assist_satellite.den"),
        (SessionKind.PERSON, "person.anna", "person:h-68706e117ed95722"),
        (SessionKind.AREA, "kitchen", "area:h-05fae9f7bebff442"),
        (SessionKind.SHARED, "home", "shared:home"),
    ],
)
def test_the_form_of_a_key_never_changes(kind: SessionKind, value: str, expected: str) -> None:
    """A changed form would cut people off from their conversations."""
    assert key(value, kind) == f"agent:main:homeassistant:{HOME}:{expected}"


@pytest.mark.parametrize(
    ("generation", "is_aside", "expected"),
    [(0, False, ""), (3, False, ":3"), (0, True, ":aside"), (3, True, ":3:aside")],
)
def test_generation_and_side_session_follow_the_value(
    generation: int, is_aside: bool, expected: str
) -> None:
    """Starting afresh and going aside give keys of their own."""
    made = key("x", generation=generation, is_aside=is_aside)
    assert made == f"agent:main:homeassistant:{HOME}:conversation:x{expected}"


@pytest.mark.parametrize("kind", [SessionKind.PERSON, SessionKind.AREA])
def test_names_cannot_be_guessed_from_a_key(kind: SessionKind) -> None:
    """The hash of a name differs between homes, so a list of names does not help."""
    elsewhere = session_key("main", "another", SessionScope(kind=kind, value="anna"))
    assert "anna" not in key("anna", kind)
    assert tail(elsewhere) != tail(key("anna", kind))


@given(agent_ids, st.text(min_size=1), scopes)
def test_every_key_is_short_lower_case_and_ours(
    agent_id: str, instance_id: str, scope: SessionScope
) -> None:
    """Whatever the ids are, the gateway takes the key as it is."""
    made = session_key(agent_id, instance_id, scope)
    assert len(made) <= MAX_LENGTH
    assert made == made.lower()
    assert made.isascii()
    assert made.startswith(f"agent:{agent_id}:homeassistant:{home_of(instance_id)}:{scope.kind}:")
    assert is_ours(made, instance_id)


@given(agent_ids, scopes, scopes)
def test_different_scopes_have_different_keys(
    agent_id: str, one: SessionScope, other: SessionScope
) -> None:
    """Two conversations never share a session, although the gateway folds upper case."""
    same = session_key(agent_id, INSTANCE, one) == session_key(agent_id, INSTANCE, other)
    assert same == (one == other)


@pytest.mark.parametrize(
    "values", [(ULID, ULID.lower()), (ULID, ULID.capitalize()), ("Den", "den")]
)
def test_ids_that_differ_in_case_only_have_different_keys(values: tuple[str, str]) -> None:
    """The gateway would fold them into one session."""
    assert key(values[0]) != key(values[1])


def test_a_long_agent_id_with_everything_hashes_generation_and_side_too() -> None:
    """The limit holds, and the keys still differ from each other."""
    agent = "a" * 64
    made = {
        session_key(
            agent,
            INSTANCE,
            SessionScope(kind=SessionKind.CONVERSATION, value=ULID, generation=n, is_aside=aside),
        )
        for n in (0, 1, 2)
        for aside in (False, True)
    }
    assert len(made) == 6
    assert max(map(len, made)) <= MAX_LENGTH


@pytest.mark.parametrize(
    "foreign",
    [
        "agent:main:main",
        "agent:main:homeassistant:00000000:conversation:x",
        f"agent:main:webchat:{HOME}:conversation:x",
        f"agent:main:homeassistant:{HOME}",
        f"x:main:homeassistant:{HOME}:conversation:x",
        "",
    ],
)
def test_sessions_of_others_are_not_ours(foreign: str) -> None:
    """A second home on the same gateway keeps its conversations to itself."""
    assert not is_ours(foreign, INSTANCE)


def test_a_side_session_leads_back_to_its_session() -> None:
    """Keys of others are left as they are, whatever they end with."""
    for generation in (0, 2):
        own = key("x", generation=generation)
        assert without_aside(key("x", generation=generation, is_aside=True), INSTANCE) == own
        assert without_aside(own, INSTANCE) == own
    assert without_aside("agent:main:main:aside", INSTANCE) == "agent:main:main:aside"
