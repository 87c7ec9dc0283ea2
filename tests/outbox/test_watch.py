"""A run is followed to its end, whatever happens in between."""

import asyncio
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    NotConnectedError,
    RateLimitedError,
    RequestTimeoutError,
    RunFailedError,
    RunLostError,
)
from custom_components.openclaw_voice.gateway.run_items import ChatDelta, MessageStarted
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.outbox import watch as watch_module
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer
from custom_components.openclaw_voice.outbox.watch import RUN_LIFETIME, Watch

from .late import NOON, make_answer
from .runs import HandClient, HandRun

OUTAGES = [
    ConnectionLostError(1006),
    CannotConnectError("away"),
    CredentialsRejectedError("revoked"),
    RateLimitedError("wait"),
    NotConnectedError("not now"),
    RequestTimeoutError("no answer"),
]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, freezer: FrozenDateTimeFactory) -> None:
    """Look for a run again without waiting; it is noon."""
    monkeypatch.setattr(watch_module, "RESUME_WAIT", 0)
    freezer.move_to(NOON)


class Noted:
    """The ids that were noted."""

    def __init__(self) -> None:
        """Have noted nothing."""
        self.ids: list[tuple[str, str]] = []

    async def note(self, answer_id: str, run_id: str) -> None:
        """Note a new id."""
        self.ids.append((answer_id, run_id))


def make_watch(
    client: HandClient,
    run: HandRun | None = None,
    *,
    noted: Noted | None = None,
    answer: LateAnswer | None = None,
) -> Watch:
    """Return a watch over an answer that was promised at noon."""
    return Watch(client, answer or make_answer(), run, (noted or Noted()).note)


async def test_a_run_is_iterated_to_its_end() -> None:
    """What comes after the hand-over is the rest."""
    run = HandRun()
    run.say(MessageStarted(), ChatDelta("It is 42."))
    run.answer("Let me look.\n\nIt is 42.")
    watch = make_watch(HandClient(), run, answer=make_answer(said="Let me look."))
    ended = await watch.follow(aiter(run))
    assert (ended.rest, ended.final.text) == ("It is 42.", "Let me look.\n\nIt is 42.")


async def test_a_run_from_before_a_restart_is_found_by_its_id() -> None:
    """Under the method it was started with."""
    run = HandRun()
    run.answer("Let me look. It is 42.")
    answer = make_answer(said="Let me look.", run_id="run-2", is_chat_send=True)
    client = HandClient(run)
    ended = await make_watch(client, answer=answer).follow(None)
    assert ended.rest == "It is 42."
    assert client.asked == [(answer.session_key, "run-2", RunMethod.CHAT_SEND)]


async def test_a_question_of_a_voice_session_that_is_found_stopped() -> None:
    """Nobody wished that: its session has ended."""
    stopped = HandRun()
    await stopped.abort()
    client = HandClient(stopped)
    with pytest.raises(RunLostError):
        await make_watch(client, answer=make_answer(is_consult=True)).follow(None)


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: type(error).__name__)
async def test_an_outage_does_not_end_a_run(outage: GatewayError) -> None:
    """It is looked for again, as often as necessary."""
    run, refused, found = HandRun(), HandRun(), HandRun()
    run.fail(outage)
    refused.refusal = outage
    found.answer("It is 42.")
    client = HandClient(refused, found)
    ended = await make_watch(client, run).follow(aiter(run))
    assert ended.rest == "It is 42."
    assert [method for *_, method in client.asked] == [RunMethod.AGENT] * 2


async def test_a_run_is_not_looked_for_for_ever(freezer: FrozenDateTimeFactory) -> None:
    """The gateway itself ends runs after that time."""
    refused = HandRun()
    refused.refusal = NotConnectedError("not now")
    freezer.move_to(NOON + RUN_LIFETIME + timedelta(seconds=1))
    with pytest.raises(NotConnectedError):
        await make_watch(HandClient(refused)).follow(None)


