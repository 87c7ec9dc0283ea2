"""A session that the gateway's speech model answers: turns, interruptions, problems, rotation."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise

import pytest

from custom_components.openclaw_voice.gateway.errors import RequestTimeoutError
from custom_components.openclaw_voice.gateway.talk import Talk, TalkCatalog
from custom_components.openclaw_voice.gateway.talk_items import CONSULT_TOOL
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from custom_components.openclaw_voice.realtime import gateway_backend, talk_link
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendName,
    ClientToolCall,
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
from custom_components.openclaw_voice.realtime.consults import Consults
from custom_components.openclaw_voice.realtime.sound import MAX_KEPT
from demo.voice.speech_model import (
    Fail,
    HangUp,
    Limit,
    Reaction,
    Say,
    instant_voice,
    silence,
    tone,
)
from tests.fakes.small_gateway import SmallGateway
from tests.fakes.talk_line import KEY_REJECTED

from .talker import KEY, REQUEST, Talker, talk_of

STORY = "Once upon a time there was a very patient lighthouse."


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
async def unbegun(talk: Talk) -> AsyncGenerator[Talker]:
    """Return somebody who has not begun."""
    talker = Talker(talk)
    yield talker
    await talker.end()


@pytest.fixture
async def talker(unbegun: Talker) -> Talker:
    """Return somebody whose session has begun."""
    await unbegun.begin()
    return unbegun


@pytest.fixture
async def listener(talker: Talker, gateway: SmallGateway) -> Talker:
    """Return somebody who hears the beginning of a long answer."""
    hold(gateway)
    talker.speak()
    await talker.until(lambda: [each for each in talker.of(OutputAudio) if each.mark])
    return talker


def hold(gateway: SmallGateway) -> None:
    """Let the answer to the next question stop after a word."""
    brain = gateway.talk.brain
    brain.mind.expect("Tell me a story.")
    brain.mind.teach("Tell me a story.", Say(text=STORY))
    brain.is_held = True


def release(gateway: SmallGateway) -> None:
    """Let the next answers go on."""
    gateway.talk.brain.is_held = False


async def test_a_session_is_as_it_is_wished(gateway: SmallGateway, talk: Talk) -> None:
    """And tells what it can."""
    wanted = TurnDetection(silence=0.4, threshold=0.3)
    request = replace(REQUEST, voice="marin", model="gpt-realtime-2.1", turn_detection=wanted)
    talker = Talker(talk, request)

    info = await talker.backend.start()
    await talker.end()

    assert (info.name, info.input_rate, info.output_rate) == (BackendName.GATEWAY, 24_000, 24_000)
    assert info.capabilities.barge_in
    assert info.capabilities.tool_control
    assert info.capabilities.manual_turns
    (created,) = gateway.talk.created
    wishes = {"sessionKey": KEY, "voice": "marin", "model": "gpt-realtime-2.1", "language": "en"}
    assert created.items() >= (wishes | {"vadThreshold": 0.3, "silenceDurationMs": 400}).items()
    await gateway.wait_for_request("talk.session.close")


@pytest.mark.parametrize(
    ("wishes", "created", "notes"),
    [
        ({"voice": "Marin"}, {"voice": "marin"}, ()),
        (
            {"model": "gpt-live-1", "voice": "vesper"},
            {"voice": "vesper", "model": "gpt-live-1"},
            (),
        ),
        ({"voice": "Zephyr"}, {}, ("voice_unavailable",)),
        ({"model": "gemini-live", "voice": "cedar"}, {"voice": "cedar"}, ("model_unavailable",)),
    ],
)
async def test_what_is_not_offered_is_not_asked_for(
    gateway: SmallGateway,
    talk: Talk,
    wishes: dict[str, str],
    created: dict[str, str],
    notes: tuple[str, ...],
) -> None:
    """The satellite is told; clients for other providers work all the same."""
    talker = Talker(talk, replace(REQUEST, **wishes))  # type: ignore[arg-type]  # named above

    info = await talker.backend.start()
    await talker.end()

    asked = gateway.talk.created[0]
    assert {name: asked[name] for name in ("voice", "model") if name in asked} == created
    assert info.notes == notes


async def test_a_provider_that_does_not_say_what_it_offers(
    gateway: SmallGateway, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for what is wished."""
    catalog = TalkCatalog(is_ready=True)

    async def offer(_: Talk) -> TalkCatalog:
        return catalog

    monkeypatch.setattr(Talk, "catalog", offer)
    talker = Talker(talk, replace(REQUEST, model="own-model"))

    info = await talker.backend.start()
    await talker.end()

    assert gateway.talk.created[0]["model"] == "own-model"
    assert info.notes == ()
    assert not info.capabilities.barge_in


