"""Waiting until the owner of a gateway approves this device. The gateway pushes nothing: we ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from .gateway.errors import (
    PairingRequiredError,
    RequestTimeoutError,
    TlsError,
    TransportError,
)

POLL_INTERVAL: Final = 6.0
"""Seconds between two attempts.

The gateway keeps a request for five minutes after the last one, and its documentation asks for 5 to
10 seconds while somebody looks.
"""

PATIENCE: Final = 1800.0
"""Seconds of asking after which somebody has to say that it is still wanted."""

MAX_REQUESTS: Final = 3
"""So many requests in a row are filed by themselves. One that is turned down is followed by a new
one, and an owner who says no shall not be asked for half an hour."""


class NotApprovedError(Exception):
    """The time is over, and the owner has said nothing."""


async def async_wait_for_approval[T](
    attempt: Callable[[], Awaitable[T]], request_id: str, *, until: float
) -> T:
    """Try until the gateway lets us in, and return what `attempt` returns then.

    A gateway that is away for a while, as when it restarts, is waited for.

    Args:
        attempt: Connects; raises `PairingRequiredError` as long as nothing is approved.
        request_id: The request that people are asked to approve.
        until: Time of the loop's clock.

    Raises:
        PairingRequiredError: Another request takes the place of this one.
        NotApprovedError: `until` has come.
        GatewayError: Something else is in the way now.
    """
    try:
        async with asyncio.timeout_at(until):
            while True:
                await asyncio.sleep(POLL_INTERVAL)
                try:
                    return await attempt()
                except PairingRequiredError as err:
                    if err.request_id != request_id:
                        raise
                except TlsError:
                    raise
                except TransportError, RequestTimeoutError:
                    continue
    except TimeoutError:
        raise NotApprovedError from None
