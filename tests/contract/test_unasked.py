"""What the gateway says by itself, and how it can be read afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.cron import CRON_EVENT, CronRun
from custom_components.openclaw_voice.gateway.errors import RequestError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.heartbeat import HEARTBEAT_EVENT, Heartbeat
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.run_items import ChatFinal
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.gateway.unasked_message import UnaskedMessage

from .conftest import STATE_LIMIT, Server

type JsonObject = dict[str, Any]

LIMIT = 90.0
"""Seconds until something that the gateway does by itself has been told."""

ADMIN = ("operator.read", "operator.write", "operator.admin")


class Told:
    """What a client is told of what the gateway does by itself."""

    def __init__(self, client: GatewayClient, session_key: str) -> None:
        """Listen to one session, and to what belongs to none."""
        self.messages: list[UnaskedMessage] = []
        self.jobs: list[CronRun] = []
        self.heartbeats: list[Heartbeat] = []
        self._news = asyncio.Event()
        self._session_key = session_key
        client.unasked.subscribe(
            self._hear, is_ours=lambda key: key == session_key, on_missed=lambda: None
        )
        client.subscribe_events(self._on_event)

    @property
    def texts(self) -> list[str]:
        """What was said in the session."""
        return [message.text for message in self.messages]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something has been told."""
        async with asyncio.timeout(LIMIT):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    def _hear(self, message: UnaskedMessage) -> None:
        self.messages.append(message)
        self._news.set()

    def _on_event(self, event: GatewayEvent) -> None:
        if event.name == CRON_EVENT and (run := CronRun.from_event(event.payload)) is not None:
            self.jobs.append(run)
        if event.name == HEARTBEAT_EVENT:
            heartbeat = Heartbeat.from_payload(event.payload)
            if heartbeat is not None and heartbeat.has_text:
                self.heartbeats.append(heartbeat)
        self._news.set()


@pytest.fixture
async def owner(server: Server) -> AsyncGenerator[Connection]:
    """Return a second client, the owner's, with all rights."""
    settings = server.settings(
        url=server.url,
        identity=DeviceIdentity.create(),
        scopes=ADMIN,
        required_scopes=ADMIN,
    )
    async with Connection(settings) as connection:
        yield connection


@pytest.fixture
def told(client: GatewayClient, session_key: str) -> Told:
    """Return what is told of one session."""
    return Told(client, session_key)


async def ask(
    client: GatewayClient, session_key: str, message: str, method: RunMethod = RunMethod.AGENT
) -> str:
    """Run to the end and return the answer."""
    async with client.chat.start(session_key=session_key, message=message, method=method) as run:
        items = [item async for item in run]
    final = items[-1]
    assert isinstance(final, ChatFinal)
    return final.text


async def put_in(owner: Connection, session_key: str, text: str, **fields: object) -> None:
    """Put a message into a session, as a program of the owner does."""
    await owner.request("chat.inject", {"sessionKey": session_key, "message": text, **fields})


async def run_job(
    owner: Connection, message: str, *, session_key: str | None = None, **fields: object
) -> str:
    """Make a job that says something, run it now, and return its id."""
    later = datetime.now(UTC) + timedelta(hours=1)
    job = {
        "name": "Trash",
        "agentId": "main",
        "schedule": {"kind": "at", "at": later.strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "sessionTarget": f"session:{session_key}" if session_key else "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": message},
        "delivery": {"mode": "none"},
    }
    if (fields.get("payload") or {}).get("kind") == "systemEvent":  # type: ignore[attr-defined]  # a dictionary
        del job["delivery"]
    added = await owner.request("cron.add", job | fields)
    job_id = str(added["id"])
    await owner.request("cron.run", {"id": job_id, "mode": "force"})
    return job_id


async def test_a_message_that_is_put_in_is_told_and_kept(
    client: GatewayClient, owner: Connection, told: Told, session_key: str
) -> None:
    """The same afterwards, with the same id and time."""
    await ask(client, session_key, "MODEL:SAY Hello.")
    begin = datetime.now(UTC) - timedelta(seconds=1)

    await put_in(owner, session_key, "The laundry is done.", label="Laundry")
    await put_in(owner, session_key, "And ironed.")
    await told.until(lambda: len(told.messages) == 2)

    assert told.texts == ["The laundry is done.", "And ironed."]
    assert [message.label for message in told.messages] == ["Laundry", None]
    assert await client.unasked.since(session_key, begin) == tuple(told.messages)
    assert await client.unasked.since(session_key, told.messages[0].at) == (told.messages[1],)