async def test_even_an_old_run_is_looked_for_once(freezer: FrozenDateTimeFactory) -> None:
    """Its answer lies in the history of the session."""
    run, found = HandRun(), HandRun()
    run.fail(ConnectionLostError(1006))
    found.answer("It is 42.")
    freezer.move_to(NOON + RUN_LIFETIME * 2)
    assert (await make_watch(HandClient(found), run).follow(aiter(run))).rest == "It is 42."


@pytest.mark.parametrize(
    "error", [RunFailedError("no"), RunLostError("gone")], ids=lambda error: type(error).__name__
)
async def test_a_run_that_failed_is_not_looked_for(error: GatewayError) -> None:
    """The gateway has said so."""
    run = HandRun()
    run.fail(error)
    watch = make_watch(HandClient(), run)
    with pytest.raises(type(error)):
        await watch.follow(aiter(run))
    assert not watch.is_our_doing(error)


async def test_a_run_without_an_end_is_lost() -> None:
    """That is a failure like others, not a silence."""
    run = HandRun()
    run.stop()
    with pytest.raises(RunLostError):
        await make_watch(HandClient(), run).follow(aiter(run))


@pytest.mark.parametrize(
    "error", [*OUTAGES, RunLostError("closed")], ids=lambda e: type(e).__name__
)
async def test_a_run_goes_on_when_the_client_is_stopped(error: GatewayError) -> None:
    """Only we have stopped listening: it is looked for after the next start."""
    run, client = HandRun(), HandClient()
    client.is_stopped = True
    run.fail(error)
    watch = make_watch(client, run)
    with pytest.raises(type(error)):
        await watch.follow(aiter(run))
    assert watch.is_our_doing(error)


async def test_a_failure_while_the_client_stops_is_a_failure() -> None:
    """The gateway had said so before."""
    client = HandClient()
    client.is_stopped = True
    assert not make_watch(client).is_our_doing(RunFailedError("no"))


async def test_a_new_id_is_noted_once() -> None:
    """The gateway continues an interrupted run under another one."""
    run, noted = HandRun(), Noted()
    watch = make_watch(HandClient(), run, noted=noted)
    run.say(ChatDelta("It "))
    following = asyncio.ensure_future(watch.follow(aiter(run)))
    run.run_id = "run-2"
    run.say(ChatDelta("is "))
    run.answer("It is 42.")
    await following
    assert noted.ids == [("run-1", "run-2")]
    assert watch.run_id == "run-2"


async def test_a_new_id_is_known_without_an_item() -> None:
    """It can be stored when we stop before the run says more."""
    run = HandRun()
    watch = make_watch(HandClient(), run)
    run.run_id = "run-2"
    assert watch.run_id == "run-2"


async def test_aborting_stops_the_run_on_the_gateway() -> None:
    """The run we follow is asked."""
    run = HandRun()
    await make_watch(HandClient(), run).abort()
    assert run.is_aborted


async def test_aborting_a_run_that_was_not_found_yet_finds_it() -> None:
    """After a restart."""
    run = HandRun()
    await make_watch(HandClient(run)).abort()
    assert run.is_aborted


async def test_aborting_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that does not answer holds nobody up."""
    run = HandRun()

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(watch_module, "ABORT_LIMIT", 0)
    monkeypatch.setattr(run, "abort", hang)
    with pytest.raises(RequestTimeoutError):
        await make_watch(HandClient(), run).abort()


async def test_a_watch_without_a_task_can_be_cancelled() -> None:
    """It only aborts."""
    make_watch(HandClient()).cancel()


async def test_noting_an_end_is_not_interrupted() -> None:
    """Then the end would be lost."""
    watch = make_watch(HandClient())
    may_end = asyncio.Event()
    watch.task = asyncio.ensure_future(_wait(may_end))
    watch.has_ended = True
    watch.cancel()
    may_end.set()
    await watch.task
    assert not watch.task.cancelled()


async def test_following_is_interrupted() -> None:
    """The run goes on without us."""
    run, client = HandRun(), HandClient()
    watch = make_watch(client, run)
    watch.task = asyncio.ensure_future(_follow(watch, run))
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch.task


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _follow(watch: Watch, run: HandRun) -> None:
    await watch.follow(aiter(run))
