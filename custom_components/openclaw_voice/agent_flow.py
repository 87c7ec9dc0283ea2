"""Adding a further agent of a gateway: the subentry flow, and what a subentry stores."""

from collections.abc import Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import voluptuous as vol

from .const import CONF_AGENT_ID
from .coordinator import OpenClawConfigEntry
from .gateway.errors import GatewayError
from .gateway.models import AgentInfo


def agent_data(agent: AgentInfo) -> dict[str, Any]:
    """Return what the subentry of an agent stores."""
    return {CONF_AGENT_ID: agent.agent_id}


def agent_selector(agents: Iterable[AgentInfo], *, multiple: bool) -> SelectSelector:
    """Return a selector of agents: by the name people know them by, and the id to be sure."""
    options = [SelectOptionDict(value=agent.agent_id, label=_label(agent)) for agent in agents]
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=multiple, mode=SelectSelectorMode.LIST)
    )


class AgentSubentryFlow(ConfigSubentryFlow):
    """Adds one of the gateway's agents that is not there yet."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Offer the agents of the gateway that have not been added."""
        entry: OpenClawConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        try:
            agents = await entry.runtime_data.client.status.agents()
        except GatewayError:
            return self.async_abort(reason="no_agent_list")
        added = {subentry.unique_id for subentry in entry.subentries.values()}
        if user_input is not None and user_input[CONF_AGENT_ID] in added:
            return self.async_abort(reason="already_configured")
        offered = {agent.agent_id: agent for agent in agents.agents if agent.agent_id not in added}
        if user_input is not None and (agent := offered.get(user_input[CONF_AGENT_ID])):
            return self.async_create_entry(
                title=agent.name, data=agent_data(agent), unique_id=agent.agent_id
            )
        if not offered:
            return self.async_abort(reason="no_further_agents")
        selector = agent_selector(offered.values(), multiple=False)
        return self.async_show_form(
            step_id="user", data_schema=vol.Schema({vol.Required(CONF_AGENT_ID): selector})
        )


def _label(agent: AgentInfo) -> str:
    if agent.name == agent.agent_id:
        return agent.name
    return f"{agent.name} ({agent.agent_id})"
