"""Keeps the late answers of an entry over restarts: bounded, and readable by nobody else."""

from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .late_answer import LateAnswer, LateStatus

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1

MAX_ENDED: Final = 100
"""So many answers that have ended are kept; the oldest go first."""

LIFETIME: Final = timedelta(days=7)
"""How long an answer that has ended is kept."""


class AnswerStore:
    """The late answers of one entry, in the order they were promised."""

    def __init__(self, hass: HomeAssistant, domain: str, entry_id: str) -> None:
        """Nothing is read before `async_load`."""
        self._answers: dict[str, LateAnswer] = {}
        self._store = Store[dict[str, Any]](
            hass,
            STORAGE_VERSION,
            f"{domain}.late_answers.{entry_id}",
            private=True,
            atomic_writes=True,
            serialize_in_event_loop=False,
        )

    async def async_load(self, now: datetime) -> None:
        """Read what was kept. What cannot be read is left out."""
        kept = await self._store.async_load() or {}
        for data in kept.get("answers", ()):
            try:
                answer = LateAnswer.from_data(data)
            except KeyError, TypeError, ValueError:
                _LOGGER.warning("A late answer that was stored cannot be read")
            else:
                self._answers.setdefault(answer.id, answer)
        self._forget_old(now)

    @callback
    def put(self, answer: LateAnswer, now: datetime) -> None:
        """Keep an answer as it is now; it is written by the next `async_save`."""
        self._answers[answer.id] = answer
        self._forget_old(now)

    async def async_save(self) -> None:
        """Write what is kept; it is on the disk when this returns.

        While Home Assistant stops, that is its last step instead.
        """
        await self._store.async_save(
            {"answers": [answer.as_data() for answer in self._answers.values()]}
        )

    async def async_remove(self) -> None:
        """Delete what was kept."""
        await self._store.async_remove()

    def get(self, answer_id: str) -> LateAnswer | None:
        """Return one answer."""
        return self._answers.get(answer_id)

    def with_status(self, *statuses: LateStatus) -> tuple[LateAnswer, ...]:
        """Return the answers that stand like this, the oldest first."""
        return tuple(answer for answer in self._answers.values() if answer.status in statuses)

    def all(self) -> tuple[LateAnswer, ...]:
        """Return every answer, the oldest first."""
        return tuple(self._answers.values())

    def _forget_old(self, now: datetime) -> None:
        ended = [answer for answer in self._answers.values() if not answer.is_open]
        ended.sort(key=_end_of)
        surplus = len(ended) - MAX_ENDED
        for index, answer in enumerate(ended):
            if index < surplus or _end_of(answer) < now - LIFETIME:
                del self._answers[answer.id]


def _end_of(answer: LateAnswer) -> datetime:
    return answer.ended or answer.created
