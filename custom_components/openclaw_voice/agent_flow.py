"""Adding an agent of a gateway and changing its options: the subentry flow."""

import asyncio
from collections.abc import Awaitable
from textwrap import fill
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import Platform
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .agent_form import OPEN_SECTION, Choices, agent_selector, options_schema, read_options
from .agents import agent_data
from .assist.context import preview
from .assist.options import MAX_INSTRUCTIONS, AgentOptions
from .assist.surroundings import async_place, async_render_instructions
from .const import CONF_AGENT_ID
from .coordinator import OpenClawConfigEntry
from .gateway.errors import GatewayError
from .gateway.models import AgentInfo, AgentList
from .gateway.talk import TalkCatalog

CHOICES_LIMIT: Final = 5.0
"""Seconds the gateway has to say what it offers; the form comes without it afterwards."""

TOLD_WIDTH: Final = 58
"""Characters on a line of what an agent is told, as the dialog of the frontend shows it."""


class AgentSubentryFlow(ConfigSubentryFlow):
    """Adds one of the gateway's agents that is not there yet, or changes how one is used."""

    def __init__(self) -> None:
        """Begin with the options an agent has when nobody changes them."""
        self._agent: AgentInfo
        """The one to add, once it is chosen."""

        self._options = AgentOptions()
        self._choices = Choices()

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Offer the agents of the gateway that have not been added."""
        entry: OpenClawConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        try:
            agents = await entry.runtime_data.client.status.agents()
        except GatewayError:
            return self.async_abort(reason="no_agent_list")
        added = self._added()
        if user_input is not None and user_input[CONF_AGENT_ID] in added:
            return self.async_abort(reason="already_configured")
        offered = {agent.agent_id: agent for agent in agents.agents if agent.agent_id not in added}
        if user_input is not None and (agent := offered.get(user_input[CONF_AGENT_ID])):
            self._agent = agent
            return await self._async_begin_options(agent.agent_id)
        if not offered:
            return self.async_abort(reason="no_further_agents")
        selector = agent_selector(offered.values(), multiple=False)
        return self.async_show_form(
            step_id="user", data_schema=vol.Schema({vol.Required(CONF_AGENT_ID): selector})
        )

    async def async_step_reconfigure(self, _: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show the options as they are stored, also while the gateway is away."""
        data = self._get_reconfigure_subentry().data
        self._options = AgentOptions.from_data(data)
        return await self._async_begin_options(data[CONF_AGENT_ID])

    async def async_step_options(self, user_input: dict[str, dict[str, Any]]) -> SubentryFlowResult:
        """Store the options."""
        if len(user_input[OPEN_SECTION].get("instructions", "")) > MAX_INSTRUCTIONS:
            return self._show_options(typed=user_input, error="instructions_too_long")
        options = read_options(user_input, self._options, self._choices).as_data()
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(
                self._get_entry(), self._get_reconfigure_subentry(), data_updates=options
            )
        if self._agent.agent_id in self._added():
            return self.async_abort(reason="already_configured")
        return self.async_create_entry(
            title=self._agent.name,
            data=agent_data(self._agent) | options,
            unique_id=self._agent.agent_id,
        )

    def _added(self) -> set[str | None]:
        """Return the ids of the agents that are there already."""
        return {subentry.unique_id for subentry in self._get_entry().subentries.values()}

    async def _async_begin_options(self, agent_id: str) -> SubentryFlowResult:
        self._choices = await self._async_choices(agent_id)
        return self._show_options()

    def _show_options(
        self, *, typed: dict[str, dict[str, Any]] | None = None, error: str | None = None
    ) -> SubentryFlowResult:
        """Show the options there are, or what was typed and why it is not taken."""
        schema = options_schema(self._options, self._choices)
        return self.async_show_form(
            step_id="options",
            data_schema=self.add_suggested_values_to_schema(schema, typed),
            errors={"base": error} if error else None,
            description_placeholders={"told": self._told()},
            last_step=True,
        )

    async def _async_choices(self, agent_id: str) -> Choices:
        """Ask the gateway what it offers an agent, as far as it answers."""
        entry: OpenClawConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return Choices()
        client = entry.runtime_data.client
        nobody = AgentList(default_id=None, agents=())
        agents, models, talk = await asyncio.gather(
            _or_else(nobody, client.status.agents()),
            _or_else((), client.status.models(agent_id)),
            _or_else(TalkCatalog(), client.talk.catalog()),
        )
        levels = {agent.agent_id: agent.thinking_levels for agent in agents.agents}
        return Choices(
            thinking_levels=levels.get(agent_id, ()),
            models=models,
            speech_models=talk.models,
            voices=talk.voices_of(self._options.realtime_model),
        )

    def _told(self) -> str:
        """Return what the agent is told of a turn, with these options, at one of the satellites."""
        entities = er.async_get(self.hass).entities.values()
        satellites = [
            entity.entity_id
            for entity in entities
            if entity.domain == Platform.ASSIST_SATELLITE and entity.disabled_by is None
        ]
        origin = async_place(self.hass, satellite_id=min(satellites, default=None))
        language = self.hass.config.language
        rendered = async_render_instructions(self.hass, self._options, origin, language=language)
        told = preview(
            self._options, origin, language=language, now=dt_util.now(), rendered=rendered
        )
        # It stands in a block of code, which does not wrap, and which a name must not end.
        lines = (fill(line, TOLD_WIDTH) for line in told.replace("`", "'").splitlines())
        return "\n".join(lines)


async def _or_else[T](nothing: T, answer: Awaitable[T]) -> T:
    """Return what the gateway answers, or `nothing` when it does not."""
    try:
        async with asyncio.timeout(CHOICES_LIMIT):
            return await answer
    except GatewayError, TimeoutError:
        return nothing
