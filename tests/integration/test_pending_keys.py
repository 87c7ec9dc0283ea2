"""The device key that waits for an approval is kept for a day, by address."""

from datetime import timedelta
from pathlib import Path
import stat
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.pending_keys import (
    LIFETIME,
    MAX_KEYS,
    STORAGE_KEY,
    PendingKeys,
    async_pending_keys,
)

URL = "ws://192.0.2.4:18789"
OTHER_URL = "ws://192.0.2.5:18789"


@pytest.fixture
def key() -> str:
    """Return a new key."""
    return DeviceIdentity.create().private_key


async def test_a_key_outlives_a_restart(
    hass: HomeAssistant, key: str, hass_storage: dict[str, Any]
) -> None:
    """It is on the disk before anybody is told to approve it."""
    await PendingKeys(hass).async_keep(URL, key)
    assert hass_storage[STORAGE_KEY]["data"][URL]["private_key"] == key
    kept = await PendingKeys(hass).async_get(URL)
    assert kept is not None
    assert kept.private_key == key
    assert await PendingKeys(hass).async_get(OTHER_URL) is None


async def test_a_key_is_good_for_a_day(
    hass: HomeAssistant, key: str, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    """Asking again begins a new day; what is too old is dropped from the disk, too."""
    keys = PendingKeys(hass)
    await keys.async_keep(URL, key)
    freezer.tick(LIFETIME - timedelta(minutes=1))
    assert await keys.async_get(URL) is not None
    await keys.async_keep(URL, key)
    freezer.tick(LIFETIME)
    assert await keys.async_get(URL) is not None
    freezer.tick(timedelta(seconds=1))
    assert await keys.async_get(URL) is None
    await keys.async_keep(OTHER_URL, key)
    assert hass_storage[STORAGE_KEY]["data"].keys() == {OTHER_URL}


async def test_a_key_is_forgotten(
    hass: HomeAssistant, key: str, hass_storage: dict[str, Any]
) -> None:
    """An entry has it; what was never there is not an error."""
    keys = PendingKeys(hass)
    await keys.async_forget(URL)
    assert STORAGE_KEY not in hass_storage
    await keys.async_keep(URL, key)
    await keys.async_keep(OTHER_URL, key)
    await keys.async_forget(URL)
    assert hass_storage[STORAGE_KEY]["data"].keys() == {OTHER_URL}


async def test_the_number_of_keys_is_bounded(
    hass: HomeAssistant, key: str, hass_storage: dict[str, Any]
) -> None:
    """The one that asked longest ago goes first."""
    keys = PendingKeys(hass)
    await keys.async_keep(URL, key)
    await keys.async_keep(OTHER_URL, key)
    await keys.async_keep(URL, key)
    for number in range(MAX_KEYS - 1):
        await keys.async_keep(f"{URL}{number}", key)
    assert len(hass_storage[STORAGE_KEY]["data"]) == MAX_KEYS
    assert await keys.async_get(URL) is not None
    assert await keys.async_get(OTHER_URL) is None


async def test_there_is_one_store(hass: HomeAssistant) -> None:
    """Two would overwrite each other's keys."""
    assert async_pending_keys(hass) is async_pending_keys(hass)


@pytest.mark.parametrize("hass_storage", [None], ids=["on the disk"])
async def test_nobody_else_may_read_the_file(hass: HomeAssistant, key: str, tmp_path: Path) -> None:
    """It holds keys. The fixture that keeps storage in memory is taken away for this."""
    hass.config.config_dir = str(tmp_path)
    await PendingKeys(hass).async_keep(URL, key)
    mode = (tmp_path / ".storage" / STORAGE_KEY).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
