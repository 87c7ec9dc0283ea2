"""What the speech model asks the agent: answers, progress, limits, and who stops it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from custom_components.openclaw_voice.gateway.errors import ConnectionLostError, RequestTimeoutError
from custom_components.openclaw_voice.gateway.talk import Talk
from custom_components.openclaw_voice.gateway.talk_items import (
    CONSULT_TOOL,
    CONTROL_TOOL,
    ConsultEnded,
    SteerMode,
    TalkRequest,
)
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from custom_components.openclaw_voice.realtime import consults, orphans
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    OutputAudio,
    Problem,
    Rotated,
    Speaker,
    TurnEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.consults import (
    FAILED,
    NO_ANSWER,
    NOT_WANTED,
    NOTHING,
    STOPPED,
    TOO_LATE,
    WORKING,
    steer_mode,
)
from custom_components.openclaw_voice.realtime.orphans import keep_open
from demo.voice.speech_model import Consult, Control, Say
from tests.fakes.small_gateway import SmallGateway
from tests.fakes.talk_line import TalkLine

from .talker import KEY, LIMIT, REQUEST, Talker, talk_of

HANG = "MODEL:HANG 30"


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
async def talker(talk: Talk) -> AsyncGenerator[Talker]:
    """Return somebody whose session has begun."""
    talker = Talker(talk)
    await talker.begin()
    yield talker
    await talker.end()


def teach(gateway: SmallGateway, question: str) -> None:
    """Let the model ask the agent something when somebody speaks."""
    gateway.talk.brain.mind.expect("Turn on the light.")
    gateway.talk.brain.mind.teach("Turn on the light.", Consult(question=question))


def results(gateway: SmallGateway) -> list[object]:
    """Return what the model's calls were answered with."""
    return [result for _, result in gateway.talk.line.results]


def call(line: TalkLine, name: str = CONSULT_TOOL, **arguments: object) -> None:
    """Let the model call a tool by itself."""
    line._spawn(line._call(name, arguments))


async def asked(talker: Talker, gateway: SmallGateway) -> str:
    """Ask the agent something it works on for long; return the run."""
    teach(gateway, HANG)
    talker.speak()
    await talker.told(Activity)
    await gateway.wait_for_request("talk.client.toolCall")
    # What is asked next is answered next.
    await talker.backend.steer("How is it going?", "status")
    link = talker.backend._link
    assert link is not None
    (unheard,) = link.consults.unfinished
    return unheard.run_id


async def test_the_agent_is_asked(talker: Talker, gateway: SmallGateway) -> None:
    """With what it has to know, in one turn to its end."""
    teach(gateway, "MODEL:SAY The light is on.")

    talker.speak()
    await talker.told(TurnEnded)

    params = gateway.received("talk.client.toolCall")[0].params
    assert params["sessionKey"] == KEY
    assert params["args"] == {
        "question": "MODEL:SAY The light is on.",
        "context": "Room: kitchen.",
        "responseStyle": "short",
    }
    assert [(each.summary, each.is_final) for each in talker.of(Activity)] == [
        ("Asking Claw...", False),
        ("Claw has answered.", True),
    ]
    assert results(gateway) == [{"result": "The light is on."}]
    assert talker.said(Speaker.ASSISTANT) == ["The light is on."]
    assert len(talker.of(TurnStarted)) == 1
    assert {each.turn_id for each in talker.of(OutputAudio)} == {"turn-1"}


async def test_what_the_model_adds(talker: Talker, gateway: SmallGateway) -> None:
    """Its context follows ours; without a question it is what was heard."""
    gateway.talk.brain.mind.expect("MODEL:SAY Hi.")
    talker.speak()
    await talker.told(TurnEnded)

    call(gateway.talk.line, context="It is late.")
    await talker.until(lambda: [each for each in talker.of(Activity) if each.is_final])

    args = gateway.received("talk.client.toolCall")[0].params["args"]
    assert args == {"question": "MODEL:SAY Hi.", "context": "Room: kitchen.\n\nIt is late."}


async def test_a_call_that_asks_nothing(talker: Talker, gateway: SmallGateway) -> None:
    """There is nothing to ask the agent."""
    call(gateway.talk.line)
    await talker.told(Activity, 2)
    await gateway.wait_for_request("talk.session.submitToolResult")

    assert gateway.received("talk.client.toolCall") == []
    assert results(gateway) == [NO_ANSWER]


