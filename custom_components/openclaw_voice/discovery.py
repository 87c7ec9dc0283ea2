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

    async def async_proves_pin(self) -> bool:
        """Return whether the certificate the record names really answers at its address."""
        try:
            found = await fetch_certificate_pin(self.url, get_default_no_verify_context())
        except GatewayError:
            return False
        return found == self.certificate_pin


def is_connected(entry: OpenClawConfigEntry) -> bool:
    """Return whether the gateway of an entry answers where it is expected."""
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.is_connected


def may_have_moved(entry: OpenClawConfigEntry) -> bool:
    """Return whether the gateway of an entry may be at another address, and cannot prove it."""
    is_away = entry.disabled_by is None and not is_connected(entry)
    return is_away and not is_secure(entry.data[CONF_URL])


def _harmless(name: str) -> str:
    """Return a name without what could be read as markup where it is shown."""
    return re.sub(r"[^\w .-]", "", name)[:MAX_NAME] or "OpenClaw"
