"""A detached run goes on without anybody waiting, through silence, losses and stops of ours."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway import run_recovery
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    NotConnectedError,
    RunLostError,
    RunTimeoutError,
)
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    RunItem,
    RunOutcome,
)
from custom_components.openclaw_voice.gateway.run_request import Patience
from custom_components.openclaw_voice.gateway.state import ClientState
from tests.fakes import refusals
from tests.fakes.agent_run import AgentRun
from tests.fakes.frames import accepted, ended, in_flight, said, started
from tests.fakes.gateway import Action, Expect, ScriptedGateway, drop, wait_for

from .conftest import reached
from .run_scripts import (
    SESSION,
    answer_row,
    ask,
    first_word,
    heard,
    history,
    reply,
    user_row,
    waited,
)

SPEAKING = Expect("agent", reply=accepted(), emit=[started(), said("One")])
RESTLESS = Patience(silence=0.05)
"""Asks the gateway at once."""


async def left(client: GatewayClient, patience: Patience | None = None) -> ChatRun:
    """Return a run that was detached after its first word."""
    async with ask(client) as run:
        assert await first_word(run) == "One"
        run.detach(patience)
    return run


async def test_iteration_under_way_goes_on_with_the_new_patience(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The turn ends while somebody waits for the next word; the same wait is handed over."""
    may_end = asyncio.Event()
    gateway.script(SPEAKING)
    gateway.anytime(waited(), history(user_rows, inFlightRun=in_flight_run))
    async with ask(client, patience=Patience(silence=60)) as run:
        await first_word(run)
        rest = asyncio.create_task(heard(run))
        await client.wait_ready(5)
        run.detach(RESTLESS)
    await gateway.wait_for_request("agent.wait")
    assert not rest.done()
    may_end.set()
    await gateway.emit(said(" two."), ended())
    final = ChatFinal(outcome=RunOutcome.ANSWERED, text="One two.")
    assert await rest == [ChatDelta(" two."), final]


async def test_silent_run_is_asked_for_again_and_again(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It works on something that takes long; every look has the same answer."""
    gateway.script(SPEAKING)
    gateway.anytime(waited(), history(user_rows, inFlightRun=in_flight_run))
    run = await left(client, RESTLESS)
    rest = asyncio.create_task(heard(run))
    await gateway.wait_for_request("chat.history", number=3)
    await gateway.emit(said(" two."), ended())
    assert isinstance((await rest)[-1], ChatFinal)


def in_flight_run(run_id: str) -> dict[str, object]:
    """Return what the history says of a run that goes on."""
    return {"runId": run_id, "text": "One"}


def user_rows(run_id: str) -> list[dict[str, object]]:
    """Return the rows of a run that has said nothing yet."""
    return [user_row(run_id)]


async def test_end_that_was_missed_is_found_in_the_silence(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The text of the history is whole, that of the memory is cut."""
    gateway.script(
        SPEAKING,
        waited(status="ok", terminalReply=reply("visible", "three.")),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two three.")]),
    )
    assert await heard(await left(client, RESTLESS)) == [
        ChatDelta(" two three."),
        ChatFinal(outcome=RunOutcome.ANSWERED, text="One two three."),
    ]


async def test_end_that_comes_while_the_gateway_is_asked(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The answer to the question is old news then."""
    looks = waited(status="error", terminalReply=reply("silent"))
    gateway.script(SPEAKING, Expect("agent.wait", emit=[said(" two."), ended(), *looks.emit]))
    assert (await heard(await left(client, RESTLESS)))[-1] == ChatFinal(
        outcome=RunOutcome.ANSWERED, text="One two."
    )
    assert client.chat.live_runs == 0


async def test_run_that_was_replaced_is_followed(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Another client interrupted it, and the gateway continues it under an id of its own."""
    successor = AgentRun(run_id="successor", session_key=SESSION)
    gateway.script(
        SPEAKING, waited(), history(user_rows, sessionInfo={"activeRunIds": ["successor"]})
    )
    gateway.anytime(waited(), history(user_rows, sessionInfo={"activeRunIds": ["successor"]}))
    run = await left(client, RESTLESS)
    rest = asyncio.create_task(heard(run))
    await gateway.wait_for_request("agent.wait", number=2)
    assert run.run_id == "successor"
    await gateway.emit(lambda _: [*successor.say("One two."), *successor.end()])
    assert (await rest)[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text="One two.")


async def test_process_that_continues_a_run_remembers_its_end(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It is another process than the one that was sent the request."""

    async def restart(_: object) -> None:
        await gateway.restart()

    active = history(user_rows, sessionInfo={"activeRunIds": ["successor"]})
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), Action(restart)]),
        active,
        waited(status="error", terminalReply=reply("silent")),
    )
    run = await left(client, RESTLESS)
    assert await heard(run) == [ChatFinal(outcome=RunOutcome.SILENT)]
    assert gateway.received("agent.wait")[0].params["runId"] == "successor"


async def test_gateway_that_does_not_want_to_be_asked_is_no_end(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The run goes on; it is asked for again later."""
    gateway.script(SPEAKING)
    gateway.anytime(Expect("agent.wait", reply=refusals.Refusal(message="no")))
    run = await left(client, RESTLESS)
    rest = asyncio.create_task(heard(run))
    await gateway.wait_for_request("agent.wait", number=2)
    await gateway.emit(said(" two."), ended())
    assert isinstance((await rest)[-1], ChatFinal)


async def test_patience_with_a_detached_run_has_an_end(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Nobody wants the answer any more, so the run is aborted, too."""
    gateway.script(SPEAKING)
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    run = await left(client, Patience(total=0.1))
    with pytest.raises(RunTimeoutError):
        await heard(run)
    await gateway.wait_for_request("chat.abort")


# losses


async def test_detaching_during_a_recovery_changes_its_limit(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The turn is handed over while the gateway is away."""
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), Action(lambda _: gateway.stop())],
        )
    )
    async with ask(client, patience=Patience(recovery=3600)) as run:
        await first_word(run)
        rest = asyncio.create_task(heard(run))
        await reached(client, ClientState.RETRY_WAIT)
        run.detach(Patience(recovery=0.05))
    with pytest.raises(RunLostError):
        await rest


