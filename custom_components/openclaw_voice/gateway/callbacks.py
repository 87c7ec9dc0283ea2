"""Calls what others have subscribed, so that their mistakes stay theirs."""

from collections.abc import Callable
import logging

_LOGGER = logging.getLogger(__name__)


def call_safely[**P](callback: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a subscriber; one that fails is logged, and harms nobody else."""
    try:
        callback(*args, **kwargs)
    except Exception as err:  # noqa: BLE001 - one subscriber must not harm the others
        # Without the traceback's values: an event may hold speech.
        _LOGGER.error("A subscriber failed with %s", type(err).__name__)


class Listeners[**P]:
    """Those who want to be told of something."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._all: list[Callable[P, object]] = []

    def add(self, listener: Callable[P, object]) -> Callable[[], None]:
        """Tell `listener` from now on; return what ends that."""
        self._all.append(listener)
        return lambda: self._all.remove(listener)

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell all of them, in order; one may leave meanwhile."""
        for listener in tuple(self._all):
            call_safely(listener, *args, **kwargs)
