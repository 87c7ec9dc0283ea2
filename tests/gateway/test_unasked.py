"""What agents say by themselves is told once, in order, and nothing else is."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway import unasked
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import NotConnectedError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.models import ConnectionSettings
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.gateway.state import ClientState
from custom_components.openclaw_voice.gateway.unasked_message import Reading, UnaskedMessage
from tests.fakes import refusals
from tests.fakes.frames import accepted, answered, event, response_ok, sent, started
from tests.fakes.gateway import Action, Answer, Expect, ScriptedGateway, drop
from tests.fakes.unasked_frames import (
    NOON_MS,
    SESSION,
    continuation_row,
    final,
    injected,
    injected_row,
    job_row,
    prompt_row,
    said_row,
    sent_by_tool,
)

from .conftest import reached, running
from .run_scripts import ask, final_of, heard
from .test_unasked_message import NOON

type JsonObject = dict[str, Any]

OTHER = "agent:main:telegram:direct:1234"


class Ear:
    """Hears what is told."""

    def __init__(self, client: GatewayClient) -> None:
        """Listen to one home's sessions."""
        self.messages: list[UnaskedMessage] = []
        self.missed = 0
        self._news = asyncio.Event()
        self.stop = client.unasked.subscribe(
            self._hear, is_ours=lambda key: key.startswith(SESSION), on_missed=self._miss
        )

    @property
    def texts(self) -> list[str]:
        """What was said."""
        return [message.text for message in self.messages]

    async def until(self, count: int, *, missed: int = 0) -> list[str]:
        """Wait for so many messages, and return their texts."""
        async with asyncio.timeout(5):
            while len(self.messages) < count or self.missed < missed:
                self._news.clear()
                await self._news.wait()
        return self.texts

    def _hear(self, message: UnaskedMessage) -> None:
        self.messages.append(message)
        self._news.set()

    def _miss(self) -> None:
        self.missed += 1
        self._news.set()


@pytest.fixture
async def ear(client: GatewayClient) -> AsyncGenerator[Ear]:
    """Return one that hears."""
    ear = Ear(client)
    yield ear
    ear.stop()


def looked_up(*rows: JsonObject, limit: int | None = None, **fields: object) -> Expect:
    """Expect a look into the history of the session."""
    params: JsonObject = {"sessionKey": SESSION, "maxChars": 500_000}
    if limit is not None:
        params["limit"] = limit
    return Expect("chat.history", params=params, reply={"messages": list(rows)} | fields)


async def end(gateway: ScriptedGateway, ear: Ear) -> list[str]:
    """Say one thing more that is surely told; return all that was said before it."""
    await gateway.emit(event("chat", injected("the-last-row", "The end.")))
    async with asyncio.timeout(5):
        while "The end." not in ear.texts:
            await ear.until(len(ear.texts) + 1)
    return [text for text in ear.texts if text != "The end."]


async def test_what_is_put_into_a_session_is_told_at_once(
    gateway: ScriptedGateway, ear: Ear
) -> None:
    """Nobody can have asked for it, so nothing is looked up."""
    await gateway.emit(event("chat", injected("row-1", "[Laundry]\n\nIt is done.")))

    await ear.until(1)
    (message,) = ear.messages
    assert (message.label, message.text, message.run_id) == ("Laundry", "It is done.", None)
    assert message.message_id == "inject-row-1"


async def test_other_sessions_are_nobodys_business(gateway: ScriptedGateway, ear: Ear) -> None:
    """Neither told nor looked up."""
    await gateway.emit(
        event("chat", injected("row-1", "Secret.", session_key=OTHER)),
        event("chat", final("run-1", "Secret.", session_key=OTHER)),
    )

    assert await end(gateway, ear) == []


async def test_an_unknown_run_is_looked_up(gateway: ScriptedGateway, ear: Ear) -> None:
    """It may be a follow-up; the history has the whole of it."""
    picture = "Look.\nMEDIA:https://example.com/a.png"
    gateway.script(looked_up(prompt_row("run-1"), said_row("run-2", picture), limit=58))

    await gateway.emit(event("chat", final("run-2", "Look.")))

    await ear.until(1)
    (message,) = ear.messages
    assert (message.text, message.message_id) == ("Look.", "run-2")
    assert message.links == ("https://example.com/a.png",)


