"""A run is found again after a lost connection, or given up with a typed error; never sent blindly."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from custom_components.openclaw_voice.gateway import (
    chat_run,
    recovery,
    run_lookup,
    run_recovery,
)
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    ConnectionLostError,
    GatewayError,
    RunFailedError,
    RunLostError,
)
from custom_components.openclaw_voice.gateway.recovery import RunTrace
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
)
from custom_components.openclaw_voice.gateway.run_link import RunLink
from custom_components.openclaw_voice.gateway.run_request import Patience
from tests.fakes import refusals
from tests.fakes.agent_run import AgentRun
from tests.fakes.frames import (
    accepted,
    answered,
    chat_error,
    ended,
    in_flight,
    response_ok,
    response_silent,
    said,
    started,
)
from tests.fakes.gateway import Action, Emission, Expect, ScriptedGateway, drop, wait_for
from tests.fakes.server import Connection as Client

SESSION = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"

type JsonObject = dict[str, object]


def ask(client: GatewayClient, *, recovery: float = 30.0, session_key: str = SESSION) -> ChatRun:
    """Return a run that may be looked for so many seconds."""
    return client.chat.start(
        session_key=session_key, message="Hello?", patience=Patience(recovery=recovery)
    )


async def items_of(run: ChatRun) -> list[RunItem]:
    """Return everything a run says and does."""
    async with asyncio.timeout(10), run:
        return [item async for item in run]


def text_of(items: list[RunItem]) -> str:
    """Return what was said."""
    return "".join(item.text for item in items if isinstance(item, ChatDelta))


async def error_of(run: ChatRun) -> GatewayError:
    """Return why a run fails."""
    with pytest.raises(GatewayError) as caught:
        await items_of(run)
    return caught.value


def user_row(run_id: str) -> JsonObject:
    """Return the row of what the user said."""
    return {"role": "user", "content": "Hello?", "idempotencyKey": f"{run_id}:user"}


def answer_row(run_id: str, text: str, **fields: object) -> JsonObject:
    """Return the row of an answer."""
    row: JsonObject = {
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stopReason": "stop",
        "__openclaw": {"runId": run_id},
    }
    return row | fields


def history(
    rows: Callable[[str], list[JsonObject]], *, then: Sequence[Emission] = (), **fields: object
) -> Expect:
    """Expect a look into the history; the rows are made for the run started last."""

    async def perform(client: Client) -> None:
        request = gateway_of(client).received("chat.history")[-1]
        run_id = gateway_of(client).run.run_id
        payload = {
            "sessionKey": SESSION,
            "sessionId": "s-1",
            "messages": rows(run_id),
            "pendingInputs": {"items": [], "total": 0},
            "hasMore": False,
        }
        extra = {key: value(run_id) if callable(value) else value for key, value in fields.items()}
        await client.respond(request.id, payload | extra)

    return Expect("chat.history", emit=[Action(perform), *then])


_GATEWAYS: dict[int, ScriptedGateway] = {}


def gateway_of(client: Client) -> ScriptedGateway:
    """Return the gateway a fake connection belongs to."""
    return next(found for found in _GATEWAYS.values() if client in found.clients)


@pytest.fixture(autouse=True)
def _known_gateway(gateway: ScriptedGateway) -> None:
    _GATEWAYS.clear()
    _GATEWAYS[id(gateway)] = gateway


def restart(gateway: ScriptedGateway) -> Action:
    """Kill the gateway and start it as a new process."""

    async def perform(_: Client) -> None:
        await gateway.restart()

    return Action(perform)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what is set as soon as a run is followed under another id."""
    event = asyncio.Event()
    follow = RunLink.continue_as

    def continue_as(link: RunLink, run_id: str) -> None:
        follow(link, run_id)
        event.set()

    monkeypatch.setattr(RunLink, "continue_as", continue_as)
    return event


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Event]:
    """Return what is set as soon as the history was looked into, for each look."""
    events = [asyncio.Event(), asyncio.Event()]
    looks = iter(events)

    def trace_run(*args: object, **options: object) -> RunTrace:
        next(looks).set()
        return recovery.trace_run(*args, **options)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(run_lookup, "trace_run", trace_run)
    return events


# the same process


async def test_run_goes_on_over_a_dropped_connection(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The same request again starts nothing; what was missed comes with the next frame."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", reply=in_flight(), emit=[said(" two"), said(" three."), ended()]),
    )
    items = await items_of(ask(client))
    assert text_of(items) == "One two three."
    assert items.count(MessageStarted()) == 1
    first, second = gateway.received("agent")
    assert first.params == second.params
    assert gateway.connections.most == 1


