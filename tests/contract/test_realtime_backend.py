"""A realtime session on the gateway: what is said, asked, cut off, left and lost in it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import ConnectionLostError
from custom_components.openclaw_voice.gateway.run_items import ChatFinal, RunOutcome
from custom_components.openclaw_voice.gateway.run_request import RunMethod
from custom_components.openclaw_voice.realtime import gateway_backend, talk_link
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    BackendError,
    BackendRequest,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    Rotated,
    Rotating,
    Speaker,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnDetection,
    TurnEnded,
    TurnMode,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.orphans import Orphan
from demo.voice.speech_model import (
    Consult,
    Fail,
    HangUp,
    Limit,
    Reaction,
    Say,
    instant_voice,
    silence,
    tone,
)
from tests.realtime.talker import Talker

from .conftest import Server
from .test_detached_runs import final_of, until_its_end
from .test_runs import words

LIMIT = 30.0
"""Seconds until something was told."""

STORY = "Once upon a time there was a very patient lighthouse. " * 6


@asynccontextmanager
async def talking(
    client: GatewayClient, session_key: str, **wishes: object
) -> AsyncGenerator[Talker]:
    """Return somebody whose session has begun."""
    fields: dict[str, object] = {"language": "en-GB", "context": "Room: kitchen."}
    request = BackendRequest(session_key=session_key, **fields | wishes)  # type: ignore[arg-type]  # named by the test
    talker = Talker(client.talk, request, limit=LIMIT)
    try:
        await talker.begin()
        yield talker
    finally:
        await talker.end()


@pytest.fixture
async def talker(client: GatewayClient, session_key: str) -> AsyncGenerator[Talker]:
    """Return somebody whose session has begun."""
    async with talking(client, session_key) as talker:
        yield talker


def teach(server: Server, question: str, reaction: Reaction) -> None:
    """Let the next thing that is heard be a question with a known answer."""
    server.provider.mind.expect(question)
    server.provider.mind.teach(question, reaction)


async def be_idle(_: Talker, __: Server) -> None:
    """Say nothing."""


async def be_listened_to(talker: Talker, _: Server) -> None:
    """Begin to speak."""
    talker.backend.append_audio(tone(0.3))
    # What is asked next is answered next.
    await talker.backend.steer("How is it going?", "status")


async def ask_agent(talker: Talker, server: Server, question: str = "MODEL:HANG 30") -> None:
    """Ask something that the agent works on."""
    teach(server, "Please do it.", Consult(question=question))
    talker.speak()
    await talker.told(Activity)
    async with asyncio.timeout(LIMIT):
        # A run that has not begun yet is told nothing.
        while not (await talker.backend.steer("How is it going?", "status"))["active"]:
            pass


async def hear_story(talker: Talker, server: Server) -> None:
    """Hear the beginning of a long answer."""
    teach(server, "Tell me a story.", Say(text=STORY))
    server.provider.hold(True)
    talker.speak()
    await talker.until(lambda: [each for each in talker.of(OutputAudio) if each.mark])
    server.provider.hold(False)


type Situation = Callable[[Talker, Server], Awaitable[None]]

SITUATIONS: list[Situation] = [be_idle, be_listened_to, ask_agent, hear_story]

situations = pytest.mark.parametrize("situation", SITUATIONS)


async def until_answered(talker: Talker, server: Server, words: str) -> None:
    """Ask something else, which is answered."""
    server.provider.mind.expect(words)
    talker.speak()
    await talker.until(lambda: f"You said: {words.rstrip('.')}." in talker.said(Speaker.ASSISTANT))


async def end_of(orphan: Orphan) -> ChatFinal:
    """Return how a question ended that was left."""
    async with asyncio.timeout(LIMIT):
        items = [item async for item in orphan]
    assert isinstance(items[-1], ChatFinal)
    return items[-1]


async def test_a_question_is_answered(talker: Talker, server: Server) -> None:
    """In the order in which a satellite is told, all of one turn."""
    teach(server, "What time is it?", Say(text="It is half past nine."))

    talker.speak()
    await talker.told(TurnEnded)

    kinds = list(dict.fromkeys(type(event) for event in talker.events))
    assert kinds == [
        SpeechNoticed,
        TurnStarted,
        Transcript,
        SpeechEnded,
        ResponseStarted,
        OutputAudio,
        OutputEnded,
        TurnEnded,
    ]
    assert talker.said(Speaker.USER) == ["What time is it?"]
    assert talker.said(Speaker.ASSISTANT) == ["It is half past nine."]
    sound = b"".join(each.pcm for each in talker.of(OutputAudio))
    spoken = len(instant_voice("It is half past nine."))
    assert abs(len(sound) - spoken) <= spoken // 5
    assert {each.turn_id for each in talker.of(OutputAudio)} == {"turn-1"}


async def test_a_satellite_that_ends_its_turns_itself(
    client: GatewayClient, server: Server, session_key: str
) -> None:
    """A pause does not end them."""
    manual = TurnDetection(mode=TurnMode.MANUAL)
    server.provider.mind.expect("One.")
    async with talking(client, session_key, turn_detection=manual) as talker:
        talker.backend.append_audio(tone(0.3) + silence(0.7) + tone(0.3))
        await talker.backend.steer("How is it going?", "status")
        assert talker.said(Speaker.USER) == []
        talker.backend.commit()
        await talker.told(TurnEnded)

    assert talker.said(Speaker.USER) == ["One."]


async def test_the_agent_is_asked(talker: Talker, server: Server) -> None:
    """Its answer is spoken; it all is one turn."""
    teach(server, "Is the light on?", Consult(question="MODEL:SAY The light is on."))

    talker.speak()
    await talker.told(TurnEnded)

    assert "The light is on." in talker.said(Speaker.ASSISTANT)
    assert len(talker.of(TurnStarted)) == 1
    assert [each.is_final for each in talker.of(Activity)] == [False, True]
    assert talker.of(Problem) == []


async def test_an_answer_is_cut_off_by_a_key(talker: Talker, server: Server) -> None:
    """Nothing of it comes any more, and the next question is answered."""
    await hear_story(talker, server)

    talker.backend.interrupt(0.1)
    count = len(talker.of(OutputAudio))
    await until_answered(talker, server, "And now?")

    assert STORY not in talker.said(Speaker.ASSISTANT)
    assert talker.of(OutputAudio)[count].turn_id == "turn-2"
    assert talker.of(Problem) == []


async def test_an_answer_is_cut_off_by_speech(talker: Talker, server: Server) -> None:
    """What waits to be played is dropped, and the next turn says so."""
    await hear_story(talker, server)
    # Some of it was heard.
    for each in [each for each in talker.of(OutputAudio) if each.mark]:
        talker.backend.played(each.mark or "")
    talker.backend.append_audio(silence(1.0))

    await until_answered(talker, server, "Stop.")

    assert talker.of(OutputCleared)[0].reason == "turn_detected"
    assert [each.interrupts for each in talker.of(TurnStarted)] == [False, True]
    assert STORY not in talker.said(Speaker.ASSISTANT)


async def test_a_key_stops_the_agent(talker: Talker, server: Server) -> None:
    """Nobody waits for it any more."""
    await ask_agent(talker, server)

    talker.backend.interrupt(0.0)
    await talker.told(ActivityCancelled)

    told = await talker.backend.steer("How is it going?", "status")
    assert told["active"] is False
    await until_answered(talker, server, "And now?")


async def test_the_agent_is_told_to_stop(talker: Talker, server: Server) -> None:
    """By words of the satellite; its run ends, and says so."""
    await ask_agent(talker, server)

    told = await talker.backend.steer("Cancel that.", "cancel")

    assert told["aborted"] is True
    await talker.told(ActivityCancelled)


async def test_a_satellite_leaves(talker: Talker, server: Server) -> None:
    """The agent may end what it does; whoever wants its answer gets it."""
    await ask_agent(talker, server, "MODEL:SLOW 150 10")

    await talker.backend.close()
    (orphan,) = talker.orphans
    final = await end_of(orphan)

    assert final == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(10))
    await asyncio.wait_for(talker.kept[0], LIMIT)


async def test_a_satellite_leaves_at_once(talker: Talker, server: Server) -> None:
    """Before it is known which run will answer."""
    teach(server, "Please do it.", Consult(question="MODEL:SAY Done."))
    talker.speak()
    await talker.told(Activity)

    await talker.backend.close()
    (orphan,) = talker.orphans

    assert await end_of(orphan) == ChatFinal(outcome=RunOutcome.ANSWERED, text="Done.")


async def test_what_was_left_is_stopped(talker: Talker, server: Server) -> None:
    """By whoever waits for it."""
    await ask_agent(talker, server)
    await talker.backend.close()
    (orphan,) = talker.orphans

    await orphan.abort()

    assert (await end_of(orphan)).outcome is RunOutcome.ABORTED


async def test_what_was_left_outlives_its_connection(
    talker: Talker, client: GatewayClient, server: Server
) -> None:
    """The answer is found by somebody else, as after a restart of Home Assistant."""
    await ask_agent(talker, server, "MODEL:SLOW 150 10")
    await talker.backend.close()
    (orphan,) = talker.orphans

    server.network.cut()
    with pytest.raises(ConnectionLostError):
        await end_of(orphan)

    found = await final_of(client, orphan.session_key, orphan.run_id, RunMethod.CHAT_SEND)
    assert found == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(10))


async def test_what_was_left_outlives_us(
    talker: Talker, client: GatewayClient, server: Server
) -> None:
    """Whoever keeps its session is stopped; the answer is found although it came meanwhile."""
    await ask_agent(talker, server, "MODEL:SLOW 50 5")
    await talker.backend.close()
    (orphan,) = talker.orphans

    talker.kept[0].cancel()
    with pytest.raises(ConnectionLostError):
        await end_of(orphan)
    await until_its_end(server, orphan.run_id)

    found = await final_of(client, orphan.session_key, orphan.run_id, RunMethod.CHAT_SEND)
    assert found == ChatFinal(outcome=RunOutcome.ANSWERED, text=words(5))


async def test_what_was_left_ends_with_its_session(
    talker: Talker, client: GatewayClient, server: Server
) -> None:
    """The gateway stops it, for example when the session has got too old."""
    await ask_agent(talker, server)
    await talker.backend.close()
    (orphan,) = talker.orphans

    await orphan._session.close()
    with pytest.raises(ConnectionLostError):
        await end_of(orphan)
    await until_its_end(server, orphan.run_id)

    found = await final_of(client, orphan.session_key, orphan.run_id, RunMethod.CHAT_SEND)
    assert found.outcome is RunOutcome.ABORTED


@situations
async def test_a_lost_connection(talker: Talker, server: Server, situation: Situation) -> None:
    """Another session goes on, whatever was going on; what is lost is said."""
    await situation(talker, server)

    server.network.cut()
    await talker.told(Rotated)
    await until_answered(talker, server, "Again.")

    lost = [each.error.reason for each in talker.of(Problem)]
    is_lost = situation in (ask_agent, hear_story)
    # What is only half said goes on being heard.
    assert lost == ["gateway_lost"] if is_lost else set(lost) <= {"gateway_lost"}
    kinds = [type(event) for event in talker.events]
    assert kinds.index(Rotating) < kinds.index(Rotated)
    await talker.told(TurnEnded, len(talker.of(TurnStarted)))
    assert bool(talker.of(ActivityCancelled)) is (situation is ask_agent)
    # What the agent is asked it goes on with.
    assert len(talker.orphans) == (situation is ask_agent)
    assert talker.error is None


async def test_a_killed_gateway(
    client: GatewayClient, server: Server, session_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is back, the sessions go on, whatever was going on."""
    # However long a start takes on this machine.
    monkeypatch.setattr(gateway_backend, "TRIES", (1.0,) * 60)
    async with AsyncExitStack() as stack:
        talkers: list[Talker] = []
        for situation in SITUATIONS:
            key = f"{session_key}-{len(talkers)}"
            talker = await stack.enter_async_context(talking(client, key))
            await situation(talker, server)
            talkers.append(talker)

        await server.restart()

        for talker in talkers:
            await talker.told(Rotated)
            await until_answered(talker, server, "Again.")
            assert talker.error is None


