"""A line about each thing worth knowing in a bug report: Settings → System → Repairs → ⋮."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DOMAIN
from .coordinator import OpenClawConfigEntry


@callback
def async_register(_: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what tells about the gateways."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return facts about all gateways together. No addresses: people paste this in public."""
    integration = await async_get_integration(hass, DOMAIN)
    entries: list[OpenClawConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    gateways = [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]
    snapshots = [gateway.snapshot for gateway in gateways]
    statuses = [gateway.board.status for gateway in gateways]
    versions = {snapshot.hello.server_version for snapshot in snapshots if snapshot.hello}
    return {
        "version": str(integration.version),
        "gateways": len(entries),
        "connected": sum(snapshot.connected_since is not None for snapshot in snapshots),
        "gateway_versions": ", ".join(sorted(versions)) or "–",
        "updates": sum(status.update is not None for status in statuses),
        "unhealthy": sum(
            status.health is not None and not status.health.is_ok for status in statuses
        ),
        "active_runs": sum(sum(gateway.client.activity.runs.values()) for gateway in gateways),
        "realtime_sessions": sum(gateway.realtime_usage.active for gateway in gateways),
        "problems": ", ".join(
            sorted({snapshot.error.category for snapshot in snapshots if snapshot.error})
        )
        or "–",
    }
