"""A turn that is quiet for too long hands its run over, and nothing of it is lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, ClassVar, Self

import pytest

from custom_components.openclaw_voice.assist import turn as turn_module
from custom_components.openclaw_voice.assist.patient import PatientItems
from custom_components.openclaw_voice.assist.turn import HandOver, Turn
from custom_components.openclaw_voice.assist.turn_result import TurnOutcome, TurnStyle
from custom_components.openclaw_voice.gateway.errors import GatewayError, RunLostError
from custom_components.openclaw_voice.gateway.questions import AgentQuestion
from custom_components.openclaw_voice.gateway.run_items import (
    ApprovalAwaited,
    ChatDelta,
    ChatFinal,
    MessageStarted,
    QuestionAsked,
    RunItem,
    RunOutcome,
)

from .test_spoken_answer import part, question
from .test_turn import ENDED, QUESTION, STARTED, Capitals, Said

ANSWERED = ChatFinal(outcome=RunOutcome.ANSWERED)
SHORT = 0.02
LATER = {"role": "assistant", "content": "(later, None)"}


class Run:
    """A run whose items come when the test wants."""

    def __init__(self, *items: RunItem | GatewayError) -> None:
        """`items` are there at once."""
        self.queue: asyncio.Queue[RunItem | GatewayError] = asyncio.Queue()
        self.say(*items)
        self.is_left = False
        self.is_ended = False

    def say(self, *items: RunItem | GatewayError) -> None:
        """Have these come now."""
        for item in items:
            self.queue.put_nowait(item)

    async def __aenter__(self) -> Self:
        """Nothing is sent."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Note it."""
        self.is_left = True

    async def __aiter__(self) -> AsyncIterator[RunItem]:
        """Yield to the last item."""
        try:
            while not self.is_ended:
                item = await self.queue.get()
                if isinstance(item, GatewayError):
                    raise item
                self.is_ended = isinstance(item, ChatFinal)
                yield item
        finally:
            self.is_ended = True


class Outbox:
    """Takes over what is handed over."""

    taken: ClassVar[list[AsyncIterator[RunItem]]] = []

    def __init__(self, run: Run) -> None:
        """Nothing yet."""
        self.run = run
        self.items: AsyncIterator[RunItem] | None = None
        self.was_in_time = False

    async def take(self, items: AsyncIterator[RunItem]) -> None:
        """Keep it, as if it was stored."""
        await asyncio.sleep(0)
        self.items = items
        self.taken.append(items)
        self.was_in_time = not self.run.is_left

    async def rest(self) -> list[RunItem]:
        """Return what comes until the run ends."""
        assert self.items is not None
        async with asyncio.timeout(5):
            return [item async for item in self.items]


@pytest.fixture(autouse=True)
async def end_what_was_handed_over() -> AsyncGenerator[None]:
    """Leave no task behind."""
    yield
    for items in Outbox.taken:
        assert isinstance(items, PatientItems)
        await items.aclose()
    Outbox.taken.clear()


def turn_with(run: Run, hand_over: HandOver | None, **style: object) -> Turn:
    """Return a spoken turn with little patience."""
    fields: dict[str, Any] = {"new_filter": Capitals, "patience": SHORT, "total": None} | style
    return Turn(run, sentences=Said(), style=TurnStyle(**fields), hand_over=hand_over)


async def deltas_of(turn: Turn) -> list[Any]:
    """Run a turn to its end."""
    async with asyncio.timeout(5):
        return [delta async for delta in turn.deltas()]


async def test_a_turn_without_a_word_ends_with_a_holding_phrase() -> None:
    """The run goes on; what comes then belongs to whoever took it."""
    run = Run(MessageStarted())
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take)
    assert await deltas_of(turn) == [{"role": "assistant"}, LATER]
    assert turn.result.outcome is TurnOutcome.LATER
    assert turn.result.speech == "(later, None)"
    assert turn.result.answer == ""
    assert outbox.was_in_time
    assert not run.is_ended
    run.say(ChatDelta("Noon."), ANSWERED)
    assert await outbox.rest() == [ChatDelta("Noon."), ANSWERED]


