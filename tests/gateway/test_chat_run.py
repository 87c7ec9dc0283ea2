"""A run: started, streamed, ended, aborted."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway import (
    chat as chat_module,
    chat_run,
    retry,
    run_recovery,
)
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    CredentialsRejectedError,
    EmptyAnswerError,
    GatewayError,
    NotConnectedError,
    RequestError,
    RunFailedError,
    RunTimeoutError,
)
from custom_components.openclaw_voice.gateway.models import ConnectionSettings
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
)
from custom_components.openclaw_voice.gateway.run_link import RunLink
from custom_components.openclaw_voice.gateway.run_request import Patience
from custom_components.openclaw_voice.gateway.state import ClientState
from tests.fakes import frames, refusals
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    chat_error,
    ended,
    failed,
    in_flight,
    response_aborted,
    response_failed,
    response_ok,
    response_silent,
    said,
    silent,
    started,
    tool_ended,
    tool_started,
)
from tests.fakes.gateway import (
    Expect,
    ScriptedGateway,
    abort_response,
    drop,
    raw,
    wait_for,
)

from .conftest import reached, running, settings_for

AGENTS = {"defaultId": "main", "mainKey": "main", "scope": "per-sender", "agents": []}
SESSION = "agent:main:homeassistant:0a1b2c3d:conversation:01jabc"
OTHER_SESSION = "agent:main:homeassistant:0a1b2c3d:conversation:01jdef"
ABORT = Expect(
    "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
)


def ask(client: GatewayClient, message: str = "Hello?", **options: object) -> ChatRun:
    """Return a run in the session of these tests."""
    return client.chat.start(session_key=SESSION, message=message, **options)  # type: ignore[arg-type]  # named by the test


async def items_of(run: ChatRun) -> list[RunItem]:
    """Return everything a run says and does."""
    async with asyncio.timeout(10), run:
        return [item async for item in run]


async def final_of(run: ChatRun) -> ChatFinal:
    """Return how a run ends."""
    final = (await items_of(run))[-1]
    assert isinstance(final, ChatFinal)
    return final


async def error_of(run: ChatRun) -> GatewayError:
    """Return why a run fails."""
    with pytest.raises(GatewayError) as caught:
        await items_of(run)
    return caught.value


async def first_delta(run: ChatRun) -> str:
    """Return the first text of a run, and stop listening."""
    async for item in run:
        if isinstance(item, ChatDelta):
            return item.text
    raise AssertionError("the run says nothing")


# streaming


async def test_answer_streams_as_it_comes(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Each piece is handed out before the next one is there."""
    heard = [asyncio.Event() for _ in range(3)]
    pieces = ["The", " light", " is on."]
    emit = [started()]
    for piece, event in zip(pieces, heard, strict=True):
        emit += [said(piece), wait_for(event)]
    gateway.script(Expect("agent", reply=accepted(), emit=[*emit, ended(), response_ok()]))
    texts: list[str] = []
    async with asyncio.timeout(10), ask(client) as run:
        async for item in run:
            if isinstance(item, ChatDelta):
                texts.append(item.text)
                heard[len(texts) - 1].set()
    assert texts == pieces
    assert client.chat.live_runs == 0


async def test_request_carries_message_session_and_instructions(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The id of the run is its idempotency key, and the gateway gets a deadline, too."""
    gateway.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    run = ask(client, "Ist es kalt? 🥶", instructions="Be brief.")
    await items_of(run)
    assert gateway.received("agent")[0].params == {
        "message": "Ist es kalt? 🥶",
        "sessionKey": SESSION,
        "idempotencyKey": run.run_id,
        "extraSystemPrompt": "Be brief.",
        "timeout": 21_600,
    }


async def test_two_messages_around_a_tool(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """What is said before a tool and the answer are told apart."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("Let me", " look."),
                tool_started("exec", {"command": "date"}, call_id="call-1"),
                tool_ended("noon", call_id="call-1"),
                said("It is", " noon."),
                ended(),
                response_ok(),
            ],
        )
    )
    items = await items_of(ask(client))
    kinds = [type(item) for item in items if not isinstance(item, ChatDelta)]
    assert kinds == [MessageStarted, ToolActivity, ToolActivity, MessageStarted, ChatFinal]
    text = "".join(item.text for item in items if isinstance(item, ChatDelta))
    assert text == "Let me look.It is noon."
    assert items[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text="Let me look.\n\nIt is noon.")


