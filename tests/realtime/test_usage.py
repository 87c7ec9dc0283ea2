"""Seconds of a day are added up, whatever midnight cuts in two."""

import json
from typing import Any

import pytest

from custom_components.openclaw_voice.realtime.usage import MAX_SECONDS, UsageMeter

DAY = 86_400.0
MONDAY = 10 * DAY
NOON = MONDAY + DAY / 2


def test_sessions_count_while_they_go_on_and_afterwards() -> None:
    """Each with the backend it has."""
    meter = UsageMeter()
    assert not meter.is_running
    assert meter.open("a", "gateway", NOON)
    assert meter.open("b", "assist", NOON + 10)
    assert meter.is_running
    assert meter.seconds(NOON + 30, MONDAY) == 50
    assert meter.seconds(NOON + 30, MONDAY, "gateway") == 30
    meter.close("a", NOON + 40, MONDAY)
    meter.close("b", NOON + 60, MONDAY)
    assert not meter.is_running
    assert meter.seconds(NOON + 1000, MONDAY) == 90
    assert meter.seconds(NOON + 1000, MONDAY, "assist") == 50


def test_only_those_that_talk_count_and_each_once() -> None:
    """A session may tell its backend many times, and end without having had one."""
    meter = UsageMeter()
    assert not meter.open("standby", "none", NOON)
    assert meter.open("a", "gateway", NOON)
    assert not meter.open("a", "gateway", NOON + 5)
    meter.close("never", NOON + 5, MONDAY)
    assert meter.seconds(NOON + 10, MONDAY) == 10


def test_a_day_begins_with_nothing_but_what_goes_on() -> None:
    """What was before midnight belongs to the day before."""
    meter = UsageMeter()
    tuesday = MONDAY + DAY
    meter.open("a", "gateway", NOON)
    meter.close("a", NOON + 60, MONDAY)
    meter.open("b", "gateway", tuesday - 30)
    assert meter.seconds(tuesday - 10, MONDAY) == 80
    assert meter.seconds(tuesday + 20, tuesday) == 20
    meter.close("b", tuesday + 40, tuesday)
    assert meter.seconds(tuesday + 100, tuesday) == 40


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    """A session is never shorter than nothing."""
    meter = UsageMeter()
    meter.open("a", "gateway", NOON)
    meter.close("a", NOON - 100, MONDAY)
    assert meter.seconds(NOON, MONDAY) == 0


def test_what_was_counted_is_kept() -> None:
    """As JSON; only for the day it belongs to."""
    meter = UsageMeter()
    assert meter.as_data() == {}
    meter.open("a", "gateway", NOON)
    meter.close("a", NOON + 60, MONDAY)
    kept = json.loads(json.dumps(meter.as_data()))
    again, later = UsageMeter(), UsageMeter()
    again.read(kept)
    later.read(kept)
    assert again.seconds(NOON + 90, MONDAY) == 60
    assert later.seconds(NOON + DAY, MONDAY + DAY) == 0


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"day": MONDAY},
        {"day": "Monday", "seconds": {"gateway": 60}},
        {"day": MONDAY, "seconds": [60]},
        {"day": MONDAY, "seconds": {"gateway": "60", "assist": None, "radio": 60}},
        {"day": MONDAY, "seconds": {"gateway": -1, "assist": MAX_SECONDS + 1}},
        {"day": MONDAY, "seconds": {"gateway": float("nan")}},
    ],
    ids=repr,
)
def test_what_is_odd_counts_as_nothing(odd: dict[str, Any]) -> None:
    """A file may have been edited by hand."""
    meter = UsageMeter()
    meter.read(odd)
    assert meter.seconds(NOON, MONDAY) == 0