async def test_answer_that_was_missed_comes_as_the_stored_response(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The run ended while the connection was away."""

    def finish(run: AgentRun) -> list[JsonObject]:
        run.say(" two.")
        return [run.response_ok()]

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", emit=[finish]),
    )
    items = await items_of(ask(client))
    assert text_of(items) == "One two."


async def test_request_whose_acknowledgement_was_lost_is_repeated(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The same process knows the key, whether or not the first one arrived."""
    gateway.script(
        Expect("agent", emit=[drop()]),
        Expect("agent", reply=accepted(), emit=answered("Here.")),
    )
    assert text_of(await items_of(ask(client))) == "Here."


async def test_connection_lost_again_during_the_recovery(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """One limit holds for all attempts together."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", emit=[drop()]),
        Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    assert text_of(await items_of(ask(client))) == "One two."


async def test_end_that_needs_the_last_response_is_asked_for(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The last response went to the lost connection, so the request is repeated once more."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), drop()]),
        Expect("agent", reply=in_flight(), emit=[chat_error()]),
        Expect("agent", emit=[response_silent()]),
    )
    items = await items_of(ask(client))
    assert items == [ChatFinal(outcome=RunOutcome.SILENT)]


async def test_run_that_does_not_come_back_is_lost(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway is there again, but says nothing of the run."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]), Expect("agent")
    )
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    assert isinstance(await error_of(ask(client, recovery=0.3)), RunLostError)
    await gateway.wait_for_request("chat.abort")


async def test_gateway_that_does_not_come_back_loses_the_run(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user hears it instead of waiting for ever."""
    monkeypatch.setattr(run_recovery, "RECOVERY_POLL", 0.05)
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), Action(lambda _: gateway.stop())],
        )
    )
    assert isinstance(await error_of(ask(client, recovery=0.3)), RunLostError)


async def test_refusal_after_the_loss_loses_the_run_at_once(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The owner has revoked the device in the middle of the answer."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), drop(4001, "device removed")],
        ),
        Expect("connect", reply=refusals.token_mismatch()),
    )
    error = await error_of(ask(client))
    assert isinstance(error, RunLostError)
    assert "invalid_auth" in str(error)


async def test_stopping_the_client_during_a_recovery_ends_the_turn(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The entry is unloaded while the gateway is away."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), Action(lambda _: gateway.stop())],
        )
    )
    turn = asyncio.create_task(error_of(ask(client)))
    await gateway.wait_for_request("agent")
    await gateway.wait_for_no_client()
    await client.stop()
    assert isinstance(await turn, RunLostError)
    assert client.chat.live_runs == 0


# another process, or too late for the key


async def test_answer_is_taken_from_the_history_after_a_restart(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A gateway that stops in order finishes the run first; nothing is sent again."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two three.")]),
    )
    items = await items_of(ask(client))
    assert text_of(items) == "One two three."
    assert len(gateway.received("agent")) == 1


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        pytest.param(
            lambda run_id: [user_row(run_id), answer_row(run_id, "One", openclawAbort={"a": 1})],
            RunOutcome.ABORTED,
            id="aborted",
        ),
        pytest.param(
            lambda run_id: [user_row(run_id), answer_row(run_id, "x", stopReason="error")],
            None,
            id="failed",
        ),
    ],
)
async def test_other_ends_are_taken_from_the_history(
    gateway: ScriptedGateway,
    client: GatewayClient,
    rows: Callable[[str], list[JsonObject]],
    outcome: RunOutcome | None,
) -> None:
    """An aborted run is a result, a failed one an error."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(rows),
    )
    if outcome is None:
        assert isinstance(await error_of(ask(client)), RunFailedError)
    else:
        final = (await items_of(ask(client)))[-1]
        assert isinstance(final, ChatFinal)
        assert final.outcome is outcome


async def test_message_that_never_arrived_is_sent_again(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The history proves that the new process does not know it."""
    gateway.script(
        Expect("agent", emit=[restart(gateway)]),
        history(lambda _: []),
        Expect("agent", reply=accepted(), emit=answered("Here.")),
    )
    assert text_of(await items_of(ask(client))) == "Here."


async def test_run_that_still_runs_is_waited_for(
    gateway: ScriptedGateway,
    client: GatewayClient,
    monkeypatch: pytest.MonkeyPatch,
    traced: list[asyncio.Event],
) -> None:
    """Its frames come by themselves; too late to trust the key, it is not sent again."""
    gateway.anytime(Expect("agent.wait", reply={"runId": "any", "status": "timeout"}))
    monkeypatch.setattr(run_recovery, "KEY_MEMORY", 0.0)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        history(
            lambda run_id: [user_row(run_id)],
            then=[wait_for(traced[0]), said(" two."), ended(), response_ok()],
            inFlightRun=lambda run_id: {"runId": run_id, "text": "One"},
        ),
    )
    assert text_of(await items_of(ask(client))) == "One two."


