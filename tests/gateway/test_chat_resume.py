"""A run that was started earlier is found by its id, and its answer is whole."""

import asyncio

import pytest

from custom_components.openclaw_voice.gateway import chat_run, run_lookup, run_recovery
from custom_components.openclaw_voice.gateway.chat_run import ChatRun
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    EmptyAnswerError,
    NotConnectedError,
    RunFailedError,
    RunLostError,
    RunTimeoutError,
)
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunOutcome,
    ToolActivity,
)
from custom_components.openclaw_voice.gateway.run_request import Patience
from tests.fakes import refusals
from tests.fakes.agent_run import AgentRun
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response

from .run_scripts import (
    SESSION,
    answer_row,
    error_of,
    final_of,
    heard,
    history,
    reply,
    user_row,
    waited,
)

RUN_ID = "an-earlier-run"
RUNNING = history(lambda _: [user_row(RUN_ID)], inFlightRun={"runId": RUN_ID, "text": "Let me"})


@pytest.fixture
def earlier() -> AgentRun:
    """Return the run as the gateway tells of it."""
    return AgentRun(run_id=RUN_ID, session_key=SESSION)


def resume(client: GatewayClient, patience: Patience | None = None) -> ChatRun:
    """Return the run that was started earlier."""
    return client.chat.resume(session_key=SESSION, run_id=RUN_ID, patience=patience)


def answered(text: str) -> ChatFinal:
    """Return the end of an answered run."""
    return ChatFinal(outcome=RunOutcome.ANSWERED, text=text)


async def test_run_that_goes_on_is_listened_to(
    gateway: ScriptedGateway, client: GatewayClient, earlier: AgentRun
) -> None:
    """What was said before nobody listened belongs to the answer; it comes as one message."""
    gateway.script(waited(), RUNNING)
    earlier.say("Let me look.")
    earlier.tool_start("c1", "exec", {}, title="Exec")
    async with resume(client) as run:
        assert run.is_detached
        assert [request.method for request in gateway.requests] == ["connect"]
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("chat.history")
        tool = earlier.tool_end("c1", "exec", "noon", title="Exec")
        await gateway.emit(lambda _: [*tool, *earlier.say("It is noon."), *earlier.end()])
        items = await rest
    whole = "Let me look.\n\nIt is noon."
    assert [item for item in items if not isinstance(item, ToolActivity)] == [
        MessageStarted(),
        ChatDelta(whole),
        answered(whole),
    ]
    assert client.chat.live_runs == 0