async def test_a_session_is_replaced_before_its_end(
    client: GatewayClient, server: Server, session_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while the agent works; nothing is lost by it."""
    remaining = iter((0.0, 1000.0))
    work = asyncio.Event()
    until_due = talk_link.TalkLink._until_due

    async def until_due_and_working(link: talk_link.TalkLink) -> None:
        await work.wait()
        await until_due(link)

    monkeypatch.setattr(talk_link, "rotates_in", lambda *_: next(remaining))
    monkeypatch.setattr(talk_link.TalkLink, "_until_due", until_due_and_working)
    async with talking(client, session_key) as talker:
        await ask_agent(talker, server, "MODEL:SLOW 50 5")
        work.set()
        await talker.told(TurnEnded)
        assert talker.of(Rotating) == []
        talker.backend.drained()
        await talker.told(Rotated)
        await until_answered(talker, server, "Again.")

    assert words(5) in talker.said(Speaker.ASSISTANT)
    assert talker.of(Problem) == []


@pytest.mark.parametrize("reaction", [Fail(), Limit(), HangUp()], ids=["fail", "limit", "hang up"])
async def test_a_problem_of_the_provider_ends_only_the_turn(
    talker: Talker, server: Server, reaction: Reaction
) -> None:
    """The next question is answered."""
    teach(server, "Please fail.", reaction)
    talker.speak()

    problem = await talker.told(Problem)
    # A provider may hang up before it has said what it has heard: then no turn has begun.
    await talker.until(lambda: len(talker.of(TurnEnded)) == len(talker.of(TurnStarted)))

    assert (problem.error.reason, problem.error.is_recoverable) == ("provider_unavailable", True)
    await until_answered(talker, server, "Again.")


@situations
async def test_a_provider_hangs_up(talker: Talker, server: Server, situation: Situation) -> None:
    """The gateway calls again, and the next question is answered; the agent is stopped."""
    await situation(talker, server)

    await server.provider.hang_up()
    if situation is hear_story:
        await talker.told(OutputCleared)
    if situation is ask_agent:
        await talker.told(ActivityCancelled)
    await until_answered(talker, server, "Again.")

    lost = {each.error.reason for each in talker.of(Problem)}
    assert lost == {"provider_unavailable"} if situation is hear_story else True
    assert talker.of(Rotating) == []
    assert talker.error is None


async def test_a_provider_that_does_not_let_the_gateway_in(
    client: GatewayClient, server: Server, session_key: str
) -> None:
    """The session does not begin, and says why."""
    server.provider.let_in(False)

    with pytest.raises(BackendError) as raised:
        async with talking(client, session_key):
            pass

    assert raised.value.reason == "provider_auth"


async def test_an_agent_that_does_not_exist(client: GatewayClient) -> None:
    """The same."""
    with pytest.raises(BackendError) as raised:
        async with talking(client, "agent:nobody:homeassistant:x"):
            pass

    assert raised.value.reason == "no_agent"
