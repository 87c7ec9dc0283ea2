"""Which runs go on, as events and lists tell."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.activity import MAX_RUNS, Activity
from custom_components.openclaw_voice.gateway.errors import RequestError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent, JsonObject
from tests.gateway.garbage import JSON_OBJECTS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
KEY = "agent:kitchen:main"


class Client:
    """Hands out events, and answers requests when it is let."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.callback: Callable[[GatewayEvent], None] = lambda _: None
        self.asked: list[tuple[str, JsonObject | None]] = []
        self.answer: asyncio.Future[JsonObject] = asyncio.Future()

    def subscribe_events(self, callback: Callable[[GatewayEvent], None]) -> Callable[[], None]:
        """Give `callback` the events."""
        self.callback = callback
        return lambda: None

    async def request(self, method: str, params: JsonObject | None = None) -> JsonObject:
        """Note the request and wait for its answer."""
        self.asked.append((method, params))
        return await self.answer

    def emit(self, name: str, payload: JsonObject, *, is_after_gap: bool = False) -> None:
        """Send an event."""
        self.callback(GatewayEvent(name=name, payload=payload, is_after_gap=is_after_gap))

    def lifecycle(self, phase: str, run_id: str = "r-1", **fields: object) -> None:
        """Tell of a run."""
        payload = {
            "runId": run_id,
            "stream": "lifecycle",
            "data": {"phase": phase},
            "sessionKey": KEY,
            "agentId": "kitchen",
            "ts": NOON_MS,
        }
        self.emit("agent", payload | fields)

    def list(self, *rows: JsonObject) -> None:
        """Answer what was asked, and the next question anew."""
        self.answer.set_result({"sessions": [*rows]})


@pytest.fixture
async def client() -> Client:
    """Return a client whose activity is followed."""
    return Client()


@pytest.fixture
def activity(client: Client) -> Activity:
    """Return what follows it."""
    return Activity(client)  # type: ignore[arg-type]  # all it needs of one


def row(*run_ids: str, **fields: object) -> JsonObject:
    """Return a session in which runs go on."""
    told: JsonObject = {"key": KEY, "agentId": "kitchen", "hasActiveRun": True}
    return told | {"activeRunIds": [*run_ids]} | fields


async def read(activity: Activity, client: Client, *rows: JsonObject) -> None:
    """Ask, and have it answered."""
    client.answer = asyncio.Future()
    client.list(*rows)
    await activity.read()


@pytest.mark.parametrize("end", ["end", "error"])
async def test_a_run_goes_on_from_its_beginning_to_its_end(
    client: Client, activity: Activity, end: str
) -> None:
    """Whoever started it; what happens in between changes nothing."""
    changes: list[dict[str, int]] = []
    unsubscribe = activity.subscribe(lambda: changes.append(dict(activity.runs)))
    client.lifecycle("start")
    client.lifecycle("model")
    client.lifecycle("start", "r-2")
    client.lifecycle(end)
    client.lifecycle(end)
    unsubscribe()
    client.lifecycle(end, "r-2")
    assert changes == [{"kitchen": 1}, {"kitchen": 2}, {"kitchen": 1}, {"kitchen": 1}]
    assert activity.runs == {}
    assert activity.last == {"kitchen": NOON}


async def test_the_agent_is_in_the_key_where_it_is_not_named(
    client: Client, activity: Activity
) -> None:
    """A run without either is nobody's, but goes on."""
    client.lifecycle("start", agentId=None, ts=None)
    client.lifecycle("start", "r-2", agentId=None, sessionKey="main")
    assert activity.runs == {"kitchen": 1, "": 1}
    assert activity.agent_of_run == {"r-1": "kitchen", "r-2": ""}
    assert activity.last["kitchen"] >= NOON


@pytest.mark.parametrize(
    "fields", [{"runId": None}, {"stream": "assistant"}, {"data": None}], ids=str
)
async def test_other_frames_are_none_of_its_business(
    client: Client, activity: Activity, fields: JsonObject
) -> None:
    """Only the beginnings and the ends count."""
    client.lifecycle("start", **fields)
    assert activity.runs == {}


async def test_what_went_on_before_is_asked_for(client: Client, activity: Activity) -> None:
    """Sessions in which nothing goes on are there, too, in some answers."""
    assert not activity.is_certain
    await read(
        activity,
        client,
        row("r-1", "r-2"),
        row(key="agent:main:main", agentId=None, hasActiveRun=None, status="running"),
        row("r-9", hasActiveRun=False),
    )
    assert client.asked == [("sessions.list", {"activeOnly": True, "limit": MAX_RUNS})]
    assert activity.runs == {"kitchen": 2, "main": 1}
    assert activity.is_certain
    assert activity.has_unseen