async def test_a_run_without_rows_is_told_all_the_same(gateway: ScriptedGateway, ear: Ear) -> None:
    """As it was heard."""
    gateway.script(looked_up())

    await gateway.emit(event("chat", final("run-2", "Hello.")))

    assert await ear.until(1) == ["Hello."]


@pytest.mark.parametrize("prompt", [prompt_row("run-1"), job_row()], ids=["asked", "job"])
async def test_what_was_asked_for_or_is_a_job_is_not_told(
    gateway: ScriptedGateway, ear: Ear, prompt: JsonObject
) -> None:
    """Another program of theirs has the answer; the job has its own notification."""
    gateway.script(looked_up(prompt, said_row("run-1", "An answer.")))

    await gateway.emit(event("chat", final("run-1", "An answer.")))

    assert await end(gateway, ear) == []


@pytest.mark.parametrize(
    "payload",
    [
        final("run-1", "NO_REPLY"),
        final("run-1", "HEARTBEAT_OK"),
        final("run-1", None),
        final("run-1", "All is well.", model="gateway-injected"),
        final("run-1", "Once upon") | {"state": "aborted"},
        final("talk-call_1-5a0d", "The light is on."),
    ],
    ids=["no reply", "heartbeat", "empty", "command", "aborted", "voice session"],
)
async def test_what_says_nothing_to_people_is_not_looked_up(
    gateway: ScriptedGateway, ear: Ear, payload: JsonObject
) -> None:
    """Silence, the ends of runs that were taken up elsewhere, answers to commands, to be spoken."""
    await gateway.emit(event("chat", payload))

    assert await end(gateway, ear) == []


async def test_a_burst_keeps_its_order_and_is_looked_up_at_once(
    gateway: ScriptedGateway, ear: Ear
) -> None:
    """While the first look goes on, the others wait for the second."""
    names = [f"run-{number}" for number in range(20)]
    rows = [said_row(name, f"From {name}.") for name in names]
    gateway.anytime(looked_up(*rows))

    for name in names:
        await gateway.emit(
            event("chat", final(name, f"From {name}.")),
            event("chat", injected(f"after-{name}", f"After {name}.")),
        )

    said = await ear.until(40)
    assert said == [f"{word} {name}." for name in names for word in ("From", "After")]
    assert len(gateway.received("chat.history")) < 20


