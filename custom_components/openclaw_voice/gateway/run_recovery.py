"""Gets a run back after its connection was lost, or after a restart of ours.

`docs/adr/001` has the reasons. Nothing is sent twice that could run twice.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from .errors import (
    CannotConnectError,
    GatewayError,
    NotConnectedError,
    RequestTimeoutError,
    RunLostError,
    TransportError,
)
from .models import HelloOk
from .recovery import RunFate
from .run_link import RunLink
from .run_lookup import look_up

if TYPE_CHECKING:
    from .client import GatewayClient

_LOGGER = logging.getLogger(__name__)

RECOVERY_POLL: Final = 2.0
"""Seconds between attempts to connect while somebody waits for an answer."""

RESTART_TIME: Final = 120.0
"""Seconds within which a gateway that only restarts is surely back."""

KEY_MEMORY: Final = 240.0
"""Seconds within which the same process of the gateway surely knows a run by its key.

Source: the gateway forgets a key about 5 minutes after the end of its run.
"""

CONTINUATION_LIMIT: Final = 30.0
"""Seconds a gateway that has restarted may take to continue what it had interrupted."""


async def connected(client: GatewayClient, limit: float) -> HelloOk:
    """Wait for a connection without sitting out the growing waits between attempts.

    Raises:
        GatewayError: What stands in the way after `limit` seconds; at once when a person must act.
    """
    client.warm()
    try:
        async with asyncio.timeout(limit):
            while True:
                try:
                    return await client.wait_ready(RECOVERY_POLL)
                except GatewayError:
                    if client.is_blocked:
                        raise
                    client.warm()
    except TimeoutError:
        error = client.snapshot.error or CannotConnectError("no connection in time")
        raise error.with_traceback(None) from None


async def recover(link: RunLink, limit: asyncio.Timeout) -> None:
    """Find the run again; return as soon as its frames come again or its end is known.

    Returns, too, when the connection was lost once more: `link.lost_at` is then still set.

    Raises:
        RunLostError: It is lost for good, or was not found within `limit`.
        NotConnectedError: The client was stopped; the run goes on without us, because it is detached.
    """
    lost_at = link.now() if link.lost_at is None else link.lost_at
    _LOGGER.debug("Run %s lost its connection", link.run_id)
    try:
        async with limit:
            await _find(link, lost_at)
    except TimeoutError:
        raise RunLostError("the run was not found again in time") from None
    except RunLostError:
        raise
    except TransportError, NotConnectedError, RequestTimeoutError:
        if link.client.is_stopped:
            closed = NotConnectedError if link.is_patient else RunLostError
            raise closed("the connection was closed") from None
        # Lost again on the way. The same limit goes on.
        link.lost_at = lost_at
    except GatewayError as err:
        raise RunLostError(f"the run cannot be found again ({err.category})") from None


async def _find(link: RunLink, lost_at: float) -> None:
    hello = await _next_connection(link)
    # From here on a further loss is a new one.
    link.lost_at = None
    if link.reader.has_ended:
        return  # It was given up meanwhile, for a new run of its session.
    knows_key = not link.is_resumed and link.now() - lost_at < KEY_MEMORY
    if knows_key and hello.boot_id is not None and hello.boot_id == link.boot_id:
        # This starts nothing twice there, and tells an end we missed.
        await _send_again(link)
    else:
        await _ask_for_it(link, may_send=knows_key)


async def _next_connection(link: RunLink) -> HelloOk:
    """Wait for a connection: quickly while somebody waits, or for a restart; then as it comes."""
    client = link.client
    in_time = link.now() + RESTART_TIME
    while True:
        try:
            return await client.wait_ready(RECOVERY_POLL)
        except GatewayError:
            if client.is_stopped or (client.is_blocked and not link.is_patient):
                raise
            if client.is_blocked:
                await _change_of_state(client)
            elif not link.is_patient or link.now() < in_time:
                client.warm()


async def _change_of_state(client: GatewayClient) -> None:
    changed = asyncio.Event()
    unsubscribe = client.subscribe(lambda _: changed.set())
    try:
        await changed.wait()
    finally:
        unsubscribe()


async def _send_again(link: RunLink) -> None:
    frames_before = link.last_frame_at
    await link.send()
    await link.wait_while(lambda: link.last_frame_at == frames_before)


async def _ask_for_it(link: RunLink, *, may_send: bool) -> None:
    """Ask what became of the run; wait for the gateway to continue it if it was interrupted."""
    for _ in range(2):
        # A run that continues is told by its events; they may come before the answers do.
        link.awaits_continuation = True
        trace = await look_up(link)
        if not link.awaits_continuation or link.reader.has_ended:
            return
        _LOGGER.debug("Run %s is %s", link.run_id, trace.fate)
        match trace.fate:
            case RunFate.RUNNING:
                link.awaits_continuation = False
                return
            case RunFate.CONTINUED if trace.run_id is not None:
                link.follow(trace.run_id)
                if trace.is_active:
                    return
                # It was interrupted, too; the next one follows.
                link.awaits_continuation = True
            case RunFate.UNKNOWN if may_send and link.run_id == link.request.run_id:
                link.awaits_continuation = False
                await _send_again(link)
                return
            case RunFate.UNKNOWN:
                raise RunLostError("the gateway does not know the run")
            case RunFate.INTERRUPTED if link.reader.needs_response:
                # It has ended; how will never be known.
                link.awaits_continuation = False
                link.reader.give_up_on_response()
                return
            case RunFate.INTERRUPTED | RunFate.CONTINUED:
                pass
            case _:
                link.awaits_continuation = False
                link.reader.read_trace(trace)
                return
        if await _is_continued(link):
            return
    raise RunLostError("the gateway does not continue the run")


async def _is_continued(link: RunLink) -> bool:
    """Wait for the run to go on; tell whether it does, or was lost once more."""
    try:
        async with asyncio.timeout(CONTINUATION_LIMIT):
            await link.wait_while(lambda: link.awaits_continuation)
    except TimeoutError:
        return False
    return True