async def test_frames_before_the_acknowledgement_are_kept(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Events may overtake the response."""
    gateway.script(
        Expect("agent", emit=[started(), said("Quick."), accepted(), ended(), response_ok()])
    )
    assert (await final_of(ask(client))).text == "Quick."


async def test_run_may_end_by_its_last_response_alone(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The chat final was lost."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("All", " of it."), response_ok()])
    )
    assert (await final_of(ask(client))).text == "All of it."


async def test_two_turns_at_once_get_their_own_answers(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Runs are told apart by their ids, not by their order."""
    second_is_there = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[wait_for(second_is_there), *answered("One.")]),
        Expect("agent", reply=accepted(), emit=answered("Two.")),
    )
    first = asyncio.create_task(final_of(ask(client, "first")))
    await gateway.wait_for_request("agent")
    other = client.chat.start(session_key=OTHER_SESSION, message="second")
    second = asyncio.create_task(final_of(other))
    await gateway.wait_for_request("agent", number=2)
    second_is_there.set()
    assert [(await first).text, (await second).text] == ["One.", "Two."]


async def test_frames_of_others_are_not_ours(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Every chat of the gateway is broadcast to us."""
    foreign = {
        "runId": "other",
        "sessionKey": SESSION,
        "seq": 1,
        "state": "delta",
        "deltaText": "x",
    }
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                frames.event("chat", foreign),
                raw({"type": "event", "event": "chat"}),
                *answered("Mine."),
            ],
        )
    )
    assert (await final_of(ask(client))).text == "Mine."


# ends


async def test_silent_run_is_a_result(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The agent has decided that nothing needs to be said."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), silent(), response_silent()]))
    assert await items_of(ask(client)) == [ChatFinal(outcome=RunOutcome.SILENT)]


async def test_empty_answer_is_an_error(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """A model that answers nothing is broken."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), frames.empty()]))
    assert isinstance(await error_of(ask(client)), EmptyAnswerError)


async def test_failed_run_tells_its_kind(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The kind decides what the user hears."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), failed("No quota.", kind="rate_limit"), response_failed("No quota.")],
        )
    )
    error = await error_of(ask(client))
    assert isinstance(error, RunFailedError)
    assert error.kind == "rate_limit"


