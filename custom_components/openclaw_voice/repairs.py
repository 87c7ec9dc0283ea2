"""Trying again after a person has done what an issue asked for; parting with agents and secrets."""

from typing import Final, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .advice import is_secret_needless
from .const import CONF_AGENT_ID
from .coordinator import OpenClawConfigEntry
from .gateway.errors import GatewayError
from .issues import SECRET_KEPT

NOT_SOLVED: Final = "not_solved"


async def async_create_fix_flow(
    _: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow of an issue: of an agent that is gone, a secret, or a gateway to be tried."""
    data = data or {}
    entry_id, subentry_id = str(data.get("entry_id")), data.get("subentry_id")
    if subentry_id is not None:
        return VanishedAgentFlow(entry_id, str(subentry_id))
    if issue_id.startswith(SECRET_KEPT):
        return ForgetSecretFlow(entry_id)
    return TryAgainFlow(entry_id)


class TryAgainFlow(ConfirmRepairFlow):
    """Says what to do, then connects."""

    def __init__(self, entry_id: str) -> None:
        """Try the entry that raised the issue."""
        self._entry_id = entry_id

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show the text of the issue, then try. The issue stays when that fails."""
        if user_input is not None and not await self._try_now():
            return self.async_abort(reason=NOT_SOLVED)
        return await super().async_step_confirm(user_input)

    async def _try_now(self) -> bool:
        """Return whether there is nothing left to repair."""
        entry: OpenClawConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return True
        if entry.state is not ConfigEntryState.LOADED:
            return await self.hass.config_entries.async_reload(self._entry_id)
        try:
            await entry.runtime_data.async_try_now()
        except GatewayError:
            return False
        return True


class ForgetSecretFlow(ConfirmRepairFlow):
    """Forgets the shared secret of a gateway that has given a token of its own."""

    def __init__(self, entry_id: str) -> None:
        """Ask about the entry that raised the issue."""
        self._entry_id = entry_id

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Say what is forgotten, then forget it. The connection there is stays."""
        if user_input is not None:
            self._forget()
        return await super().async_step_confirm(user_input)

    def _forget(self) -> None:
        """Forget it, unless it has become the only way in meanwhile."""
        entry: OpenClawConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return
        hello = entry.runtime_data.snapshot.hello
        if hello is not None and is_secret_needless(entry.data, hello):
            data = {key: value for key, value in entry.data.items() if key != CONF_TOKEN}
            self.hass.config_entries.async_update_entry(entry, data=data)


class VanishedAgentFlow(RepairsFlow):
    """Removes an agent that the gateway no longer has, or looks once more."""

    def __init__(self, entry_id: str, subentry_id: str) -> None:
        """Ask about the agent of a subentry."""
        self._entry_id = entry_id
        self._subentry_id = subentry_id

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask what to do."""
        issue = ir.async_get(self.hass).async_get_issue(self.handler, self.issue_id)
        return self.async_show_menu(
            step_id="init",
            menu_options=["remove", "keep"],
            description_placeholders=issue.translation_placeholders if issue else None,
        )

    async def async_step_remove(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Remove the agent from Home Assistant, with its device and entities."""
        entry = self._entry()
        if entry is not None and self._subentry_id in entry.subentries:
            self.hass.config_entries.async_remove_subentry(entry, self._subentry_id)
        return self.async_create_entry(data={})

    async def async_step_keep(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask the gateway once more. The issue stays when the agent is still gone."""
        if await self._async_is_back():
            return self.async_create_entry(data={})
        return self.async_abort(reason=NOT_SOLVED)

    async def _async_is_back(self) -> bool:
        """Return whether there is nothing left to repair."""
        entry = self._entry()
        if entry is None or (subentry := entry.subentries.get(self._subentry_id)) is None:
            return True
        if entry.state is not ConfigEntryState.LOADED:
            return False
        directory = entry.runtime_data.directory
        try:
            await directory.async_read_now()
        except GatewayError:
            return False
        return not directory.is_vanished(subentry.data[CONF_AGENT_ID])

    def _entry(self) -> OpenClawConfigEntry | None:
        return self.hass.config_entries.async_get_entry(self._entry_id)
