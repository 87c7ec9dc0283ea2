"""The cron capability: the gateway's scheduled jobs, what they said and which one comes next.

Source: gateway protocol 4, `cron` events, `cron.runs` and `cron.list`; measured on gateway 2026.9.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Self

from .errors import RequestError
from .frames import (
    MILLISECONDS,
    JsonObject,
    as_list,
    as_object,
    as_text,
    moment,
    seconds,
)
from .redact import redact
from .sessions import agent_of
from .silence import is_silent
from .status import Requester

CRON_EVENT: Final = "cron"
"""The event of the gateway that tells what happens to a job."""

PAGE: Final = 200
"""Rows asked for at once. Source: the schema of `cron.runs` and `cron.list`."""

MAX_RUNS: Final = 1_000
"""Runs looked through after a long absence; older ones are not told any more."""

MAX_TASKS: Final = 500
"""Background tasks asked for at once. Source: the schema of `tasks.list`."""

SYSTEM_EVENT: Final = "systemEvent"
"""The kind of a job that puts a text before an agent, which answers with a heartbeat."""

HEARTBEAT: Final = "heartbeat"
"""The kind of the gateway's own job that lets an agent look around."""

type Jobs = Mapping[str, JsonObject]
"""The jobs that exist, by id."""

NO_JOBS: Final[Jobs] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRun:
    """One run of a scheduled job that has ended."""

    job_id: str
    name: str
    """What people call the job; empty when it is gone and its name with it."""

    at: datetime
    """When it began (UTC); with `job_id` what tells this run from all others."""

    ended: datetime | None = None
    """UTC."""

    is_ok: bool = False
    """It did its work. A result that the gateway could only not send anywhere counts, too."""

    text: str = field(default="", repr=False)
    """What the agent said, cut by the gateway at 2 000 characters; empty when it said nothing."""

    error: str | None = field(default=None, repr=False)
    """Redacted."""

    agent_id: str | None = None
    session_key: str | None = None
    """Where it was said: a session of its own, or one that the job names, as ours."""

    is_system: bool = False
    """No result for people: the gateway's own work, or told by the heartbeat it causes."""

    @property
    def id(self) -> str:
        """The same live and from the list, and different for every run of every job."""
        return f"{self.job_id}:{round(self.at.timestamp() * MILLISECONDS)}"

    @property
    def duration(self) -> float | None:
        """Seconds it took."""
        return None if self.ended is None else (self.ended - self.at).total_seconds()

    @classmethod
    def from_event(cls, payload: JsonObject) -> Self | None:
        """Read a `cron` event, None when it tells no end of a run."""
        return cls._from_payload(payload, as_object(payload.get("job")))

    @classmethod
    def from_row(cls, row: JsonObject, jobs: Jobs = NO_JOBS) -> Self | None:
        """Read a row of `cron.runs`, None when it is none.

        A row does not tell what kind of job it was; `jobs` does, while the job exists.
        """
        return cls._from_payload(row, jobs.get(as_text(row.get("jobId")) or "", {}))

    @classmethod
    def _from_payload(cls, payload: JsonObject, job: JsonObject) -> Self | None:
        job_id, at = as_text(payload.get("jobId")), moment(payload.get("runAtMs"))
        if payload.get("action") != "finished" or job_id is None or at is None:
            return None
        key = as_text(payload.get("sessionKey"))
        is_event = as_object(job.get("payload")).get("kind") == SYSTEM_EVENT or (
            # The job is gone. Its summary would be the text that was put before the agent.
            not job and key is None and payload.get("model") is None
        )
        text = as_text(payload.get("summary")) or ""
        error = _error_of(payload)
        return cls(
            job_id=job_id,
            name=_name_of(job) or as_text(payload.get("jobName")) or "",
            at=at,
            ended=_end_of(payload, at),
            is_ok=_is_ok(payload, error),
            text="" if is_event or is_silent(text) else text,
            error=error,
            agent_id=as_text(job.get("agentId")) or (key and agent_of(key)) or None,
            session_key=key,
            is_system=_is_of_gateway(job) or (is_event and error is None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NextJob:
    """The scheduled job that comes next."""

    name: str
    at: datetime
    """UTC."""


class Cron:
    """Reads the scheduled jobs. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def runs(self, since: datetime) -> tuple[CronRun, ...]:
        """Return the runs that ended after `since`, the oldest first; at most `MAX_RUNS`."""
        rows = await self._rows(since)
        jobs = await self._jobs() if rows else NO_JOBS
        found = (CronRun.from_row(row, jobs) for row in rows)
        runs = [run for run in found if run is not None and (run.ended or run.at) > since]
        if any(not (run.name or run.is_system) for run in runs):
            # A job that was to run once is gone.
            names = await self._names()
            runs = [replace(run, name=run.name or names.get(run.job_id, "")) for run in runs]
        return tuple(sorted(runs, key=lambda run: run.ended or run.at))

    async def next_job(self) -> NextJob | None:
        """Return the next of the jobs people have made, None when none is planned."""
        now = datetime.now(UTC)
        planned = [
            NextJob(name=_name_of(job) or job_id, at=at)
            for job_id, job in (await self._jobs()).items()
            if job.get("enabled") is not False and not _is_of_gateway(job)
            if (at := _next_of(job)) is not None and at > now
        ]
        return min(planned, key=lambda job: job.at, default=None)

    async def _names(self) -> dict[str, str]:
        """Return the names of jobs by id, as the gateway's list of background tasks has them."""
        try:
            answer = await self._requester.request("tasks.list", {"limit": MAX_TASKS})
        except RequestError:
            return {}  # What was said matters more.
        tasks = map(as_object, as_list(answer.get("tasks")))
        return {
            job_id: name
            for task in tasks
            if (job_id := as_text(task.get("sourceId"))) is not None
            and (name := as_text(task.get("title"))) is not None
        }

    async def _rows(self, since: datetime) -> list[JsonObject]:
        """Return the newest rows, until one is older than `since`."""
        rows: list[JsonObject] = []
        while len(rows) < MAX_RUNS:
            params = {"limit": PAGE, "offset": len(rows)}
            answer = await self._requester.request("cron.runs", params)
            page = [as_object(row) for row in as_list(answer.get("entries"))]
            rows += page
            oldest = moment(page[-1].get("ts")) if page else None
            if answer.get("hasMore") is not True or oldest is None or oldest <= since:
                break
        return rows

    async def _jobs(self) -> Jobs:
        answer = await self._requester.request(
            "cron.list", {"includeDisabled": True, "limit": PAGE, "sortBy": "nextRunAtMs"}
        )
        jobs = map(as_object, as_list(answer.get("jobs")))
        return {job_id: job for job in jobs if (job_id := as_text(job.get("id"))) is not None}


def _is_of_gateway(job: JsonObject) -> bool:
    """Tell whether the gateway made a job for itself."""
    kind = as_object(job.get("payload")).get("kind")
    return as_text(job.get("declarationKey")) is not None or kind == HEARTBEAT


def _name_of(job: JsonObject) -> str | None:
    return as_text(job.get("displayName")) or as_text(job.get("name"))


def _next_of(job: JsonObject) -> datetime | None:
    state = as_object(job.get("state"))
    return moment(job.get("nextRunAtMs")) or moment(state.get("nextRunAtMs"))


def _end_of(payload: JsonObject, at: datetime) -> datetime | None:
    duration = seconds(payload.get("durationMs"))
    try:
        # The same for the event, which has no time of its own, and for the row.
        return moment(payload.get("ts")) if duration is None else at + timedelta(seconds=duration)
    except OverflowError:
        return None


def _is_ok(payload: JsonObject, error: str | None) -> bool:
    match payload.get("status"):
        case "ok":
            return True
        case "error":
            return error is None and as_text(payload.get("summary")) is not None
        case _:
            return False


def _error_of(payload: JsonObject) -> str | None:
    """Return why a run failed, None when only its result could not be sent anywhere."""
    error = as_text(payload.get("error"))
    if error is None or error == as_text(payload.get("deliveryError")):
        return None
    return redact(error)