async def test_what_was_held_back_is_said_before_the_phrase() -> None:
    """Patience is counted from the last text, and a tool that is used is named."""
    run = Run(MessageStarted(), ChatDelta("Let me see"), STARTED)
    turn = turn_with(run, Outbox(run).take)
    deltas = await deltas_of(turn)
    assert deltas[1:3] == [{"content": "LET ME SE"}, {"content": "E"}]
    assert deltas[-1]["content"] == "(later, lights)"
    assert turn.result.speech == "LET ME SEE (later, lights)"
    assert turn.result.answer == "LET ME SEE"


async def test_a_tool_that_goes_on_has_an_end_in_the_chat_log() -> None:
    """Other agents read the log of the same conversation, and some want an end for each call."""
    turn = turn_with(Run(STARTED), Outbox(Run()).take)
    call, end, phrase = (await deltas_of(turn))[1:]
    assert call["tool_calls"][0].id == end["tool_call_id"]
    assert (end["role"], end["tool_name"]) == ("tool_result", "lights")
    assert phrase["content"] == "(later, lights)"


async def test_a_tool_that_has_ended_is_not_named() -> None:
    """The agent is doing something else by now."""
    run = Run(STARTED, ENDED)
    turn = turn_with(run, Outbox(run).take)
    assert (await deltas_of(turn))[-1] == LATER


async def test_an_agent_that_goes_on_talking_is_listened_to() -> None:
    """Every word prolongs the patience; its total does not count for what is heard."""
    run = Run(MessageStarted())
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=0.15)
    said = 0

    def say_more() -> None:
        nonlocal said
        said += 1
        run.say(ChatDelta("a") if said < 5 else ANSWERED)
        if said < 5:
            asyncio.get_running_loop().call_later(0.06, say_more)

    say_more()
    await deltas_of(turn)
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert turn.result.speech == "AAAA"
    assert outbox.items is None


async def test_a_turn_that_is_read_has_a_total_only() -> None:
    """The reader sees that the agent works."""
    run = Run(MessageStarted(), ChatDelta("Hm"))
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, new_filter=None, patience=None, total=SHORT)
    assert (await deltas_of(turn))[-1]["content"] == "(later, None)"
    assert turn.result.outcome is TurnOutcome.LATER
    assert outbox.items is not None


async def test_a_turn_without_limits_waits() -> None:
    """Whoever starts it sets them."""
    run = Run()
    turn = turn_with(run, Outbox(run).take, patience=None)
    asyncio.get_running_loop().call_later(SHORT, run.say, ANSWERED)
    await deltas_of(turn)
    assert turn.result.outcome is TurnOutcome.ANSWERED


async def test_a_slow_connection_leaves_the_agent_some_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the answer would come later although the agent is quick."""
    monkeypatch.setattr(turn_module, "AFTER_CONNECTING", 1.0)

    class Slow(Run):
        async def __aenter__(self) -> Self:
            await asyncio.sleep(SHORT * 2)
            asyncio.get_running_loop().call_later(SHORT, self.say, ANSWERED)
            return self

    run = Slow()
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=SHORT * 2)
    await deltas_of(turn)
    assert outbox.items is None


async def fail(_: AsyncIterator[RunItem]) -> None:
    """Cannot take anything over."""
    raise OSError("disk full")


async def test_what_was_waited_before_the_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a satellite that has been silent for long, only the least patience is left."""
    monkeypatch.setattr(turn_module, "AFTER_CONNECTING", SHORT)
    run = Run()
    turn = Turn(
        run,
        sentences=Said(),
        style=TurnStyle(new_filter=Capitals, patience=90, total=None),
        hand_over=Outbox(run).take,
        began=asyncio.get_running_loop().time() - 100,
    )
    assert await deltas_of(turn) == [LATER]
    assert turn.timings.connected is not None
    assert turn.timings.connected >= 100


