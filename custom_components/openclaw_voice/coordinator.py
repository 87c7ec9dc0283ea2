"""Owns the gateway client of an entry and tells entities when the connection changes.

The client reconnects by itself. The entry is never reloaded because a socket closed.
"""

from collections.abc import Callable, Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentry,
)
from homeassistant.const import CONF_URL
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from .advice import Advisor
from .agents import AgentDirectory, agents_of
from .assist.agent import Agent
from .const import DOMAIN, LOGGER
from .entry_data import CREDENTIALS, async_connection_settings, entry_data
from .exceptions import setup_error
from .gateway.callbacks import Listeners
from .gateway.client import GatewayClient
from .gateway.errors import CredentialsRejectedError, GatewayError, RateLimitedError
from .gateway.models import HelloOk
from .gateway.state import ClientSnapshot, ClientState
from .gateway_url import web_url
from .household import Household
from .issues import GatewayIssues
from .realtime_usage import RealtimeUsage
from .status_board import StatusBoard
from .voice_satellites import VoiceSatellites
from .voice_sessions import async_voice_sessions

CONNECT_TIMEOUT: Final = 10.0
"""Seconds a connection somebody waits for may take: after that a setup is tried again later."""

_LOST: Final = "lost"
_REPEATING: Final = "repeating"
_TROUBLES: Final = {
    _LOST: "Connection to %s lost: %s",
    _REPEATING: "Connection to %s keeps failing: %s",
    ClientState.REFUSED: "%s does not let Home Assistant in, somebody must act: %s",
    ClientState.PAIRING: "%s waits for its owner to approve Home Assistant: %s",
    ClientState.RATE_LIMITED: "%s lets nobody in from here for some minutes: %s",
}
"""What is logged about the states without a connection; the entry's title and the error follow."""

_HARMLESS: Final = frozenset({_LOST, ClientState.PAIRING})

type OpenClawConfigEntry = ConfigEntry[GatewayCoordinator]


