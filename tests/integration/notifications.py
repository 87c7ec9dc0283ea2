"""Notifications for the tests of what shows them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.const import EVENT_NOTIFICATION
from custom_components.openclaw_voice.outbox.notification import (
    Notification,
    NotificationKind,
    event_data,
)
from custom_components.openclaw_voice.outbox.notifier import Notifier

SESSION: Final = "agent:main:homeassistant:0a1b2c3d:satellite:assist_satellite.kitchen"


def notification(
    kind: NotificationKind = NotificationKind.MESSAGE,
    *,
    number: int = 1,
    title: str = "Garden",
    message: str = "The **tomatoes** are ripe.",
    agent_id: str | None = "main",
    data: Mapping[str, Any] | None = None,
) -> Notification:
    """Return a notification; `number` makes it another one."""
    return Notification(
        id=f"{kind.value}:{number}",
        kind=kind,
        title=title,
        message=message,
        agent_id=agent_id,
        session_key=SESSION,
        time=datetime(2026, 11, 1, 7, 30, number % 60, tzinfo=UTC),
        data=data or {},
    )


@callback
def tell(hass: HomeAssistant, entry: MockConfigEntry, told: Notification) -> None:
    """Tell Home Assistant of a notification, as the notifier of the entry does."""
    hass.bus.async_fire(EVENT_NOTIFICATION, event_data(told, entry_id=entry.entry_id))
    tell_listeners(entry.runtime_data.notifier, told)


@callback
def tell_listeners(notifier: Notifier, told: Notification) -> None:
    """Tell those that follow a notifier."""
    notifier._listeners.tell(told)