async def test_tools_of_the_agent_are_shown(talker: Talker, gateway: SmallGateway) -> None:
    """While people wait."""
    teach(gateway, 'MODEL:TOOL exec {"command": "echo hello"}')

    talker.speak()
    await talker.told(TurnEnded)

    summaries = [each.summary for each in talker.of(Activity)]
    assert len(summaries) == 4
    assert summaries[1].startswith("Running ")
    assert summaries[2].endswith(" finished.")
    assert [each.is_final for each in talker.of(Activity)] == [False, False, False, True]


async def test_a_result_waits_while_something_is_heard(
    talker: Talker, gateway: SmallGateway
) -> None:
    """It would cut off what the model says meanwhile."""
    line = gateway.talk.line
    line.respond(Say(text="Let me see."))
    await talker.told(TurnEnded)
    call(line, question="MODEL:SAY The light is on.")
    await talker.until(lambda: [each for each in talker.of(Activity) if each.is_final])
    assert results(gateway) == []

    talker.backend.drained()
    await talker.told(TurnEnded, 2)

    assert results(gateway) == [{"result": "The light is on."}]


async def test_an_agent_that_takes_too_long(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped, and the model says so."""
    monkeypatch.setattr(consults, "CONSULT_LIMIT", 0.02)
    teach(gateway, HANG)

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == [TOO_LATE]
    assert talker.of(Activity)[-1].summary == "Claw could not answer."
    assert len(gateway.received("chat.abort")) == 1


async def test_an_agent_that_fails(talker: Talker, gateway: SmallGateway) -> None:
    """The model says so."""
    teach(gateway, "MODEL:FAIL 500")

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == [FAILED]
    assert talker.of(Activity)[-1].summary == "Claw could not answer."


async def test_an_agent_that_has_nothing_to_say(talker: Talker, gateway: SmallGateway) -> None:
    """Then the model says nothing either, and the turn ends."""
    teach(gateway, "MODEL:NO_REPLY")

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == [NOTHING]
    assert talker.of(Activity)[-1].summary == "Claw has nothing to say."
    assert talker.of(OutputAudio) == []


async def test_a_question_the_gateway_refuses(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or does not take in time."""

    async def refuse(*_: object, **__: object) -> str:
        raise RequestTimeoutError

    monkeypatch.setattr(TalkSession, "consult", refuse)
    teach(gateway, "Hello?")

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == [NO_ANSWER]


async def test_a_result_the_gateway_does_not_take(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more will be said: the turn ends."""

    async def refuse(*_: object, **__: object) -> None:
        raise RequestTimeoutError

    monkeypatch.setattr(TalkSession, "submit_result", refuse)
    teach(gateway, "MODEL:SAY Hi.")

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == []


async def test_an_interruption_stops_the_agent(talker: Talker, gateway: SmallGateway) -> None:
    """Nobody waits for it any more."""
    run_id = await asked(talker, gateway)

    talker.backend.interrupt(0.0)
    cancelled = await talker.told(ActivityCancelled)

    assert cancelled.call_ids == (talker.of(Activity)[0].call_id,)
    (aborted,) = gateway.received("chat.abort")
    assert aborted.params["runId"] == run_id
    await gateway.wait_for_request("talk.session.submitToolResult")
    assert results(gateway) == [STOPPED]
    assert talker.said(Speaker.ASSISTANT) == []


async def test_a_call_that_is_withdrawn(talker: Talker, gateway: SmallGateway) -> None:
    """The agent is stopped, and the model gets no result. Others are not touched."""
    await asked(talker, gateway)
    call_id = talker.of(Activity)[0].call_id

    await gateway.talk.line.tell("toolCallCancelled", {"callId": "call-unknown"})
    await gateway.talk.line.tell("toolCallCancelled", {"callId": call_id})
    cancelled = await talker.told(ActivityCancelled)
    await talker.told(TurnEnded)

    assert cancelled.call_ids == (call_id,)
    assert len(gateway.received("chat.abort")) == 1
    assert results(gateway) == []


async def test_a_result_that_waits_is_not_said_after_an_interruption(
    talker: Talker, gateway: SmallGateway
) -> None:
    """The model gets to know it all the same."""
    line = gateway.talk.line
    line.respond(Say(text="Let me see."))
    await talker.told(TurnEnded)
    call(line, question="MODEL:SAY The light is on.")
    await talker.until(lambda: [each for each in talker.of(Activity) if each.is_final])

    talker.backend.interrupt(0.1)
    submitted = await gateway.wait_for_request("talk.session.submitToolResult")

    assert submitted.params["result"] == {"result": "The light is on."}
    assert submitted.params["options"] == {"suppressResponse": True}
    assert talker.said(Speaker.ASSISTANT) == ["Let me see."]


@pytest.mark.parametrize("is_interrupted", [False, True], ids=["withdrawn", "interrupted"])
async def test_a_call_that_is_withdrawn_before_it_is_asked(
    talker: Talker,
    gateway: SmallGateway,
    monkeypatch: pytest.MonkeyPatch,
    is_interrupted: bool,
) -> None:
    """The agent is stopped as soon as it has begun."""
    go_on = asyncio.Event()
    consult = TalkSession.consult

    async def consult_slowly(session: TalkSession, *args: str, **wishes: str) -> str:
        await go_on.wait()
        return await consult(session, *args, **wishes)

    monkeypatch.setattr(TalkSession, "consult", consult_slowly)
    teach(gateway, HANG)
    talker.speak()
    activity = await talker.told(Activity)
    link = talker.backend._link
    assert link is not None
    if is_interrupted:
        talker.backend.interrupt(0.0)
    else:
        await link.consults.drop(activity.call_id)
    go_on.set()

    await talker.told(ActivityCancelled)
    await gateway.wait_for_request("chat.abort")


async def test_a_yes_confirms(talker: Talker, gateway: SmallGateway) -> None:
    """The next question carries what was asked for, if the user has clearly said yes."""
    mind = gateway.talk.brain.mind
    line = gateway.talk.line
    for number, words in ((1, "Yes."), (3, "Maybe later.")):
        call(line, question="MODEL:SAY VOICE_CONFIRMATION_REQUIRED:abc-1")
        await talker.told(TurnEnded, number)
        talker.backend.drained()
        mind.expect(words)
        mind.teach(words, Consult(question="MODEL:SAY Done."))
        talker.speak()
        await talker.told(TurnEnded, number + 1)
        talker.backend.drained()

    confirmed = [
        each.params["args"].get("confirmationId")
        for each in gateway.received("talk.client.toolCall")
    ]
    assert confirmed == [None, "abc-1", None, None]


async def test_the_model_asks_what_the_agent_does(talker: Talker, gateway: SmallGateway) -> None:
    """And gets what the gateway says; the satellite is told nothing of it."""
    gateway.talk.brain.mind.expect("How is it going?")
    gateway.talk.brain.mind.teach("How is it going?", Control(mode="status"))

    talker.speak()
    await talker.told(TurnEnded)

    (result,) = results(gateway)
    assert isinstance(result, dict)
    assert (result["ok"], result["mode"], result["active"]) == (True, "status", False)
    assert talker.of(Activity) == []


async def test_telling_the_agent_fails(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model gets to know."""

    async def refuse(*_: object) -> None:
        raise RequestTimeoutError

    monkeypatch.setattr(TalkSession, "steer", refuse)
    call(gateway.talk.line, CONTROL_TOOL, text="Faster!", mode="hurry")
    await gateway.wait_for_request("talk.session.submitToolResult")

    assert results(gateway) == [NO_ANSWER]


async def test_every_question_goes_to_the_agent(talker: Talker, gateway: SmallGateway) -> None:
    """Where the gateway is configured so; the model is told first that it takes a moment."""
    gateway.talk.brain.is_forced = True
    gateway.talk.brain.mind.expect("MODEL:SAY The light is on.")

    talker.speak()
    await talker.told(TurnEnded)

    assert results(gateway) == [WORKING, {"result": "The light is on."}]
    options = [
        each.params.get("options") for each in gateway.received("talk.session.submitToolResult")
    ]
    assert options == [{"willContinue": True}, None]
    assert talker.said(Speaker.ASSISTANT) == ["The light is on."]


async def test_a_lost_connection_ends_the_turn(talker: Talker, gateway: SmallGateway) -> None:
    """People are told; what the agent does goes on, and somebody else may wait for it."""
    run_id = await asked(talker, gateway)

    await gateway.drop()
    cancelled = await talker.told(ActivityCancelled)
    await talker.told(Rotated)

    assert cancelled.call_ids == (talker.of(Activity)[0].call_id,)
    assert [each.error.reason for each in talker.of(Problem)] == ["gateway_lost"]
    assert len(talker.of(TurnEnded)) == 1
    (orphan,) = talker.orphans
    assert orphan.run_id == run_id
    with pytest.raises(ConnectionLostError):
        await anext(aiter(orphan))
    await talker.backend.close()
    assert talker.orphans == [orphan]


@pytest.mark.parametrize("method", ["consult", "submit_result"])
async def test_a_connection_that_is_lost_while_the_agent_is_asked(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The turn is lost with it, which is told once, whoever notices first."""
    lost = asyncio.Event()

    async def lose(*_: object, **__: object) -> str:
        lost.set()
        raise ConnectionLostError(1006)

    with monkeypatch.context() as patch:
        patch.setattr(TalkSession, method, lose)
        teach(gateway, "MODEL:SAY The light is on.")
        talker.speak()
        await asyncio.wait_for(lost.wait(), LIMIT)
        await gateway.drop()
        await talker.told(Rotated)

    assert [each.error.reason for each in talker.of(Problem)] == ["gateway_lost"]
    assert len(talker.of(TurnEnded)) == 1
    assert talker.of(ActivityCancelled)


async def test_an_agent_at_work_when_the_satellite_leaves(
    talker: Talker, gateway: SmallGateway
) -> None:
    """Its run is handed over, and its session kept, without sound, until it ends."""
    run_id = await asked(talker, gateway)

    await talker.backend.close()

    (orphan,) = talker.orphans
    assert (orphan.run_id, orphan.session_key, orphan.question) == (run_id, KEY, HANG)
    assert len(gateway.talk.open_lines) == 1
    before = len(gateway.talk.appended)
    talker.speak()
    (kept,) = talker.kept
    await gateway.talk.line.tell("responseStarted", {"turnId": "turn-9"})
    await asyncio.wait({kept}, timeout=0.05)
    assert not kept.done()
    gateway.talk._abort_consults(gateway.talk.line)
    await asyncio.wait_for(kept, LIMIT)
    assert gateway.talk.open_lines == []
    assert len(gateway.talk.appended) == before


async def test_a_kept_session_is_lost(talker: Talker, gateway: SmallGateway) -> None:
    """Then there is nothing to keep any more."""
    await asked(talker, gateway)
    await talker.backend.close()

    await gateway.drop()

    await asyncio.wait_for(talker.kept[0], LIMIT)


async def test_a_kept_session_ends_with_its_time(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the gateway does not say so."""
    monkeypatch.setattr(orphans, "MAX_KEPT", 0.02)
    await asked(talker, gateway)
    await talker.backend.close()

    await asyncio.wait_for(talker.kept[0], LIMIT)

    assert gateway.talk.open_lines == []


async def test_a_session_in_which_nobody_asks_is_not_kept(
    talk: Talk, gateway: SmallGateway
) -> None:
    """The agent has answered before anybody could wait."""
    async with talk.session(TalkRequest(session_key=KEY)) as session:
        await keep_open(session, ())

    assert gateway.talk.open_lines == []


async def test_an_end_of_another_question(talker: Talker) -> None:
    """It is nobody's here."""
    link = talker.backend._link
    assert link is not None

    link.consults.take(ConsultEnded(call_id="call-other", run_id="run-other"))

    assert talker.events == []


@pytest.mark.parametrize(
    ("word", "mode"), [("cancel", SteerMode.CANCEL), ("hurry", None), (None, None)]
)
def test_words_of_the_gateway(word: str | None, mode: SteerMode | None) -> None:
    """Others are left to the gateway."""
    assert steer_mode(word) is mode


async def test_what_is_noted_goes_with_the_next_question(
    talker: Talker, gateway: SmallGateway
) -> None:
    """Once; whatever the room and the model add."""
    talker.backend.note("You have just said: the oven is hot.")
    teach(gateway, "MODEL:SAY Yes.")
    talker.speak()
    await talker.told(TurnEnded)
    call(gateway.talk.line, question="MODEL:SAY No.")
    await gateway.wait_for_request("talk.client.toolCall", number=2)

    contexts = [each.params["args"]["context"] for each in gateway.received("talk.client.toolCall")]
    assert contexts == ["Room: kitchen.\n\nYou have just said: the oven is hot.", "Room: kitchen."]


async def test_without_a_context(talk: Talk, gateway: SmallGateway) -> None:
    """The agent gets none."""
    talker = Talker(talk, replace(REQUEST, context="", language=None))
    await talker.begin()
    teach(gateway, "MODEL:SAY Hi.")
    talker.speak()
    await talker.told(TurnEnded)
    await talker.end()

    assert "context" not in gateway.received("talk.client.toolCall")[0].params["args"]


@pytest.mark.parametrize("tool", [CONSULT_TOOL, CONTROL_TOOL])
async def test_nothing_but_talk(talk: Talk, gateway: SmallGateway, tool: str) -> None:
    """The agent is neither asked nor told anything."""
    talker = Talker(talk, replace(REQUEST, asks_agent=False))
    await talker.begin()
    line = gateway.talk.line
    line._spawn(line._call(tool, {"question": "Who are you?", "text": "Stop."}))
    await gateway.wait_for_request("talk.session.submitToolResult")

    assert results(gateway) == [NOT_WANTED]
    assert gateway.received("talk.client.toolCall") == []
    assert gateway.received("talk.session.steer") == []
    await talker.end()
