"""What scheduled jobs said, live and afterwards, and which one comes next."""

from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.cron import MAX_RUNS, Cron, CronRun, NextJob
from tests.fakes import refusals
from tests.fakes.gateway import Expect, ScriptedGateway

from .garbage import JSON_OBJECTS

type JsonObject = dict[str, Any]

START = datetime(2026, 11, 20, 10, 2, 7, 34_000, UTC)
START_MS = 1795168927034
JOB_ID = "1b033d2c-379e-4c08-95d9-7cf9a8db2943"
RUN_KEY = f"agent:kitchen:cron:{JOB_ID}:run:6e70f29f"
NO_CHANNEL = "Channel is required (no configured channels detected)."

JOB: JsonObject = {
    "id": JOB_ID,
    "agentId": "kitchen",
    "name": "Trash",
    "enabled": True,
    "sessionTarget": "isolated",
    "payload": {"kind": "agentTurn", "message": "Remind us."},
}
RUN: JsonObject = {
    "jobId": JOB_ID,
    "action": "finished",
    "status": "ok",
    "completionStatus": "succeeded",
    "summary": "The trash goes out today.",
    "sessionKey": RUN_KEY,
    "runAtMs": START_MS,
    "durationMs": 4026,
    "model": "demo-1",
}
EVENT = RUN | {"job": JOB}
ROW = RUN | {"ts": START_MS + 4027, "jobName": "Trash"}
SYSTEM_EVENT = {"kind": "systemEvent", "text": "Water the plants."}
FINISHED = CronRun(
    job_id=JOB_ID,
    name="Trash",
    at=START,
    ended=START + timedelta(seconds=4.026),
    is_ok=True,
    text="The trash goes out today.",
    agent_id="kitchen",
    session_key=RUN_KEY,
)


class Answering:
    """Answers requests by their method; a list holds one answer for each."""

    def __init__(self, **answers: list[JsonObject]) -> None:
        """Take the answers; `cron_runs` is for `cron.runs`."""
        self.answers = answers
        self.asked: list[tuple[str, JsonObject]] = []

    async def request(
        self, method: str, params: JsonObject | None = None, *, timeout: float = 1.0
    ) -> JsonObject:
        """Note the request and answer it."""
        self.asked.append((method, params or {}))
        return self.answers[method.replace(".", "_")].pop(0)


def rows(*found: JsonObject, has_more: bool = False) -> JsonObject:
    """Return an answer of `cron.runs`."""
    return {"entries": list(found), "hasMore": has_more}


def run_of(job_id: str, minute: int, **fields: object) -> JsonObject:
    """Return a row that began so many minutes after the start."""
    begin = START_MS + minute * 60_000
    return ROW | {"jobId": job_id, "runAtMs": begin, "ts": begin + 4026} | fields


def test_an_ended_job_is_the_same_live_and_afterwards() -> None:
    """So that it can be told once, whichever comes first."""
    live = CronRun.from_event(EVENT)
    afterwards = CronRun.from_row(ROW, {JOB_ID: JOB})

    assert live == afterwards == FINISHED
    assert live.id == f"{JOB_ID}:{START_MS}"
    assert live.duration == pytest.approx(4.026)


@pytest.mark.parametrize("action", ["added", "started", "scheduled", "removed", None])
def test_only_the_end_of_a_run_counts(action: str | None) -> None:
    """The other events of a job tell nothing that was said."""
    assert CronRun.from_event(EVENT | {"action": action}) is None


@pytest.mark.parametrize("field", ["jobId", "runAtMs"])
def test_a_run_without_its_identity_is_none(field: str) -> None:
    """It could not be told apart from others."""
    assert CronRun.from_event(EVENT | {field: None}) is None


def test_a_result_that_only_could_not_be_sent_is_fine() -> None:
    """A gateway without channels calls that an error; we are the channel."""
    undelivered = {"status": "error", "error": NO_CHANNEL, "deliveryError": NO_CHANNEL}

    run = CronRun.from_event(EVENT | undelivered)

    assert run is not None
    assert (run.is_ok, run.error, run.text) == (True, None, "The trash goes out today.")


def test_a_failed_job_tells_why_without_secrets() -> None:
    """Its error comes from outside."""
    failed = {
        "status": "error",
        "error": "Refused: token=sk-abcdefghijklmnopqrstuvwx",
        "summary": "",
    }

    run = CronRun.from_event(EVENT | failed)

    assert run is not None
    assert (run.is_ok, run.text) == (False, "")
    assert run.error is not None
    assert "Refused" in run.error
    assert "abcdefghijkl" not in run.error
    assert "Refused" not in repr(run)