async def test_a_session_that_is_closed_while_it_begins(
    unbegun: Talker, gateway: SmallGateway
) -> None:
    """Nothing is left of it."""
    gateway.talk.brain.is_silent = True
    beginning = asyncio.create_task(unbegun.begin())
    await gateway.wait_for_request("talk.session.create")

    await unbegun.backend.close()
    await gateway.talk.line.tell("ready", envelope="session.ready", payload=None)
    with pytest.raises(BackendError):
        await beginning

    assert gateway.talk.open_lines == []


@pytest.mark.parametrize("is_stopped", [False, True], ids=["cut", "stopped"])
async def test_a_gateway_that_is_lost_while_a_session_begins(
    unbegun: Talker, gateway: SmallGateway, is_stopped: bool
) -> None:
    """The session does not begin."""
    gateway.talk.brain.is_silent = True
    beginning = asyncio.create_task(unbegun.begin())
    await gateway.wait_for_request("talk.session.create")

    await (gateway.stop() if is_stopped else gateway.drop())
    with pytest.raises(BackendError) as raised:
        await beginning

    assert raised.value.reason == "backend_start_failed"
    assert gateway.talk.open_lines == []


async def test_a_satellite_that_ends_turns_itself(gateway: SmallGateway, talk: Talk) -> None:
    """The gateway ends them by silence, which it gets when the satellite says so."""
    manual = TurnDetection(mode=TurnMode.MANUAL)
    talker = Talker(talk, replace(REQUEST, turn_detection=manual))
    await talker.begin()

    talker.backend.append_audio(tone(0.3))
    talker.backend.commit()
    talker.backend.respond()
    await talker.told(TurnEnded)
    await talker.end()

    assert gateway.talk.created[0]["silenceDurationMs"] == 1000
    assert talker.said(Speaker.ASSISTANT) == ["You said: Hello."]


async def test_a_question_is_answered(talker: Talker, gateway: SmallGateway) -> None:
    """In the order in which a satellite is told, all of one turn."""
    gateway.talk.brain.mind.expect("What time is it?")
    gateway.talk.brain.mind.teach("What time is it?", Say(text="It is half past nine."))

    talker.speak()
    await talker.told(TurnEnded)

    kinds = [type(event) for event in talker.events]
    assert list(dict.fromkeys(kinds)) == [
        SpeechNoticed,
        TurnStarted,
        Transcript,
        SpeechEnded,
        ResponseStarted,
        OutputAudio,
        OutputEnded,
        TurnEnded,
    ]
    turned = [getattr(event, "turn_id", None) for event in talker.events]
    assert set(turned) == {"turn-1", None}
    assert talker.said(Speaker.USER) == ["What time is it?"]
    assert talker.said(Speaker.ASSISTANT) == ["It is half past nine."]
    words = ["It", "is", "half", "past", "nine."]
    sound = b"".join(each.pcm for each in talker.of(OutputAudio))
    assert len(sound) == sum(len(instant_voice(word)) for word in words)


async def test_sound_goes_out_in_pieces_with_a_clock(talker: Talker, gateway: SmallGateway) -> None:
    """Of 50 to 100 ms; without the clock the gateway would interrupt nothing."""
    for at in range(0, len(instant_voice("a long word")), 1001):
        talker.backend.append_audio(instant_voice("a long word")[at : at + 1001])
    await gateway.wait_for_request("talk.session.appendAudio", number=10)

    pieces = gateway.talk.appended
    assert all(2400 <= len(b64decode(piece["audioBase64"])) <= 4800 for piece in pieces)
    stamps = [piece["timestamp"] for piece in pieces]
    assert all(later - earlier >= 59 for earlier, later in pairwise(stamps))


