"""Quiet hours go by the clock on the wall, over midnight and where clocks are set."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.outbox.quiet_hours import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(begin=time(22), end=time(7), zone=BERLIN)
NOON = QuietHours(begin=time(12), end=time(14, 30), zone=BERLIN)


def local(text: str) -> datetime:
    """Return the time that a clock in Berlin shows, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-11-20T21:59:59", None),
        (NIGHT, "2026-11-20T22:00", "2026-11-21T07:00"),
        (NIGHT, "2026-11-21T00:00", "2026-11-21T07:00"),
        (NIGHT, "2026-11-21T06:59", "2026-11-21T07:00"),
        (NIGHT, "2026-11-21T07:00", None),
        (NOON, "2026-11-21T11:59", None),
        (NOON, "2026-11-21T12:00", "2026-11-21T14:30"),
        (NOON, "2026-11-21T14:30", None),
    ],
)
def test_hours_of_a_day(hours: QuietHours, now: str, end: str | None) -> None:
    """The beginning is quiet, the end is not."""
    assert hours.end_after(local(now)) == (local(end) if end else None)


@pytest.mark.parametrize(
    ("evening", "morning", "hours"),
    [("2026-03-28T22:00", "2026-03-29T07:00", 8), ("2026-10-24T22:00", "2026-10-25T07:00", 10)],
    ids=["set forward", "set back"],
)
def test_a_night_in_which_clocks_are_set(evening: str, morning: str, hours: int) -> None:
    """It is shorter or longer; the morning comes when the clock says so."""
    end = NIGHT.end_after(local(evening))
    assert end == local(morning)
    assert end - local(evening) == timedelta(hours=hours)


def test_an_end_that_comes_twice_ends_the_quiet_of_its_own_hour() -> None:
    """From three o'clock clocks go back to two."""
    hours = QuietHours(begin=time(2), end=time(2, 30), zone=BERLIN)
    first = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    assert hours.end_after(first) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    again = first + timedelta(hours=1)
    assert hours.end_after(again) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    begin=st.times(),
    end=st.times(),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_quiet_ends_within_a_day_or_so(moment: datetime, begin: time, end: time, zone: str) -> None:
    """And never in the past, else whoever waits for it would wait in circles."""
    hours = QuietHours(begin=begin, end=end, zone=ZoneInfo(zone))
    now = moment.replace(tzinfo=UTC)
    ends = hours.end_after(now)
    assert ends is None or now < ends <= now + timedelta(hours=25)
