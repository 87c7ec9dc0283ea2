"""The activity capability: which runs go on on the gateway, whoever started them.

Pushed: the gateway tells everybody when a run begins and ends. What was before the connection, or
in a frame that got lost, or is not told everybody, as a heartbeat, is asked for with `read`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from .callbacks import Listeners
from .frames import GatewayEvent, JsonObject, as_list, as_object, as_text, moment
from .sessions import agent_of

if TYPE_CHECKING:
    from .client import GatewayClient

MAX_RUNS: Final = 1_000
"""Runs that are known at the same time, and sessions that are asked for."""

_BEGINS: Final = "start"
_ENDS: Final = frozenset({"end", "error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run that goes on."""

    agent_id: str
    session_key: str


class Activity:
    """The runs that go on, and when each agent last did something."""

    def __init__(self, client: GatewayClient) -> None:
        """Follow the events of `client` from now on."""
        self._client = client
        self._runs: dict[str, _Run] = {}
        """The runs that go on, by id; one of which the list tells no id by the key of its session."""

        self._unseen: frozenset[str] = frozenset()
        """Runs of which only an answer has told: maybe nobody tells us of their end."""

        self._last: dict[str, datetime] = {}
        self._told: dict[str, bool] | None = None
        """While an answer is waited for: runs that events told of, and whether they go on."""

        self._is_certain = False
        self._listeners = Listeners[[]]()
        client.subscribe_events(self._on_event)

    @property
    def runs(self) -> Mapping[str, int]:
        """How many runs go on, by agent; those without any are missing."""
        counts: dict[str, int] = {}
        for run in self._runs.values():
            counts[run.agent_id] = counts.get(run.agent_id, 0) + 1
        return counts

    @property
    def agent_of_run(self) -> Mapping[str, str]:
        """The agent of each run that goes on, by the id of the run; a copy."""
        return {run_id: run.agent_id for run_id, run in self._runs.items()}

    @property
    def last(self) -> Mapping[str, datetime]:
        """When a run of an agent last began or ended (UTC), by agent."""
        return self._last

    @property
    def is_certain(self) -> bool:
        """Whether what is shown is all: nothing was missed since the last `read`."""
        return self._is_certain

    @property
    def has_unseen(self) -> bool:
        """Whether a run goes on of whose end nobody may tell: `read` again after a while."""
        return not self._unseen.isdisjoint(self._runs)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever something changes here; return what ends it."""
        return self._listeners.add(callback)

    def forget(self) -> None:
        """The connection is lost: what goes on is not known any more."""
        self._runs.clear()
        self._is_certain = False
        self._told = None

    async def read(self) -> None:
        """Ask which runs go on; what events tell meanwhile is newer.

        Raises:
            GatewayError: As `request`; then nothing has changed.
        """
        told: dict[str, bool] = {}
        self._told = told
        # From now on: a gap while the answer is under way makes uncertain again.
        self._is_certain, was_certain = True, self._is_certain
        try:
            payload = await self._client.request(
                "sessions.list", {"activeOnly": True, "limit": MAX_RUNS}
            )
        except BaseException:
            self._is_certain = self._is_certain and was_certain
            raise
        finally:
            is_current, self._told = self._told is told, None
        if not is_current:
            return  # Asked over a connection that is gone.
        found: dict[str, _Run] = {}
        for row in map(as_object, as_list(payload.get("sessions"))):
            found |= self._runs_of(row)
        before = self._runs
        self._unseen = frozenset(found.keys() - before.keys() - told.keys()) | (
            self._unseen & found.keys()
        )
        self._runs = {key: run for key, run in found.items() if told.get(key, True)} | {
            key: before[key] for key, goes_on in told.items() if goes_on and key in before
        }
        self._listeners.tell()

    def _on_event(self, event: GatewayEvent) -> None:
        if event.is_after_gap and self._is_certain:
            self._is_certain = False
            self._listeners.tell()
        if event.name == "agent" and event.payload.get("stream") == "lifecycle":
            self._take(event.payload)

    def _take(self, payload: JsonObject) -> None:
        run_id = as_text(payload.get("runId"))
        phase = as_text(as_object(payload.get("data")).get("phase"))
        if run_id is None or phase not in {_BEGINS, *_ENDS}:
            return
        session_key = as_text(payload.get("sessionKey")) or ""
        agent_id = as_text(payload.get("agentId")) or agent_of(session_key) or ""
        goes_on = phase == _BEGINS
        if self._told is not None:
            self._told |= {session_key: False, run_id: goes_on}
        # Now the id is known of the run that was known by its session.
        self._runs.pop(session_key, None)
        if goes_on and len(self._runs) < MAX_RUNS:
            self._runs[run_id] = _Run(agent_id=agent_id, session_key=session_key)
        elif not goes_on:
            self._runs.pop(run_id, None)
        self._last[agent_id] = moment(payload.get("ts")) or datetime.now(UTC)
        self._listeners.tell()

    def _runs_of(self, row: JsonObject) -> dict[str, _Run]:
        """Return the runs that go on in a session; one is enough where their ids are not told.

        Those of the method `agent` are not.
        """
        is_active = row.get("hasActiveRun")
        if not (is_active if isinstance(is_active, bool) else row.get("status") == "running"):
            return {}
        key = as_text(row.get("key")) or ""
        told = [run_id for run_id in as_list(row.get("activeRunIds")) if as_text(run_id)]
        known = [run_id for run_id, run in self._runs.items() if run.session_key == key]
        run = _Run(agent_id=as_text(row.get("agentId")) or agent_of(key) or "", session_key=key)
        return dict.fromkeys(told or known or [key], run)