async def test_silence_is_sent_while_an_answer_is_heard(
    listener: Talker, gateway: SmallGateway
) -> None:
    """A microphone that is still would keep the gateway's clock from running."""
    before = len(gateway.received("talk.session.appendAudio"))

    await gateway.wait_for_request("talk.session.appendAudio", number=before + 2)

    assert b64decode(gateway.talk.appended[-1]["audioBase64"]) == bytes(2880)


async def test_marks_are_acknowledged_when_they_were_heard(
    talker: Talker, gateway: SmallGateway
) -> None:
    """One by one, or all that are left when nothing waits any more; each once."""
    talker.speak()
    await talker.told(TurnEnded)
    marks = [each.mark for each in talker.of(OutputAudio) if each.mark]
    assert marks == ["audio-1", "audio-2", "audio-3"]
    assert gateway.talk.line.heard_marks == []

    talker.backend.played("audio-1")
    talker.backend.played("audio-1")
    talker.backend.drained()
    talker.backend.drained()
    await gateway.wait_for_request("talk.session.acknowledgeMark", number=3)

    heard = gateway.received("talk.session.acknowledgeMark")
    assert [each.params["markName"] for each in heard] == marks


async def test_two_questions_have_two_turns(talker: Talker) -> None:
    """Each answer belongs to its own."""
    talker.speak()
    await talker.told(TurnEnded)
    talker.backend.drained()
    talker.speak()
    await talker.told(TurnEnded, 2)

    assert [each.turn_id for each in talker.of(TurnStarted)] == ["turn-1", "turn-2"]
    assert [each.turn_id for each in talker.of(TurnEnded)] == ["turn-1", "turn-2"]
    assert talker.of(OutputCleared) == []


async def test_an_answer_is_cut_off_by_speech(listener: Talker, gateway: SmallGateway) -> None:
    """What waits to be played is dropped, and the next turn says so."""
    release(gateway)

    listener.speak()
    await listener.told(TurnEnded)

    cleared = await listener.told(OutputCleared)
    assert cleared.reason == "turn_detected"
    first, second = listener.of(TurnStarted)
    assert (first.interrupts, second.interrupts) == (False, True)
    at = [listener.events.index(each) for each in (cleared, second)]
    assert at == sorted(at)
    assert STORY not in listener.said(Speaker.ASSISTANT)
    assert [each.turn_id for each in listener.of(TurnEnded)] == ["turn-2"]


async def test_an_answer_is_cut_off_by_a_key(listener: Talker, gateway: SmallGateway) -> None:
    """Nothing of it comes any more, and the next question is answered."""
    count = len(listener.events)

    listener.backend.interrupt(0.1)
    cancelled = await gateway.wait_for_request("talk.session.cancelOutput")
    release(gateway)
    listener.speak()
    await listener.told(TurnEnded)

    assert cancelled.params["turnId"] == "turn-1"
    assert [type(event) for event in listener.events[count:][:2]] == [SpeechNoticed, TurnStarted]
    assert listener.of(OutputCleared) == []
    assert not listener.of(TurnStarted)[-1].interrupts


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("is_configured", "no_backend"),
        ("lets_in", "provider_auth"),
        ("is_reachable", "provider_unavailable"),
    ],
)
async def test_a_provider_that_is_no_use(
    unbegun: Talker, gateway: SmallGateway, spoil: str, reason: str
) -> None:
    """The session does not begin, and says why."""
    setattr(gateway.talk.brain, spoil, False)

    with pytest.raises(BackendError) as raised:
        await unbegun.begin()

    assert (raised.value.reason, raised.value.is_recoverable) == (reason, False)
    await unbegun.backend.close()


@pytest.mark.parametrize("reaction", [Fail(), Limit(), HangUp()], ids=["fail", "limit", "hang up"])
async def test_a_problem_of_the_provider_ends_only_the_turn(
    talker: Talker, gateway: SmallGateway, reaction: Reaction
) -> None:
    """The next question is answered."""
    gateway.talk.brain.mind.expect("Please fail.")
    gateway.talk.brain.mind.teach("Please fail.", reaction)
    talker.speak()

    problem = await talker.told(Problem)
    await talker.told(TurnEnded)

    assert (problem.error.reason, problem.error.is_recoverable) == ("provider_unavailable", True)
    talker.speak()
    await talker.told(TurnEnded, 2)
    assert talker.said(Speaker.ASSISTANT) == ["You said: Hello."]


