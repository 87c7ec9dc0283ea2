"""What a gateway says about itself in the local network (mDNS).

Nobody vouches for it: it is a hint where to look, never a reason to trust or to send anything.
"""

from dataclasses import dataclass
import re
from typing import Final, Self

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.ssl import get_default_no_verify_context

from .const import CONF_CERTIFICATE_PIN
from .coordinator import OpenClawConfigEntry
from .gateway.errors import GatewayError
from .gateway.socket import fetch_certificate_pin
from .gateway_url import InvalidAddressError, is_secure, normalise_url
from .hosts import IPAddress, async_is_at

MAX_NAME: Final = 64
"""Characters of a name that are shown."""

_YES: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredGateway:
    """A record, as far as it is of use."""

    record: str
    """Name of the record: the same as long as the gateway and its host keep their names."""

    name: str
    """What to show people."""

    url: str
    port: int
    addresses: frozenset[IPAddress]
    """All addresses of the host. The gateway need not listen on each of them."""

    certificate_pin: str | None
    """What the record says; only the certificate itself proves it."""

    @classmethod
    def from_record(cls, info: ZeroconfServiceInfo) -> Self | None:
        """Read a record; None for a gateway that other hosts cannot reach."""
        told = info.properties
        if told.get("gatewayDirectReachable") != _YES or not info.port:
            return None
        has_tls = told.get("gatewayTls") == _YES
        host = f"[{info.ip_address}]" if info.ip_address.version == 6 else info.host
        try:
            url = normalise_url(f"{'wss' if has_tls else 'ws'}://{host}:{info.port}")
        except InvalidAddressError:
            return None
        return cls(
            record=info.name,
            name=_harmless(str(told.get("displayName") or info.name.partition(" (")[0])),
            url=url,
            port=info.port,
            addresses=frozenset((info.ip_address, *info.ip_addresses)),
            certificate_pin=str(told.get("gatewayTlsSha256", "")).lower() if has_tls else None,
        )

    def has_pin_of(self, entry: ConfigEntry) -> bool:
        """Return whether the record names the certificate an entry is pinned to."""
        pin: str | None = entry.data.get(CONF_CERTIFICATE_PIN)
        return pin is not None and pin == self.certificate_pin

    async def async_is_at_address_of(self, hass: HomeAssistant, entry: ConfigEntry) -> bool:
        """Return whether an entry has this address already, under whatever name."""
        return await async_is_at(hass, entry.data[CONF_URL], self.addresses, self.port)

    async def async_has_moved_from(self, entry: ConfigEntry) -> bool:
        """Return whether the certificate an entry is pinned to answers here, and only here."""
        pin: str = entry.data[CONF_CERTIFICATE_PIN]
        return await _answers_with(self.url, pin) and not await _answers_with(
            entry.data[CONF_URL], pin
        )


def is_away(entry: OpenClawConfigEntry) -> bool:
    """Return whether the gateway of an entry was looked for and does not answer.

    An entry that is disabled, ignored or just being set up tells nothing about its gateway.
    """
    if entry.disabled_by is not None:
        return False
    if entry.state is ConfigEntryState.LOADED:
        return not entry.runtime_data.is_connected
    return entry.state is ConfigEntryState.SETUP_RETRY


def may_have_moved(entry: OpenClawConfigEntry) -> bool:
    """Return whether the gateway of an entry may be at another address, and cannot prove it."""
    return is_away(entry) and not is_secure(entry.data[CONF_URL])


async def _answers_with(url: str, pin: str) -> bool:
    try:
        return await fetch_certificate_pin(url, get_default_no_verify_context()) == pin
    except GatewayError:
        return False


def _harmless(name: str) -> str:
    """Return a name without what could be read as markup or a link where it is shown."""
    return " ".join(re.sub(r"[^\w -]|_", " ", name).split())[:MAX_NAME] or "OpenClaw"
