"""Remembers what came last, and forgets what came long ago (pure)."""


class Recent[T]:
    """Values by key, at most `limit`; the one that was added first goes first."""

    def __init__(self, limit: int) -> None:
        """Start empty."""
        self._limit = limit
        self._values: dict[str, T] = {}

    def __contains__(self, key: str) -> bool:
        """Tell whether a key is remembered."""
        return key in self._values

    def setdefault(self, key: str, value: T) -> T:
        """Return what is remembered for a key: `value`, if there was nothing."""
        kept = self._values.setdefault(key, value)
        if len(self._values) > self._limit:
            del self._values[next(iter(self._values))]
        return kept
