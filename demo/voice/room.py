"""A satellite of ours in a running Home Assistant: its entity, its device and its area."""

from dataclasses import dataclass
from typing import Final

from ..client import HomeAssistantClient, HomeAssistantError
from .pipeline import add_wyoming
from .satellite import Satellite

PLATFORM: Final = "assist_satellite"


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteEntity:
    """What Home Assistant has made of a satellite."""

    entry_id: str
    device_id: str
    entity_id: str


async def add_satellite(
    client: HomeAssistantClient, satellite: Satellite, *, area: str | None = None
) -> SatelliteEntity:
    """Add a satellite, unless it is there, put it into an area, and wait until it is connected.

    It uses the preferred pipeline.

    Raises:
        HomeAssistantError: It cannot be added, or has no entity.
        TimeoutError: Home Assistant does not connect.
    """
    # Announcements are fetched from the internal address; by itself Home Assistant takes one that
    # it does not listen on here.
    await client.call("config/core/update", internal_url=client.url)
    entry_id = await add_wyoming(client, satellite.name, satellite.port)
    rows = await client.call("config/entity_registry/list")
    found = [
        row
        for row in rows
        if row["config_entry_id"] == entry_id and row["entity_id"].startswith(f"{PLATFORM}.")
    ]
    if not found:
        raise HomeAssistantError(f"{satellite.name} has no entity of the kind {PLATFORM}.")
    entity = SatelliteEntity(
        entry_id=entry_id, device_id=found[0]["device_id"], entity_id=found[0]["entity_id"]
    )
    if area:
        await client.assign_area(entity.device_id, area)
    await client.wait_for_state(entity.entity_id, lambda state: state == "idle")
    await satellite.wait_until_connected()
    return entity


async def announce(client: HomeAssistantClient, entity: SatelliteEntity, message: str) -> None:
    """Announce a text on a satellite; returns when it has been played.

    Raises:
        HomeAssistantError: It was refused.
    """
    await client.call(
        "call_service",
        domain=PLATFORM,
        service="announce",
        service_data={"message": message, "preannounce": False},
        target={"entity_id": entity.entity_id},
    )
