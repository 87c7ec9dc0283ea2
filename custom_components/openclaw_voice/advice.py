"""What people had better change about a gateway that works: told under Repairs."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback

from .agents import AgentDirectory, agents_of
from .assist.options import AgentOptions, RealtimeBackend
from .const import CONF_AGENT_ID, CONF_DEVICE_TOKEN, DOMAIN
from .gateway.client import GatewayClient
from .gateway.errors import GatewayError
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
        if self._issues.is_realtime_missing and await self._async_is_realtime_settled():
            self._issues.async_show_realtime(False)
        lacks_model = hello.is_model_configured is False and not await self._async_has_models()
        is_open = hello.auth_method == _NO_AUTHENTICATION and not await async_is_this_host(
            self._hass, self._entry.data[CONF_URL]
        )
        # Unless another gateway, or none, is there after all that was asked.
        if self._client.snapshot.hello is hello and not self._client.is_stopped:
            advice = {
                NO_MODEL: lacks_model,
                OPEN_GATEWAY: is_open,
                SECRET_KEPT: is_secret_needless(self._entry.data, hello),
            }
            self._issues.async_show_advice([kind for kind, is_so in advice.items() if is_so])

    async def _async_is_realtime_settled(self) -> bool:
        """Tell whether realtime voice was set up, or no agent is to have it any more."""
        options = [AgentOptions.from_data(agent.data) for agent in agents_of(self._entry)]
        if not any(
            each.reachable_by_realtime and each.realtime_backend is not RealtimeBackend.ASSIST
            for each in options
        ):
            return True
        try:
            return (await self._client.talk.catalog()).is_ready
        except GatewayError:
            return False

    async def _async_has_models(self) -> bool:
        """Ask whether a model was configured since the hello.

        The list of agents does not say: it names a model for each, whether there is a way to it or not.
        """
        agents = agents_of(self._entry)
        try:
            models = await self._client.status.models(
                agents[0].data[CONF_AGENT_ID] if agents else None
            )
        except GatewayError:
            return False
        return bool(models)
