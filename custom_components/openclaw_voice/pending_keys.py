"""Keeps the device key that waits for an approval, so that closing the dialog does not waste it.

An approval is for one key. Whoever comes back to the same address within a day goes on with it.
"""

import asyncio
from datetime import timedelta
from typing import Final, TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .gateway.identity import DeviceIdentity

LIFETIME: Final = timedelta(days=1)
"""How long a key is kept after it last asked for an approval."""

MAX_KEYS: Final = 16
"""So many addresses are remembered; the oldest go first."""

STORAGE_KEY: Final = f"{DOMAIN}.pending_keys"
STORAGE_VERSION: Final = 1


class _PendingKey(TypedDict):
    """What is stored for an address. The key is a secret."""

    private_key: str
    asked_at: float
    """Seconds since 1970."""


class PendingKeys:
    """The device keys that wait for an approval, by address."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is read before the first call."""
        self._store = Store[dict[str, _PendingKey]](
            hass, STORAGE_VERSION, STORAGE_KEY, private=True, atomic_writes=True
        )
        self._lock = asyncio.Lock()

    async def async_get(self, url: str) -> DeviceIdentity | None:
        """Return the key that asked for an approval at this address, if it is worth anything yet."""
        async with self._lock:
            kept = (await self._async_load()).get(url)
        return None if kept is None else DeviceIdentity.from_private_key(kept["private_key"])

    async def async_keep(self, url: str, private_key: str) -> None:
        """Keep a key that asks for an approval at this address."""
        async with self._lock:
            kept = await self._async_load()
            # The new one goes to the end: the order is the age.
            kept.pop(url, None)
            kept[url] = _PendingKey(private_key=private_key, asked_at=dt_util.utcnow().timestamp())
            await self._store.async_save(dict(list(kept.items())[-MAX_KEYS:]))

    async def async_forget(self, url: str) -> None:
        """Drop the key of an address: it is in an entry now."""
        async with self._lock:
            kept = await self._async_load()
            if kept.pop(url, None) is not None:
                await self._store.async_save(kept)

    async def _async_load(self) -> dict[str, _PendingKey]:
        """Return the keys that are not too old."""
        oldest = (dt_util.utcnow() - LIFETIME).timestamp()
        kept = await self._store.async_load() or {}
        fresh = {url: key for url, key in kept.items() if key["asked_at"] >= oldest}
        if len(fresh) < len(kept):
            await self._store.async_save(fresh)
        return fresh


@singleton(STORAGE_KEY)
@callback
def async_pending_keys(hass: HomeAssistant) -> PendingKeys:
    """Return the one store of this Home Assistant."""
    return PendingKeys(hass)
