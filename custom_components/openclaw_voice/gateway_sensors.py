"""The sensors of the gateway's device, in the order of the table in `docs/status.md`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.components.sensor.const import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfInformation, UnitOfTime
from homeassistant.core import CALLBACK_TYPE

from .coordinator import GatewayCoordinator
from .exceptions import CONNECTION_ERRORS
from .gateway.state import ClientState
from .outbox.notifications import MAX_TITLE
from .outbox.pending import kind_of
from .status_source import HasSource, Source

NO_ERROR: Final = "none"
"""State of *last error* as long as there was none."""

CURRENCY: Final = "USD"
"""What the gateway counts cost in."""


@dataclass(frozen=True, kw_only=True)
class GatewaySensorDescription(SensorEntityDescription, HasSource):
    """A sensor of the gateway, and where its value comes from."""

    value: Callable[[GatewayCoordinator], str | int | float | datetime | None]
    attributes: Callable[[GatewayCoordinator], dict[str, Any]] | None = None
    """Those that change without a word about the past belong into `UNRECORDED`."""

    follow: Callable[[GatewayCoordinator, CALLBACK_TYPE], CALLBACK_TYPE] | None = None
    """Calls back when the value may have changed, besides changes of the connection."""

    is_of_today: bool = False
    """Whether it begins anew at midnight."""


def _status(gateway: GatewayCoordinator, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
    return gateway.board.async_subscribe(listener)


def _usage(gateway: GatewayCoordinator, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
    return gateway.board.async_watch_usage(listener)


def _realtime(gateway: GatewayCoordinator, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
    return gateway.realtime_usage.async_subscribe(listener)


def _last_notification(gateway: GatewayCoordinator) -> dict[str, Any]:
    """Return what the last notification was, without its message."""
    last = gateway.notifier.last
    return {"kind": last.kind.value, "title": last.title} if last else {"kind": None, "title": None}


def _waiting(gateway: GatewayCoordinator) -> dict[str, Any]:
    """Return what waits for an answer by its ids; nothing of what it says."""
    pending = gateway.requests.pending
    return {"ids": [each.id for each in pending], "kinds": [kind_of(each) for each in pending]}


SENSORS: Final = (
    GatewaySensorDescription(
        key="connection_state",
        source=Source.CONNECTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=[*ClientState],
        value=lambda gateway: gateway.snapshot.state,
        attributes=lambda gateway: {
            "attempts": gateway.snapshot.attempts,
            "next_try": gateway.snapshot.retry_at,
        },
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="connected_since",
        source=Source.CONNECTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda gateway: gateway.snapshot.connected_since,
    ),
    GatewaySensorDescription(
        key="last_error",
        source=Source.CONNECTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=[NO_ERROR, *CONNECTION_ERRORS],
        value=lambda gateway: gateway.last_error or NO_ERROR,
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="reconnects",
        source=Source.CONNECTION,
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value=lambda gateway: gateway.snapshot.reconnects,
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="gateway_version",
        source=Source.HELLO,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda gateway: hello.server_version if (hello := gateway.snapshot.hello) else None,
    ),
    GatewaySensorDescription(
        key="active_runs",
        source=Source.RUNS,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda gateway: gateway.board.active_runs,
        follow=_status,
    ),
    GatewaySensorDescription(
        key="sessions",
        source=Source.HEALTH,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda gateway: health.sessions if (health := gateway.board.status.health) else None,
        follow=_status,
    ),
    GatewaySensorDescription(
        key="tokens_today",
        source=Source.USAGE,
        native_unit_of_measurement="tokens",
        state_class=SensorStateClass.TOTAL,
        value=lambda gateway: usage.tokens if (usage := gateway.board.usage()) else None,
        is_of_today=True,
        follow=_usage,
    ),
    GatewaySensorDescription(
        key="cost_today",
        source=Source.USAGE,
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement=CURRENCY,
        suggested_display_precision=2,
        state_class=SensorStateClass.TOTAL,
        value=lambda gateway: usage.cost if (usage := gateway.board.usage()) else None,
        is_of_today=True,
        follow=_usage,
    ),
    GatewaySensorDescription(
        key="last_notification",
        source=Source.NOTIFICATIONS,
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda gateway: last.time if (last := gateway.notifier.last) else None,
        attributes=_last_notification,
        follow=lambda gateway, listener: gateway.notifier.async_subscribe(lambda _: listener()),
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="next_job",
        source=Source.JOBS,
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda gateway: job.at if (job := gateway.board.status.next_job) else None,
        attributes=lambda gateway: {
            "name": job.name[:MAX_TITLE] if (job := gateway.board.status.next_job) else None
        },
        follow=lambda gateway, listener: gateway.board.async_watch_next_job(listener),
    ),
    GatewaySensorDescription(
        key="waiting_answers",
        source=Source.REQUESTS,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda gateway: len(gateway.requests.pending) if gateway.requests.is_told else None,
        attributes=_waiting,
        follow=lambda gateway, listener: gateway.requests.async_subscribe(listener),
    ),
    GatewaySensorDescription(
        key="memory",
        source=Source.SYSTEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEBIBYTES,
        suggested_display_precision=0,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value=lambda gateway: system.memory if (system := gateway.board.status.system) else None,
        follow=lambda gateway, listener: gateway.board.async_watch_system(listener),
    ),
    GatewaySensorDescription(
        key="clients",
        source=Source.PRESENCE,
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value=lambda gateway: gateway.board.status.clients,
        follow=_status,
    ),
    GatewaySensorDescription(
        key="round_trip",
        source=Source.ROUND_TRIP,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value=lambda gateway: gateway.board.status.round_trip,
        follow=lambda gateway, listener: gateway.board.async_watch_round_trip(listener),
    ),
    GatewaySensorDescription(
        key="realtime_active",
        source=Source.VOICE,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda gateway: gateway.realtime_usage.active,
        follow=_realtime,
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="realtime_total",
        source=Source.VOICE,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value=lambda gateway: gateway.realtime_usage.total,
        follow=_realtime,
        tells_when_away=True,
    ),
    GatewaySensorDescription(
        key="realtime_today",
        source=Source.VOICE_MINUTES,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        state_class=SensorStateClass.TOTAL,
        value=lambda gateway: round(gateway.realtime_usage.seconds_today / 60, 2),
        is_of_today=True,
        follow=_realtime,
        tells_when_away=True,
    ),
)
"""A row here is a row in `docs/status.md`."""

REALTIME_COST: Final = GatewaySensorDescription(
    key="realtime_cost_today",
    source=Source.VOICE_MINUTES,
    device_class=SensorDeviceClass.MONETARY,
    suggested_display_precision=2,
    state_class=SensorStateClass.TOTAL,
    value=lambda gateway: gateway.realtime_usage.cost_today,
    is_of_today=True,
    follow=_realtime,
    tells_when_away=True,
)
"""Is there once people have said what a minute costs; in the currency of Home Assistant."""

UNRECORDED: Final = frozenset({"attempts", "ids", "kind", "kinds", "name", "next_try", "title"})
"""Attributes of which the database keeps nothing."""
