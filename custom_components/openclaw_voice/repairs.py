"""Trying again after a person has done what an issue asked for."""

from typing import Final, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .coordinator import OpenClawConfigEntry
from .gateway.errors import GatewayError

NOT_SOLVED: Final = "not_solved"


async def async_create_fix_flow(
    _: HomeAssistant, __: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow of an issue: all that can be submitted are alike."""
    return TryAgainFlow(str((data or {}).get("entry_id")))


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