async def test_run_the_history_does_not_have_is_given_up_when_the_key_may_be_forgotten(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending it again could run it twice."""
    gateway.anytime(Expect("agent.wait", reply={"runId": "any", "status": "timeout"}))
    monkeypatch.setattr(run_recovery, "KEY_MEMORY", 0.0)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        history(lambda _: []),
    )
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    assert isinstance(await error_of(ask(client)), RunLostError)
    assert len(gateway.received("agent")) == 1


def continued(session_key: str, text: str) -> Callable[[AgentRun], list[JsonObject]]:
    """Tell the frames of a run that the gateway starts in place of the interrupted one."""

    def tell(_: AgentRun) -> list[JsonObject]:
        run = AgentRun(run_id="successor", session_key=session_key)
        return [*run.start(), *run.say(text), *run.end()]

    return tell


@pytest.mark.parametrize(
    "is_told", [True, False], ids=["told by the history", "told by its frames"]
)
async def test_interrupted_turn_that_the_gateway_continues_is_followed(
    gateway: ScriptedGateway,
    client: GatewayClient,
    followed: asyncio.Event,
    is_told: bool,
) -> None:
    """After a crash the gateway runs the turn again under an id of its own; nothing is said twice."""
    if not is_told:
        followed.set()
    fields: JsonObject = {"sessionInfo": {"activeRunIds": ["successor"]}} if is_told else {}
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One", " two"), restart(gateway)]),
        history(
            lambda run_id: [user_row(run_id)],
            then=[
                continued("agent:main:somebody:else", "Not for us."),
                wait_for(followed),
                continued(SESSION, "One two three."),
            ],
            **fields,
        ),
    )
    items = await items_of(ask(client))
    assert text_of(items) == "One two three."
    assert isinstance(items[-1], ChatFinal)
    assert items[-1].text == "One two three."
    assert len(gateway.received("agent")) == 1


async def test_continuation_may_be_heard_before_the_history_answers(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The frames win; the answer of the history is then old news."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        Expect(
            "chat.history",
            emit=[
                continued(SESSION, "One more."),
                *history(lambda run_id: [user_row(run_id)]).emit,
            ],
        ),
    )
    assert text_of(await items_of(ask(client))) == "One more."


async def test_interrupted_turn_that_nobody_continues_is_lost(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It arrived, so it is not sent again; the user is told."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(lambda run_id: [user_row(run_id)]),
    )
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    assert isinstance(await error_of(ask(client, recovery=0.4)), RunLostError)
    assert len(gateway.received("agent")) == 1


async def test_refused_look_into_the_history_loses_the_run(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Whatever goes wrong, the turn ends with a typed error."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        Expect("chat.history", reply=refusals.missing_scope("operator.read")),
    )
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    assert isinstance(await error_of(ask(client)), RunLostError)


async def test_refused_run_whose_connection_is_lost_meanwhile_is_sent_after_the_restart(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway refuses new runs while it drains, and then it is gone."""
    gateway.script(
        Expect("agent", reply=refusals.restarting(), emit=[restart(gateway)]),
        Expect("agent", reply=accepted(), emit=answered("After all.")),
    )
    assert text_of(await items_of(ask(client))) == "After all."


async def test_request_that_meets_a_closing_socket_is_recovered(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The connection ends between looking at it and writing to it."""
    connection = client.connection
    close: Callable[[], Awaitable[None]] = connection._socket.close
    connection._reader.cancel()
    await asyncio.wait({connection._reader})
    await close()
    gateway.script(Expect("agent", reply=accepted(), emit=answered("Here.")))
    assert text_of(await items_of(ask(client))) == "Here."


async def test_lost_while_an_end_is_settled(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that knew the last response is gone: the events have to do."""
    monkeypatch.setattr(chat_run, "RESPONSE_GRACE", 0.1)
    may_end = asyncio.Event()
    gateway.script(
        Expect(
            "agent", reply=accepted(), emit=[started(), chat_error("It broke."), wait_for(may_end)]
        ),
    )
    run = ask(client)
    async with asyncio.timeout(5), run:
        await gateway.wait_for_request("agent")
        run.link.boot_id = "a process before"
        with pytest.raises(RunFailedError):
            _ = [item async for item in run]
    may_end.set()


@pytest.mark.parametrize("is_refused_first", [True, False], ids=["sent again", "recovered"])
async def test_connection_that_ends_while_sending_is_recovered(
    gateway: ScriptedGateway,
    client: GatewayClient,
    monkeypatch: pytest.MonkeyPatch,
    is_refused_first: bool,
) -> None:
    """A loss on the way costs time, not the answer."""
    failures: list[GatewayError] = [ConnectionLostError(1006)]
    send = RunLink.send

    async def fail_once(link: RunLink) -> None:
        if gateway.received("agent") and failures:
            raise failures.pop()
        await send(link)

    monkeypatch.setattr(RunLink, "send", fail_once)
    first = (
        Expect("agent", reply=refusals.restarting())
        if is_refused_first
        else Expect("agent", reply=accepted(), emit=[started(), drop()])
    )
    gateway.script(first, Expect("agent", reply=accepted(), emit=answered("Here.")))
    assert text_of(await items_of(ask(client))) == "Here."
    assert not failures


async def test_frame_in_the_moment_of_the_deadline_counts(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is looked at again before the turn is given up."""
    may_speak = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[wait_for(may_speak), *answered("Just so.")])
    )
    deadlines = [0.0, 1e9, 1e9]
    deadline = ChatRun._deadline

    def late(run: ChatRun) -> float:
        if not deadlines:
            return deadline(run)
        may_speak.set()
        return deadlines.pop(0)

    monkeypatch.setattr(ChatRun, "_deadline", late)
    assert text_of(await items_of(ask(client))) == "Just so."


async def test_turn_survives_ten_quick_losses(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more than one socket, every word once, and the answer in the end."""
    monkeypatch.setattr(run_recovery, "RECOVERY_POLL", 0.02)
    words = [f" w{number}" for number in range(10)]
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        *(Expect("agent", reply=in_flight(), emit=[said(word), drop()]) for word in words[:-1]),
        Expect("agent", reply=in_flight(), emit=[said(words[-1]), ended()]),
    )
    assert text_of(await items_of(ask(client))) == "One" + "".join(words)
    assert (gateway.connections.most, gateway.connections.total) == (1, 11)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda gateway: gateway.refuse_upgrade(404, times=2), id="404"),
        pytest.param(lambda gateway: gateway.refuse_upgrade(503, times=2), id="503"),
        pytest.param(lambda gateway: gateway.hang_up(), id="closed without an answer"),
        pytest.param(lambda gateway: gateway.answer_garbage(), id="garbage"),
        pytest.param(lambda gateway: gateway.close_after_challenge(1012), id="after the challenge"),
    ],
)
async def test_faults_on_the_way_back_cost_time_not_the_answer(
    gateway: ScriptedGateway,
    client: GatewayClient,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[ScriptedGateway], None],
) -> None:
    """A proxy tells all sorts of things while the gateway restarts behind it."""
    monkeypatch.setattr(run_recovery, "RECOVERY_POLL", 0.05)

    async def break_down(_: Client) -> None:
        fault(gateway)
        await gateway.drop()

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(break_down)]),
        Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    turn = asyncio.create_task(items_of(ask(client)))
    await gateway.wait_for_sockets(4)
    gateway.accept()
    assert text_of(await turn) == "One two."