async def test_run_that_has_ended_is_read_from_the_history(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway's memory cuts texts, and has only what came after the last tool."""
    gateway.script(
        waited(status="ok", terminalReply=reply("visible", "It is noon.")),
        history(
            lambda _: [
                user_row(RUN_ID),
                answer_row(RUN_ID, "Let me look.", stopReason="toolUse"),
                answer_row(RUN_ID, "It is noon."),
            ]
        ),
    )
    assert await final_of(resume(client)) == answered("Let me look.\n\nIt is noon.")


async def test_memory_is_better_than_nothing(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The history does not have the answer (yet)."""
    gateway.script(waited(status="ok", terminalReply=reply("visible", "It is noon.")), RUNNING)
    assert await final_of(resume(client)) == answered("It is noon.")


async def test_run_that_ended_long_ago_is_in_the_history(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway has forgotten its key."""
    gateway.script(waited(), history(lambda _: [user_row(RUN_ID), answer_row(RUN_ID, "Noon.")]))
    assert await final_of(resume(client)) == answered("Noon.")


async def test_long_history_is_read_back_to_the_question(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """A run of many tools has more rows than one look brings."""
    first, last = (
        answer_row(RUN_ID, "Let me look.", stopReason="toolUse"),
        answer_row(RUN_ID, "Noon."),
    )
    gateway.script(
        waited(),
        history(lambda _: [last], hasMore=True),
        history(lambda _: [user_row(RUN_ID), first, last], hasMore=True),
    )
    assert await final_of(resume(client)) == answered("Let me look.\n\nNoon.")
    assert [look.params["limit"] for look in gateway.received("chat.history")] == [50, 1000]


async def test_run_that_kept_silent_is_a_result(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The history would look as if it had been interrupted."""
    gateway.script(waited(status="error", error="failed", terminalReply=reply("silent")))
    assert await final_of(resume(client)) == ChatFinal(outcome=RunOutcome.SILENT)


async def test_run_that_was_stopped_ends_with_what_it_said(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Somebody aborted it while we were away."""
    row = answer_row(RUN_ID, "Once upon", openclawAbort={"aborted": True})
    gateway.script(
        waited(status="error", stopReason="rpc"), history(lambda _: [user_row(RUN_ID), row])
    )
    assert await final_of(resume(client)) == ChatFinal(outcome=RunOutcome.ABORTED, text="Once upon")


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ({"status": "error", "terminalReply": reply("empty")}, EmptyAnswerError),
        ({"status": "error", "error": "It broke."}, RunFailedError),
        ({"status": "timeout", "error": "too long"}, RunFailedError),
    ],
    ids=["empty", "failed", "deadline"],
)
async def test_run_that_ended_without_an_answer(
    gateway: ScriptedGateway,
    client: GatewayClient,
    outcome: dict[str, object],
    error: type[Exception],
) -> None:
    """The error is the one its turn would have had."""
    gateway.script(waited(**outcome))
    assert isinstance(await error_of(resume(client)), error)


async def test_run_that_the_gateway_continues_is_followed(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It was killed while we were away, too."""
    successor = AgentRun(run_id="successor", session_key=SESSION)
    gateway.script(
        waited(),
        history(lambda _: [user_row(RUN_ID)], sessionInfo={"activeRunIds": ["successor"]}),
    )
    run = resume(client)
    end = asyncio.create_task(final_of(run))
    await gateway.wait_for_request("chat.history")
    await gateway.emit(lambda _: [*successor.say("Noon."), *successor.end()])
    assert await end == answered("Noon.")
    assert run.run_id == "successor"


async def test_interrupted_run_that_is_not_continued_is_lost(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for twice, and not waited for the whole patience."""
    monkeypatch.setattr(run_recovery, "CONTINUATION_LIMIT", 0.05)
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    look = history(lambda _: [user_row(RUN_ID)])
    gateway.script(waited(), look, waited(), look)
    assert isinstance(await error_of(resume(client)), RunLostError)


async def test_run_nobody_knows_is_lost(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Nothing is sent in its place."""
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    gateway.script(waited(), history())
    assert isinstance(await error_of(resume(client)), RunLostError)
    assert not gateway.received("agent")


async def test_slow_gateway_is_asked_again(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has just started may not answer in time, or not yet."""
    monkeypatch.setattr(run_lookup, "REQUEST_LIMIT", 0.3)
    busy = refusals.Refusal(code="UNAVAILABLE", message="busy", retryable=True, retry_after_ms=0)
    gateway.script(
        Expect("agent.wait"),
        Expect("agent.wait", reply=busy),
        waited(),
        history(lambda _: [user_row(RUN_ID), answer_row(RUN_ID, "Noon.")]),
    )
    assert await final_of(resume(client)) == answered("Noon.")


async def test_end_whose_reason_is_not_told_is_asked_for(
    gateway: ScriptedGateway, client: GatewayClient, earlier: AgentRun
) -> None:
    """Its last response went to the process of ours that started it."""
    gateway.script(waited(), RUNNING, waited(status="error", terminalReply=reply("silent")))
    async with resume(client) as run:
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("chat.history")
        await gateway.emit(lambda _: [earlier.chat_event("error", errorMessage="No response.")])
        assert await rest == [ChatFinal(outcome=RunOutcome.SILENT)]


async def test_text_that_comes_only_in_chat_frames_is_handed_out_whole(
    gateway: ScriptedGateway, client: GatewayClient, earlier: AgentRun
) -> None:
    """Their beginning was missed like that of the others."""
    gateway.script(waited(), RUNNING)
    async with resume(client) as run:
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("chat.history")
        earlier.assistant_delta("It is noon.")
        await gateway.emit(lambda _: [earlier.chat_delta(), *earlier.end()])
        assert (await rest)[1:] == [ChatDelta("It is noon."), answered("It is noon.")]


async def test_resumed_run_can_be_aborted(
    gateway: ScriptedGateway, client: GatewayClient, earlier: AgentRun
) -> None:
    """The abort waits until the run is found: its id may have changed."""
    earlier.say("One")
    stop = Expect(
        "chat.abort",
        params={"sessionKey": SESSION, "runId": RUN_ID},
        emit=[lambda _: earlier.abort(), abort_response()],
    )
    gateway.script(waited(), RUNNING, stop)
    async with resume(client) as run:
        rest = asyncio.create_task(heard(run))
        await gateway.wait_for_request("agent.wait")
        await run.abort()
        final = (await rest)[-1]
    assert final == ChatFinal(outcome=RunOutcome.ABORTED, text="One")


ABORTED = Expect("chat.abort", emit=[abort_response()])
NOT_THERE = Expect("chat.abort", emit=[abort_response(was_active=False)])


@pytest.mark.parametrize(
    ("fields", "found"), [({"activeRunIds": [RUN_ID]}, RUN_ID), ({"activeRunIds": ["new"]}, "new")]
)
async def test_run_nobody_listens_to_is_looked_for_before_it_is_aborted(
    gateway: ScriptedGateway,
    client: GatewayClient,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, object],
    found: str,
) -> None:
    """The gateway may have continued it under another id."""
    monkeypatch.setattr(chat_run, "ABORT_LIMIT", 0.05)
    gateway.script(waited(), history(lambda _: [user_row(RUN_ID)], sessionInfo=fields), ABORTED)
    async with resume(client) as run:
        with pytest.raises(RunTimeoutError):
            await run.abort()
    assert gateway.received("chat.abort")[0].params["runId"] == found


async def test_run_the_gateway_is_about_to_continue_is_aborted_then(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It was killed, and what it starts anew must stop, too."""
    successor = AgentRun(run_id="successor", session_key=SESSION)
    stop = Expect("chat.abort", emit=[lambda _: successor.abort(), abort_response()])
    gateway.script(waited(), history(lambda _: [user_row(RUN_ID)]), NOT_THERE, stop)
    async with resume(client) as run:
        abort = asyncio.create_task(run.abort())
        await gateway.wait_for_request("chat.abort")
        await gateway.emit(lambda _: successor.start())
        await abort
    assert gateway.received("chat.abort")[1].params["runId"] == "successor"
    assert client.chat.live_runs == 0


async def test_frame_before_the_answer_finds_the_run_for_the_abort(
    gateway: ScriptedGateway, client: GatewayClient, earlier: AgentRun
) -> None:
    """The gateway is still busy with the question."""
    looks = history(lambda _: [user_row(RUN_ID)])
    looks = Expect("chat.history", emit=[lambda _: earlier.say("One"), *looks.emit])
    stop = Expect("chat.abort", emit=[lambda _: earlier.abort(), abort_response()])
    gateway.script(waited(), looks, stop)
    async with resume(client) as run:
        await run.abort()
    assert client.chat.live_runs == 0


@pytest.mark.parametrize("is_known", [True, False])
async def test_run_that_is_over_needs_no_abort(
    gateway: ScriptedGateway, client: GatewayClient, is_known: bool
) -> None:
    """Whether it has ended or was never there."""
    rows = [user_row(RUN_ID), answer_row(RUN_ID, "Noon.")] if is_known else []
    gateway.script(waited(), history(lambda _: rows), NOT_THERE)
    async with resume(client) as run:
        await run.abort()


async def test_resuming_has_a_limit(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """The one the caller sets."""
    gateway.anytime(Expect("chat.abort", reply={"ok": True, "aborted": False, "runIds": []}))
    gateway.script(Expect("agent.wait"))
    error = await error_of(resume(client, Patience(recovery=0.1)))
    assert isinstance(error, RunLostError)


async def test_nothing_is_resumed_by_a_client_that_stops(client: GatewayClient) -> None:
    """The run is left for the next start."""
    await client.stop()
    assert isinstance(await error_of(resume(client)), NotConnectedError)
