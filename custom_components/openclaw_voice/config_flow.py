"""Setting up a gateway in the user interface: address and secret, then which agents to add."""

from collections.abc import Iterable
from typing import Any, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from probatio import Secret
import voluptuous as vol

from .agent_flow import AgentSubentryFlow, agent_data, agent_selector
from .const import CONF_AGENTS, CONF_PRIVATE_KEY, DOMAIN, SUBENTRY_AGENT
from .entry_data import async_connection_settings, entry_data
from .exceptions import describe
from .gateway.connection import Connection
from .gateway.errors import GatewayError
from .gateway.identity import DeviceIdentity
from .gateway.models import AgentInfo, AgentList
from .gateway.status import Status
from .gateway_url import InvalidAddressError, host_of, normalise_url

_USER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_URL): TextSelector(TextSelectorConfig(type=TextSelectorType.TEXT)),
        vol.Required(Secret(CONF_TOKEN)): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
        ),
    }
)


class OpenClawConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds a gateway."""

    VERSION = 1

    def __init__(self) -> None:
        """One device key for the whole flow: an approval is for the key that asked for it."""
        self._identity = DeviceIdentity.create()
        self._data: dict[str, Any] = {}
        self._agents = AgentList(default_id=None, agents=())

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Further agents are added as subentries."""
        return {SUBENTRY_AGENT: AgentSubentryFlow}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for address and secret, and connect with them."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            try:
                gateway_id = await self._connect(user_input[CONF_URL], user_input[CONF_TOKEN])
            except InvalidAddressError:
                errors[CONF_URL] = "invalid_address"
            except GatewayError as err:
                text = describe(err)
                errors["base"] = text.key
                placeholders = text.placeholders
            else:
                await self.async_set_unique_id(gateway_id)
                self._abort_if_unique_id_configured()
                return await self._choose_agents()
        typed = {CONF_URL: user_input[CONF_URL]} if user_input else {}
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(_USER_SCHEMA, typed),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_agents(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which agents of the gateway to add."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if chosen := user_input[CONF_AGENTS]:
                return self._create_entry(
                    agent for agent in self._agents.agents if agent.agent_id in chosen
                )
            errors[CONF_AGENTS] = "no_agent_chosen"
        default_id = self._agents.default_id
        known = any(agent.agent_id == default_id for agent in self._agents.agents)
        default = [default_id] if known else []
        selector = agent_selector(self._agents.agents, multiple=True)
        return self.async_show_form(
            step_id="agents",
            data_schema=vol.Schema({vol.Required(CONF_AGENTS, default=default): selector}),
            errors=errors,
        )

    async def _connect(self, address: str, secret: str) -> str:
        """Shake hands with the gateway, look at its agents and return its id."""
        url, secret = normalise_url(address), secret.strip()
        data = {CONF_URL: url, CONF_TOKEN: secret, CONF_PRIVATE_KEY: self._identity.private_key}
        async with Connection(await async_connection_settings(self.hass, data)) as connection:
            status = Status(connection)
            gateway_id = await status.gateway_id()
            self._agents = await status.agents()
            self._data = entry_data(data, connection.hello)
        return gateway_id

    async def _choose_agents(self) -> ConfigFlowResult:
        if len(self._agents.agents) > 1:
            return await self.async_step_agents()
        return self._create_entry(self._agents.agents)

    def _create_entry(self, agents: Iterable[AgentInfo]) -> ConfigFlowResult:
        return self.async_create_entry(
            title=f"OpenClaw ({host_of(self._data[CONF_URL])})",
            data=self._data,
            subentries=[
                ConfigSubentryData(
                    subentry_type=SUBENTRY_AGENT,
                    title=agent.name,
                    unique_id=agent.agent_id,
                    data=agent_data(agent),
                )
                for agent in agents
            ],
        )