async def test_a_run_that_cannot_be_handed_over_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer is worth more than our plan for it."""
    run = Run(MessageStarted())
    asyncio.get_running_loop().call_later(SHORT * 3, run.say, ChatDelta("Noon."), ANSWERED)
    turn = turn_with(run, fail)
    assert (await deltas_of(turn))[1:] == [{"content": "NOON"}, {"content": "."}]
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert [record.getMessage() for record in caplog.records] == [
        "A run was not handed over: OSError"
    ]


async def test_a_run_that_fails_before_the_patience_is_over_is_explained() -> None:
    """Only what may still come is handed over."""
    run = Run(RunLostError("gone"))
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take)
    await deltas_of(turn)
    assert turn.result.outcome is TurnOutcome.FAILED
    assert outbox.items is None


async def test_a_turn_nobody_waits_for_is_handed_over_whatever_has_come() -> None:
    """Whoever asked goes by the answer that comes later."""
    run = Run(MessageStarted(), ChatDelta("Noon."), ANSWERED)
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, new_filter=None, patience=None, total=0.0)
    assert await deltas_of(turn) == [LATER]
    assert turn.result.outcome is TurnOutcome.LATER
    assert await outbox.rest() == [MessageStarted(), ChatDelta("Noon."), ANSWERED]


async def test_a_turn_nobody_waits_for_answers_when_it_cannot_be_handed_over() -> None:
    """Nothing is lost."""
    run = Run(MessageStarted(), ChatDelta("Noon."), ANSWERED)
    turn = turn_with(run, fail, new_filter=None, patience=None, total=0.0)
    await deltas_of(turn)
    assert turn.result.speech == "Noon."


async def listen(turn: Turn) -> asyncio.Task[list[Any]]:
    """Let somebody listen to a turn, until it waits for the agent."""
    task = asyncio.create_task(deltas_of(turn))
    await asyncio.sleep(0)
    return task


async def test_a_turn_that_must_end_now_is_handed_over() -> None:
    """Home Assistant stops, or the entry is unloaded."""
    run = Run()
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=100)
    task = await listen(turn)
    await turn.leave()
    assert outbox.items is not None
    assert (await task)[-1] == LATER


class SlowRun(Run):
    """A run that takes time to be sent."""

    def __init__(self) -> None:
        """It waits until the test lets it go."""
        super().__init__()
        self.is_sending = asyncio.Event()
        self.may_begin = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Send it."""
        self.is_sending.set()
        await self.may_begin.wait()
        return self


async def test_a_turn_that_must_end_while_it_is_sent_is_handed_over() -> None:
    """The agent has the question already."""
    run = SlowRun()
    outbox = Outbox(run)
    task = await listen(turn := turn_with(run, outbox.take, patience=100))
    await run.is_sending.wait()
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    run.may_begin.set()
    await leaving
    assert outbox.items is not None
    assert (await task)[-1] == LATER


async def test_a_turn_that_is_cancelled_while_it_is_sent_holds_up_nobody() -> None:
    """Whoever waits for it to be handed over learns that it is over."""
    run = SlowRun()
    task = await listen(turn := turn_with(run, Outbox(run).take, patience=100))
    await run.is_sending.wait()
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(turn_module.LEAVING_LIMIT / 2):
        await leaving


async def test_a_turn_that_is_read_is_not_handed_over_when_it_must_end() -> None:
    """It ends with its run."""
    run = Run()
    turn = turn_with(run, Outbox(run).take, new_filter=None)
    task = await listen(turn)
    await turn.leave()
    run.say(ANSWERED)
    await task
    assert turn.result.outcome is TurnOutcome.ANSWERED


async def test_a_turn_that_has_not_begun_has_nothing_to_hand_over() -> None:
    """Nothing was sent."""
    run = Run()
    await turn_with(run, Outbox(run).take).leave()
    assert not run.is_left


