"""Looks for what happened while nobody listened: what is to be surfaced, in order of time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
import logging
from typing import Final

from ..gateway.client import GatewayClient
from ..gateway.errors import GatewayError, RequestError
from ..gateway.heartbeat import Heartbeat
from ..gateway.unasked_message import UnaskedMessage
from .notification import Notification
from .notifications import (
    is_for_us,
    of_approval,
    of_heartbeat,
    of_job,
    of_message,
    of_question,
    with_full_text,
)

_LOGGER = logging.getLogger(__name__)

SEARCH_LIMIT: Final = 60.0
"""Seconds for all of it."""

HEARTBEAT_LIMIT: Final = 10.0
"""Seconds to wait for the full text of a heartbeat; its beginning is known."""

HEARTBEAT_END: Final = timedelta(seconds=2)
"""How long before the end of a heartbeat an agent has said its words, at most."""

MAX_JOBS: Final = 500
"""Runs of scheduled jobs, the newest ones."""

MAX_SESSIONS: Final = 100
"""Conversations of ours that are read, those that were used last."""

MAX_MESSAGES: Final = 100
"""Messages of one conversation, the newest ones."""

MARGIN: Final = timedelta(minutes=1)
"""From so long before what is looked for: a history may have other times than what was told live."""

MAX_REQUESTS: Final = 100
"""Approvals and questions each, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What was found."""

    notifications: tuple[Notification, ...]
    """The oldest first. Some may have been surfaced before."""

    is_complete: bool
    """Whether all could be asked for; if not, it is to be done again."""


@dataclass(slots=True, kw_only=True)
class _Search:
    """One round of questions to the gateway."""

    client: GatewayClient
    since: datetime
    is_ours: Callable[[str], bool]
    agent_ids: Sequence[str]
    heartbeats: Sequence[datetime]
    found: list[Notification | None] = field(default_factory=list)
    """What has happened."""

    waiting: list[Notification] = field(default_factory=list)
    """What waits for people, since whenever."""

    is_complete: bool = True

    async def run(self) -> None:
        """Ask for everything; what one question comes to does not concern the others."""
        parts = (self._heartbeat, self._jobs, self._messages, self._approvals, self._questions)
        try:
            async with asyncio.timeout(SEARCH_LIMIT):
                for part in parts:
                    await self._try(part)
        except TimeoutError:
            self.is_complete = False

    async def _try(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except RequestError as err:
            self.is_complete = self.is_complete and err.is_for_good
            _LOGGER.debug("What was missed is not told: %s", err.code)
        except GatewayError:
            self.is_complete = False

    async def _jobs(self) -> None:
        runs = await self.client.cron.runs(self.since)
        self.found += [of_job(run) for run in runs[-MAX_JOBS:]]

    async def _messages(self) -> None:
        used = await self.client.sessions.used_since(self.since)
        ours = [session.key for session in used if self.is_ours(session.key)]
        for key in ours[:MAX_SESSIONS]:
            await self._try(partial(self._messages_of, key))

    async def _messages_of(self, session_key: str) -> None:
        messages = await self.client.unasked.since(session_key, self.since)
        self.found += [
            of_message(message)
            for message in messages[-MAX_MESSAGES:]
            if not self._is_of_heartbeat(message)
        ]

    async def _approvals(self) -> None:
        approvals = await self.client.approvals.list()
        self.waiting += [of_approval(approval) for approval in approvals[-MAX_REQUESTS:]]

    async def _questions(self) -> None:
        questions = await self.client.questions.list()
        self.waiting += [of_question(question) for question in questions[-MAX_REQUESTS:]]

    async def _heartbeat(self) -> None:
        heartbeat = await self.client.heartbeat.last()
        if heartbeat is None or heartbeat.at <= self.since:
            return
        notification = of_heartbeat(heartbeat)
        if notification is not None:
            self.heartbeats = [*self.heartbeats, heartbeat.at]
            self.found.append(
                await async_with_full_text(self.client, notification, heartbeat, self.agent_ids)
            )

    def _is_of_heartbeat(self, message: UnaskedMessage) -> bool:
        """Tell whether a session of ours was woken: its history does not say so."""
        return message.run_id is not None and any(
            timedelta() <= ended - message.at <= HEARTBEAT_END for ended in self.heartbeats
        )


async def async_missed(
    client: GatewayClient,
    *,
    since: datetime,
    floor: datetime,
    is_ours: Callable[[str], bool],
    agent_ids: Sequence[str],
    heartbeats: Sequence[datetime] = (),
    unsaid: Mapping[str, datetime],
) -> Missed:
    """Ask the gateway for what can have been missed.

    Args:
        client: The client.
        since: From when on something can be missing (UTC).
        floor: What is not younger is left out, also what still waits for people (UTC).
        is_ours: Whether a session, by its key, belongs to this Home Assistant.
        agent_ids: Whose heartbeats are completed.
        heartbeats: When those ended (UTC) that were surfaced already.
        unsaid: What was surfaced and is looked for all the same: when it happened (UTC), by id.
    """
    search = _Search(
        client=client,
        since=min((since, *(time - MARGIN for time in unsaid.values()))),
        is_ours=is_ours,
        agent_ids=agent_ids,
        heartbeats=heartbeats,
    )
    await search.run()
    # What it has seen between the two times, because it had to look further back, is known.
    new = [each for each in search.found if each is not None and each.time > since]
    found = {each.id: each for each in (*new, *search.waiting) if each.time > floor}
    found |= {
        each.id: each
        for each in (*search.found, *search.waiting)
        if each is not None and each.id in unsaid
    }
    for_us = [each for each in found.values() if is_for_us(each, is_ours)]
    return Missed(
        notifications=tuple(sorted(for_us, key=lambda notification: notification.time)),
        is_complete=search.is_complete,
    )


async def async_with_full_text(
    client: GatewayClient,
    notification: Notification,
    heartbeat: Heartbeat,
    agent_ids: Iterable[str],
) -> Notification:
    """Return a heartbeat with all that was said, or as it is when that cannot be had in time."""
    try:
        async with asyncio.timeout(HEARTBEAT_LIMIT):
            whole = await client.heartbeat.full_text(heartbeat, agent_ids)
    except GatewayError, TimeoutError:
        return notification
    return notification if whole is None else with_full_text(notification, whole)
