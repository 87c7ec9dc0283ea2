"""Questions to the agent that go on when the satellite has left.

The gateway stops what the agent does for a voice session when that session ends. So the session is
kept, without sound, until the agent has answered. Whoever wants the answer follows the run.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import logging
from typing import Final

from ..gateway.errors import GatewayError
from ..gateway.talk_session import TalkSession

_LOGGER = logging.getLogger(__name__)

MAX_KEPT: Final = 1800.0
"""Seconds a session is kept at most. Source: no session of the gateway gets older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A run of the agent whose answer nobody waits for any more."""

    run_id: str
    """Of the gateway; it was started as by `chat.send`."""

    session_key: str
    question: str = field(repr=False)
    """What the speech model has asked, in its words."""

    said: str = field(default="", repr=False)
    """What people have heard of the answer; the model gets it at its end, so this is nothing."""


type OnOrphan = Callable[[Orphan], None]


async def keep_open(session: TalkSession) -> None:
    """Keep a voice session until the agent has answered, or the gateway ends it; then close it."""
    try:
        async with asyncio.timeout(MAX_KEPT):
            if session.open_consults:
                await _until_answered(session)
    except GatewayError as err:
        _LOGGER.debug("A voice session without a satellite is lost: %s", err.category)
    except TimeoutError:
        _LOGGER.debug("A voice session without a satellite does not end")
    finally:
        await session.close()


async def _until_answered(session: TalkSession) -> None:
    async for _ in session:
        if not session.open_consults:
            break