async def test_a_turn_nobody_iterates_cannot_be_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever leaves does not wait for ever."""
    monkeypatch.setattr(turn_module, "LEAVING_LIMIT", SHORT)
    run = Run(MessageStarted())
    outbox = Outbox(run)
    deltas = turn_with(run, outbox.take, patience=100)
    iterator = deltas.deltas()
    await anext(iterator)
    await deltas.leave()
    assert outbox.items is None
    # Closed all the same, it is handed over then.
    await iterator.aclose()
    assert outbox.items is not None


async def test_a_turn_that_cannot_be_handed_over_when_it_must_end_waits_on() -> None:
    """Its run ends with the client."""
    run = Run()
    turn = turn_with(run, fail, patience=100)
    task = await listen(turn)
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    run.say(MessageStarted(), ANSWERED)
    await leaving
    await task
    assert turn.result.outcome is TurnOutcome.ANSWERED


async def test_a_turn_that_cannot_be_handed_over_at_its_end_ends_its_run() -> None:
    """There is nothing better to do."""
    run = Run()
    turn = turn_with(run, fail, patience=100)
    deltas = turn.deltas()
    first = asyncio.ensure_future(anext(deltas))
    await asyncio.sleep(0)
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    run.say(MessageStarted())
    await first
    await deltas.aclose()
    await leaving
    assert run.is_ended


async def test_a_turn_that_is_just_talking_is_handed_over_next() -> None:
    """Nothing of what it says is lost."""
    run = Run(MessageStarted(), ChatDelta("One"))
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=100)
    deltas = turn.deltas()
    assert await anext(deltas) == {"role": "assistant"}
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    assert [delta async for delta in deltas][-1] == LATER
    await leaving
    run.say(ChatDelta("Two"), ANSWERED)
    said = "".join(item.text for item in await outbox.rest() if isinstance(item, ChatDelta))
    assert turn.written + said == "OneTwo"


async def test_a_cancelled_turn_ends_its_run() -> None:
    """Nobody listens any more."""
    run = Run()
    outbox = Outbox(run)
    task = await listen(turn_with(run, outbox.take, patience=100))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.is_left
    assert run.is_ended
    assert outbox.items is None


async def test_a_promise_is_kept_when_its_turn_is_cancelled() -> None:
    """What is being stored is stored to the end, within a limit."""
    run = Run()
    outbox = Outbox(run)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def take_slowly(items: AsyncIterator[RunItem]) -> None:
        began.set()
        await go_on.wait()
        await outbox.take(items)

    task = await listen(turn_with(run, take_slowly))
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outbox.was_in_time
    run.say(ANSWERED)
    assert await outbox.rest() == [ANSWERED]


@pytest.mark.parametrize("times", [1, 2], ids=["cancelled", "cancelled twice"])
async def test_a_promise_that_is_not_stored_in_time_is_kept_all_the_same(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Whoever took it has it; the turn does not wait for a slow disk."""
    monkeypatch.setattr(turn_module, "LEAVING_LIMIT", SHORT if times == 1 else 100)
    run = Run()
    outbox = Outbox(run)
    began, gone = asyncio.Event(), asyncio.Event()

    async def store_for_ever(items: AsyncIterator[RunItem]) -> None:
        outbox.items = items
        outbox.taken.append(items)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    task = await listen(turn_with(run, store_for_ever))
    await began.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(1):
        await gone.wait()
    run.say(ANSWERED)
    assert await outbox.rest() == [ANSWERED]


async def test_a_turn_given_up_while_it_must_end_does_not_wait_for_its_promise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is closed, and the disk is slow."""
    monkeypatch.setattr(turn_module, "LEAVING_LIMIT", SHORT)
    run = Run(MessageStarted())
    outbox = Outbox(run)

    async def store_for_ever(items: AsyncIterator[RunItem]) -> None:
        outbox.items = items
        outbox.taken.append(items)
        await asyncio.Event().wait()

    turn = turn_with(run, store_for_ever, patience=100)
    deltas = turn.deltas()
    await anext(deltas)
    await turn.leave()
    async with asyncio.timeout(1):
        await deltas.aclose()
    run.say(ANSWERED)
    assert await outbox.rest() == [ANSWERED]


async def test_a_run_that_has_ended_is_not_handed_over() -> None:
    """Whoever followed it would miss its end, and tell of a failure."""
    run = Run(MessageStarted(), ChatDelta("Noon."), ANSWERED)
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=100)
    deltas = turn.deltas()
    while (await anext(deltas)) != {"content": "."}:
        pass
    assert turn.result.outcome is TurnOutcome.ANSWERED
    leaving = asyncio.create_task(turn.leave())
    await asyncio.sleep(0)
    await deltas.aclose()
    await leaving
    assert outbox.items is None


async def test_a_run_whose_promise_was_not_stored_is_not_waited_for() -> None:
    """Whoever took it goes on with it: two must not."""
    run = Run()
    outbox = Outbox(run)

    async def fail_late(items: AsyncIterator[RunItem]) -> None:
        await outbox.take(items)
        raise OSError("disk full")

    turn = turn_with(run, fail_late)
    assert await deltas_of(turn) == [LATER]
    run.say(ANSWERED)
    assert await outbox.rest() == [ANSWERED]


async def test_a_slow_disk_does_not_keep_people_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run is followed all the same."""
    monkeypatch.setattr(turn_module, "STORING_LIMIT", SHORT)
    run = Run()
    outbox = Outbox(run)

    async def store_for_ever(items: AsyncIterator[RunItem]) -> None:
        outbox.items = items
        outbox.taken.append(items)
        await asyncio.Event().wait()

    turn = turn_with(run, store_for_ever)
    assert await deltas_of(turn) == [LATER]
    assert caplog.messages == ["A run was not stored in time; a restart would lose it"]
    run.say(ANSWERED)
    assert await outbox.rest() == [ANSWERED]


