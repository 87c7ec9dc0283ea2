"""What is known of a gateway for dashboards: pushed where it can be, else asked for while shown.

What is shown is always a fact: nothing that the gateway has only begun to count, and nothing of
another day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_change
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .gateway.callbacks import Listeners
from .gateway.client import GatewayClient
from .gateway.cron import NextJob
from .gateway.errors import GatewayError
from .gateway.frames import GatewayEvent
from .gateway.health import Health, SystemInfo, UpdateInfo, connected_clients
from .gateway.state import ClientSnapshot, ClientState
from .gateway.usage import Usage
from .status_reading import Reading

USAGE_SPACING: Final = 300.0
USAGE_EVERY: Final = 1800.0
SYSTEM_EVERY: Final = 300.0
JOB_SPACING: Final = 5.0

RECHECK: Final = 60.0
"""Seconds until runs are looked at again of whose end nobody may tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """What is known of a gateway now. None: nothing yet."""

    health: Health | None = None
    clients: int | None = None
    update: UpdateInfo | None = None
    next_job: NextJob | None = None
    usage: Usage | None = None
    agent_usage: Mapping[str, Usage] = field(default=MappingProxyType({}))
    """By the gateway's id of the agent, for those that are watched."""

    system: SystemInfo | None = None
    round_trip: float | None = None
    """Seconds."""


