"""Asks the gateway what it knows of a run, without starting anything.

`agent.wait` knows how a run ended for five minutes, but cuts its text; the history has whole texts,
but does not tell silence from an interruption.
"""

import asyncio
import logging
from typing import Final

from .errors import GatewayError, RequestError
from .frames import JsonObject
from .recovery import RunFate, RunTrace, has_start, trace_run, trace_wait
from .run_link import RunLink

_LOGGER = logging.getLogger(__name__)

REQUEST_LIMIT: Final = 15.0
"""Seconds one request about a run may take."""

MIN_RETRY_WAIT: Final = 0.1
"""Seconds before a refused request is sent again, when the gateway says "at once"."""

HISTORY_ROWS: Final = 50
MOST_HISTORY_ROWS: Final = 1000
"""The most `chat.history` returns at once."""

HISTORY_CHARACTERS: Final = 500_000
"""The most `chat.history` returns of one text."""


async def look_up(link: RunLink) -> RunTrace:
    """Return what became of a run.

    Raises:
        GatewayError: The gateway could not be asked.
    """
    known: RunTrace | None = None
    if link.may_be_remembered:
        waited = await _request(link, "agent.wait", {"runId": link.run_id, "timeoutMs": 0})
        known = trace_wait(waited)
        if known is not None and known.fate not in (RunFate.ANSWERED, RunFate.ABORTED):
            return known
    trace = await _trace(link)
    return trace if known is None or trace.fate is known.fate else known


async def probe(link: RunLink) -> None:
    """Look whether a run that has been silent for long has ended; if so, read its end."""
    try:
        trace = await look_up(link)
    except GatewayError as err:
        _LOGGER.debug("Run %s was not asked for: %s", link.run_id, err.category)
        return
    _LOGGER.debug("Run %s is silent: %s", link.run_id, trace.fate)
    if link.reader.has_ended:
        return
    if trace.run_id is not None:
        link.follow(trace.run_id)
    else:
        # Without an end it works, or waits for its turn: the connection lasts.
        link.reader.read_trace(trace)


async def look_for(link: RunLink) -> None:
    """Look for a run that was lost and that nobody recovers: its id may have changed since.

    Raises:
        GatewayError: The gateway could not be asked.
    """
    lost_at, link.lost_at = link.lost_at, None
    # A run that continues is told by its events; they may come before the answers do.
    link.awaits_continuation = True
    trace = await look_up(link)
    if not link.awaits_continuation or link.reader.has_ended:
        return
    link.awaits_continuation = trace.fate is RunFate.INTERRUPTED
    if trace.run_id is not None:
        link.follow(trace.run_id)
    elif trace.fate is RunFate.UNKNOWN:
        link.lost_at = lost_at
    else:
        link.reader.read_trace(trace)


async def settle(link: RunLink) -> None:
    """Read how a run ended whose events do not tell it.

    Raises:
        GatewayError: It could not be asked.
    """
    if link.is_repeatable:
        # The key is known there, so this starts nothing and brings the stored response.
        await link.send()
        await link.wait_while(lambda: True)
    elif link.may_be_remembered:
        link.reader.read_trace(await look_up(link))


async def _trace(link: RunLink) -> RunTrace:
    history = await _history(link, HISTORY_ROWS)
    if history.get("hasMore") is True and not has_start(history, link.request.run_id):
        # Many tools were used, or much was said since.
        history = await _history(link, MOST_HISTORY_ROWS)
    return trace_run(history, link.request.run_id, others=link.client.chat.others(link))


async def _history(link: RunLink, rows: int) -> JsonObject:
    params = {"sessionKey": link.session_key, "limit": rows, "maxChars": HISTORY_CHARACTERS}
    return await _request(link, "chat.history", params)


async def _request(link: RunLink, method: str, params: JsonObject) -> JsonObject:
    """Ask; a gateway that has just started may have to be asked again."""
    while True:
        try:
            return await link.client.request(method, params, timeout=REQUEST_LIMIT)
        except RequestError as err:
            if err.retry_after is None:
                raise
            await asyncio.sleep(err.retry_after or MIN_RETRY_WAIT)
