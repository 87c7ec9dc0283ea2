"""Waiting for an approval, without a gateway."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from unittest.mock import AsyncMock, patch

import pytest

from custom_components.openclaw_voice import pairing
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    CertificateChangedError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    PairingRequiredError,
    RequestTimeoutError,
    UntrustedCertificateError,
)
from custom_components.openclaw_voice.pairing import NotApprovedError, async_wait_for_approval


def asked(request_id: str = "r-1") -> PairingRequiredError:
    """Return the error of a device that is not approved yet."""
    return PairingRequiredError("not approved", request_id=request_id, reason="not-paired")


@pytest.fixture(autouse=True)
async def pauses() -> AsyncGenerator[list[float]]:
    """Let no time pass; return the pauses that were made."""
    made: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    with patch.object(pairing.asyncio, "sleep", pause):
        yield made


async def wait(attempt: Callable[[], Awaitable[str]]) -> str:
    """Wait for the approval of the first request."""
    until = asyncio.get_running_loop().time() + 10
    return await async_wait_for_approval(attempt, "r-1", until=until)


async def test_it_asks_until_it_is_let_in(pauses: list[float]) -> None:
    """A request was just made, so a pause goes before every attempt."""
    attempt = AsyncMock(side_effect=[asked(), asked(), "welcome"])
    assert await wait(attempt) == "welcome"
    assert pauses == [pairing.POLL_INTERVAL] * 3
    assert 5 <= pairing.POLL_INTERVAL <= 10


@pytest.mark.parametrize(
    "error", [CannotConnectError("away"), ConnectionLostError(1012), RequestTimeoutError("slow")]
)
async def test_a_gateway_that_is_away_is_waited_for(error: GatewayError) -> None:
    """It may be restarted to let us in."""
    assert await wait(AsyncMock(side_effect=[error, asked(), error, "welcome"])) == "welcome"


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRejectedError("no"),
        CertificateChangedError("other", fingerprint=None),
        UntrustedCertificateError("expired"),
    ],
)
async def test_what_only_a_person_can_change_ends_the_wait(error: GatewayError) -> None:
    """Waiting would not help."""
    with pytest.raises(type(error)):
        await wait(AsyncMock(side_effect=[asked(), error]))


async def test_another_request_ends_the_wait() -> None:
    """Approving the one that is shown would do nothing."""
    with pytest.raises(PairingRequiredError) as raised:
        await wait(AsyncMock(side_effect=[asked(), asked("r-2")]))
    assert raised.value.request_id == "r-2"


async def test_the_time_is_limited() -> None:
    """The attempt that is under way is given up, too."""

    async def hang() -> str:
        await asyncio.Event().wait()
        return "never"

    until = asyncio.get_running_loop().time()
    with pytest.raises(NotApprovedError):
        await async_wait_for_approval(hang, "r-1", until=until)
    assert pairing.PATIENCE == 30 * 60
