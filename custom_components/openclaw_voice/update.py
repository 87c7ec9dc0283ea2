"""Whether there is a newer gateway. It is installed on its host, not from here."""

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.update import UpdateEntity, UpdateEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import GatewayEntity
from .status_source import HasSource, Source

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class GatewayUpdateDescription(UpdateEntityDescription, HasSource):
    """The update of the gateway, and where it is told."""


UPDATE: Final = GatewayUpdateDescription(
    key="gateway", source=Source.UPDATE, entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the update of the gateway."""
    async_add_entities([GatewayUpdate(entry.runtime_data)])


class GatewayUpdate(GatewayEntity, UpdateEntity):
    """On when the gateway says that there is a newer one."""

    entity_description: GatewayUpdateDescription
    _attr_title = "OpenClaw"

    def __init__(self, coordinator: GatewayCoordinator) -> None:
        """Follow what the gateway says."""
        super().__init__(coordinator, UPDATE.key, tells_when_away=False)
        self.entity_description = UPDATE

    @callback
    @override
    def _follow(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        return self.coordinator.board.async_subscribe(listener)

    @property
    @override
    def installed_version(self) -> str | None:
        """The version that runs."""
        hello = self.coordinator.snapshot.hello
        return hello.server_version if hello is not None else None

    @property
    @override
    def latest_version(self) -> str | None:
        """The newest one the gateway knows of: its own, as long as it tells of none."""
        update = self.coordinator.board.status.update
        return update.latest if update is not None else self.installed_version
