"""What people had better change about a gateway that works: told under Repairs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback

from .agents import AgentDirectory
from .const import CONF_DEVICE_TOKEN, DOMAIN
from .gateway.client import GatewayClient
from .gateway.models import HelloOk
from .gateway.state import ClientState
from .hosts import async_is_this_host
from .issues import NO_MODEL, OPEN_GATEWAY, SECRET_KEPT, GatewayIssues

_NO_AUTHENTICATION: Final = "none"
_DEVICE_TOKEN: Final = "device-token"  # noqa: S105 - the name of a way in
"""The gateway's words for how it let us in."""


def is_secret_needless(data: Mapping[str, Any], hello: HelloOk) -> bool:
    """Whether the shared secret of an entry is stored although our own token opens the door.

    Where that token was refused, the secret is what is left.
    """
    return {CONF_TOKEN, CONF_DEVICE_TOKEN} <= data.keys() and hello.auth_method == _DEVICE_TOKEN


class Advisor:
    """Looks at what the gateway told, whenever that changes."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: GatewayClient,
        directory: AgentDirectory,
        issues: GatewayIssues,
    ) -> None:
        """Nothing happens before `async_start`."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._directory = directory
        self._issues = issues

    @callback
    def async_start(self) -> None:
        """Follow the gateway until the entry is unloaded. The caller tells of changes of the entry."""
        for stop in (
            self._client.subscribe(lambda _: self.async_look()),
            self._directory.async_subscribe(self.async_look),
        ):
            self._entry.async_on_unload(stop)
        self.async_look()

    @callback
    def async_look(self) -> None:
        """Look in the background, if there is a connection. What was told before stays till then."""
        snapshot = self._client.snapshot
        if snapshot.state is ClientState.READY and snapshot.hello is not None:
            self._entry.async_create_background_task(
                self._hass,
                self._async_look(snapshot.hello),
                f"{DOMAIN} advice {self._entry.entry_id}",
            )

    async def _async_look(self, hello: HelloOk) -> None:
        is_open = hello.auth_method == _NO_AUTHENTICATION and not await async_is_this_host(
            self._hass, self._entry.data[CONF_URL]
        )
        # Unless another gateway, or none, is there after the name was looked up.
        if self._client.snapshot.hello is hello and not self._client.is_stopped:
            self._issues.async_show_advice(set(self._advice(hello, is_open=is_open)))

    def _advice(self, hello: HelloOk, *, is_open: bool) -> Iterator[str]:
        if is_open:
            yield OPEN_GATEWAY
        # A model that was configured since then is in the list of agents.
        if hello.is_model_configured is False and not self._directory.has_models:
            yield NO_MODEL
        if is_secret_needless(self._entry.data, hello):
            yield SECRET_KEPT