def test_a_skipped_job_is_not_fine() -> None:
    """It did nothing."""
    run = CronRun.from_event(EVENT | {"status": "skipped", "summary": None})

    assert run is not None
    assert not run.is_ok


@pytest.mark.parametrize("text", ["NO_REPLY", "HEARTBEAT_OK", " **HEARTBEAT_OK** \n"])
def test_silence_is_no_text(text: str) -> None:
    """These words are for the gateway."""
    run = CronRun.from_event(EVENT | {"summary": text})

    assert run is not None
    assert run.text == ""


@pytest.mark.parametrize(
    "job",
    [
        JOB | {"declarationKey": "skill-collection-review:main"},
        JOB | {"payload": {"kind": "heartbeat"}},
        JOB | {"payload": SYSTEM_EVENT},
    ],
    ids=["declared", "heartbeat", "system event"],
)
def test_the_gateways_own_work_is_known(job: JsonObject) -> None:
    """Live, and afterwards while the job exists."""
    live = CronRun.from_event(RUN | {"job": job})
    afterwards = CronRun.from_row(ROW, {JOB_ID: job})

    assert live is not None
    assert afterwards is not None
    assert live.is_system
    assert afterwards.is_system


def test_what_is_put_before_an_agent_is_not_what_it_said() -> None:
    """The summary of such a job is its own text; the answer comes as a heartbeat."""
    run = CronRun.from_event(
        {key: value for key, value in RUN.items() if key not in ("sessionKey", "model")}
        | {"job": JOB | {"payload": SYSTEM_EVENT}}
    )

    assert run is not None
    assert (run.is_system, run.text, run.agent_id) == (True, "", "kitchen")


def test_such_a_job_is_known_without_its_definition() -> None:
    """Its row has neither a session nor a model."""
    row = {key: value for key, value in ROW.items() if key not in ("sessionKey", "model")}

    run = CronRun.from_row(row)

    assert run is not None
    assert (run.is_system, run.text, run.agent_id) == (True, "", None)


def test_a_job_that_failed_before_it_began_is_no_such_job() -> None:
    """It has no session either, but a reason."""
    row = {key: value for key, value in ROW.items() if key not in ("sessionKey", "model")}

    run = CronRun.from_row(row | {"status": "error", "error": "agent is unavailable"})

    assert run is not None
    assert not run.is_system
    assert run.error == "agent is unavailable"


@pytest.mark.parametrize(
    ("fields", "ended"),
    [
        ({"durationMs": None}, START + timedelta(seconds=4.027)),
        ({"durationMs": None, "ts": None}, None),
        ({"durationMs": 9e14}, None),
    ],
    ids=["end only", "neither", "absurd"],
)
def test_the_end_of_a_run_may_be_told_otherwise(fields: JsonObject, ended: datetime | None) -> None:
    """By its time stamp, or not at all."""
    run = CronRun.from_row(ROW | fields)

    assert run is not None
    assert run.ended == ended
    assert (run.duration is None) is (ended is None)


def test_the_agent_of_a_removed_job_is_that_of_its_session() -> None:
    """A row does not name it."""
    run = CronRun.from_row(ROW)

    assert run is not None
    assert run.agent_id == "kitchen"


async def test_runs_come_oldest_first_and_without_old_ones() -> None:
    """The list has the newest first; a run counts by its end."""
    page = [run_of("c", 3), run_of("b", 2), run_of("a", 1, durationMs=60_000)]
    requester = Answering(cron_runs=[rows(*page)], cron_list=[{"jobs": [JOB | {"id": "b"}]}])

    runs = await Cron(requester).runs(START + timedelta(seconds=61))

    assert [run.job_id for run in runs] == ["a", "b", "c"]
    assert requester.asked == [
        ("cron.runs", {"limit": 200, "offset": 0}),
        ("cron.list", {"includeDisabled": True, "limit": 200, "sortBy": "nextRunAtMs"}),
    ]


async def test_no_jobs_are_asked_for_without_runs() -> None:
    """Most connects bring none."""
    requester = Answering(cron_runs=[rows()])

    assert await Cron(requester).runs(START) == ()


async def test_older_pages_are_read_until_all_is_known() -> None:
    """As far back as the moment that is asked for."""
    requester = Answering(
        cron_runs=[
            rows(run_of("c", 3), run_of("b", 2), has_more=True),
            rows(run_of("a", 1), run_of("old", -1), has_more=True),
        ],
        cron_list=[{}],
    )

    runs = await Cron(requester).runs(START)

    assert [run.job_id for run in runs] == ["a", "b", "c"]
    assert [params.get("offset") for method, params in requester.asked[:2]] == [0, 2]


