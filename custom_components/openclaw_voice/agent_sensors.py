"""The sensors of an agent's device, in the order of the table in `docs/status.md`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.components.sensor.const import SensorDeviceClass, SensorStateClass
from homeassistant.const import MAX_LENGTH_STATE_STATE, EntityCategory, UnitOfTime
from homeassistant.core import CALLBACK_TYPE

from .assist.agent import Agent
from .coordinator import GatewayCoordinator
from .status_source import HasSource, Source


@dataclass(frozen=True, kw_only=True)
class AgentSensorDescription(SensorEntityDescription, HasSource):
    """A sensor of an agent, and where its value comes from."""

    value: Callable[[GatewayCoordinator, Agent], str | int | float | datetime | None]
    follow: Callable[[GatewayCoordinator, Agent, CALLBACK_TYPE], CALLBACK_TYPE]
    """Calls back when the value may have changed, besides changes of the connection."""

    is_of_today: bool = False
    """Whether it begins anew at midnight."""


def _turns(_: GatewayCoordinator, agent: Agent, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
    return agent.async_subscribe(listener)


def _model(gateway: GatewayCoordinator, agent: Agent) -> str | None:
    """Return what the options say, else what the gateway has for the agent."""
    model = agent.options.model or gateway.directory.model_of(agent.agent_id)
    return model and model[:MAX_LENGTH_STATE_STATE]


AGENT_SENSORS: Final = (
    AgentSensorDescription(
        key="last_activity",
        source=Source.RUNS,
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda gateway, agent: gateway.board.last_activity(agent.agent_id),
        follow=lambda gateway, _, listener: gateway.board.async_subscribe(listener),
    ),
    AgentSensorDescription(
        key="model",
        source=Source.AGENTS,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_model,
        follow=lambda gateway, _, listener: gateway.directory.async_subscribe(listener),
    ),
    AgentSensorDescription(
        key="time_to_first_text",
        source=Source.TURNS,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda _, agent: agent.last_timings.first_text,
        follow=_turns,
        tells_when_away=True,
    ),
    AgentSensorDescription(
        key="time_to_end",
        source=Source.TURNS,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda _, agent: agent.last_timings.done,
        follow=_turns,
        tells_when_away=True,
    ),
    AgentSensorDescription(
        key="tokens_today",
        source=Source.USAGE,
        native_unit_of_measurement="tokens",
        state_class=SensorStateClass.TOTAL,
        value=lambda gateway, agent: (
            usage.tokens if (usage := gateway.board.usage(agent.agent_id)) else None
        ),
        is_of_today=True,
        follow=lambda gateway, agent, listener: gateway.board.async_watch_agent_usage(
            agent.agent_id, listener
        ),
    ),
)
"""A row here is a row in `docs/status.md`."""
