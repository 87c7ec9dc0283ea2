"""A run takes the place of the attached one before it in its session."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway import chat as chat_module, chat_run
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.run_items import ChatFinal, RunOutcome
from custom_components.openclaw_voice.gateway.state import ClientState
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    in_flight,
    response_aborted,
    said,
    started,
)
from tests.fakes.gateway import Action, Expect, ScriptedGateway, abort_response, wait_for

from .conftest import reached
from .run_scripts import SESSION, ask, final_of, first_word, heard, user_row

SPEAKING = Expect("agent", reply=accepted(), emit=[started(), said("One")])
ABORT = Expect(
    "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
)
NEXT = Expect("agent", reply=accepted(), emit=answered("Two."))
STOPPED = ChatFinal(outcome=RunOutcome.ABORTED, text="One")


async def test_next_run_aborts_the_attached_one_first(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The new question is answered, and who listened before hears the end of the old one."""
    gateway.script(SPEAKING, ABORT, NEXT)
    async with ask(client) as first:
        assert await first_word(first) == "One"
        assert (await final_of(ask(client))).text == "Two."
        assert await heard(first) == [STOPPED]
    assert gateway.received("chat.abort")[0].params["runId"] == first.run_id
    assert client.chat.live_runs == 0


async def test_next_run_leaves_a_detached_one_alone(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its answer is still wanted, later."""
    may_end = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[wait_for(may_end), *answered("One.")]), NEXT
    )
    async with ask(client) as first:
        first.detach()
    assert (await final_of(ask(client))).text == "Two."
    may_end.set()
    assert isinstance((await heard(first))[-1], ChatFinal)


async def test_next_run_leaves_one_alone_that_has_ended(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its answer is only not listened to yet."""
    gateway.script(Expect("agent", reply=accepted(), emit=answered("One.")), NEXT)
    async with ask(client) as first:
        await first_word(first)
        await gateway.played()
        assert (await final_of(ask(client))).text == "Two."
        assert isinstance((await heard(first))[-1], ChatFinal)


async def test_interrupted_run_the_gateway_does_not_know_ends_all_the_same(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Nothing more comes of it, so nobody may wait for it."""
    nothing = Expect("chat.abort", emit=[abort_response(was_active=False)])
    gateway.script(SPEAKING, nothing, NEXT)
    async with ask(client) as first:
        await first_word(first)
        assert (await final_of(ask(client))).text == "Two."
        assert await heard(first) == [STOPPED]


async def test_interrupted_run_that_does_not_end_is_not_waited_for_long(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the gateway's trouble; the new question is asked."""
    monkeypatch.setattr(chat_module, "ENDING_LIMIT", 0.05)
    monkeypatch.setattr(chat_run, "ABORT_LIMIT", 0.2)
    gateway.script(SPEAKING, Expect("chat.abort", emit=[abort_response()]), NEXT)
    async with ask(client) as first:
        await first_word(first)
        assert (await final_of(ask(client))).text == "Two."
        assert await heard(first) == [STOPPED]


async def test_run_is_found_again_before_it_is_aborted(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Else its recovery could start it after the abort."""
    may_be_found = asyncio.Event()

    async def go_away(_: object) -> None:
        await gateway.drop()

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(go_away)]),
        Expect("agent", emit=[wait_for(may_be_found), in_flight()]),
        ABORT,
    )
    async with ask(client) as run:
        await first_word(run)
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("agent", number=2)
        abort = asyncio.create_task(run.abort())
        await client.wait_ready(5)
        assert not gateway.received("chat.abort")
        may_be_found.set()
        await abort
        assert await rest == [STOPPED]


async def test_abort_does_not_wait_long_for_a_run_to_be_found(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is asked with the id that is known."""
    monkeypatch.setattr(chat_run, "ABORT_RECOVERY_LIMIT", 0.1)

    async def go_away(_: object) -> None:
        await gateway.drop()

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(go_away)]),
        Expect("agent"),
        ABORT,
    )
    async with ask(client) as run:
        await first_word(run)
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("agent", number=2)
        await run.abort()
        assert await rest == [STOPPED]


async def test_of_two_that_begin_at_once_the_last_one_stays(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Both wait for the end of the one before them."""
    may_end = asyncio.Event()
    gateway.script(
        SPEAKING,
        Expect("chat.abort", emit=[wait_for(may_end), aborted(), abort_response()]),
        Expect("agent", reply=accepted(), emit=[started(), said("Two")]),
        ABORT,
        Expect("agent", reply=accepted(), emit=answered("Three.")),
    )
    async with ask(client) as first:
        await first_word(first)
        second = asyncio.create_task(final_of(ask(client)))
        third = asyncio.create_task(final_of(ask(client)))
        await gateway.wait_for_request("chat.abort")
        may_end.set()
        assert (await third).text == "Three."
    assert (await second).outcome is RunOutcome.ABORTED


async def test_run_given_up_during_its_recovery_is_not_followed(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the history comes when nobody wants the run any more."""
    monkeypatch.setattr(chat_run, "ABORT_RECOVERY_LIMIT", 0.05)

    async def restart(_: object) -> None:
        await gateway.restart()

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(restart)]),
        Expect("chat.history"),
        Expect("chat.abort", emit=[abort_response(was_active=False)]),
        NEXT,
    )
    async with ask(client) as first:
        await first_word(first)
        rest = asyncio.create_task(heard(first))
        looks = await gateway.wait_for_request("chat.history")
        assert (await final_of(ask(client))).text == "Two."
        payload = {
            "sessionKey": SESSION,
            "messages": [user_row(first.run_id)],
            "sessionInfo": {"activeRunIds": ["successor"]},
        }
        await looks.connection.respond(looks.id, payload)
        assert await rest == [STOPPED]


async def test_run_given_up_while_the_gateway_is_away_is_not_looked_for(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its end is known before there is a connection again."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), Action(lambda _: gateway.stop())],
        )
    )
    async with ask(client) as first:
        await first_word(first)
        rest = asyncio.create_task(heard(first))
        await reached(client, ClientState.RETRY_WAIT)
        first.link.give_up()
        await gateway.start()
        assert await rest == [STOPPED]
    assert len(gateway.received("agent")) == 1


async def test_run_aborted_before_it_is_entered_is_not_sent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """There is nothing to stop on the gateway, and nothing starts there afterwards."""
    run = ask(client)
    await run.abort()
    assert await final_of(run) == ChatFinal(outcome=RunOutcome.ABORTED)
    assert not gateway.received("agent")
    assert not gateway.received("chat.abort")


async def test_run_aborted_while_it_waits_for_another_is_not_sent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Whoever says "stop" then means this one, too."""
    may_end = asyncio.Event()
    gateway.script(
        SPEAKING, Expect("chat.abort", emit=[wait_for(may_end), aborted(), abort_response()])
    )
    async with ask(client) as first:
        await first_word(first)
        second = ask(client)
        answer = asyncio.create_task(final_of(second))
        await gateway.wait_for_request("chat.abort")
        await second.abort()
        may_end.set()
        assert (await answer).outcome is RunOutcome.ABORTED
    assert len(gateway.received("agent")) == 1
    assert client.chat.live_runs == 0