class StatusBoard:
    """The status of one gateway, and who wants to know of it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], client: GatewayClient) -> None:
        """Nothing happens before `async_start`."""
        self.status = GatewayStatus()
        self._hass = hass
        self._entry = entry
        self._client = client
        self._listeners = Listeners[[]]()
        self._runs: Mapping[str, str] = {}
        self._is_reading_runs = False
        self._is_runs_wanted = False
        """Another connection, or a gap, since they were asked for."""

        self._are_runs_told = False
        """They were asked for over this connection, whatever came of it."""

        self._are_runs_refused = False
        """The gateway did not tell them: asked again after a while, not after every event."""

        self._stop_recheck: CALLBACK_TYPE | None = None
        new = partial(Reading, hass, entry)
        self._usage = new("usage", self._read_usage, spacing=USAGE_SPACING, every=USAGE_EVERY)
        self._system = new("system", self._read_system, spacing=SYSTEM_EVERY, every=SYSTEM_EVERY)
        self._trip = new("round trip", self._read_trip, spacing=SYSTEM_EVERY, every=SYSTEM_EVERY)
        self._job = new("next job", self._read_job, spacing=JOB_SPACING)
        self._agents: dict[str, Reading] = {}
        self._is_connected = False

    # who wants to know

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` whenever something changes that is pushed; return what ends it."""
        return self._listeners.add(listener)

    @callback
    def async_watch_usage(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Do the same, and keep the usage of today up to date."""
        return self._watch(self._usage, listener)

    @callback
    def async_watch_agent_usage(self, agent_id: str, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Do the same for one agent."""
        if agent_id not in self._agents:
            read = partial(self._read_usage, agent_id)
            self._agents[agent_id] = reading = Reading(
                self._hass,
                self._entry,
                f"usage of {agent_id}",
                read,
                spacing=USAGE_SPACING,
                every=USAGE_EVERY,
            )
            if self._is_connected:
                reading.async_connected()
        return self._watch(self._agents[agent_id], listener)

    @callback
    def async_watch_system(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Do the same with what the gateway takes of its machine."""
        return self._watch(self._system, listener)

    @callback
    def async_watch_round_trip(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Do the same with the time a small request takes."""
        return self._watch(self._trip, listener)

    @callback
    def async_watch_next_job(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Do the same with the scheduled job that comes next."""
        return self._watch(self._job, listener)

    def usage(self, agent_id: str | None = None) -> Usage | None:
        """Return what today has cost, of all agents or of one; never what another day has."""
        known = self.status
        usage = known.usage if agent_id is None else known.agent_usage.get(agent_id)
        return usage if usage is not None and usage.day == _today() else None

    @property
    def active_runs(self) -> int | None:
        """How many runs go on, None right after a connect: until that is told it is not zero."""
        return sum(self._client.activity.runs.values()) if self._are_runs_told else None

    def last_activity(self, agent_id: str) -> datetime | None:
        """Return when an agent last did something (UTC)."""
        health = self.status.health
        told = (self._client.activity.last, health.last_used if health is not None else {})
        times = [last[agent_id] for last in told if agent_id in last]
        return max(times, default=None)

    @property
    def readings(self) -> dict[str, bool]:
        """Whether each value that nobody pushes is watched; of agents only whether any is."""
        return {
            "usage": self._usage.is_watched,
            "agent_usage": any(reading.is_watched for reading in self._agents.values()),
            "system": self._system.is_watched,
            "round_trip": self._trip.is_watched,
            "next_job": self._job.is_watched,
        }

    # life

    @callback
    def async_start(self) -> None:
        """Follow the gateway until the entry is unloaded."""
        stop_midnight = async_track_time_change(
            self._hass, self._on_midnight, hour=0, minute=0, second=0
        )
        for stop in (
            self._client.subscribe(self._on_snapshot),
            self._client.subscribe_events(self._on_event),
            self._client.activity.subscribe(self._on_activity),
            stop_midnight,
            self._disconnected,
        ):
            self._entry.async_on_unload(stop)
        self._on_snapshot(self._client.snapshot)

    @property
    def _readings(self) -> tuple[Reading, ...]:
        return (self._usage, self._system, self._trip, self._job, *self._agents.values())

    @property
    def _usages(self) -> tuple[Reading, ...]:
        return (self._usage, *self._agents.values())

    @callback
    def _on_snapshot(self, snapshot: ClientSnapshot) -> None:
        is_connected = snapshot.state is ClientState.READY
        if is_connected and not self._is_connected:
            self._connected(snapshot)
        elif not is_connected and self._is_connected:
            self._disconnected()

    def _connected(self, snapshot: ClientSnapshot) -> None:
        self._is_connected = True
        if (hello := snapshot.hello) is not None:
            self.status = replace(
                self.status, health=hello.health, clients=hello.clients, update=hello.update
            )
        for reading in self._readings:
            reading.async_connected()
        self._read_runs()
        self._listeners.tell()

    @callback
    def _disconnected(self) -> None:
        self._is_connected = False
        for reading in self._readings:
            reading.async_disconnected()
        self._are_runs_told = False
        self._cancel_recheck()
        self._client.activity.forget()
        self._runs = {}

    @callback
    def _on_midnight(self, _: datetime) -> None:
        """What yesterday has cost is not shown as today's."""
        for reading in self._usages:
            reading.async_read()
        self._listeners.tell()

    @callback
    def _on_event(self, event: GatewayEvent) -> None:
        match event.name:
            case "health":
                health = Health.from_payload(event.payload)
                self._show(replace(self.status, health=health or self.status.health))
            case "presence":
                clients = connected_clients(event.payload.get("presence"))
                self._show(replace(self.status, clients=clients))
            case "update.available":
                update = UpdateInfo.from_payload(event.payload.get("updateAvailable"))
                self._show(replace(self.status, update=update))
            case "cron":
                self._job.async_changed()

    def _show(self, status: GatewayStatus) -> None:
        before, self.status = self.status, status
        if status != before:
            self._listeners.tell()

    def _watch(self, reading: Reading, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        unsubscribe, rest = self.async_subscribe(listener), reading.async_watch()

        @callback
        def stop() -> None:
            unsubscribe()
            rest()

        return stop

    # what goes on

    @callback
    def _on_activity(self) -> None:
        before, self._runs = self._runs, self._client.activity.agent_of_run
        if not self._client.activity.is_certain and not self._are_runs_refused:
            self._read_runs()
        if ended := before.keys() - self._runs.keys():
            self._usage.async_changed()
            for agent_id in {before[run_id] for run_id in ended} & self._agents.keys():
                self._agents[agent_id].async_changed()
        self._listeners.tell()

    def _read_runs(self) -> None:
        self._cancel_recheck()
        if self._is_reading_runs:
            self._is_runs_wanted = True
        elif self._is_connected:
            self._is_reading_runs = True
            self._is_runs_wanted = False
            self._entry.async_create_background_task(
                self._hass, self._async_read_runs(), f"{DOMAIN} runs {self._entry.entry_id}"
            )

    async def _async_read_runs(self) -> None:
        self._are_runs_refused = False
        try:
            await self._client.activity.read()
        except GatewayError as err:
            self._are_runs_refused = True
            LOGGER.debug("The runs of %s are not told: %s", self._entry.title, err.category)
        finally:
            self._is_reading_runs = False
        activity = self._client.activity
        if self._is_runs_wanted:
            self._read_runs()
            return
        if not self._are_runs_told:
            self._are_runs_told = self._is_connected
            self._listeners.tell()
        if self._is_connected and (activity.has_unseen or not activity.is_certain):
            job = HassJob(self._on_recheck, cancel_on_shutdown=True)
            self._stop_recheck = async_call_later(self._hass, RECHECK, job)

    @callback
    def _on_recheck(self, _: datetime) -> None:
        self._stop_recheck = None
        self._read_runs()

    def _cancel_recheck(self) -> None:
        if self._stop_recheck is not None:
            self._stop_recheck()
            self._stop_recheck = None

    # what is asked for

    async def _read_usage(self, agent_id: str | None = None) -> bool:
        today = _today()
        usage = await self._client.status.usage(today, self._hass.config.time_zone, agent_id)
        if usage is None or usage.day != today or not _is_news(usage, self.usage(agent_id)):
            return False
        if agent_id is None:
            self._show(replace(self.status, usage=usage))
        else:
            agents = {**self.status.agent_usage, agent_id: usage}
            self._show(replace(self.status, agent_usage=agents))
        return usage.is_complete

    async def _read_system(self) -> bool:
        system = await self._client.status.system_info()
        self._show(replace(self.status, system=system))
        return True

    async def _read_trip(self) -> bool:
        round_trip = await self._client.status.round_trip()
        self._show(replace(self.status, round_trip=round_trip))
        return True

    async def _read_job(self) -> bool:
        next_job = await self._client.cron.next_job()
        self._show(replace(self.status, next_job=next_job))
        return True


def _today() -> date:
    return dt_util.now().date()


def _is_news(usage: Usage, known: Usage | None) -> bool:
    """Whether an answer says more than what is known: a part of the truth may say less."""
    return usage.is_complete or usage.tokens > (known.tokens if known is not None else 0)
