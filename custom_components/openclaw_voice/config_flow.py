"""Setting up a gateway in the user interface: the doors of the flow, and where they lead to.

The steps in between, from an address to being let in, are in `connect_flow`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_ZEROCONF,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import callback
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from probatio import Secret
import voluptuous as vol

from .agent_flow import AgentSubentryFlow
from .agent_form import agent_selector
from .agents import agent_data
from .connect_flow import NO_DEVICE_TOKEN, SECRET_FIELD, ConnectFlow
from .const import CONF_AGENTS, CONF_BOOTSTRAP_TOKEN, DOMAIN, SUBENTRY_AGENT
from .discovery import DiscoveredGateway, is_away, may_have_moved
from .entry_data import CREDENTIALS, entry_data
from .exceptions import ErrorText
from .first_contact import Welcome
from .flow_input import InvalidInputError, TypedSecret, read_address, read_secret
from .gateway.models import AgentInfo, AgentList
from .gateway_url import address_of, host_of, without_query
from .notification_flow import NotificationOptionsFlow
from .pending_keys import async_pending_keys

_ADDRESS_FIELD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.TEXT))
_ADDRESS: Final = {vol.Required(CONF_URL): _ADDRESS_FIELD}
_SECRET: Final = {vol.Optional(Secret(CONF_TOKEN)): SECRET_FIELD}
_ADDRESS_SCHEMA: Final = vol.Schema(_ADDRESS)
_SECRET_SCHEMA: Final = vol.Schema(_SECRET)
_BOTH_SCHEMA: Final = vol.Schema(_ADDRESS | _SECRET)


class OpenClawConfigFlow(ConnectFlow, domain=DOMAIN):
    """Adds a gateway, or mends how one is reached."""

    VERSION = 1

    def __init__(self) -> None:
        """Begin without a gateway."""
        super().__init__()
        self._address = ""
        """What to suggest as address: never a setup code, which is a secret."""

        self._agents: AgentList
        self._data: dict[str, Any]
        self._discovered: DiscoveredGateway
        self._moved: ConfigEntry | None = None
        self._away: ConfigEntry | None = None
        """The entry that was named as one whose gateway may have moved."""

        """The entry whose gateway is thought to answer at a new address."""

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Further agents are added as subentries."""
        return {SUBENTRY_AGENT: AgentSubentryFlow}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Who is told what the gateway says on its own."""
        return NotificationOptionsFlow()

    # the doors

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for address and secret, or for a setup code, and connect with them."""
        if user_input is None:
            return self._show_form()
        self._draft, self._moved = {}, None
        return await self._async_take(user_input)

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another address than the one in the setup code, which others may not reach."""
        if user_input is None:
            return self._show_form()
        return await self._async_take(user_input, self._draft.get(CONF_BOOTSTRAP_TOKEN))

    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Look at a gateway in the local network: is it new, and can it be reached?"""
        found = DiscoveredGateway.from_record(discovery_info)
        if found is None:
            return self.async_abort(reason="not_reachable")
        await self.async_set_unique_id(found.record)
        self._abort_if_unique_id_configured()
        self._discovered = found
        self._address = found.url
        self.context["title_placeholders"] = {"name": found.name, "address": address_of(found.url)}
        return await self.async_step_discovery_confirm()

    async def async_step_discovery_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to set a new gateway up; it may have been set up meanwhile."""
        if await self._async_is_known():
            return self.async_abort(reason="already_configured")
        if user_input is not None:
            return await self.async_step_user()
        placeholders = {"name": self._discovered.name, "address": address_of(self._discovered.url)}
        self._away = entry = self._find_away()
        if entry is not None:
            return self.async_show_menu(
                step_id="discovery_confirm",
                menu_options=["user", "moved"],
                description_placeholders=placeholders | {"away": entry.title},
            )
        return self.async_show_form(
            step_id="discovery_confirm",
            data_schema=vol.Schema({}),
            description_placeholders=placeholders | {"away": ""},
        )

    async def async_step_moved(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Connect as a gateway that is set up: somebody says that it has a new address."""
        # The one that was named, and no other: its credential is sent to the new address.
        entry = self._away
        if entry is None or not self._is_still_away(entry):
            return await self.async_step_discovery_confirm()
        self._moved = entry
        return await self._async_begin(self._discovered.url, TypedSecret(), known=entry.data)

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin again with the credential of an entry that is not accepted any more."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a secret that the gateway accepts. The device key stays."""
        if user_input is None:
            return self._show_form()
        data = self._get_reauth_entry().data
        known = {key: value for key, value in data.items() if key not in CREDENTIALS}
        typed = read_secret(user_input.get(CONF_TOKEN, ""))
        return await self._async_begin(data[CONF_URL], typed, known=known)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the gateway is now. The device key stays."""
        if user_input is None:
            self._address = self._get_reconfigure_entry().data[CONF_URL]
            return self._show_form()
        self._draft = {}
        return await self._async_take(user_input)

    async def _async_take(
        self, user_input: dict[str, Any], setup_code: str | None = None
    ) -> ConfigFlowResult:
        """Connect with what was typed; `setup_code` is the token of one that was pasted before."""
        text = user_input[CONF_URL]
        try:
            address = read_address(text)
        except InvalidInputError as err:
            is_harmless = err.key == "invalid_address" and "@" not in text
            self._address = without_query(text) if is_harmless else ""
            return self._show_form(errors={CONF_URL: err.key})
        secret = read_secret(user_input.get(CONF_TOKEN, ""))
        if secret == TypedSecret():
            secret = TypedSecret(bootstrap_token=address.bootstrap_token or setup_code)
        self._address = address.url if address.bootstrap_token else without_query(text)
        entry = self._own_entry()
        known = None if entry is None else entry.data
        return await self._async_begin(address.url, secret, known=known)

    def _own_entry(self) -> ConfigEntry | None:
        """Return the entry this flow mends, None for a flow that adds one."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None

    @override
    async def _async_ask_again(self, text: ErrorText) -> ConfigFlowResult:
        if text.key == NO_DEVICE_TOKEN:
            del self._draft[CONF_BOOTSTRAP_TOKEN]
        return self._show_form(errors={"base": text.key}, placeholders=text.placeholders)

    def _show_form(
        self, *, errors: dict[str, str] | None = None, placeholders: dict[str, str] | None = None
    ) -> ConfigFlowResult:
        """Show the form of this door, with the address that was typed and without the secret."""
        typed = {CONF_URL: self._address} if self._address else {}
        if self.source == SOURCE_REAUTH:
            host = host_of(self._get_reauth_entry().data[CONF_URL])
            return self.async_show_form(
                step_id="reauth_confirm",
                data_schema=_SECRET_SCHEMA,
                errors=errors,
                description_placeholders={"host": host} | (placeholders or {}),
            )
        if CONF_BOOTSTRAP_TOKEN in self._draft:
            return self.async_show_form(
                step_id="address",
                data_schema=self.add_suggested_values_to_schema(_ADDRESS_SCHEMA, typed),
                errors=errors,
                description_placeholders=placeholders or {},
            )
        if self.source == SOURCE_RECONFIGURE:
            return self.async_show_form(
                step_id="reconfigure",
                data_schema=self.add_suggested_values_to_schema(_BOTH_SCHEMA, typed),
                errors=errors,
                description_placeholders=placeholders or {},
            )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(_BOTH_SCHEMA, typed),
            errors=errors,
            description_placeholders=placeholders or {},
        )

    # what is known already

    async def _async_is_known(self) -> bool:
        """Return whether a discovered gateway is one of an entry, and follow one that has moved."""
        found = self._discovered
        entries = self._async_current_entries(include_ignore=False)
        for entry in entries:
            if await found.async_is_at_address_of(self.hass, entry):
                return True
        for entry in filter(found.has_pin_of, entries):
            if is_away(entry) and await found.async_has_moved_from(entry):
                self._store(entry, {**entry.data, CONF_URL: found.url})
            return True
        return False

    def _find_away(self) -> ConfigEntry | None:
        """Return an entry whose gateway the discovered one may be."""
        entries = self._async_current_entries(include_ignore=False)
        return next(filter(may_have_moved, entries), None)

    def _is_still_away(self, entry: ConfigEntry) -> bool:
        entries = self._async_current_entries(include_ignore=False)
        return entry in entries and may_have_moved(entry)

    # where it ends

    @override
    async def _async_let_in(self, welcome: Welcome) -> ConfigFlowResult:
        mended = self._own_entry()
        self._data = entry_data(self._draft, welcome.hello)
        entry = await self.async_set_unique_id(welcome.gateway_id, raise_on_progress=mended is None)
        if mended is not None:
            self._abort_if_unique_id_mismatch(reason="another_gateway")
            self._store(mended, self._data)
            return self.async_update_and_abort(mended)
        if self._moved is not None and self._moved is not entry:
            return self.async_abort(reason="another_gateway")
        if self.source == SOURCE_ZEROCONF and entry is not None and may_have_moved(entry):
            self._store(entry, self._data)
            await self._async_forget_key()
            return self.async_abort(reason="address_updated")
        if entry is not None:
            await self._async_forget_key()
        self._abort_if_unique_id_configured()
        self._agents = welcome.agents
        if len(welcome.agents.agents) > 1:
            return await self.async_step_agents()
        return await self._async_create_entry(welcome.agents.agents)

    async def async_step_agents(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which agents of the gateway to add."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if chosen := user_input[CONF_AGENTS]:
                return await self._async_create_entry(
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

    async def _async_create_entry(self, agents: Iterable[AgentInfo]) -> ConfigFlowResult:
        url = self._data[CONF_URL]
        await self._async_forget_key()
        self._end_discoveries(address_of(url))
        return self.async_create_entry(
            title=title_of(url),
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

    async def _async_forget_key(self) -> None:
        """The key that was kept for an approval is in an entry now, or of no use any more."""
        await async_pending_keys(self.hass).async_forget(self._data[CONF_URL])

    def _end_discoveries(self, address: str) -> None:
        """Take back what was found at the address: it is no news any more."""
        for flow in self._async_in_progress():
            context = flow["context"]
            if context.get("title_placeholders", {}).get("address") == address:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])

    def _store(self, entry: ConfigEntry, data: dict[str, Any]) -> None:
        """Have an entry connect with new data.

        A running entry is told of the change by its own listener. Where none listens, or nothing
        has changed, it is set up again, so that it tries at once.
        """
        is_told = bool(entry.update_listeners) and data != entry.data
        title = entry.title
        if title == title_of(entry.data[CONF_URL]):
            title = title_of(data[CONF_URL])
        self.hass.config_entries.async_update_entry(entry, data=data, title=title)
        if not is_told:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)


def title_of(url: str) -> str:
    """Return what an entry is called as long as nobody gives it another name."""
    return f"OpenClaw ({host_of(url)})"
