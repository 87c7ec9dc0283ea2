"""What the models have cost on one day (pure).

The gateway computes it lazily: an answer may hold nothing yet, or a part.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from .frames import JsonObject, as_list, as_number, as_object, as_text

NOTHING_YET: Final = "refreshing"
COMPLETE: Final = (None, "fresh")
"""What `cacheStatus.status` is when all is counted. Source: gateway 2026.9.6, `usage.cost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and cost of one day."""

    day: date
    tokens: int
    cost: float
    """US dollars."""

    is_complete: bool = True
    """Whether all of it is counted; else it can only be more."""

    @classmethod
    def from_payload(cls, payload: JsonObject, *, today: date) -> Self | None:
        """Read the answer of `usage.cost` for one day; None when nothing is counted yet.

        Args:
            payload: The answer.
            today: The day that was asked for, where the answer names none.
        """
        status = as_text(as_object(payload.get("cacheStatus")).get("status"))
        totals = as_object(payload.get("totals"))
        tokens, cost = as_number(totals.get("totalTokens")), as_number(totals.get("totalCost"))
        if status == NOTHING_YET or tokens is None or cost is None:
            return None
        days = [as_object(row) for row in as_list(payload.get("daily"))]
        return cls(
            day=_day(days[-1].get("date") if days else None) or today,
            tokens=int(tokens),
            cost=cost,
            is_complete=status in COMPLETE,
        )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(as_text(value) or "")
    except ValueError:
        return None