async def test_events_are_newer_than_an_answer_that_is_under_way(
    client: Client, activity: Activity
) -> None:
    """The list may have been made before."""
    client.lifecycle("start", "r-0")
    reading = asyncio.ensure_future(activity.read())
    await asyncio.sleep(0)
    client.lifecycle("start", "r-1")
    client.lifecycle("start", "r-2")
    client.lifecycle("end", "r-2")
    client.list(row("r-0", "r-2"))
    await reading
    assert activity.agent_of_run.keys() == {"r-0", "r-1"}
    assert not activity.has_unseen


async def test_a_run_without_an_id_ends_with_the_one_in_its_session(
    client: Client, activity: Activity
) -> None:
    """The list does not tell the ids of those the method `agent` has started."""
    await read(activity, client, row())
    assert activity.runs == {"kitchen": 1}
    client.lifecycle("start")
    assert activity.agent_of_run == {"r-1": "kitchen"}
    await read(activity, client, row())
    assert activity.agent_of_run == {"r-1": "kitchen"}
    assert not activity.has_unseen
    client.lifecycle("end")
    assert activity.runs == {}


async def test_a_run_without_an_id_that_ends_while_it_is_asked_for_is_over(
    client: Client, activity: Activity
) -> None:
    """The list may have been made before."""
    reading = asyncio.ensure_future(activity.read())
    await asyncio.sleep(0)
    client.lifecycle("end")
    client.list(row())
    await reading
    assert activity.runs == {}


async def test_a_run_that_ended_unheard_of_is_forgotten(client: Client, activity: Activity) -> None:
    """The list corrects what was missed."""
    client.lifecycle("start")
    await read(activity, client)
    assert activity.runs == {}


async def test_runs_known_from_a_list_alone_stay_doubtful(
    client: Client, activity: Activity
) -> None:
    """Nobody may tell of their end: those of heartbeats, for instance."""
    await read(activity, client, row("r-1"))
    await read(activity, client, row("r-1"))
    assert activity.has_unseen
    await read(activity, client)
    assert not activity.has_unseen


async def test_a_gap_makes_uncertain(client: Client, activity: Activity) -> None:
    """The frame that got lost may have been an end."""
    told: list[bool] = []
    await read(activity, client)
    activity.subscribe(lambda: told.append(activity.is_certain))
    client.emit("tick", {})
    assert told == []
    client.emit("tick", {}, is_after_gap=True)
    client.emit("tick", {}, is_after_gap=True)
    assert told == [False]


async def test_without_a_connection_nothing_is_known(client: Client, activity: Activity) -> None:
    """It is asked for anew with the next one."""
    await read(activity, client, row("r-1"))
    activity.forget()
    assert activity.runs == {}
    assert not activity.is_certain
    await read(activity, client)
    assert activity.is_certain


async def test_a_list_that_does_not_come_changes_nothing(
    client: Client, activity: Activity
) -> None:
    """What was told before stays."""
    client.lifecycle("start")
    client.answer.set_exception(RequestError("UNAVAILABLE", "no"))
    with pytest.raises(RequestError):
        await activity.read()
    assert activity.runs == {"kitchen": 1}
    assert not activity.is_certain


async def test_a_list_that_comes_after_a_loss_is_not_believed(
    client: Client, activity: Activity
) -> None:
    """It was asked over the connection before."""
    reading = asyncio.ensure_future(activity.read())
    await asyncio.sleep(0)
    activity.forget()
    client.list(row("r-1"))
    await reading
    assert activity.runs == {}
    assert not activity.is_certain


async def test_there_is_a_bound(client: Client, activity: Activity) -> None:
    """A gateway that tells of no end must not fill our memory."""
    for number in range(MAX_RUNS + 5):
        client.lifecycle("start", f"r-{number}")
    assert activity.runs == {"kitchen": MAX_RUNS}


@given(JSON_OBJECTS)
def test_any_event_and_any_row_can_be_read(payload: dict[str, Any]) -> None:
    """A newer gateway must not break us."""

    async def check() -> None:
        client = Client()
        activity = Activity(client)  # type: ignore[arg-type]  # all it needs of one
        client.emit("agent", payload | {"stream": "lifecycle", "data": {"phase": "start"}})
        await read(activity, client, payload, payload | {"hasActiveRun": True})

    asyncio.run(check())