async def test_an_answer_that_does_not_go_on(
    unbegun: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while, and said so; silence without a question is none."""
    monkeypatch.setattr(talk_link, "SILENCE_LIMIT", 0.05)
    await unbegun.begin()
    hold(gateway)
    unbegun.speak()

    problem = await unbegun.told(Problem)
    await unbegun.told(TurnEnded)

    assert problem.error.reason == "provider_unavailable"
    assert len(unbegun.of(Problem)) == 1


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("error", "provider_unavailable"), ("completed", "session_expired")],
)
async def test_a_gateway_that_ends_the_session(
    talker: Talker, gateway: SmallGateway, reason: str, expected: str
) -> None:
    """Another would end the same way."""
    await gateway.talk.line.close(reason)

    assert await talker.until_ended() == expected
    assert talker.of(Rotating) == []


async def test_a_provider_that_locks_the_gateway_out(talker: Talker, gateway: SmallGateway) -> None:
    """The end tells the reason that came before it."""
    await gateway.talk.line._problem("connect", KEY_REJECTED)
    await gateway.talk.line.close("error")

    assert await talker.until_ended() == "provider_auth"
    assert talker.of(Problem) == []


async def test_a_session_is_replaced_before_its_end(unbegun: Talker, gateway: SmallGateway) -> None:
    """While nobody speaks; with the same key."""
    gateway.talk.brain.lifetime = 60
    await unbegun.begin()
    gateway.talk.brain.lifetime = 1800

    await unbegun.told(Rotated)
    unbegun.speak()
    await unbegun.told(TurnEnded)

    assert [type(event) for event in unbegun.events[:2]] == [Rotating, Rotated]
    assert [each["sessionKey"] for each in gateway.talk.created] == [KEY, KEY]
    assert unbegun.of(Problem) == []
    assert len(gateway.talk.open_lines) == 1


async def test_work_is_not_interrupted_by_that(
    unbegun: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools and answers are waited for, and until the answer was heard."""
    seconds = iter((0.0, 100.0))
    monkeypatch.setattr(talk_link, "rotates_in", lambda *_: next(seconds))
    monkeypatch.setattr(talk_link, "IDLE_STEP", 0.01)
    backend = unbegun.backend
    backend._turns.open_call("call-1")
    await unbegun.begin()
    unbegun.speak()
    await unbegun.until(lambda: unbegun.said(Speaker.ASSISTANT))
    assert unbegun.of(Rotating) == []

    await backend.tool_result("call-1", "Done.")
    await unbegun.told(TurnEnded)
    assert unbegun.of(Rotating) == []
    backend.drained()
    await unbegun.told(Rotated)

    assert unbegun.said(Speaker.ASSISTANT) == ["You said: Hello.", "Done."]
    assert unbegun.of(Problem) == []


async def test_a_session_that_is_too_old_is_replaced(
    unbegun: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there was no pause to do it before; the answer is lost, which is said."""
    monkeypatch.setattr(talk_link, "rotates_in", lambda *_: 100.0)
    gateway.talk.brain.lifetime = 5
    await unbegun.begin()
    hold(gateway)
    unbegun.speak()
    await unbegun.told(OutputAudio)
    await gateway.talk.line.close("completed")

    await unbegun.told(Rotated)

    kinds = [type(event) for event in unbegun.events]
    assert [each.error.reason for each in unbegun.of(Problem)] == ["gateway_lost"]
    assert kinds.index(Rotating) < kinds.index(TurnEnded) < kinds.index(Rotated)


async def test_a_lost_connection(listener: Talker, gateway: SmallGateway) -> None:
    """Another session goes on; what was said meanwhile is not lost, the answer is."""
    release(gateway)
    lost = gateway.talk.line
    link = listener.backend._link
    assert link is not None
    assert link.session._outgoing is not None
    link.session._outgoing.dropped = 0.25
    await gateway.drop()
    await listener.told(Rotating)
    listener.backend.append_audio(silence(3))
    listener.speak()
    await listener.told(Rotated)
    await listener.until(lambda: "You said: Hello." in listener.said(Speaker.ASSISTANT))
    assert listener.backend.dropped == pytest.approx(0.25 + 3 + 0.96 - MAX_KEPT, abs=0.12)

    assert gateway.talk.line is not lost
    assert [each.error.reason for each in listener.of(Problem)] == ["gateway_lost"]
    assert listener.error is None


async def test_a_gateway_that_stays_away(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three attempts it is the end."""
    monkeypatch.setattr(gateway_backend, "TRIES", (0.0, 0.0, 0.0))
    await gateway.stop()

    assert await talker.until_ended() == "gateway_lost"
    assert len(talker.of(Rotating)) == 1
    assert talker.of(Rotated) == []
    talker.backend.interrupt(0.0)
    talker.backend.played("audio-1")
    talker.backend.drained()
    await talker.backend.tool_result("call-1", "too late")
    with pytest.raises(BackendError):
        await talker.backend.steer("Hello?", None)


async def test_the_agent_is_told_something(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The satellite gets what became of it, or that it may try again."""

    async def fail(*_: object) -> None:
        raise RequestTimeoutError

    told = await talker.backend.steer("How is it going?", "status")

    assert (told["ok"], told["active"]) == (True, False)
    monkeypatch.setattr(TalkSession, "steer", fail)
    with pytest.raises(BackendError) as raised:
        await talker.backend.steer("How is it going?", None)
    assert (raised.value.reason, raised.value.is_recoverable) == ("gateway_lost", True)


async def test_a_tool_of_the_satellite(talker: Talker, gateway: SmallGateway) -> None:
    """Its result goes back to the model; the turn does not end before."""
    line = gateway.talk.line
    line._spawn(line._call("show_picture", {"name": "Küche"}))
    call = await talker.told(ClientToolCall)
    assert (call.name, call.arguments) == ("show_picture", '{"name": "Küche"}')
    assert talker.of(TurnEnded) == []

    await talker.backend.tool_result(call.call_id, "shown")
    await talker.told(TurnEnded)

    assert line.results == [(call.call_id, {"result": "shown"})]
    assert talker.said(Speaker.ASSISTANT) == ["shown"]


async def test_closing_leaves_nothing(talker: Talker, gateway: SmallGateway) -> None:
    """And may be repeated; whoever iterates gets the end."""
    talker.speak()
    await talker.told(TurnStarted)

    await talker.backend.close()
    await talker.backend.close()

    assert await talker.until_ended() is None
    assert gateway.talk.open_lines == []
    assert talker.kept == []
    assert talker.orphans == []


async def test_closing_while_the_connection_is_lost_leaves_nothing(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session may have begun meanwhile."""

    async def lose(_: Consults) -> None:
        await gateway.drop()
        await gateway.wait_for_request("talk.session.create", number=2)
        await gateway.wait_for_request("talk.session.close")

    monkeypatch.setattr(Consults, "settle", lose)

    await talker.backend.close()

    assert gateway.talk.open_lines == []


async def test_nothing_is_cut_off_before_anything_was_said(
    unbegun: Talker, gateway: SmallGateway
) -> None:
    """The gateway is not asked."""
    await unbegun.backend.start()
    unbegun.backend.interrupt(0.0)
    await unbegun.backend.close()

    assert gateway.received("talk.session.cancelOutput") == []


async def test_nobody_waits_without_a_question(
    unbegun: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then silence is no problem."""
    monkeypatch.setattr(talk_link, "SILENCE_LIMIT", 0.01)
    await unbegun.begin()
    problem = asyncio.create_task(unbegun.told(Problem))

    await asyncio.wait({problem}, timeout=0.1)
    problem.cancel()

    assert unbegun.events == []


async def test_a_fault_of_ours_ends_the_session(
    talker: Talker, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever iterates does not wait for ever."""

    async def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(Consults, "consult", fail)
    line = gateway.talk.line
    line._spawn(line._call(CONSULT_TOOL, {"question": "Hello?"}))

    assert await talker.until_ended() == "gateway_lost"
    await talker.backend.close()
    runner = talker.backend._runner
    assert runner is not None
    assert isinstance(runner.exception(), ExceptionGroup)
