"""Messages to an agent: it is told something, and nobody waits for what it makes of it."""

import asyncio
import math
from typing import Final, override

from homeassistant.components.notify import NotifyEntity
from homeassistant.components.notify.const import NotifyEntityFeature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.ask import ask
from .assist.question import Question
from .assist.run_limit import take_run
from .coordinator import OpenClawConfigEntry
from .entity import AgentEntity, async_add_to_agents
from .exceptions import action_error, input_error

PARALLEL_UPDATES = 0

REFUSAL_LIMIT: Final = 2.0
"""Seconds in which a gateway that does not take a message says so."""


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an entity for every agent of the entry, now and when one is added later."""
    async_add_to_agents(entry, async_add_entities, OpenClawNotifyEntity)


class OpenClawNotifyEntity(AgentEntity, NotifyEntity):
    """Takes messages to an OpenClaw agent."""

    _attr_name = None
    _attr_supported_features = NotifyEntityFeature.TITLE

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Tell the agent something.

        Raises:
            HomeAssistantError: It did not get there, or there were too many.
        """
        # What an agent makes of one may be what sends the next.
        if (wait := take_run(self.agent, asyncio.get_running_loop().time())) > 0:
            raise input_error("too_many_runs", seconds=str(math.ceil(wait)))
        question = Question(
            text=f"{title}\n\n{message}" if title else message,
            language=self.hass.config.language,
        )
        # Without waiting at all, a refusal would reach nobody.
        answer = await ask(self.agent, question, timeout=REFUSAL_LIMIT, is_announced=False)
        if answer.error is not None:
            raise action_error(answer.error)