async def test_nothing_can_be_put_into_a_session_that_does_not_exist(
    owner: Connection, session_key: str
) -> None:
    """It begins with a turn."""
    with pytest.raises(RequestError, match="session not found"):
        await put_in(owner, session_key, "Hello.")


async def test_answers_are_not_told_whoever_asked(
    client: GatewayClient, server: Server, owner: Connection, told: Told, session_key: str
) -> None:
    """Neither ours nor those of another client in the same session; nor afterwards."""
    await ask(client, session_key, "MODEL:SAY Ours.")
    async with server.client(server.settings(identity=DeviceIdentity.create())) as other:
        await other.wait_ready(STATE_LIMIT)
        await ask(other, session_key, "MODEL:SAY Theirs.")
        await ask(other, session_key, "MODEL:SAY Theirs, too.", RunMethod.CHAT_SEND)
    await put_in(owner, session_key, "The end.")
    await told.until(lambda: told.messages)

    assert told.texts == ["The end."]
    kept = await client.unasked.since(session_key, datetime.fromtimestamp(0, UTC))
    assert [message.text for message in kept] == ["The end."]


async def test_what_an_agent_sends_besides_its_answer_is_told(
    client: GatewayClient, told: Told, session_key: str
) -> None:
    """By its `message` tool, in a run that the gateway sees as a chat; once."""
    arguments = {"id": "message", "args": {"action": "send", "message": "By the way."}}
    question = f"MODEL:TOOL tool_call {json.dumps(arguments)}"

    answer = await ask(client, session_key, question, RunMethod.CHAT_SEND)
    await told.until(lambda: told.messages)

    (message,) = told.messages
    assert message.text == "By the way."
    assert "By the way." not in answer
    (kept,) = await client.unasked.since(session_key, datetime.fromtimestamp(0, UTC))
    assert (kept.message_id, kept.text) == (message.message_id, message.text)


async def test_a_job_tells_what_was_said(
    client: GatewayClient, owner: Connection, told: Told
) -> None:
    """Live, and the same in the list, also when the job is gone."""
    begin = datetime.now(UTC) - timedelta(seconds=1)
    job_id = await run_job(owner, "MODEL:SAY The trash goes out today.")
    await told.until(lambda: [run for run in told.jobs if run.job_id == job_id])

    (live,) = [run for run in told.jobs if run.job_id == job_id]
    assert (live.name, live.text, live.agent_id) == ("Trash", "The trash goes out today.", "main")
    assert live.is_ok
    assert not live.is_system
    assert live.session_key is not None
    assert live.session_key.startswith(f"agent:main:cron:{job_id}:run:")

    async def listed() -> CronRun | None:
        runs = await client.cron.runs(begin)
        return next((run for run in runs if run.job_id == job_id), None)

    assert await listed() == live
    await owner.request("cron.remove", {"id": job_id})
    assert await listed() == live


async def test_a_job_that_speaks_in_a_session_is_told_once(
    client: GatewayClient, owner: Connection, told: Told, session_key: str
) -> None:
    """As a job, not as a message of the session; nor afterwards."""
    await ask(client, session_key, "MODEL:SAY Hello.")
    job_id = await run_job(owner, "MODEL:SAY Check the oven.", session_key=session_key)
    await told.until(lambda: [run for run in told.jobs if run.job_id == job_id])
    await put_in(owner, session_key, "The end.")
    await told.until(lambda: told.messages)

    (run,) = [run for run in told.jobs if run.job_id == job_id]
    assert (run.text, run.session_key) == ("Check the oven.", session_key)
    assert told.texts == ["The end."]
    kept = await client.unasked.since(session_key, datetime.fromtimestamp(0, UTC))
    assert [message.text for message in kept] == ["The end."]


async def test_a_result_that_cannot_be_sent_anywhere_is_told(owner: Connection, told: Told) -> None:
    """A reminder, on a gateway without channels."""
    job_id = await run_job(owner, "MODEL:SAY Dentist.", delivery={"mode": "announce"})
    await told.until(lambda: [run for run in told.jobs if run.job_id == job_id])

    (run,) = [run for run in told.jobs if run.job_id == job_id]
    assert (run.text, run.is_ok, run.error) == ("Dentist.", True, None)