async def test_the_answer_of_a_run_of_ours_is_not_told(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """Nor when the gateway says it, or nothing, once more."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), answered("Hello."), response_ok()])
    )

    await final_of(ask(client))
    run_id = gateway.run.run_id
    await gateway.emit(
        event("chat", final(run_id, "Hello. ")),
        event("chat", final(run_id, None)),
        event("chat", final(run_id, "NO_REPLY")),
    )

    assert await end(gateway, ear) == []


async def test_what_a_run_of_ours_says_besides_its_answer_is_told(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """Its agent has sent it on purpose; once, however often it comes."""
    gateway.script(Expect("chat.send", reply=sent(), emit=[started(), answered("Hello.")]))

    await final_of(ask(client, method=RunMethod.CHAT_SEND))
    run_id = gateway.run.run_id
    further = event("chat", sent_by_tool(run_id, "By the way."))
    await gateway.emit(further, further)

    assert await end(gateway, ear) == ["By the way."]
    assert ear.messages[0].run_id == run_id
    assert ear.messages[0].message_id.startswith(f"{run_id}:")


async def test_it_is_told_while_the_run_is_still_read(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """It comes 50 ms after the answer."""
    gateway.script(
        Expect(
            "chat.send",
            reply=sent(),
            emit=[
                started(),
                answered("Hello."),
                lambda run: event("chat", sent_by_tool(run.run_id, "By the way."))(run),
            ],
        )
    )

    async with ask(client, method=RunMethod.CHAT_SEND) as run:
        assert await ear.until(1) == ["By the way."]
        await heard(run)


async def test_a_resumed_run_of_ours_is_not_told(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """The outbox follows it."""
    rows = [prompt_row("run-1"), said_row("run-1", "Late, but here.")]
    gateway.anytime(
        Expect("agent.wait", reply={"status": "timeout"}),
        Expect("chat.history", reply={"messages": rows}),
    )

    async with client.chat.resume(session_key=SESSION, run_id="run-1") as run:
        await heard(run)
    await gateway.emit(event("chat", final("run-1", "Late, but here.")))

    assert await end(gateway, ear) == []


async def test_what_continues_a_run_of_ours_is_not_told(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """Also when its end comes before the recovery has found it."""
    rows = [
        prompt_row("run-1"),
        continuation_row("run-2"),
        said_row("run-2", "Here it is."),
    ]
    gateway.anytime(
        Expect("agent.wait", reply={"status": "timeout"}),
        Expect("chat.history", reply={"messages": rows}),
    )

    async with client.chat.resume(session_key=SESSION, run_id="run-1") as run:
        await gateway.emit(event("chat", final("run-2", "Here it is.")))
        assert (await heard(run))[-1].text == "Here it is."  # type: ignore[union-attr]  # the final
        assert await end(gateway, ear) == []


async def test_nothing_that_is_put_into_a_session_continues_a_run(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """A run that waits for its continuation takes the next run of the session for it."""
    gateway.anytime(
        Expect("agent.wait", reply={"status": "timeout"}),
        Expect("chat.history", reply={"messages": [prompt_row("run-1")]}),
    )

    async with client.chat.resume(session_key=SESSION, run_id="run-1") as run:
        items = asyncio.create_task(heard(run))
        await gateway.wait_for_request("chat.history")
        await gateway.emit(event("chat", injected("row-1", "It is done.")))
        assert await ear.until(1) == ["It is done."]
        assert not items.done()
        gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
        items.cancel()


async def test_a_cut_history_is_read_further_back(gateway: ScriptedGateway, ear: Ear) -> None:
    """A run with many tools began long before its end."""
    gateway.script(
        looked_up(said_row("run-1", "An answer."), limit=58, hasMore=True),
        looked_up(prompt_row("run-1"), said_row("run-1", "An answer."), limit=1000),
    )

    await gateway.emit(event("chat", final("run-1", "An answer.")))

    assert await end(gateway, ear) == []


async def test_what_stays_unclear_is_not_told(gateway: ScriptedGateway, ear: Ear) -> None:
    """It would rather be somebody's answer."""
    gateway.anytime(looked_up(said_row("run-1", "An answer."), hasMore=True))

    await gateway.emit(event("chat", final("run-1", "An answer.")))

    assert await end(gateway, ear) == []


async def test_what_cannot_be_looked_up_is_missed(gateway: ScriptedGateway, ear: Ear) -> None:
    """Whoever listens has to read it afterwards; the rest is told."""
    gateway.script(
        Expect("chat.history", reply=refusals.missing_scope("operator.read")),
    )

    await gateway.emit(
        event("chat", final("run-1", "Hello.")), event("chat", injected("row-1", "Hi."))
    )

    assert await ear.until(1, missed=1) == ["Hi."]


async def test_a_fault_of_ours_ends_nothing(
    gateway: ScriptedGateway,
    ear: Ear,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was about to be told is missed, and the client goes on; the log has no word of it."""

    def fail(history: JsonObject, *_: object) -> Reading:
        raise ValueError(str(history))

    with monkeypatch.context() as broken:
        broken.setattr(unasked, "read_history", fail)
        gateway.script(looked_up(said_row("run-1", "Secret.")))
        await gateway.emit(event("chat", final("run-1", "Secret.")))
        await ear.until(0, missed=1)

    assert await end(gateway, ear) == []
    assert "ValueError" in caplog.text
    assert "Secret" not in caplog.text


async def test_a_lost_connection_means_missing(gateway: ScriptedGateway, ear: Ear) -> None:
    """The next connection brings it."""
    gateway.script(Expect("chat.history", emit=[drop()]))

    await gateway.emit(event("chat", final("run-1", "Hello.")))

    assert await ear.until(0, missed=1) == []


async def test_too_many_at_once_are_missed(
    gateway: ScriptedGateway, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits has a bound."""
    monkeypatch.setattr(unasked, "MAX_WAITING", 2)
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def hold(_: object) -> None:
        is_asked.set()
        await may_answer.wait()

    gateway.script(
        Expect(
            "chat.history",
            emit=[Action(hold), Answer(lambda _: {"messages": []})],
        )
    )
    await gateway.emit(event("chat", final("run-0", "0")))
    await asyncio.wait_for(is_asked.wait(), 5)
    for number in range(1, 4):
        await gateway.emit(event("chat", injected(f"row-{number}", f"{number}.")))
    assert await ear.until(0, missed=1) == []
    may_answer.set()

    assert await ear.until(3) == ["0", "1.", "2."]
    assert ear.missed == 1


async def test_whoever_stops_listening_is_told_nothing(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """Others still are."""
    other = Ear(client)
    other.stop()

    await gateway.emit(event("chat", injected("row-1", "Hi.")))

    assert await ear.until(1) == ["Hi."]
    assert other.texts == []


async def test_each_hears_only_of_their_own_sessions(
    gateway: ScriptedGateway, client: GatewayClient, ear: Ear
) -> None:
    """What matters to one may be nobody else's business."""
    missed: list[str] = []
    heard_by_other: list[UnaskedMessage] = []
    client.unasked.subscribe(
        heard_by_other.append,
        is_ours=lambda key: key == OTHER,
        on_missed=lambda: missed.append("missed"),
    )
    gateway.script(Expect("chat.history", reply=refusals.missing_scope("operator.read")))

    await gateway.emit(
        event("chat", final("run-1", "Hello.")),
        event("chat", injected("row-2", "For the other.", session_key=OTHER)),
    )

    assert await end(gateway, ear) == []
    assert ear.missed == 1
    assert [message.text for message in heard_by_other] == ["For the other."]
    assert missed == []


async def test_a_listener_that_fails_does_not_end_the_client(
    gateway: ScriptedGateway, client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told, and so is what comes next."""

    def fail(message: UnaskedMessage) -> None:
        raise ValueError(message.text)

    client.unasked.subscribe(fail, is_ours=lambda _: True, on_missed=lambda: None)
    ear = Ear(client)

    await gateway.emit(
        event("chat", injected("row-1", "The plan.")), event("chat", injected("row-2", "Hi."))
    )

    assert await ear.until(2) == ["The plan.", "Hi."]
    assert "plan" not in caplog.text


async def test_nothing_is_told_by_a_client_that_stops(
    gateway: ScriptedGateway, settings: ConnectionSettings
) -> None:
    """What comes in its last moments is read after the next start."""
    async with running(GatewayClient(settings)) as client:
        await reached(client, ClientState.READY)
        ear = Ear(client)
        await client.stop()
        client.unasked.take(GatewayEvent(name="chat", payload=injected("row-1", "Hi.")))
    assert ear.texts == []


async def test_what_was_missed_is_read_from_the_history(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """From a moment on, and without what somebody asked for."""
    rows = [
        injected_row("old", "Old.", at=NOON_MS),
        prompt_row("run-1"),
        said_row("run-1", "An answer.", at=NOON_MS + 1),
        injected_row("new", "New.", at=NOON_MS + 2),
    ]
    gateway.script(looked_up(*rows, limit=50))

    (message,) = await client.unasked.since(SESSION, NOON)

    assert (message.text, message.message_id) == ("New.", "inject-new")


@pytest.mark.parametrize(
    ("oldest", "requests"), [(NOON_MS - 1, 1), (NOON_MS + 1, 2), (None, 1)], ids=str
)
async def test_as_much_is_read_as_the_moment_needs(
    gateway: ScriptedGateway, client: GatewayClient, oldest: int | None, requests: int
) -> None:
    """A busy session has more than the first look shows."""
    rows = [] if oldest is None else [prompt_row("run-0", timestamp=oldest)]
    gateway.anytime(looked_up(*rows, injected_row("new", "New.", at=NOON_MS + 2), hasMore=True))
    if oldest is None:
        gateway.anytime(looked_up(hasMore=True))

    await client.unasked.since(SESSION, NOON)

    limits = [request.params["limit"] for request in gateway.received("chat.history")]
    assert limits == [50, 1000][:requests]


async def test_reading_needs_a_connection(client: GatewayClient) -> None:
    """The error says so."""
    await client.stop()

    with pytest.raises(NotConnectedError):
        await client.unasked.since(SESSION, NOON - timedelta(days=1))
