"""Questions whose answer nobody at a satellite waits for any more."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from custom_components.openclaw_voice.gateway.errors import ConnectionLostError, RunFailedError
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
)
from custom_components.openclaw_voice.gateway.talk import Talk
from custom_components.openclaw_voice.gateway.talk_items import ConsultEnded, TalkRequest
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from custom_components.openclaw_voice.realtime.backend import Activity, Speaker, TurnEnded
from custom_components.openclaw_voice.realtime.orphans import Orphan, keep_open
from demo.voice.speech_model import Consult, Say
from tests.fakes.small_gateway import SmallGateway
from tests.fakes.talk_line import CONSULT_TOOL

from .talker import KEY, LIMIT, Talker, talk_of

RUN = "run-1"


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway with a provider that works."""
    async with SmallGateway() as gateway:
        yield gateway


@pytest.fixture
async def talk(gateway: SmallGateway) -> AsyncGenerator[Talk]:
    """Return what makes sessions on it."""
    async with talk_of(gateway) as talk:
        yield talk


@pytest.fixture
async def session(talk: Talk) -> AsyncGenerator[TalkSession]:
    """Return a session that has begun."""
    async with talk.session(TalkRequest(session_key=KEY)) as session:
        yield session


@pytest.fixture
async def talker(talk: Talk) -> AsyncGenerator[Talker]:
    """Return somebody whose session has begun."""
    talker = Talker(talk)
    await talker.begin()
    yield talker
    await talker.end()


def make_orphan(session: TalkSession, end: ConsultEnded | None = None) -> Orphan:
    """Return a question that was left."""
    return Orphan(session, run_id=RUN, session_key=KEY, question="Why?", end=end)


def make_end(**fields: object) -> ConsultEnded:
    """Return how it has ended."""
    return ConsultEnded(call_id="call-1", run_id=RUN, **fields)  # type: ignore[arg-type]  # named by the test


async def items_of(orphan: Orphan) -> list[RunItem]:
    """Return what a question comes to."""
    async with asyncio.timeout(LIMIT):
        return [item async for item in orphan]


@pytest.mark.parametrize(
    ("end", "items"),
    [
        (
            make_end(text="Because."),
            [
                MessageStarted(),
                ChatDelta("Because."),
                ChatFinal(outcome=RunOutcome.ANSWERED, text="Because."),
            ],
        ),
        (make_end(text=""), [ChatFinal(outcome=RunOutcome.SILENT)]),
        (
            make_end(text="Bec", is_aborted=True),
            [ChatFinal(outcome=RunOutcome.ABORTED, text="Bec")],
        ),
    ],
    ids=["answered", "silent", "aborted"],
)
async def test_how_a_question_ends(
    session: TalkSession, end: ConsultEnded, items: list[RunItem]
) -> None:
    """As a run that was asked in writing."""
    orphan = make_orphan(session)
    coming = asyncio.create_task(items_of(orphan))
    orphan.take(end)
    orphan.lose()

    assert await coming == items


async def test_a_question_the_agent_cannot_answer(session: TalkSession) -> None:
    """That is a failure of the run."""
    with pytest.raises(RunFailedError, match="too hot"):
        await items_of(make_orphan(session, make_end(error="too hot")))


async def test_a_session_that_is_lost(session: TalkSession) -> None:
    """Whoever waits may look for the run elsewhere."""
    orphan = make_orphan(session)
    orphan.lose(ConnectionLostError(1006))
    orphan.lose()

    with pytest.raises(ConnectionLostError) as raised:
        await items_of(orphan)

    assert raised.value.code == 1006


async def test_stopping_it(session: TalkSession, gateway: SmallGateway) -> None:
    """The gateway is told which run."""
    await make_orphan(session).abort()

    (aborted,) = gateway.received("chat.abort")
    assert aborted.params == {"sessionKey": KEY, "runId": RUN}


async def test_a_session_is_kept_until_everything_was_answered(
    session: TalkSession, gateway: SmallGateway
) -> None:
    """Not only the first question; what others asked is nobody's."""
    line = gateway.talk.line
    runs = []
    for number in (1, 2):
        call_id = f"call-{number}"
        runs.append(await session.consult(call_id, f"MODEL:HANG 30 {number}"))
    waiting = [Orphan(session, run_id=run_id, session_key=KEY, question="Why?") for run_id in runs]
    keeping = asyncio.create_task(keep_open(session, waiting))
    gateway.talk._abort_consults(line)

    for orphan in waiting:
        (final,) = await items_of(orphan)
        assert isinstance(final, ChatFinal)
        assert final.outcome is RunOutcome.ABORTED
    await asyncio.wait_for(keeping, LIMIT)
    assert gateway.received("talk.session.close")


async def test_who_keeps_a_session_is_stopped(session: TalkSession, gateway: SmallGateway) -> None:
    """The agent is left alone: the session is not closed."""
    run_id = await session.consult("call-1", "MODEL:HANG 30")
    orphan = Orphan(session, run_id=run_id, session_key=KEY, question="Why?")
    keeping = asyncio.create_task(keep_open(session, (orphan,)))
    coming = asyncio.create_task(items_of(orphan))
    await asyncio.sleep(0)

    keeping.cancel()
    with pytest.raises(ConnectionLostError):
        await coming
    await asyncio.wait({keeping})

    assert gateway.received("talk.session.close") == []
    assert not gateway.runs[run_id].ended.is_set()


async def test_an_answer_nobody_has_heard(talker: Talker, gateway: SmallGateway) -> None:
    """It was there, but something else was being said: it is told later, and nothing is kept."""
    line = gateway.talk.line
    line.respond(Say(text="Let me see."))
    await talker.told(TurnEnded)
    line._spawn(line._call(CONSULT_TOOL, {"question": "MODEL:SAY The light is on."}))
    await talker.until(lambda: [each for each in talker.of(Activity) if each.is_final])

    await talker.backend.close()

    (orphan,) = talker.orphans
    assert (await items_of(orphan))[-1] == ChatFinal(
        outcome=RunOutcome.ANSWERED, text="The light is on."
    )
    assert talker.kept == []
    assert gateway.talk.open_lines == []


async def test_a_satellite_leaves_while_the_agent_is_asked(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has not said yet which run answers; it is waited for that."""
    go_on = asyncio.Event()
    consult = TalkSession.consult

    async def consult_slowly(session: TalkSession, *args: str, **wishes: str) -> str:
        await go_on.wait()
        return await consult(session, *args, **wishes)

    monkeypatch.setattr(TalkSession, "consult", consult_slowly)
    gateway.talk.brain.mind.expect("Why?")
    gateway.talk.brain.mind.teach("Why?", Consult(question="MODEL:SAY Because."))
    talker.speak()
    await talker.told(Activity)

    closing = asyncio.create_task(talker.backend.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing

    (orphan,) = talker.orphans
    assert (await items_of(orphan))[-1] == ChatFinal(outcome=RunOutcome.ANSWERED, text="Because.")


@pytest.mark.parametrize("limit", [0.0, 0.02])
async def test_a_gateway_that_does_not_say_which_run_answers(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    """Nobody waits long for that."""

    async def hang(*_: object, **__: object) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr("custom_components.openclaw_voice.realtime.consults.ASKING_LIMIT", limit)
    monkeypatch.setattr(TalkSession, "consult", hang)
    gateway.talk.brain.mind.expect("Why?")
    gateway.talk.brain.mind.teach("Why?", Consult(question="MODEL:SAY Because."))
    talker.speak()
    await talker.told(Activity)

    await talker.backend.close()

    assert talker.orphans == []
    assert talker.said(Speaker.ASSISTANT) == []
