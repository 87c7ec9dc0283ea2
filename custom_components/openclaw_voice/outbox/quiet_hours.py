"""When nothing is to be said aloud: the same hours of every day, by the clock on the wall (pure)."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Hours of every day; they may go over midnight."""

    begin: time
    end: time
    """The first moment that is not quiet any more; never the same as the beginning."""

    zone: tzinfo
    """Where the clock hangs."""

    def end_after(self, now: datetime) -> datetime | None:
        """Return when the quiet that is at `now` ends; None when it is not quiet (both UTC)."""
        local = now.astimezone(self.zone)
        clock = local.time()
        if self.begin < self.end:
            is_quiet = self.begin <= clock < self.end
        else:
            is_quiet = clock >= self.begin or clock < self.end
        if not is_quiet:
            return None
        day = local.date() if clock < self.end else local.date() + timedelta(days=1)
        end = datetime.combine(day, self.end, self.zone)
        # Where clocks are set, a time of the day is there twice, or never: the end is the next one.
        ends = (end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        return min(each for each in ends if each > now)
