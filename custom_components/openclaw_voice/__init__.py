"""OpenClaw Voice: ask OpenClaw agents through Assist."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import instance_id

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entry_data import async_connection_settings
from .gateway.client import GatewayClient

PLATFORMS = [Platform.CONVERSATION]


async def async_setup_entry(hass: HomeAssistant, entry: OpenClawConfigEntry) -> bool:
    """Connect to a gateway and add its agents."""
    client = GatewayClient(await async_connection_settings(hass, entry.data))
    coordinator = GatewayCoordinator(hass, entry, client, await instance_id.async_get(hass))
    await coordinator.async_start()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OpenClawConfigEntry) -> bool:
    """Remove the agents and disconnect."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.async_stop()
    return unloaded


async def _async_entry_updated(_: HomeAssistant, entry: OpenClawConfigEntry) -> None:
    """Bring in agents that were added; the connection and the others go on."""
    entry.runtime_data.async_update_agents()
