"""Gets a run back after its connection was lost.

`docs/adr/001` has the reasons. Nothing is sent twice that could run twice.
"""

import asyncio
import logging
from typing import Final

from .errors import (
    GatewayError,
    NotConnectedError,
    RequestError,
    RunLostError,
    TransportError,
)
from .frames import JsonObject
from .models import HelloOk
from .recovery import RunFate, trace_run
from .run_link import RunLink

_LOGGER = logging.getLogger(__name__)

RECOVERY_LIMIT: Final = 30.0
"""Seconds from a lost connection until the run must be found again.

A gateway needs 11 to 15 s for a restart, and some more to continue what it had interrupted.
"""

RECOVERY_POLL: Final = 2.0
"""Seconds between attempts to connect while somebody waits for an answer."""

KEY_MEMORY: Final = 240.0
"""Seconds within which the same process of the gateway surely knows a run by its key.

Source: the gateway forgets a key about 5 minutes after the end of its run.
"""

MIN_RETRY_WAIT: Final = 0.1
"""Seconds before a refused request is sent again, when the gateway says "at once"."""

REQUEST_LIMIT: Final = 15.0
"""Seconds one request of a recovery or an abort may take."""

HISTORY_ROWS: Final = 50
HISTORY_CHARACTERS: Final = 500_000
"""The most `chat.history` returns of one text."""


async def recover(link: RunLink) -> None:
    """Find the run again; return as soon as its frames come again or its end is known.

    Returns, too, when the connection was lost once more: `link.lost_at` is then still set.

    Raises:
        RunLostError: Not within `RECOVERY_LIMIT` seconds after the loss.
    """
    lost_at = link.now() if link.lost_at is None else link.lost_at
    _LOGGER.debug("Run %s lost its connection", link.run_id)
    try:
        async with asyncio.timeout_at(lost_at + RECOVERY_LIMIT):
            await _find(link, lost_at)
    except TimeoutError:
        raise RunLostError("the run was not found again in time") from None
    except RunLostError:
        raise
    except TransportError, NotConnectedError:
        if link.client.is_stopped:
            raise RunLostError("the connection was closed") from None
        # Lost again on the way. The same limit goes on.
        link.lost_at = lost_at
    except GatewayError as err:
        raise RunLostError(f"the connection does not come back ({err.category})") from None


async def _find(link: RunLink, lost_at: float) -> None:
    hello = await _wait_for_connection(link)
    # From here on a further loss is a new one.
    link.lost_at = None
    knows_key = link.now() - lost_at < KEY_MEMORY
    if knows_key and hello.boot_id is not None and hello.boot_id == link.boot_id:
        # This starts nothing twice there, and tells an end we missed.
        await _send_again(link)
    else:
        await _look_into_history(link, may_send=knows_key)


async def _wait_for_connection(link: RunLink) -> HelloOk:
    """Wait for the next connection without sitting out the growing waits between attempts."""
    while True:
        try:
            return await link.client.wait_ready(RECOVERY_POLL)
        except GatewayError:
            if link.client.is_blocked:
                raise
            link.client.warm()


async def _send_again(link: RunLink) -> None:
    frames_before = link.last_frame_at
    await link.send()
    await link.wait_while(lambda: link.last_frame_at == frames_before)


async def _look_into_history(link: RunLink, *, may_send: bool) -> None:
    # A run that continues is told by its events; they may come before the history does.
    link.awaits_continuation = True
    history = await _history(link)
    if not link.awaits_continuation:
        return
    run_id = link.request.run_id
    trace = trace_run(history, run_id, others=link.client.chat.others(link))
    _LOGGER.debug("Run %s is %s", link.run_id, trace.fate)
    match trace.fate:
        case RunFate.RUNNING:
            link.awaits_continuation = False
        case RunFate.CONTINUED if trace.run_id is not None:
            await _follow(link, trace.run_id, is_active=trace.is_active)
        case RunFate.UNKNOWN if may_send and link.run_id == run_id:
            link.awaits_continuation = False
            await _send_again(link)
        case RunFate.UNKNOWN:
            raise RunLostError("the history of the session does not have the run")
        case RunFate.INTERRUPTED | RunFate.CONTINUED:
            await link.wait_while(lambda: link.awaits_continuation)
        case _:
            link.awaits_continuation = False
            link.reader.read_trace(trace)


async def _history(link: RunLink) -> JsonObject:
    params = {
        "sessionKey": link.session_key,
        "limit": HISTORY_ROWS,
        "maxChars": HISTORY_CHARACTERS,
    }
    while True:
        try:
            return await link.client.request("chat.history", params, timeout=REQUEST_LIMIT)
        except RequestError as err:
            if err.retry_after is None:
                raise
            await asyncio.sleep(err.retry_after or MIN_RETRY_WAIT)


async def _follow(link: RunLink, run_id: str, *, is_active: bool) -> None:
    """Follow the run that continues the turn; if it was interrupted, too, wait for the next."""
    link.client.chat.adopt(run_id, link)
    link.continue_as(run_id)
    if not is_active:
        link.awaits_continuation = True
        await link.wait_while(lambda: link.awaits_continuation)