async def test_failed_run_whose_last_response_never_comes(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events are enough after a while; asking again brings nothing here."""
    monkeypatch.setattr(chat_run, "RESPONSE_GRACE", 0.05)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), chat_error("It broke.")]),
        Expect("agent"),
    )
    error = await error_of(ask(client))
    assert isinstance(error, RunFailedError)


async def test_error_that_needs_the_last_response_waits_for_it(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Only the response tells silence from failure when the lifecycle frame was lost."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), chat_error(), response_silent()])
    )
    assert (await final_of(ask(client))).outcome is RunOutcome.SILENT


async def test_refused_run_is_a_request_error(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """For instance an agent that is gone."""
    refusal = refusals.Refusal(message='Agent "nope" no longer exists in configuration')
    gateway.script(Expect("agent", reply=refusal))
    error = await error_of(ask(client))
    assert isinstance(error, RequestError)
    assert client.chat.live_runs == 0


async def test_run_refused_for_now_is_sent_again(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A gateway that is about to restart says when to come back."""
    gateway.script(
        Expect("agent", reply=refusals.restarting()),
        Expect("agent", reply=accepted(), emit=answered("Now.")),
    )
    assert (await final_of(ask(client))).text == "Now."
    first, second = gateway.received("agent")
    assert first.params == second.params


async def test_run_refused_for_too_long_fails(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The wait the gateway wants is longer than ours."""
    gateway.script(Expect("agent", reply=refusals.restarting()))
    error = await error_of(ask(client, patience=Patience(recovery=0.5)))
    assert isinstance(error, RequestError)
    assert error.retry_after == 1.0


# deadlines


async def test_silence_ends_the_turn_and_aborts_the_run(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """No frame of the run for too long."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("Hm")]), ABORT)
    error = await error_of(ask(client, patience=Patience(silence=0.1, total=60)))
    assert isinstance(error, RunTimeoutError)
    assert (await gateway.wait_for_request("chat.abort")).params == {
        "sessionKey": SESSION,
        "runId": gateway.run.run_id,
    }


async def test_frames_keep_the_turn_until_its_total_time(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A run that goes on for ever is not silent."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("Hm")]), ABORT)
    error = await error_of(ask(client, patience=Patience(silence=60, total=0.1)))
    assert isinstance(error, RunTimeoutError)
    await gateway.wait_for_request("chat.abort")


# leaving, aborting, detaching


async def test_leaving_aborts_the_run(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Nobody listens any more, and nobody waits for the abort."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]), ABORT)
    async with ask(client) as run:
        assert await first_delta(run) == "One"
    await gateway.wait_for_request("chat.abort")
    await gateway.played()
    await client.chat.make_room(SESSION)
    assert client.chat.live_runs == 0


async def test_cancelled_turn_aborts_the_run(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The wake word was said again."""
    is_heard = asyncio.Event()
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]), ABORT)

    async def turn() -> None:
        async with ask(client) as run:
            async for _ in run:
                is_heard.set()

    task = asyncio.create_task(turn())
    await is_heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gateway.wait_for_request("chat.abort")


async def test_run_left_before_its_acknowledgement_is_aborted(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Such a run has one response and no chat event at all."""
    gateway.script(
        Expect("agent"),
        Expect(
            "chat.abort",
            emit=[abort_response(), response_aborted(before_acknowledgement=True)],
        ),
    )
    async with ask(client):
        await gateway.wait_for_request("agent")
    await gateway.wait_for_request("chat.abort")
    await gateway.played()
    await client.chat.make_room(SESSION)
    assert client.chat.live_runs == 0


async def test_next_run_of_a_session_waits_for_the_end_of_the_aborted_one(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """To interrupt is to abort, to wait for the end, and to start anew."""
    may_end = asyncio.Event()
    order: list[str] = []
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One")]),
        Expect(
            "chat.abort",
            emit=[abort_response(), wait_for(may_end), aborted(), response_aborted()],
        ),
        Expect("agent", reply=accepted(), emit=answered("Two.")),
    )
    async with ask(client) as run:
        await first_delta(run)
    second = asyncio.create_task(final_of(ask(client, "Stop, what about this?")))
    await gateway.wait_for_request("chat.abort")
    order += [request.method for request in gateway.requests]
    may_end.set()
    assert (await second).text == "Two."
    assert order == ["connect", "agent", "chat.abort"]


async def test_next_run_does_not_wait_for_ever(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that does not end is the gateway's trouble, not the user's."""
    monkeypatch.setattr(chat_module, "ENDING_LIMIT", 0.05)
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One")]),
        Expect("chat.abort", emit=[abort_response()]),
        Expect("agent", reply=accepted(), emit=answered("Two.")),
    )
    async with ask(client) as run:
        await first_delta(run)
    assert (await final_of(ask(client))).text == "Two."


async def test_two_runs_may_be_left_at_once(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Each is aborted by its own id."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One")]),
        Expect("agent", reply=accepted(), emit=[started(), said("Two")]),
        ABORT,
        ABORT,
    )
    gateway.anytime(Expect("agents.list", reply=AGENTS))
    other = client.chat.start(session_key=OTHER_SESSION, message="Hello?")
    async with ask(client) as first, other as second:
        await first_delta(first)
        await first_delta(second)
    await gateway.wait_for_request("chat.abort", number=2)
    await gateway.played()
    await client.request("agents.list")
    asked = {request.params["runId"] for request in gateway.received("chat.abort")}
    assert asked == {first.run_id, second.run_id}
    assert client.chat.live_runs == 0


async def test_detached_run_goes_on_and_can_be_heard_later(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A handed over run is iterated to its end by whoever took it."""
    may_go_on = asyncio.Event()
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("One"),
                wait_for(may_go_on),
                said(" two."),
                ended(),
                response_ok(),
            ],
        )
    )
    async with ask(client) as run:
        await first_delta(run)
        run.detach()
    assert client.chat.live_runs == 1
    may_go_on.set()
    async with asyncio.timeout(5):
        items = [item async for item in run]
    assert items == [
        ChatDelta(" two."),
        ChatFinal(outcome=RunOutcome.ANSWERED, text="One two."),
    ]
    assert client.chat.live_runs == 0


async def test_detached_run_that_takes_too_long_is_aborted_once(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Whoever took it over gives it up."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started()]), ABORT)
    async with ask(client) as run:
        run.detach(Patience(total=0.1))
    with pytest.raises(RunTimeoutError):
        await anext(aiter(run))
    await gateway.wait_for_request("chat.abort")
    await client.chat.make_room(SESSION)
    assert client.chat.live_runs == 0


async def test_aborted_run_ends_with_what_it_said(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Somebody stops the run in the gateway's own interface."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("Once upon"), aborted(), abort_settled(), response_aborted()],
        )
    )
    final = await final_of(ask(client))
    assert (final.outcome, final.text) == (RunOutcome.ABORTED, "Once upon")


async def test_abort_waits_for_the_end_and_may_be_repeated(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The caller may start anew right after."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]), ABORT)
    async with ask(client) as run:
        await first_delta(run)
        await run.abort()
        await run.abort()
        final = [item async for item in run][-1]
    assert isinstance(final, ChatFinal)
    assert final.outcome is RunOutcome.ABORTED
    assert len(gateway.received("chat.abort")) == 1


async def test_abort_of_a_run_that_is_not_there_returns(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway does not know it (any more)."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One")]),
        Expect("chat.abort", emit=[abort_response(was_active=False)]),
    )
    async with ask(client) as run:
        await first_delta(run)
        await run.abort()
    await client.chat.make_room(SESSION)
    assert client.chat.live_runs == 0


async def test_abort_of_a_run_that_does_not_end_is_told(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for the end has a limit."""
    monkeypatch.setattr(chat_run, "ABORT_LIMIT", 0.05)
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]))
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": True, "runIds": []}))
    async with ask(client) as run:
        await first_delta(run)
        with pytest.raises(RunTimeoutError):
            await run.abort()


async def test_stopping_the_client_aborts_what_nobody_will_hear(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The entry is unloaded during a turn: the turn ends, the run ends, the socket is closed."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]), ABORT)
    heard: list[RunItem] = []
    is_heard = asyncio.Event()

    async def turn() -> None:
        async with ask(client) as run:
            async for item in run:
                heard.append(item)
                is_heard.set()

    task = asyncio.create_task(turn())
    await is_heard.wait()
    await client.stop()
    async with asyncio.timeout(5):
        await task
    assert isinstance(heard[-1], ChatFinal)
    assert heard[-1].outcome is RunOutcome.ABORTED
    await gateway.wait_for_no_client()


async def test_stopping_does_not_wait_long_for_aborts(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that does not answer does not keep Home Assistant from stopping."""
    monkeypatch.setattr(chat_module, "STOP_LIMIT", 0.05)
    gateway.script(Expect("agent", reply=accepted(), emit=[started()]), Expect("chat.abort"))
    task = asyncio.create_task(error_of(ask(client)))
    await gateway.wait_for_request("agent")
    await client.stop()
    assert isinstance(await task, GatewayError)


# starting


async def test_run_waits_for_a_connection_that_is_just_being_made(
    gateway: ScriptedGateway, settings: ConnectionSettings, quick_retries: None
) -> None:
    """The user speaks in the moment of a reconnect."""
    gateway.accept_slowly()
    gateway.script(Expect("agent", reply=accepted(), emit=answered("Here.")))
    async with running(GatewayClient(settings)) as client:
        turn = asyncio.create_task(final_of(ask(client)))
        await gateway.wait_for_sockets(1)
        gateway.accept()
        assert (await turn).text == "Here."


async def test_run_does_not_sit_out_the_wait_before_the_next_attempt(
    gateway: ScriptedGateway, settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user speaks during a short outage; the client is asked to try now, and again."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 3600.0)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 3600.0)
    monkeypatch.setattr(run_recovery, "RECOVERY_POLL", 0.05)
    gateway.script(Expect("agent", reply=accepted(), emit=answered("Here.")))
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
        gateway.refuse_upgrade(503, times=2)
        await gateway.drop()
        await reached(client, ClientState.RETRY_WAIT)
        assert (await final_of(ask(client))).text == "Here."


async def test_run_without_connection_tells_why(
    gateway: ScriptedGateway,
    settings: ConnectionSettings,
    quick_retries: None,
) -> None:
    """The reason becomes a sentence, so it must be the real one."""
    impatient = Patience(connect=0.1)
    async with running(GatewayClient(settings)) as client:
        await client.wait_ready(5)
        await gateway.stop()
        await reached(client, ClientState.RETRY_WAIT)
        assert isinstance(await error_of(ask(client, patience=impatient)), CannotConnectError)
        gateway.hello = refusals.token_mismatch()
        await gateway.start()
        client.retry_now()
        await reached(client, ClientState.REFUSED)
        assert isinstance(await error_of(ask(client)), CredentialsRejectedError)


async def test_request_that_cannot_be_sent_leaves_no_run(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A message larger than the gateway takes is refused here."""
    error = await error_of(ask(client, "x" * 27_000_000))
    assert isinstance(error, RequestError)
    assert client.chat.live_runs == 0


async def test_slow_listener_gets_the_text_joined(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """What waits to be heard stays small."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[*answered("One", " two", " three.")]),
        Expect("agents.list", reply=AGENTS),
    )
    async with ask(client) as run:
        await gateway.wait_for_request("agent")
        await gateway.played()
        # Its answer comes behind everything that was sent before.
        await client.request("agents.list")
        items = [item async for item in run]
    assert items[:2] == [MessageStarted(), ChatDelta("One two three.")]


async def test_run_refused_for_now_in_its_middle_says_nothing_twice(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """What was heard before the connection was lost is remembered over a refusal."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("The light"), drop()]),
        Expect("agent", reply=refusals.restarting()),
        Expect("agent", reply=in_flight(), emit=[said(" is on."), ended()]),
    )
    items = await items_of(ask(client))
    assert "".join(item.text for item in items if isinstance(item, ChatDelta)) == "The light is on."
    assert items.count(MessageStarted()) == 1


async def test_turn_that_starts_while_the_client_stops_is_not_sent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The connection is still open for the aborts of others."""
    may_end = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One")]),
        Expect("chat.abort", emit=[wait_for(may_end), aborted(), abort_response()]),
    )
    turn = asyncio.create_task(final_of(ask(client)))
    await gateway.wait_for_request("agent")
    stop = asyncio.create_task(client.stop())
    await gateway.wait_for_request("chat.abort")
    other = client.chat.start(session_key="agent:main:homeassistant:x", message="Too late")
    assert isinstance(await error_of(other), NotConnectedError)
    may_end.set()
    await stop
    assert (await turn).outcome is RunOutcome.ABORTED


async def test_turn_cancelled_while_its_request_is_written_is_aborted(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame may reach the gateway although nobody waits for it any more."""
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    is_writing = asyncio.Event()

    async def write(*_: object, **__: object) -> None:
        is_writing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(RunLink, "send", write)
    run = ask(client)
    turn = asyncio.create_task(items_of(run))
    await is_writing.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert (await gateway.wait_for_request("chat.abort")).params["runId"] == run.run_id


async def test_next_turn_does_not_wait_for_an_end_that_cannot_come(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """While the gateway is away, one wait for it is enough."""
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One")]))
    async with ask(client) as run:
        await first_delta(run)
        await gateway.stop()
        await reached(client, ClientState.RETRY_WAIT)
    async with asyncio.timeout(2):
        with pytest.raises(CannotConnectError):
            await ask(client, patience=Patience(connect=0.05)).__aenter__()


async def test_repeated_request_of_a_running_run_leaves_no_listener(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its last response never comes, so nobody may wait for it as long as the socket lives."""
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop()]),
        Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    await items_of(ask(client))
    assert not client.connection._waiting


async def test_half_open_connection_in_mid_turn_is_replaced_and_the_answer_goes_on(
    quick_retries: None, socket_enabled: None
) -> None:
    """Nothing comes, not even ticks, although the socket is open."""
    async with ScriptedGateway(tick_interval_ms=50) as gateway:
        gateway.script(
            Expect("agent", reply=accepted(), emit=[started(), said("One")]),
            Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
        )
        async with running(GatewayClient(settings_for(gateway))) as client:
            await client.wait_ready(5)
            gateway.is_ticking = False
            turn = asyncio.create_task(final_of(ask(client)))
            await gateway.wait_for_request("agent", number=2)
            gateway.is_ticking = True
            assert (await turn).text == "One two."
        assert gateway.connections.most == 1
