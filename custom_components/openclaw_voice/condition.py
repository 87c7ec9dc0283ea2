"""The condition for automations: gateways are connected."""

from typing import Any, Final, Unpack, cast, override

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import DOMAIN
from .named_gateway import CONF_GATEWAY, NAMES, named_gateway

_SCHEMA: Final = vol.Schema(
    {vol.Optional(CONF_OPTIONS, default=dict): {vol.Optional(CONF_GATEWAY, default=list): NAMES}}
)


class IsConnectedCondition(Condition):
    """Every chosen gateway, or without a choice every gateway there is, can be asked now."""

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check that the gateways are there.

        Raises:
            vol.Invalid: One of them is not.
        """
        config = cast("ConfigType", _SCHEMA(config))
        for name in config[CONF_OPTIONS][CONF_GATEWAY]:
            named_gateway(hass, name)
        return config

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Read the choice, which was validated."""
        super().__init__(hass, config)
        self._gateways: list[str] = (config.options or {})[CONF_GATEWAY]

    @override
    def _async_check(self, **_: Unpack[ConditionCheckParams]) -> bool:
        """Look at the connections as they are now. No gateway at all is not connected."""
        entries = self._hass.config_entries.async_entries(DOMAIN, include_disabled=False)
        by_id = {entry.entry_id: entry for entry in entries}
        try:
            chosen = {named_gateway(self._hass, name) for name in self._gateways} or by_id.keys()
        except vol.Invalid:
            # One of them was removed since the automation was set up.
            return False
        return bool(chosen) and all(_is_connected(by_id.get(entry_id)) for entry_id in chosen)


def _is_connected(entry: ConfigEntry[Any] | None) -> bool:
    """Tell whether a gateway can be asked now."""
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        return False
    return bool(entry.runtime_data.is_connected)


CONDITIONS: Final[dict[str, type[Condition]]] = {"is_connected": IsConnectedCondition}


async def async_get_conditions(_: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions there are, by their names."""
    return CONDITIONS
