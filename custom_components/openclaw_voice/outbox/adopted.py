"""Answers that become late ones without a turn: what the agent works on for a voice session.

Who speaks with a satellite is somebody else's business; here is only what is owed afterwards.
"""

from collections.abc import AsyncIterable
import logging
from typing import Protocol

from homeassistant.util import dt as dt_util

from ..gateway.run_items import RunItem
from .late_answer import LateAnswer
from .late_answers import Outbox
from .watch import Run

_LOGGER = logging.getLogger(__name__)


class Adopted(Run, AsyncIterable[RunItem], Protocol):
    """A run that somebody has left; it is iterated here only."""

    @property
    def session_key(self) -> str:
        """Of the agent's session."""

    @property
    def question(self) -> str:
        """What the agent was asked."""


async def async_adopt(
    outbox: Outbox,
    run: Adopted,
    *,
    agent_id: str,
    subentry_id: str,
    language: str,
    satellite_id: str | None = None,
) -> None:
    """Promise the answer of a run: it is stored when this returns, and said when it is there.

    The gateway stops such a run together with its voice session, for example when Home Assistant
    restarts. Then people are told that it has failed.

    Args:
        outbox: Of the entry.
        run: What the agent works on.
        agent_id: Of the gateway.
        subentry_id: Of the agent.
        language: In which it was asked.
        satellite_id: Entity id of the satellite that asked, where the answer is said first.
    """
    answer = LateAnswer(
        id=run.run_id,
        agent_id=agent_id,
        subentry_id=subentry_id,
        session_key=run.session_key,
        run_id=run.run_id,
        is_chat_send=True,
        is_consult=True,
        question=run.question,
        language=language,
        satellite_id=satellite_id,
        created=dt_util.utcnow(),
    )
    try:
        await outbox.async_hand_over(run, run, answer)
    except Exception as err:
        if outbox.get(answer.id) is None:
            raise
        # It is followed; only a restart of Home Assistant would lose it.
        _LOGGER.error("A late answer was not stored: %s", type(err).__name__)