async def test_403_on_the_way_back_loses_the_run_at_once(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Somebody must act, so waiting is of no use."""

    async def break_down(_: Client) -> None:
        gateway.refuse_upgrade(403)
        await gateway.drop()

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(break_down)])
    )
    error = await error_of(ask(client))
    assert isinstance(error, RunLostError)
    assert "proxy_refused" in str(error)


async def test_history_that_is_refused_for_now_is_asked_again(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A gateway that has just started may not be able to read its sessions yet."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        Expect(
            "chat.history",
            reply=refusals.Refusal(
                code="UNAVAILABLE", message="starting", retryable=True, retry_after_ms=0
            ),
        ),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two.")]),
    )
    assert text_of(await items_of(ask(client))) == "One two."


def successor_row(run_id: str) -> JsonObject:
    """Return the row with which the gateway continues a turn."""
    return {
        "role": "user",
        "content": "[System] Your previous turn was interrupted",
        "idempotencyKey": f"{run_id}:user",
        "provenance": {"kind": "internal_system", "sourceTool": "main_session_restart_recovery"},
    }


async def test_second_crash_during_the_continued_turn_sends_nothing_again(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The original key is unknown to the third process and would run the message twice."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(
            lambda run_id: [user_row(run_id)],
            then=[restart(gateway)],
            sessionInfo={"activeRunIds": ["first-successor"]},
        ),
        history(
            lambda run_id: [user_row(run_id), successor_row("first-successor")],
            then=[continued(SESSION, "One two.")],
        ),
    )
    assert text_of(await items_of(ask(client))) == "One two."
    assert len(gateway.received("agent")) == 1


async def test_run_of_the_next_turn_is_not_taken_over(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """While a detached one waits to be continued, another one has begun in the same session."""
    may_answer = asyncio.Event()
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        Expect("chat.history"),
        Expect("agent", reply=accepted(), emit=[wait_for(may_answer), *answered("Mine.")]),
    )
    detached = ask(client)
    detached.detach(Patience(recovery=0.5))
    first = asyncio.create_task(error_of(detached))
    request = await gateway.wait_for_request("chat.history")
    second = asyncio.create_task(items_of(ask(client)))
    await gateway.wait_for_request("agent", number=2)
    ids = [found.params["idempotencyKey"] for found in gateway.received("agent")]
    payload = {
        "sessionKey": SESSION,
        "messages": [user_row(ids[0])],
        "sessionInfo": {"activeRunIds": [ids[1]]},
    }
    await request.connection.respond(request.id, payload)
    may_answer.set()
    assert text_of(await second) == "Mine."
    assert isinstance(await first, RunLostError)


async def test_continued_run_of_a_cancelled_turn_is_aborted(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The user said stop while the gateway was away; what it starts anew must stop, too."""
    may_continue = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(
            lambda run_id: [user_row(run_id)],
            then=[wait_for(may_continue), continued(SESSION, "Door opened.")],
        ),
        Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}),
        Expect("chat.abort", reply={"ok": True, "aborted": True, "runIds": ["successor"]}),
    )
    turn = asyncio.create_task(items_of(ask(client)))
    await gateway.wait_for_request("chat.history")
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await gateway.wait_for_request("chat.abort")
    may_continue.set()
    again = await gateway.wait_for_request("chat.abort", number=2)
    assert again.params["runId"] == "successor"