# people the run waits for


async def test_a_turn_that_waits_for_an_approval_ends_as_any_other() -> None:
    """Its patience goes on; whoever gets only the result hears both sentences."""
    run = Run(STARTED, ApprovalAwaited("a"))
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take)
    deltas = await deltas_of(turn)
    assert deltas[2] == {"content": "(MAY I?) "}
    assert deltas[-1] == LATER
    assert turn.result.speech == "(MAY I?) (later, None)"
    assert turn.result.asked is None
    run.say(ENDED, ANSWERED)
    assert await outbox.rest() == [ENDED, ANSWERED]


async def test_an_agent_that_went_on_waits_no_longer() -> None:
    """What ends the turn later has nothing to do with the approval."""
    run = Run(ApprovalAwaited("a"), MessageStarted(), ChatDelta("Thanks"), STARTED)
    turn = turn_with(run, Outbox(run).take)
    await deltas_of(turn)
    assert turn.result.speech == "THANKS (later, lights)"


async def test_a_turn_ends_with_a_question_that_can_be_answered() -> None:
    """At once, so that somebody can say the answer; the run goes on."""
    run = Run(STARTED, QuestionAsked(QUESTION))
    outbox = Outbox(run)
    turn = turn_with(run, outbox.take, patience=100)
    deltas = await deltas_of(turn)
    assert deltas[2] == {"content": "WHICH ROOM? "}
    assert deltas[-1]["role"] == "tool_result"
    assert len(deltas) == 4
    assert turn.result.outcome is TurnOutcome.LATER
    assert (turn.result.speech, turn.result.asked) == ("WHICH ROOM?", QUESTION)
    assert outbox.was_in_time
    run.say(ENDED, ANSWERED)
    assert await outbox.rest() == [ENDED, ANSWERED]


@pytest.mark.parametrize(
    ("asked", "style"),
    [
        (question(part("A"), part("B", part_id="days")), {}),
        (QUESTION, {"patience": None, "total": SHORT}),
    ],
    ids=["too much for a sentence", "nobody listens"],
)
async def test_a_turn_waits_for_answers_from_elsewhere(
    asked: AgentQuestion, style: dict[str, Any]
) -> None:
    """As long as for anything else."""
    run = Run(QuestionAsked(asked))
    turn = turn_with(run, Outbox(run).take, **style)
    deltas = await deltas_of(turn)
    assert deltas[1:] == [{"content": "WHICH ROOM? "}, LATER]
    assert turn.result.asked is None


async def test_a_question_that_was_answered_meanwhile_ends_nothing() -> None:
    """The agent goes on in the same breath."""
    run = Run(QuestionAsked(QUESTION), MessageStarted(), ChatDelta("Fine."), ANSWERED)
    turn = turn_with(run, Outbox(run).take, patience=100)
    assert (await deltas_of(turn))[-1] == {"content": "."}
    assert turn.result.outcome is TurnOutcome.ANSWERED


async def test_a_question_is_waited_for_when_nobody_takes_the_run() -> None:
    """There is nowhere to go on."""
    run = Run(QuestionAsked(QUESTION), ANSWERED)
    turn = turn_with(run, None)
    await deltas_of(turn)
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert turn.result.asked is None
