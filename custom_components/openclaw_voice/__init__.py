"""OpenClaw Voice: ask OpenClaw agents through Assist."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, instance_id
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .assist.memory import Memory
from .const import DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entry_data import async_connection_settings
from .gateway.client import GatewayClient
from .issues import GatewayIssues
from .outbox.late_answers import Outbox
from .outbox.notifier import Notifier
from .realtime_usage import RealtimeUsage
from .services import async_register
from .voice_satellites import satellite_id_of
from .voice_sessions import VoiceSessions, async_voice_sessions

PLATFORMS = [
    Platform.AI_TASK,
    Platform.ASSIST_SATELLITE,
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CONVERSATION,
    Platform.EVENT,
    Platform.NOTIFY,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Register what is there whether a gateway is set up or not."""
    async_register(hass)
    VoiceSessions(hass).async_register()
    return True


async def async_setup_entry(hass: HomeAssistant, entry: OpenClawConfigEntry) -> bool:
    """Connect to a gateway and add its agents."""
    client = GatewayClient(await async_connection_settings(hass, entry.data))
    coordinator = GatewayCoordinator(hass, entry, client, await instance_id.async_get(hass))
    entry.runtime_data = coordinator
    entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
    await coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    # Now that its entities are there.
    coordinator.notifier.async_release()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OpenClawConfigEntry) -> bool:
    """Remove the agents and disconnect."""
    # While there are still entities that tell of it.
    await async_voice_sessions(hass).async_unload(entry.entry_id)
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.async_stop()
        entry.runtime_data.issues.async_clear()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: OpenClawConfigEntry) -> None:
    """Take back what was told about a gateway that is no longer there, and forget all of it."""
    GatewayIssues(hass, entry).async_clear()
    await Memory.async_remove(hass, entry.entry_id)
    await Outbox.async_remove(hass, entry)
    await Notifier.async_remove(hass, entry)
    await RealtimeUsage.async_remove(hass, entry.entry_id)


async def async_remove_config_entry_device(
    _: HomeAssistant, entry: OpenClawConfigEntry, device: DeviceEntry
) -> bool:
    """Let people remove satellites: gateway and agents go with what they were made from."""
    return satellite_id_of(entry.entry_id, device) is not None


async def _async_entry_updated(_: HomeAssistant, entry: OpenClawConfigEntry) -> None:
    """Bring in agents that were added, and credentials that are new; everything else goes on."""
    entry.runtime_data.async_update_agents()
    await entry.runtime_data.async_use_entry()