async def test_cancelled_turn_that_nobody_continues_is_forgotten(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for what the gateway may start anew has a limit."""
    monkeypatch.setattr(chat_run, "ABORT_RECOVERY_LIMIT", 0.2)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(lambda run_id: [user_row(run_id)]),
        Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}),
    )
    turn = asyncio.create_task(items_of(ask(client)))
    await gateway.wait_for_request("chat.history")
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await gateway.wait_for_request("chat.abort")
    await client.chat.make_room(SESSION)
    assert client.chat.live_runs == 0


async def test_refused_run_that_had_begun_is_recovered_when_the_process_changes(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Sending it to the new process without a look into the history could run it twice."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", reply=refusals.restarting(), emit=[restart(gateway)]),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two.")]),
    )
    assert text_of(await items_of(ask(client))) == "One two."
    assert len(gateway.received("agent")) == 2


async def test_continued_turn_that_is_lost_once_more_is_found_again(
    gateway: ScriptedGateway, client: GatewayClient, traced: list[asyncio.Event]
) -> None:
    """The history names the successor again; what was heard of it is not said twice."""
    successor = AgentRun(run_id="successor", session_key=SESSION)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(
            lambda run_id: [user_row(run_id)],
            then=[wait_for(traced[0]), lambda _: successor.say("One two"), restart(gateway)],
            sessionInfo={"activeRunIds": ["successor"]},
        ),
        history(
            lambda run_id: [user_row(run_id)],
            then=[wait_for(traced[1]), lambda _: [*successor.say(" three."), *successor.end()]],
            sessionInfo={"activeRunIds": ["successor"]},
        ),
    )
    assert text_of(await items_of(ask(client))) == "One two three."


@pytest.mark.parametrize("row_id", ["successor", "interrupted-successor"])
async def test_continued_turn_that_does_not_run_yet_is_waited_for(
    gateway: ScriptedGateway, client: GatewayClient, followed: asyncio.Event, row_id: str
) -> None:
    """Its row is there before it runs, or it was interrupted, too, and another one follows."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), restart(gateway)]),
        history(
            lambda run_id: [user_row(run_id), successor_row(row_id)],
            then=[wait_for(followed), continued(SESSION, "One two.")],
        ),
    )
    assert text_of(await items_of(ask(client))) == "One two."


async def test_run_refused_for_now_twice_keeps_to_one_limit(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The limit counts from the first refusal."""
    at_once = refusals.Refusal(code="UNAVAILABLE", message="busy", retryable=True, retry_after_ms=0)
    gateway.script(
        Expect("agent", reply=at_once),
        Expect("agent", reply=at_once),
        Expect("agent", reply=accepted(), emit=answered("Here.")),
    )
    assert text_of(await items_of(ask(client))) == "Here."
