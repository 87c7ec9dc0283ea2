"""Options of an agent as they are stored: read back as they are, and never a reason to fail."""

import json
from typing import Any

import pytest

from custom_components.openclaw_voice.assist.options import (
    ALL_FIELDS,
    MAX_FALLBACKS,
    MAX_INSTRUCTIONS,
    MAX_NAME,
    MAX_PHRASE,
    MAX_PHRASES,
    OPTION_NAMES,
    AgentOptions,
    ContextField,
    RealtimeBackend,
    When,
)
from custom_components.openclaw_voice.assist.session_key import SessionKind

OTHER = AgentOptions(
    scope=SessionKind.AREA,
    instructions="It is {{ now() }}.",
    context=frozenset({ContextField.TIME, ContextField.AREA}),
    spoken_style=When.NEVER,
    follow_up=When.ALWAYS,
    follow_up_limit=2,
    patience=3.5,
    holding_phrases=("One moment.", "Let me see."),
    fallback=("assist_satellite.kitchen", "notify.phone"),
    outage_wait=0.0,
    thinking="high",
    model="openai/gpt",
    asks_before_risk=True,
    only_if_addressed=True,
    reachable_by_realtime=False,
    offered_as_tool=True,
    realtime_backend=RealtimeBackend.ASSIST,
    realtime_voice="cedar",
    realtime_model="gpt-realtime",
    realtime_language="pt-BR",
    realtime_silence=0.7,
    realtime_asks_first=True,
)


def test_a_subentry_without_options_has_the_defaults() -> None:
    """One that was made by setting the gateway up stores none."""
    assert AgentOptions.from_data({}) == AgentOptions()
    assert AgentOptions.from_data({"agent_id": "main", "name": "Molty"}) == AgentOptions()


@pytest.mark.parametrize("options", [AgentOptions(), OTHER], ids=["defaults", "others"])
def test_options_are_read_back_as_they_were(options: AgentOptions) -> None:
    """They are stored as JSON."""
    data = options.as_data()
    assert tuple(data) == OPTION_NAMES
    assert json.loads(json.dumps(data)) == data
    assert AgentOptions.from_data(data) == options


def test_the_other_options_differ_in_every_field() -> None:
    """Otherwise the test above would not see a field that is forgotten."""
    default = AgentOptions().as_data()
    assert [name for name, value in OTHER.as_data().items() if value == default[name]] == []


@pytest.mark.parametrize(
    "odd",
    [None, 7, -1.5, float("nan"), True, "", "  ", "nonsense", [], [None], {}, {"a": 1}, b"bytes"],
    ids=repr,
)
@pytest.mark.parametrize("name", OPTION_NAMES)
def test_an_odd_value_is_no_reason_to_fail(name: str, odd: object) -> None:
    """A file may have been edited by hand, or be one of another release."""
    options = AgentOptions.from_data({name: odd})
    others = AgentOptions.from_data(options.as_data() | {name: AgentOptions().as_data()[name]})
    assert others == AgentOptions()
    assert AgentOptions.from_data(options.as_data()) == options


DEFAULTED: list[tuple[str, Any]] = [
    ("scope", "house"),
    ("scope", ["area"]),
    ("instructions", "x" * (MAX_INSTRUCTIONS + 1)),
    ("context", "area"),
    ("spoken_style", 1),
    ("follow_up", "sometimes"),
    ("follow_up_limit", True),
    ("patience", float("nan")),
    ("patience", "8"),
    ("holding_phrases", "One moment."),
    ("fallback", ["light.kitchen", "notify", 3]),
    ("thinking", "x" * (MAX_NAME + 1)),
    ("model", 7),
    ("asks_before_risk", 1),
    ("reachable_by_realtime", 0),
    ("realtime_backend", "cloud"),
    ("realtime_voice", ["cedar"]),
    ("realtime_language", "Deutsch, bitte"),
    ("realtime_silence", float("nan")),
    ("realtime_silence", True),
    ("realtime_asks_first", 1),
]


@pytest.mark.parametrize(("name", "odd"), DEFAULTED, ids=lambda value: repr(value)[:20])
def test_what_cannot_be_read_gets_its_default(name: str, odd: object) -> None:
    """Every other option keeps its own value."""
    data = OTHER.as_data() | {name: odd}
    expected = OTHER.as_data() | {name: AgentOptions().as_data()[name]}
    assert AgentOptions.from_data(data).as_data() == expected


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("patience", 0, 1.0),
        ("patience", float("inf"), 240.0),
        ("outage_wait", -3, 0.0),
        ("outage_wait", 1000, 60.0),
        ("realtime_silence", 0, 0.1),
        ("realtime_silence", float("inf"), 5.0),
        ("realtime_language", " de ", "de"),
        ("follow_up_limit", 0, 1),
        ("follow_up_limit", 3.9, 3),
        ("follow_up_limit", 10**400, 50),
        ("instructions", "  Be brief.\n", "Be brief."),
        ("context", ["time", "weather", 3], frozenset({ContextField.TIME})),
        ("context", [], frozenset()),
        ("context", ALL_FIELDS, ALL_FIELDS),
        ("holding_phrases", [" One ", "", "One", 3, "Two"], ("One", "Two")),
        ("holding_phrases", ["x" * 999], ("x" * MAX_PHRASE,)),
        ("holding_phrases", [str(n) for n in range(99)], tuple(map(str, range(MAX_PHRASES)))),
        ("fallback", ("notify.a", "light.b", "notify.a"), ("notify.a",)),
        (
            "fallback",
            [f"notify.n{n}" for n in range(99)],
            tuple(f"notify.n{n}" for n in range(MAX_FALLBACKS)),
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_too_much_is_kept_within_bounds(name: str, value: object, kept: object) -> None:
    """No option can make a turn wait for ever, or a request grow without limit."""
    options = AgentOptions.from_data({name: value})
    assert getattr(options, name) == kept
    assert type(getattr(options, name)) is type(kept)


def test_instructions_are_not_shown_in_logs() -> None:
    """They are the user's own words."""
    assert "now()" not in repr(OTHER)