async def test_a_job_that_fails_or_keeps_silent_says_nothing(owner: Connection, told: Told) -> None:
    """The former tells why."""
    failing = await run_job(owner, "MODEL:FAIL 404")
    silent = await run_job(owner, "MODEL:SAY HEARTBEAT_OK")
    await told.until(lambda: {failing, silent} <= {run.job_id for run in told.jobs})

    by_id = {run.job_id: run for run in told.jobs}
    assert (by_id[failing].text, by_id[failing].is_ok) == ("", False)
    assert by_id[failing].error
    assert (by_id[silent].text, by_id[silent].is_ok) == ("", True)


async def test_a_job_that_puts_something_before_an_agent_is_told_as_a_heartbeat(
    client: GatewayClient, owner: Connection, told: Told
) -> None:
    """The job itself has no words of the agent."""
    job_id = await run_job(
        owner,
        "",
        sessionTarget="main",
        payload={"kind": "systemEvent", "text": "MODEL:SAY Water the plants."},
    )
    await told.until(lambda: [run for run in told.jobs if run.job_id == job_id])
    await told.until(lambda: told.heartbeats)

    (run,) = [run for run in told.jobs if run.job_id == job_id]
    assert (run.is_system, run.text) == (True, "")
    heartbeat = told.heartbeats[-1]
    assert heartbeat.text == "Water the plants."
    assert (heartbeat.status, heartbeat.reason) == ("skipped", "no-route")
    assert await client.heartbeat.last() == heartbeat


async def test_the_whole_of_a_heartbeat_can_be_read(client: GatewayClient, told: Told) -> None:
    """It tells only the beginning, and not whose it is."""
    whole = " ".join(f"Sentence {number} of a long message." for number in range(20))
    await client.request("wake", {"mode": "now", "text": f"MODEL:SAY {whole}", "agentId": "main"})
    await told.until(lambda: [beat for beat in told.heartbeats if beat.text[:20] == whole[:20]])

    heartbeat = told.heartbeats[-1]
    assert len(heartbeat.text) <= 200
    found = await client.heartbeat.full_text(heartbeat, ("main",))
    assert found is not None
    assert (found.agent_id, found.session_key, found.text) == ("main", "agent:main:main", whole)


async def test_the_next_job_is_the_one_people_have_made(
    client: GatewayClient, owner: Connection
) -> None:
    """The gateway has jobs of its own."""
    before = await client.cron.next_job()
    soon = (datetime.now(UTC) + timedelta(minutes=10)).replace(microsecond=0)
    job = {
        "name": "Soon",
        "agentId": "main",
        "schedule": {"kind": "at", "at": soon.strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "MODEL:SAY Now."},
        "delivery": {"mode": "none"},
    }
    added = await owner.request("cron.add", job)

    found = await client.cron.next_job()
    await owner.request("cron.remove", {"id": added["id"]})

    assert found is not None
    assert (found.name, found.at) == ("Soon", soon)
    assert await client.cron.next_job() == before


async def test_a_turn_that_is_continued_after_a_crash_is_told_when_nobody_follows_it(
    server: Server, session_key: str
) -> None:
    """Whoever asked has gone; whoever follows it gets it as the answer."""
    followed_key = f"{session_key}:followed"
    async with server.client() as asker:
        await asker.wait_ready(STATE_LIMIT)
        begun = []
        for key in (session_key, followed_key):
            run = asker.chat.start(session_key=key, message="MODEL:SLOW 200 40")
            await run.__aenter__()
            await anext(aiter(run))
            run.detach()
            begun.append(run.run_id)
    async with server.client() as client:
        await client.wait_ready(STATE_LIMIT)
        told = Told(client, session_key)
        other = Told(client, followed_key)
        await server.restart()
        async with client.chat.resume(session_key=followed_key, run_id=begun[1]) as resumed:
            items = [item async for item in resumed]
        await told.until(lambda: told.messages)

    assert isinstance(items[-1], ChatFinal)
    (message,) = told.messages
    assert message.text
    assert message.run_id not in begun
    assert other.messages == []
