"""What an entry stores about whom notifications reach, read with care."""

from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.openclaw_voice.outbox.notification import NotificationKind
from custom_components.openclaw_voice.outbox.notification_options import (
    DEFAULT_EXPIRES,
    DEFAULT_KINDS,
    MAX_TARGETS,
    NOTIFICATION_OPTION_NAMES,
    REPLY_KINDS,
    NotificationOptions,
)

UTC = ZoneInfo("UTC")


def read(**data: Any) -> NotificationOptions:  # noqa: ANN401  whatever a file may hold
    """Read what is stored."""
    return NotificationOptions.from_data(data)


def test_nobody_is_told_anything_by_default() -> None:
    """An entry that was never asked has no options at all."""
    assert read() == NotificationOptions()
    assert not read().is_on
    assert not read().listens
    assert not read().asks_approvals
    assert read().quiet_hours(UTC) is None


@pytest.mark.parametrize(
    "data",
    [
        {"satellites": ["assist_satellite.kitchen"]},
        {"notify": ["notify.phone"]},
        {"persistent": True},
    ],
)
def test_one_place_is_enough(data: dict[str, Any]) -> None:
    """Without a kind there is nothing to tell there."""
    assert read(**data).is_on
    assert not read(**data, kinds=[]).is_on


def test_what_is_stored_is_read_back() -> None:
    """Plain values, whatever they stand for."""
    options = NotificationOptions(
        kinds=frozenset({NotificationKind.MESSAGE, NotificationKind.GATEWAY_STOPPING}),
        satellites=("assist_satellite.kitchen",),
        notify=("notify.phone",),
        persistent=True,
        quiet_from=time(22),
        quiet_to=time(7, 30),
        expires=90,
        listens=True,
        asks_approvals=True,
    )
    data = options.as_data()
    assert data["kinds"] == ["message", "gateway_stopping"]
    assert data["quiet_to"] == "07:30:00"
    assert tuple(data) == NOTIFICATION_OPTION_NAMES
    assert NotificationOptions.from_data(data) == options
    assert NotificationOptions.from_data(NotificationOptions().as_data()) == NotificationOptions()


@pytest.mark.parametrize(
    ("name", "stored", "wanted"),
    [
        ("kinds", "message", DEFAULT_KINDS),
        ("kinds", ["message", "nonsense"], frozenset({NotificationKind.MESSAGE})),
        ("satellites", "assist_satellite.kitchen", ()),
        ("satellites", ["notify.phone", 5, "assist_satellite.a b"], ()),
        ("satellites", ["assist_satellite.a"] * 2, ("assist_satellite.a",)),
        ("notify", ["assist_satellite.kitchen", "notify.phone"], ("notify.phone",)),
        ("persistent", "yes", False),
        ("quiet_from", 22, None),
        ("quiet_from", "late", None),
        ("quiet_from", "22:00:00+01:00", None),
        ("quiet_from", "22:00:00.5", time(22)),
        ("expires", "60", DEFAULT_EXPIRES),
        ("expires", True, DEFAULT_EXPIRES),
        ("expires", float("nan"), DEFAULT_EXPIRES),
        ("expires", 0, 1),
        ("expires", float("inf"), 1_440),
        ("expires", 5.0, 5),
        ("listens", 1, False),
        ("asks_approvals", None, False),
    ],
)
def test_what_is_odd_gets_its_default(name: str, stored: object, wanted: object) -> None:
    """Somebody has edited the file, or it is of a newer version."""
    assert getattr(read(**{name: stored}), name) == wanted


def test_only_so_many_places() -> None:
    """A list has an end."""
    stored = [f"notify.phone_{number}" for number in range(MAX_TARGETS + 1)]
    assert read(notify=stored).notify == tuple(stored[:-1])


@pytest.mark.parametrize(
    ("begin", "end", "is_quiet"),
    [
        ("22:00", "07:00", True),
        ("22:00", None, False),
        (None, "07:00", False),
        ("7:0", "7:0", False),
        ("07:00", "07:00", False),
    ],
)
def test_quiet_hours_have_two_ends(begin: str | None, end: str | None, *, is_quiet: bool) -> None:
    """Hours that end as they begin would be the whole day, or nothing."""
    hours = read(quiet_from=begin, quiet_to=end).quiet_hours(UTC)
    assert (hours is not None) is is_quiet
    if hours is not None:
        assert (hours.begin, hours.end, hours.zone) == (time(22), time(7), UTC)


def test_approvals_are_not_answered_in_words() -> None:
    """Any words might pass for a decision."""
    assert NotificationKind.APPROVAL_REQUESTED not in REPLY_KINDS
    assert NotificationKind.QUESTION_ASKED not in REPLY_KINDS
