"""Runs that are started by `chat.send`: one response, and every end comes by events."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway import run_recovery
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    RequestError,
    RunFailedError,
    RunTimeoutError,
)
from custom_components.openclaw_voice.gateway.run_items import ChatFinal, RunOutcome
from custom_components.openclaw_voice.gateway.run_request import Patience, RunMethod
from tests.fakes import refusals
from tests.fakes.frames import (
    aborted,
    already_ended,
    chat_aborted,
    chat_error,
    chat_final,
    chat_silent,
    ended,
    failed,
    in_flight,
    lifecycle,
    said,
    sent,
    started,
)
from tests.fakes.gateway import Action, Expect, ScriptedGateway, abort_response, drop

from .run_scripts import (
    answer_row,
    ask,
    error_of,
    final_of,
    first_word,
    heard,
    history,
    reply,
    user_row,
    waited,
)

AGENTS = {"defaultId": "main", "mainKey": "main", "scope": "per-sender", "agents": []}
SILENT = ChatFinal(outcome=RunOutcome.SILENT)


def send(client: GatewayClient, **options: object) -> ChatRun:
    """Return a run that is started by `chat.send`."""
    return ask(client, method=RunMethod.CHAT_SEND, **options)


def answered(text: str) -> ChatFinal:
    """Return the end of an answered run."""
    return ChatFinal(outcome=RunOutcome.ANSWERED, text=text)


async def test_answer_comes_by_events_alone(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """There is one response, so nobody waits for another one afterwards."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("The", " door."), ended()])
    )
    assert await final_of(send(client, work_context="room: hall")) == answered("The door.")
    (request,) = gateway.received("chat.send")
    assert request.params["workContext"]["selection"] == "room: hall"
    assert not client.connection._waiting


async def test_stop_word_ends_the_turn_at_once(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its response names no run, and no event follows."""
    gateway.script(Expect("chat.send", reply={"ok": True, "aborted": False, "runIds": []}))
    assert await final_of(send(client)) == SILENT
    assert client.chat.live_runs == 0


async def test_context_a_command_does_not_take_is_left_out(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway refuses a stop word or a command that has one, and starts nothing."""
    refusal = refusals.unwanted_context()
    nothing = {"ok": True, "aborted": False, "runIds": []}
    gateway.script(Expect("chat.send", reply=refusal), Expect("chat.send", reply=nothing))
    assert await final_of(send(client, work_context="room: hall")) == SILENT
    first, second = gateway.received("chat.send")
    assert first.params == second.params | {"workContext": first.params["workContext"]}


async def test_message_refused_for_another_reason_is_asked_once_more(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Without its context, and no more."""
    refusal = refusals.Refusal(message="no such agent")
    gateway.script(Expect("chat.send", reply=refusal), Expect("chat.send", reply=refusal))
    assert isinstance(await error_of(send(client, work_context="room: hall")), RequestError)


async def test_refused_message_is_a_request_error(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """For instance an agent that is gone."""
    gateway.script(Expect("chat.send", reply=refusals.Refusal(message="no such agent")))
    assert isinstance(await error_of(send(client)), RequestError)


async def test_silence_is_told_by_the_lifecycle(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The run is `aborted` by nobody, and an error follows that is none."""
    gateway.script(Expect("chat.send", reply=sent(), emit=[started(), chat_silent()]))
    assert await final_of(send(client)) == SILENT


async def test_silence_whose_lifecycle_was_missed_is_asked_for(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """An empty answer looks the same."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[chat_aborted(stop_reason="stop"), chat_error()]),
        waited(status="error", stopReason="stop", terminalReply=reply("silent")),
    )
    assert await final_of(send(client)) == SILENT


async def test_empty_answer_is_an_error(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The model is broken."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[chat_aborted(stop_reason="stop")]),
        waited(status="error", stopReason="stop", terminalReply=reply("empty")),
    )
    assert isinstance(await error_of(send(client)), EmptyAnswerError)


async def test_end_nobody_can_explain_is_an_error(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway does not answer the question either."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[chat_aborted(stop_reason="stop")]),
        Expect("agent.wait", reply=refusals.Refusal(message="no")),
    )
    assert isinstance(await error_of(send(client)), EmptyAnswerError)


async def test_failure_needs_no_response(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """None would come."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), failed("No quota.", kind="rate_limit")])
    )
    error = await error_of(send(client))
    assert isinstance(error, RunFailedError)
    assert error.kind == "rate_limit"


async def test_message_that_another_run_has_taken_up_is_silent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Its final has no message; the answer is part of the other run's."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[chat_final(has_message=False)]),
        waited(status="ok"),
    )
    assert await final_of(send(client)) == SILENT


async def test_second_final_is_not_ours_any_more(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The agent's own message tool sends one."""
    gateway.script(
        Expect(
            "chat.send",
            reply=sent(),
            emit=[started(), said("Done."), ended(), chat_final("By the way.")],
        ),
        Expect("agents.list", reply=AGENTS),
    )
    async with send(client) as run:
        await gateway.wait_for_request("chat.send")
        await gateway.played()
        await client.request("agents.list")
        assert (await heard(run))[-1] == answered("Done.")


async def test_run_is_aborted_like_any_other(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Leaving it is enough."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("One")]),
        Expect("chat.abort", emit=[aborted(), abort_response()]),
    )
    async with send(client) as run:
        await first_word(run)
        await run.abort()
        final = (await heard(run))[-1]
    assert final == ChatFinal(outcome=RunOutcome.ABORTED, text="One")


# recovery


async def test_run_goes_on_over_a_dropped_connection(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The same request again starts nothing."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("One"), drop()]),
        Expect("chat.send", reply=in_flight(), emit=[said(" two."), ended()]),
    )
    assert await final_of(send(client)) == answered("One two.")
    first, second = gateway.received("chat.send")
    assert first.params == second.params


async def test_answer_that_was_missed_is_in_the_history(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The same request is answered without a text."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("One"), drop()]),
        Expect("chat.send", reply=already_ended()),
        waited(status="ok", terminalReply=reply("visible", "One two.")),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two.")]),
    )
    assert await final_of(send(client)) == answered("One two.")


async def test_connection_lost_while_the_answer_is_fetched(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The end is known, the text is not: it is asked for over the next connection."""
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("One"), drop()]),
        Expect("chat.send", reply=already_ended()),
        Expect("agent.wait", emit=[drop()]),
        Expect("chat.send", reply=already_ended()),
        waited(status="ok", terminalReply=reply("visible", "One two.")),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two.")]),
    )
    assert await final_of(send(client)) == answered("One two.")


async def test_end_that_another_process_cannot_explain(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway is restarted in that moment, and its history has no answer."""

    async def restart(_: object) -> None:
        await gateway.restart()

    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), chat_aborted(stop_reason="stop")]),
        Expect("agent.wait", emit=[Action(restart)]),
        history(lambda run_id: [user_row(run_id)]),
    )
    assert isinstance(await error_of(send(client)), EmptyAnswerError)


