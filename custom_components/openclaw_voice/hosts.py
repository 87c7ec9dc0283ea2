"""Which machine an address means, as far as it matters for what may be sent there."""

import asyncio
import ipaddress
import socket
from typing import Final

from homeassistant.components import network
from homeassistant.core import HomeAssistant

from .gateway.errors import CannotConnectError
from .gateway_url import host_of, is_secure, port_of

LOOKUP_TIMEOUT: Final = 5.0
"""Seconds to wait for the name servers."""

type IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


async def async_ip_addresses(hass: HomeAssistant, host: str) -> frozenset[IPAddress]:
    """Return the IP addresses of a host; none when nobody knows it."""
    try:
        return frozenset({ipaddress.ip_address(host)})
    except ValueError:
        pass
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            found = await hass.loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError, UnicodeError:
        return frozenset()
    return frozenset(ipaddress.ip_address(row[4][0]) for row in found)


async def async_is_exposed(hass: HomeAssistant, url: str) -> bool:
    """Return whether what is sent there can be read on its way through the internet.

    Raises:
        CannotConnectError: Nobody knows the name now. A later look-up might, so nothing may be sent.
    """
    if is_secure(url):
        return False
    found = await async_ip_addresses(hass, host_of(url))
    if not found:
        raise CannotConnectError("the name of the host is not known")
    return any(ip.is_global for ip in found)


async def async_is_this_host(hass: HomeAssistant, url: str) -> bool:
    """Return whether an address stays on this host."""
    found = await async_ip_addresses(hass, host_of(url))
    return bool(found) and all(ip.is_loopback for ip in found)


async def async_is_at(
    hass: HomeAssistant, url: str, addresses: frozenset[IPAddress], port: int
) -> bool:
    """Return whether `url` leads to a port of a machine with these addresses.

    The loopback address leads to the machine that has our own addresses.
    """
    if port_of(url) != port:
        return False
    found = await async_ip_addresses(hass, host_of(url))
    if any(ip.is_loopback for ip in found):
        found |= await _async_own_addresses(hass)
    return not found.isdisjoint(addresses)


async def _async_own_addresses(hass: HomeAssistant) -> frozenset[IPAddress]:
    """Return the addresses of this host, as others see it."""
    adapters = await network.async_get_adapters(hass)
    rows = [row for adapter in adapters for row in (*adapter["ipv4"], *adapter["ipv6"])]
    return frozenset(ipaddress.ip_address(row["address"]) for row in rows)
