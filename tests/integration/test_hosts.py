"""Which machine an address means."""

import asyncio
from contextlib import AbstractContextManager
from ipaddress import ip_address
import socket
from unittest.mock import AsyncMock, patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice import hosts
from custom_components.openclaw_voice.gateway.errors import CannotConnectError
from custom_components.openclaw_voice.hosts import (
    async_ip_addresses,
    async_is_at,
    async_is_exposed,
    async_is_this_host,
)


def known_as(hass: HomeAssistant, *addresses: str) -> AbstractContextManager[object]:
    """Let the name servers tell some addresses of a host."""
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    return patch.object(hass.loop, "getaddrinfo", AsyncMock(return_value=rows))


@pytest.mark.parametrize(
    ("url", "is_exposed"),
    [
        ("ws://127.0.0.1:18789", False),
        ("ws://192.168.1.4:18789", False),
        ("ws://10.0.0.4:18789", False),
        ("ws://100.100.1.4:18789", False),
        ("ws://169.254.1.4:18789", False),
        ("ws://[fd00::4]:18789", False),
        ("ws://[fe80::4]:18789", False),
        ("ws://8.8.8.8:18789", True),
        ("ws://[2a00:1450::4]:18789", True),
        ("wss://8.8.8.8:18789", False),
    ],
)
async def test_plain_text_to_a_public_address_is_exposed(
    hass: HomeAssistant, url: str, *, is_exposed: bool
) -> None:
    """A network of one's own is not the internet, nor is a VPN; TLS hides what is sent."""
    assert await async_is_exposed(hass, url) is is_exposed


@pytest.mark.parametrize(
    ("addresses", "is_exposed"),
    [(["192.168.1.4"], False), (["8.8.8.8"], True), (["192.168.1.4", "8.8.8.8"], True)],
)
async def test_the_addresses_of_a_name_decide(
    hass: HomeAssistant, addresses: list[str], *, is_exposed: bool
) -> None:
    """A name of a domain may well lead to the next room."""
    with known_as(hass, *addresses):
        assert await async_is_exposed(hass, "ws://attic.example.org:18789") is is_exposed


@pytest.mark.parametrize(
    "error", [OSError("unknown"), UnicodeError("label too long"), TimeoutError()]
)
async def test_a_name_nobody_knows_has_no_address(hass: HomeAssistant, error: Exception) -> None:
    """Nothing is sent then: a later look-up might lead through the internet."""
    with patch.object(hass.loop, "getaddrinfo", AsyncMock(side_effect=error)):
        assert await async_ip_addresses(hass, "attic") == frozenset()
        with pytest.raises(CannotConnectError):
            await async_is_exposed(hass, "ws://attic:18789")
        assert not await async_is_this_host(hass, "ws://attic:18789")


async def test_name_servers_that_do_not_answer_are_not_waited_for(hass: HomeAssistant) -> None:
    """The form would hang."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with (
        patch.object(hass.loop, "getaddrinfo", never),
        patch.object(hosts, "LOOKUP_TIMEOUT", 0),
    ):
        assert await async_ip_addresses(hass, "attic") == frozenset()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://127.0.0.1:18789", True),
        ("ws://localhost:18789", True),
        ("ws://[::1]:18789", True),
        ("ws://10.10.10.10:18789", False),
        ("ws://192.0.2.4:18789", False),
    ],
)
async def test_only_the_loopback_address_is_this_host(
    hass: HomeAssistant, url: str, *, expected: bool
) -> None:
    """Through its own network address a host is another one for the gateway."""
    assert await async_is_this_host(hass, url) is expected


async def test_a_loopback_address_leads_to_our_own_addresses(hass: HomeAssistant) -> None:
    """The test plugin gives this host the address 10.10.10.10."""
    own, other = (frozenset({ip_address(ip)}) for ip in ("10.10.10.10", "192.0.2.4"))
    assert await async_is_at(hass, "ws://127.0.0.1:18789", own, 18789)
    assert not await async_is_at(hass, "ws://127.0.0.1:18790", own, 18789)
    assert not await async_is_at(hass, "ws://127.0.0.1:18789", other, 18789)
    assert await async_is_at(hass, "wss://192.0.2.4", other, 443)