async def test_no_more_runs_are_read_than_anybody_wants() -> None:
    """After months there may be thousands."""
    page = [run_of("a", minute) for minute in range(200)]
    requester = Answering(cron_runs=[rows(*page, has_more=True) for _ in range(9)], cron_list=[{}])

    runs = await Cron(requester).runs(START - timedelta(days=90))

    assert len(runs) == MAX_RUNS


async def test_a_page_without_times_ends_the_reading() -> None:
    """It could go on for ever."""
    requester = Answering(cron_runs=[rows({}, has_more=True)], cron_list=[{}])

    assert await Cron(requester).runs(START) == ()


@pytest.mark.parametrize(
    ("tasks", "name"),
    [
        ([{"title": "Ask", "runId": "1"}, {"sourceId": JOB_ID, "title": "Trash"}], "Trash"),
        ([{"sourceId": JOB_ID, "title": ""}, {"sourceId": "another", "title": "Other"}, 1], ""),
    ],
    ids=["known", "unknown"],
)
async def test_the_name_of_a_removed_job_is_among_the_tasks(
    tasks: list[JsonObject], name: str
) -> None:
    """A job that runs once is gone when its run is asked for, and its row has no name."""
    requester = Answering(
        cron_runs=[rows(ROW | {"jobName": None}, run_of(JOB_ID, 1))],
        cron_list=[{"jobs": []}],
        tasks_list=[{"tasks": tasks}],
    )

    runs = await Cron(requester).runs(START)

    assert [run.name for run in runs] == [name, "Trash"]
    assert requester.asked[-1] == ("tasks.list", {"limit": 500})


async def test_what_was_said_matters_more_than_a_name(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A gateway that does not tell its tasks loses nothing else."""
    gateway.script(
        Expect("cron.runs", reply=rows(ROW | {"jobName": None})),
        Expect("cron.list", reply={"jobs": []}),
        Expect("tasks.list", reply=refusals.missing_scope("operator.read")),
    )

    (run,) = await client.cron.runs(START)

    assert (run.name, run.text) == ("", "The trash goes out today.")


async def test_no_name_is_looked_for_where_none_is_wanted() -> None:
    """The gateway's own work is not shown to anybody."""
    row = {
        key: value for key, value in ROW.items() if key not in ("sessionKey", "model", "jobName")
    }
    requester = Answering(cron_runs=[rows(row)], cron_list=[{}])

    (run,) = await Cron(requester).runs(START)

    assert run.name == ""


async def test_the_next_job_of_people_is_told(freezer: FrozenDateTimeFactory) -> None:
    """Neither the gateway's own jobs, nor what is switched off, past or not planned."""
    freezer.move_to(START)
    soon, later = START_MS + 60_000, START_MS + 120_000
    jobs = [
        JOB | {"id": "later", "name": "Later", "nextRunAtMs": later},
        JOB | {"id": "off", "enabled": False, "nextRunAtMs": soon},
        JOB | {"id": "own", "declarationKey": "heartbeat:main", "nextRunAtMs": soon},
        JOB | {"id": "past", "nextRunAtMs": START_MS - 1},
        JOB | {"id": "never"},
        {"name": "no id", "nextRunAtMs": soon},
        JOB | {"id": "next", "displayName": "Next!", "state": {"nextRunAtMs": soon}},
        {"id": "nameless", "nextRunAtMs": later + 1},
    ]

    found = await Cron(Answering(cron_list=[{"jobs": jobs}])).next_job()

    assert found == NextJob(name="Next!", at=START + timedelta(minutes=1))
    only_nameless = Cron(Answering(cron_list=[{"jobs": jobs[-1:]}]))
    assert await only_nameless.next_job() == NextJob(
        name="nameless", at=START + timedelta(seconds=120.001)
    )
    assert await Cron(Answering(cron_list=[{}])).next_job() is None


async def test_jobs_are_asked_for_as_the_gateway_wants_it(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Every request is checked against the published schema."""
    gateway.script(Expect("cron.runs", reply=rows(ROW)), Expect("cron.list", reply={"jobs": [JOB]}))

    assert await client.cron.runs(START) == (FINISHED,)


@given(JSON_OBJECTS)
def test_no_frame_breaks_the_readers(payload: JsonObject) -> None:
    """Any object may come."""
    CronRun.from_event(payload)
    CronRun.from_event(payload | {"action": "finished", "jobId": "x", "runAtMs": START_MS})
    CronRun.from_row(payload | {"action": "finished", "jobId": "x", "runAtMs": START_MS})