async def test_request_whose_acknowledgement_was_lost_is_repeated(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The same process knows the key, whether or not the first one arrived."""
    gateway.script(
        Expect("chat.send", emit=[drop()]),
        Expect("chat.send", reply=sent(), emit=[started(), said("Here."), ended()]),
    )
    assert await final_of(send(client)) == answered("Here.")


async def test_key_that_may_be_forgotten_is_not_used(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending it again could run the message twice."""
    monkeypatch.setattr(run_recovery, "KEY_MEMORY", 0.0)
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), said("One"), drop()]),
        waited(),
        history(lambda run_id: [user_row(run_id), answer_row(run_id, "One two.")]),
    )
    assert await final_of(send(client)) == answered("One two.")


async def test_late_response_after_the_end_is_ignored(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Events may overtake it altogether."""
    gateway.script(
        Expect("chat.send", emit=[started(), said("Quick."), ended(), sent()]),
        Expect("agents.list", reply=AGENTS),
    )
    async with send(client) as run:
        await gateway.wait_for_request("chat.send")
        await gateway.played()
        await client.request("agents.list")
        assert (await heard(run))[-1] == answered("Quick.")


# approvals


async def test_waiting_for_an_approval_is_no_silence(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A person may take their time; only the whole time of the turn counts."""
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    gateway.script(
        Expect("chat.send", reply=sent(), emit=[started(), lifecycle("waiting-approval")])
    )
    clock = asyncio.get_running_loop().time
    began = clock()
    run = send(client, patience=Patience(silence=0.05, total=0.4))
    assert isinstance(await error_of(run), RunTimeoutError)
    assert clock() - began >= 0.4
    assert run.waits_for_approval


async def test_run_goes_on_after_its_approval(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """From then on silence counts again."""
    gateway.script(
        Expect(
            "chat.send",
            reply=sent(),
            emit=[
                started(),
                lifecycle("waiting-approval"),
                lifecycle("approval-resolved"),
                said("Done."),
                ended(),
            ],
        )
    )
    run = send(client)
    assert await final_of(run) == answered("Done.")
    assert not run.waits_for_approval
