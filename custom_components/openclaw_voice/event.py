"""What the gateway or an agent says on its own, as event entities show it."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.components.event import EventEntity
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .entity import AgentEntity, GatewayEntity, async_add_to_agents
from .outbox.notification import Notification, NotificationKind, event_data
from .realtime_usage import ENDED, FAILED

PARALLEL_UPDATES = 0

NOTIFICATION: Final = "notification"
"""Names the texts and the icon, and is a part of the unique ids."""

REALTIME_SESSION: Final = "realtime_session"
"""The same for the ends of realtime sessions."""

_ATTRIBUTES: Final = ("title", "message", "id", "time", "agent", "session", "data")
"""What an entity shows of the data of the bus event; the kind is the type of the event."""

_SESSION_ATTRIBUTES: Final = (
    "reason",
    "agent",
    "satellite",
    "backend",
    "seconds",
    "turns",
    "tokens",
    "first_audio",
    "mean_first_audio",
    "dropped",
)
"""The same of the end of a session."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities of the gateway, and one for every agent, now and when one is added later."""
    coordinator = entry.runtime_data
    async_add_entities([GatewayNotification(coordinator), RealtimeSessionEvent(coordinator)])
    async_add_to_agents(entry, async_add_entities, AgentNotification)


class _NotificationEntity(EventEntity):
    """Each notification is a change of its state, in the order they are told in."""

    _attr_translation_key = NOTIFICATION
    # What was said is not for the history.
    _unrecorded_attributes = frozenset({"title", "message", "data"})
    coordinator: GatewayCoordinator

    @property
    @override
    def event_types(self) -> list[str]:
        """The kinds of notifications."""
        return [kind.value for kind in NotificationKind]

    @property
    @override
    def available(self) -> bool:
        """Always: what has happened stays, and what is told as the gateway stops must not be lost."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Follow what is told."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.notifier.async_subscribe(self._on_notification))

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; nothing is kept under the old one."""

    def _concerns(self, _: Notification) -> bool:
        """Tell whether the entity shows a notification."""
        return True

    @callback
    def _on_notification(self, notification: Notification) -> None:
        if self._concerns(notification):
            told = event_data(notification, entry_id=self.coordinator.entry_id)
            self._trigger_event(told["kind"], {name: told[name] for name in _ATTRIBUTES})
            self.async_write_ha_state()


class GatewayNotification(_NotificationEntity, GatewayEntity):
    """Everything that happens on a gateway."""

    _attr_entity_category = None

    def __init__(self, coordinator: GatewayCoordinator) -> None:
        """The entity belongs to the gateway's own device."""
        super().__init__(coordinator, NOTIFICATION, tells_when_away=True)


class RealtimeSessionEvent(GatewayEntity, EventEntity):
    """A realtime session has ended: how long it was and why, not what was said."""

    _attr_entity_category = None
    _attr_event_types = [ENDED, FAILED]  # noqa: RUF012  the type Home Assistant declares

    def __init__(self, coordinator: GatewayCoordinator) -> None:
        """The entity belongs to the gateway's own device."""
        super().__init__(coordinator, REALTIME_SESSION, tells_when_away=True)

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the sessions."""
        await super().async_added_to_hass()
        usage = self.coordinator.realtime_usage
        self.async_on_remove(usage.async_subscribe_ends(self._on_end))

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Take a new entity id in place; nothing is kept under the old one."""

    @callback
    def _on_end(self, told: Mapping[str, Any]) -> None:
        self._trigger_event(told["type"], {name: told[name] for name in _SESSION_ATTRIBUTES})
        self.async_write_ha_state()


class AgentNotification(_NotificationEntity, AgentEntity):
    """What belongs to one agent."""

    def __init__(self, coordinator: GatewayCoordinator, subentry: ConfigSubentry) -> None:
        """The entity belongs to the agent's device."""
        super().__init__(coordinator, subentry)
        self._attr_unique_id = f"{subentry.subentry_id}_{NOTIFICATION}"

    @override
    def _concerns(self, notification: Notification) -> bool:
        return notification.agent_id == self.agent.agent_id
