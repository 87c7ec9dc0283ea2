"""Follows the agents of a gateway: their names, and whether they are still there.

The list is read at every connect and when the gateway's configuration has changed; never polled.
"""

from datetime import datetime
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_NAME
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later

from .const import CONF_AGENT_ID, CONF_EMOJI, DOMAIN, LOGGER, SUBENTRY_AGENT
from .gateway.callbacks import Listeners
from .gateway.client import GatewayClient
from .gateway.errors import GatewayError
from .gateway.frames import GatewayEvent
from .gateway.models import AgentInfo, AgentList
from .issues import GatewayIssues

SETTLING: Final = 2.0
"""Seconds after a change of the gateway's configuration; it often changes several times in a row."""

_CONFIG_CHANGED: Final = "config.changed"


def agent_data(agent: AgentInfo) -> dict[str, Any]:
    """Return what the subentry of an agent stores, apart from its options.

    Name and emoji are those the gateway last told, whatever the user calls the agent.
    """
    return {CONF_AGENT_ID: agent.agent_id, CONF_NAME: agent.name, CONF_EMOJI: agent.emoji}


def agents_of(entry: ConfigEntry) -> list[ConfigSubentry]:
    """Return the agents that were added to an entry."""
    subentries = entry.subentries.values()
    return [subentry for subentry in subentries if subentry.subentry_type == SUBENTRY_AGENT]


class AgentDirectory:
    """What the gateway tells about the agents of an entry."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, client: GatewayClient, issues: GatewayIssues
    ) -> None:
        """Nothing happens before `async_start`."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._issues = issues
        self._vanished: frozenset[str] = frozenset()
        self._models: dict[str, str | None] = {}
        """What each agent uses where a session says nothing else, by agent."""

        self._listeners = Listeners[[]]()
        self._is_reading = False
        self._is_outdated = False
        self._stop_timer: CALLBACK_TYPE | None = None

    @callback
    def async_start(self) -> None:
        """Follow changes until the entry is unloaded. The caller tells of every new connection."""
        self._entry.async_on_unload(self._client.subscribe_events(self._on_event))
        self._entry.async_on_unload(self._async_cancel)

    def is_vanished(self, agent_id: str) -> bool:
        """Return whether the gateway no longer has an agent, as far as it was told."""
        return agent_id in self._vanished

    def model_of(self, agent_id: str) -> str | None:
        """Return the model of an agent as `provider/id`, as far as it was told."""
        return self._models.get(agent_id)

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` whenever the list was read; return what ends that."""
        return self._listeners.add(listener)

    @callback
    def async_read(self) -> None:
        """Read the list in the background, once more when it is just being read."""
        self._is_outdated = True
        if not self._is_reading:
            self._entry.async_create_background_task(
                self._hass, self._async_follow(), f"{DOMAIN} agents {self._entry.entry_id}"
            )

    async def async_read_now(self) -> None:
        """Read the list.

        Raises:
            GatewayError: The gateway does not tell it now; what was known stays.
        """
        agents = await self._client.status.agents()
        # A gateway has one agent at least: without any, it just does not tell.
        if agents.agents:
            self._take(agents)

    @callback
    def async_update(self) -> None:
        """Follow the entry: agents that were removed from it, and titles people gave."""
        registry = dr.async_get(self._hass)
        for agent in agents_of(self._entry):
            device = registry.async_get_device_by_identifier(
                (DOMAIN, agent.subentry_id), self._entry.entry_id
            )
            if device is not None and device.name != agent.title:
                registry.async_update_device(device.id, name=agent.title)
        self._show()

    @callback
    def _on_event(self, event: GatewayEvent) -> None:
        if event.name == _CONFIG_CHANGED and self._stop_timer is None:
            job = HassJob(self._on_settled, cancel_on_shutdown=True)
            self._stop_timer = async_call_later(self._hass, SETTLING, job)

    @callback
    def _on_settled(self, _: datetime) -> None:
        self._stop_timer = None
        self.async_read()

    @callback
    def _async_cancel(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    async def _async_follow(self) -> None:
        self._is_reading = True
        try:
            while self._is_outdated:
                self._is_outdated = False
                await self.async_read_now()
        except GatewayError as err:
            # The next connection tells, or the next change.
            LOGGER.debug("The agents of %s are not told: %s", self._entry.title, err.category)
        finally:
            self._is_reading = False

    @callback
    def _take(self, agents: AgentList) -> None:
        told = {agent.agent_id: agent for agent in agents.agents}
        added = agents_of(self._entry)
        self._vanished = frozenset(_id_of(agent) for agent in added) - told.keys()
        self._show()
        for subentry in added:
            if agent := told.get(_id_of(subentry)):
                self._follow(subentry, agent)
        self._models = {agent_id: agent.model for agent_id, agent in told.items()}
        self._listeners.tell()

    def _follow(self, subentry: ConfigSubentry, agent: AgentInfo) -> None:
        """Store what the gateway calls an agent; its title follows unless the user gave one."""
        known = subentry.data.get(CONF_NAME) or _id_of(subentry)
        self._hass.config_entries.async_update_subentry(
            self._entry,
            subentry,
            title=agent.name if subentry.title == known else subentry.title,
            data={**subentry.data, **agent_data(agent)},
        )

    @callback
    def _show(self) -> None:
        """Raise what is true now, take back what is not."""
        added = agents_of(self._entry)
        self._issues.async_show_vanished(
            {agent.subentry_id: agent.title for agent in added if self.is_vanished(_id_of(agent))}
        )


def _id_of(subentry: ConfigSubentry) -> str:
    agent_id: str = subentry.data[CONF_AGENT_ID]
    return agent_id