@pytest.mark.parametrize("restart_time", [0.0, 60.0], ids=["its own pace", "quickly"])
async def test_long_outage_is_waited_for(
    gateway: ScriptedGateway,
    client: GatewayClient,
    monkeypatch: pytest.MonkeyPatch,
    restart_time: float,
) -> None:
    """A restart is over soon; after that the client comes back at its own pace."""
    monkeypatch.setattr(run_recovery, "RECOVERY_POLL", 0.01)
    monkeypatch.setattr(run_recovery, "RESTART_TIME", restart_time)
    warmed: list[bool] = []
    warm = client.warm
    monkeypatch.setattr(client, "warm", lambda: (warmed.append(True), warm()))
    gateway.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One"), Action(lambda _: gateway.stop())],
        ),
        Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    run = await left(client)
    rest = asyncio.create_task(heard(run))
    warmed.clear()
    await attempts(client, 4)
    assert bool(warmed) is bool(restart_time)
    await gateway.start()
    assert (await rest)[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text="One two.")


async def attempts(client: GatewayClient, number: int) -> None:
    """Wait until the client has failed to connect so often."""
    there = asyncio.Event()
    unsubscribe = client.subscribe(lambda now: there.set() if now.attempts >= number else None)
    async with asyncio.timeout(5):
        await there.wait()
    unsubscribe()


async def test_refusal_is_waited_out_until_a_person_has_acted(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The credential is mended an hour later, and the answer is still there."""
    gateway.hello = refusals.token_mismatch()
    await gateway.drop()
    gateway.hello = None
    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One"), drop(4001, "removed")]),
        Expect("connect", reply=refusals.token_mismatch()),
        Expect("agent", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    await client.wait_ready(5)
    run = await left(client)
    rest = asyncio.create_task(heard(run))
    await reached(client, ClientState.REFUSED)
    client.retry_now()
    assert (await rest)[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text="One two.")


# stops of ours


@pytest.mark.parametrize("is_away", [False, True], ids=["connected", "gateway away"])
async def test_stopping_the_client_leaves_the_run_alone(
    gateway: ScriptedGateway, client: GatewayClient, is_away: bool
) -> None:
    """Whoever iterates it is told that it has not ended."""
    go_away = [Action(lambda _: gateway.stop())] if is_away else []
    gateway.script(Expect("agent", reply=accepted(), emit=[started(), said("One"), *go_away]))
    run = await left(client)
    rest = asyncio.create_task(heard(run))
    if is_away:
        await reached(client, ClientState.RETRY_WAIT)
    await client.stop()
    with pytest.raises(NotConnectedError):
        await rest
    assert not gateway.received("chat.abort")
    assert client.chat.live_runs == 0


async def test_run_may_be_detached_before_it_starts(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Nobody waits for it from the first moment."""
    may_end = asyncio.Event()
    gateway.script(
        Expect("agent", reply=accepted(), emit=[wait_for(may_end), said("One"), ended()])
    )
    run = ask(client)
    run.detach()
    async with run:
        pass
    may_end.set()
    items: list[RunItem] = await heard(run)
    assert isinstance(items[-1], ChatFinal)
    assert not gateway.received("chat.abort")
