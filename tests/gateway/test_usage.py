"""What a day has cost."""

from datetime import date
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.usage import Usage
from tests.gateway.garbage import JSON_OBJECTS, JSON_VALUES

TODAY = date(2026, 11, 21)
TOTALS = {"totalTokens": 1_234, "totalCost": 0.56}


def answer(status: str | None, *, day: object = "2026-11-21", **fields: object) -> dict[str, Any]:
    """Return an answer of `usage.cost`."""
    told = {"daily": [{"date": day, **TOTALS}], "totals": TOTALS, **fields}
    return told if status is None else told | {"cacheStatus": {"status": status}}


@pytest.mark.parametrize("status", [None, "fresh"])
def test_all_of_it_is_counted(status: str | None) -> None:
    """A gateway that does not tell how far it is has counted all."""
    usage = Usage.from_payload(answer(status), today=TODAY)
    assert usage == Usage(day=TODAY, tokens=1_234, cost=0.56, is_complete=True)


@pytest.mark.parametrize("status", ["partial", "stale", "something new"])
def test_a_part_says_so(status: str) -> None:
    """It can only become more."""
    usage = Usage.from_payload(answer(status), today=TODAY)
    assert usage is not None
    assert not usage.is_complete


@pytest.mark.parametrize(
    "payload", [answer("refreshing"), {}, answer("fresh", totals={"totalTokens": 1})], ids=str
)
def test_the_zeros_of_a_count_that_begins_are_not_read(payload: dict[str, Any]) -> None:
    """They would stand in the statistics for ever."""
    assert Usage.from_payload(payload, today=TODAY) is None


def test_it_is_the_day_the_gateway_names() -> None:
    """At midnight its clock may be behind ours."""
    usage = Usage.from_payload(answer("fresh", day="2026-11-20"), today=TODAY)
    assert usage is not None
    assert usage.day == date(2026, 11, 20)


@pytest.mark.parametrize("fields", [{"daily": []}, {"day": "yesterday"}, {"day": None}], ids=str)
def test_without_a_day_it_is_the_one_asked_for(fields: dict[str, Any]) -> None:
    """A day without any run may have no row."""
    usage = Usage.from_payload(answer("fresh", **fields), today=TODAY)
    assert usage is not None
    assert usage.day == TODAY


@given(JSON_OBJECTS, JSON_VALUES)
def test_any_answer_can_be_read(payload: dict[str, Any], value: object) -> None:
    """A newer gateway must not break us."""
    Usage.from_payload(payload | {"totals": TOTALS, "daily": value}, today=TODAY)
    Usage.from_payload(payload | {"totals": value, "cacheStatus": value}, today=TODAY)