class GatewayCoordinator:
    """The connection of one entry, as entities see it."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OpenClawConfigEntry,
        client: GatewayClient,
        instance_id: str,
    ) -> None:
        """Nothing happens before `async_start`."""
        self.client = client
        self.instance_id = instance_id
        """Id of this Home Assistant, a part of every session key."""

        self.device_id: str
        """The gateway's own device, registered by `async_start`."""

        self.last_error: str | None = None
        """Category of what last stood in the way of a connection, also when it is over."""

        self.issues = GatewayIssues(hass, entry)
        self.directory = AgentDirectory(hass, entry, client, self.issues)
        """Which agents the gateway has, and what it calls them."""

        self.advisor = Advisor(hass, entry, client, self.directory, self.issues)
        self.board = StatusBoard(hass, entry, client)
        """What dashboards show of the gateway."""

        self.satellites = VoiceSatellites(hass, entry)
        """Those that talk with its agents through Home Assistant."""

        self.household = Household(
            hass, entry, client, instance_id, on_agent_missing=self.directory.async_read
        )
        self.agents: Mapping[str, Agent] = self.household.agents
        """By the id of their subentry."""

        self.memory = self.household.memory
        self.outbox = self.household.outbox
        self.notifier = self.household.notifier
        """Tells what the gateway or an agent says on its own."""

        self.requests = self.household.requests
        """What waits for an answer of people."""

        self.realtime_usage = RealtimeUsage(hass, entry)
        """Its realtime sessions, in numbers."""

        self._hass = hass
        self._entry = entry
        self._data: Mapping[str, Any] = entry.data
        """What the client was last told to connect with."""

        self._listeners = Listeners[[]]()
        self._agent_listeners = Listeners[[]]()
        self._trouble: str | None = None
        """The trouble that was logged last, until the connection is back."""

        self._is_repeating = False
        """The last loss was one of many."""

    @property
    def entry_id(self) -> str:
        """Id of the entry, a part of the unique ids of the gateway's entities."""
        return self._entry.entry_id

    @property
    def snapshot(self) -> ClientSnapshot:
        """The state of the connection now."""
        return self.client.snapshot

    @property
    def is_connected(self) -> bool:
        """Whether turns can be run now."""
        return self.snapshot.state is ClientState.READY

    async def async_start(self) -> None:
        """Connect for the first time, and stay connected.

        Raises:
            ConfigEntryNotReady: The gateway is away, or waits for an approval.
            ConfigEntryAuthFailed, ConfigEntryError: A person must act.
        """
        await self.household.async_load()
        await self.realtime_usage.async_load()
        self._entry.async_create_background_task(
            self._hass, self.client.run(), f"{DOMAIN} gateway {self._entry.entry_id}"
        )
        try:
            await self.client.wait_ready(CONNECT_TIMEOUT)
        except RateLimitedError:
            # The client waits its time. Home Assistant would try again sooner, and prolong it.
            pass
        except GatewayError as err:
            self._tell_issues_of_failed_setup()
            # Home Assistant cancels the task above when a setup fails.
            raise setup_error(err) from err
        self._register_device()
        self.satellites.async_start()
        hub = async_voice_sessions(self._hass).hub
        self._entry.async_on_unload(self.realtime_usage.async_follow(hub))
        self.directory.async_start()
        self.board.async_start()
        self.advisor.async_start()
        self._on_snapshot(self.client.snapshot)
        self._entry.async_on_unload(self.client.subscribe(self._on_snapshot))
        # Before Home Assistant cancels tasks: turns end with their text, runs are aborted.
        stop = HassJob(self.async_stop, f"{DOMAIN} stop {self._entry.entry_id}")
        self._entry.async_on_unload(self._hass.async_add_shutdown_job(stop))
        await self.household.async_start()

    async def async_stop(self) -> None:
        """End the turns that are going on, and disconnect. Idempotent.

        A turn people listen to is handed over; the runs of the others are aborted.
        """
        # What its satellites still wait for is promised before the outbox stops.
        await async_voice_sessions(self._hass).async_unload(self.entry_id)
        await self.household.async_stop()
        await self.realtime_usage.async_stop()
        await self.client.stop()
        self.issues.async_stop()

    async def async_try_now(self) -> None:
        """Try to connect now, and wait for the outcome. A connection there is stays.

        Raises:
            GatewayError: What still stands in the way. A rate limit is waited out all the same.
        """
        if not self.is_connected:
            self.client.retry_now()
            await self.client.wait_ready(CONNECT_TIMEOUT)

    async def async_use_entry(self) -> None:
        """Connect with what the entry stores now, if that has changed."""
        before, self._data = self._data, self._entry.data
        self.advisor.async_look()
        if _without_credentials(before) != _without_credentials(self._data):
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)
        elif before != self._data:
            self.client.use_settings(await async_connection_settings(self._hass, self._data))

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` whenever the connection changes; return what ends that."""
        return self._listeners.add(listener)

    @callback
    def async_for_each_agent(self, add: Callable[[ConfigSubentry], None]) -> CALLBACK_TYPE:
        """Call `add` for every agent of the entry, now and when one is added to it later.

        Returns what ends that.
        """
        seen: set[str] = set()

        @callback
        def add_new() -> None:
            for agent in agents_of(self._entry):
                if agent.subentry_id not in seen:
                    seen.add(agent.subentry_id)
                    add(agent)

        add_new()
        return self._agent_listeners.add(add_new)

    @callback
    def async_update_agents(self) -> None:
        """Bring in agents that were added to the entry, new titles and options.

        Home Assistant itself takes away the device and the entities of a removed one.
        """
        self.directory.async_update()
        self.household.async_update()
        async_voice_sessions(self._hass).async_update(self)
        self._agent_listeners.tell()
        # What entities show may be an option of an agent.
        self._listeners.tell()

    @callback
    def _on_snapshot(self, snapshot: ClientSnapshot) -> None:
        """Log what a user cares about, once, and pass the change on."""
        self._log(snapshot)
        self.issues.async_update(snapshot)
        if snapshot.error is not None:
            self.last_error = snapshot.error.category
        if snapshot.state is ClientState.READY:
            self._register_device()
            self._store_device_token(snapshot.hello)
            self._end_reauth()
            self.directory.async_read()
        elif snapshot.state is ClientState.REFUSED and isinstance(
            snapshot.error, CredentialsRejectedError
        ):
            self._entry.async_start_reauth(self._hass)
        self._listeners.tell()

    def _store_device_token(self, hello: HelloOk | None) -> None:
        """Keep a device token that is new, and forget the shared secret for it."""
        if hello is not None and hello.device_token is not None:
            # The listener of the entry has the client use it from the next connection on.
            data = entry_data(self._entry.data, hello)
            self._hass.config_entries.async_update_entry(self._entry, data=data)

    def _end_reauth(self) -> None:
        """Ask no longer for credentials when the known ones are accepted again."""
        for flow in list(self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])

    def _tell_issues_of_failed_setup(self) -> None:
        """Raise what is to be told of the setup that fails now, until the entry is unloaded."""
        self.issues.async_update(self.snapshot)
        self.issues.async_stop()

        @callback
        def follow() -> None:
            if self._entry.state is ConfigEntryState.NOT_LOADED:
                self.issues.async_clear()
            if self._entry.state in (
                ConfigEntryState.NOT_LOADED,
                ConfigEntryState.SETUP_IN_PROGRESS,
            ):
                unsubscribe()

        unsubscribe = self._entry.async_on_state_change(follow)

    def _log(self, snapshot: ClientSnapshot) -> None:
        """Log one line for each kind of trouble, and one when it is over."""
        if snapshot.state is ClientState.READY:
            if self._trouble is not None:
                LOGGER.info("Connected to %s again", self._entry.title)
            self._trouble = None
            return
        trouble = self._trouble_of(snapshot)
        if trouble is not None and trouble != self._trouble:
            self._trouble = trouble
            category = snapshot.error.category if snapshot.error else "closed"
            level = logging.INFO if trouble in _HARMLESS else logging.WARNING
            LOGGER.log(level, _TROUBLES[trouble], self._entry.title, category)

    def _trouble_of(self, snapshot: ClientSnapshot) -> str | None:
        """Return the kind of trouble, as far as it is news."""
        if snapshot.state is not ClientState.RETRY_WAIT:
            return snapshot.state if snapshot.state in _TROUBLES else None
        # A connection that comes and goes is a warning once, not once for every loss.
        is_news = snapshot.is_repeating and not self._is_repeating
        self._is_repeating = snapshot.is_repeating
        return _REPEATING if is_news else self._trouble or _LOST

    @callback
    def _register_device(self) -> None:
        """Register the gateway's device, or bring its version up to date."""
        hello = self.client.snapshot.hello
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={(DOMAIN, self._entry.entry_id)},
            name=self._entry.title,
            manufacturer="OpenClaw",
            model="Gateway",
            sw_version=hello.server_version if hello else None,
            configuration_url=web_url(self._entry.data[CONF_URL]),
            entry_type=dr.DeviceEntryType.SERVICE,
        )
        self.device_id = device.id


def _without_credentials(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in CREDENTIALS}
