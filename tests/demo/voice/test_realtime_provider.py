"""The stand-in for a provider of speech models, talked to as the gateway does."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.process import DemoError
from demo.voice import realtime_provider as provider_module
from demo.voice.hearing import Recogniser
from demo.voice.likeness import share_heard
from demo.voice.programs import USER_VOICE, resampled, speak
from demo.voice.provider_session import HELD_AFTER
from demo.voice.realtime_provider import RealtimeProvider
from demo.voice.sound import Sound
from demo.voice.speech_model import (
    RATE,
    Consult,
    Control,
    Fail,
    HangUp,
    Limit,
    Say,
    instant_voice,
    silence,
    tone,
)

from .conftest import PaperRecogniser, say_words

type JsonObject = dict[str, Any]

LIMIT = 30.0
SPEECH = tone(0.3) + silence(0.7)
LONG = "Once upon a time there was a very patient lighthouse. " * 6


class Caller:
    """The gateway's side of a session."""

    def __init__(self, peer: ClientConnection) -> None:
        """Talk over an open WebSocket."""
        self.peer = peer
        self.events: list[JsonObject] = []

    async def send(self, kind: str, **fields: object) -> None:
        """Send an event."""
        await self.peer.send(json.dumps({"type": kind} | fields))

    async def speak(self, sound: bytes = SPEECH) -> None:
        """Send sound."""
        await self.send("input_audio_buffer.append", audio=b64encode(sound).decode())

    async def until(self, kind: str) -> JsonObject:
        """Read to the next event of a kind and return it."""
        async with asyncio.timeout(LIMIT):
            while True:
                event: JsonObject = json.loads(await self.peer.recv())
                self.events.append(event)
                if event["type"] == kind:
                    return event

    async def until_done(self) -> JsonObject:
        """Read to the end of a response and return it."""
        response: JsonObject = (await self.until("response.done"))["response"]
        return response

    def of(self, kind: str) -> list[JsonObject]:
        """Return what came of a kind."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def sound(self) -> bytes:
        """All sound that came."""
        return b"".join(b64decode(each["delta"]) for each in self.of("response.output_audio.delta"))

    @property
    def heard(self) -> list[str]:
        """What it says it has heard."""
        kind = "conversation.item.input_audio_transcription.completed"
        return [each["transcript"] for each in self.of(kind)]

    @property
    def said(self) -> list[str]:
        """What it has said to the end."""
        kind = "response.output_audio_transcript.done"
        return [each["transcript"] for each in self.of(kind)]


@asynccontextmanager
async def called(provider: RealtimeProvider) -> AsyncGenerator[Caller]:
    """Call a provider while the block lasts."""
    url = provider.url.replace("http", "ws", 1)
    async with connect(f"{url}/v1/realtime?model=demo", proxy=None, max_size=None) as peer:
        yield Caller(peer)


@pytest.fixture
async def provider(socket_enabled: None) -> AsyncGenerator[RealtimeProvider]:
    """Return a provider without an engine."""
    async with RealtimeProvider.instant() as provider:
        yield provider


@pytest.fixture
async def caller(provider: RealtimeProvider) -> AsyncGenerator[Caller]:
    """Return a session that has begun."""
    async with called(provider) as caller:
        await caller.until("session.created")
        yield caller


async def test_a_question_is_answered(provider: RealtimeProvider, caller: Caller) -> None:
    """By what was heard; words and sound come side by side."""
    provider.model.mind.expect("What time is it?")
    provider.model.mind.teach("What time is it?", Say(text="It is half past nine."))

    await caller.speak()
    response = await caller.until_done()

    assert response["status"] == "completed"
    assert caller.heard == ["What time is it?"]
    assert caller.said == ["It is half past nine."]
    assert caller.sound == instant_voice("It is half past nine.")
    words = caller.of("response.output_audio_transcript.delta")
    assert "".join(each["delta"] for each in words) == "It is half past nine. "
    (turn,) = provider.model.turns
    assert (turn.heard, turn.is_complete, turn.is_cancelled) == ("What time is it?", True, False)
    assert turn.first_sound_at is not None
    assert turn.first_sound_at >= turn.ended_at


async def test_a_session_is_as_it_is_wished(provider: RealtimeProvider, caller: Caller) -> None:
    """Silence that is shorter ends an utterance sooner; wishes add up."""
    detection = {"silence_duration_ms": 100}
    audio = {"input": {"turn_detection": detection}, "output": {"voice": "marin"}}
    await caller.send("session.update", session={"model": "demo", "audio": audio})
    await caller.until("session.updated")
    more = {"audio": {"input": {"turn_detection": {"create_response": False}}}}
    await caller.send("session.update", session=more)
    updated = await caller.until("session.updated")

    assert updated["session"]["audio"]["output"] == {"voice": "marin"}
    assert updated["session"]["audio"]["input"]["turn_detection"] == {
        "silence_duration_ms": 100,
        "create_response": False,
    }
    assert [each["model"] for each in provider.model.configurations] == ["demo"]
    await caller.speak(tone(0.2) + silence(0.14))
    await caller.until("conversation.item.input_audio_transcription.completed")
    # Nothing is answered that nobody wants answered: the next answer is the one that is asked for.
    await caller.send("response.create")
    await caller.until_done()
    assert caller.said == ["Okay."]


@pytest.mark.parametrize(
    ("reaction", "name", "arguments"),
    [
        (
            Consult(),
            "openclaw_agent_consult",
            '{"question": "Do it.", "responseStyle": "short"}',
        ),
        (Control(mode="cancel"), "openclaw_agent_control", '{"text": "Do it.", "mode": "cancel"}'),
    ],
)
async def test_a_tool_is_called_and_its_result_said(
    provider: RealtimeProvider,
    caller: Caller,
    reaction: Consult | Control,
    name: str,
    arguments: str,
) -> None:
    """The last result counts; before it there may be one that says that it takes a moment."""
    provider.model.mind.expect("Do it.")
    provider.model.mind.teach("Do it.", reaction)
    await caller.speak()
    response = await caller.until_done()
    (call,) = response["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", name, arguments)

    for output in ('{"status":"working"}', '{"result":"Done."}'):
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        await caller.send("conversation.item.create", item=item)
        await caller.until("conversation.item.added")
    await caller.send("response.create")
    await caller.until_done()

    assert caller.said == ["Done."]


@pytest.mark.parametrize("output", ["Done.", '"Done."', '{"text": "Done."}'])
async def test_results_are_said_in_words(caller: Caller, output: str) -> None:
    """Whatever form they have."""
    item = {"type": "function_call_output", "call_id": "1", "output": output}
    await caller.send("conversation.item.create", item=item)
    await caller.send("response.create")
    await caller.until_done()

    assert caller.said[0].strip('"') == "Done."


async def test_a_text_is_said(caller: Caller) -> None:
    """When the gateway wants it to be."""
    content = [{"type": "input_text", "text": "The door is open."}]
    item = {"type": "message", "role": "user", "content": content}
    await caller.send("conversation.item.create", item=item)
    await caller.send("response.create")
    await caller.until_done()

    assert caller.said == ["The door is open."]


async def test_an_answer_is_cut_off(provider: RealtimeProvider, caller: Caller) -> None:
    """By the gateway, and by somebody who speaks; only one is given at a time."""
    provider.model.mind.expect("Story.", "Stop.", "Story.")
    provider.model.mind.teach("Story.", Say(text=LONG))
    await caller.speak()
    await caller.until("response.output_audio.delta")
    await caller.send("response.create")
    assert "active response" in (await caller.until("error"))["error"]["message"]

    await caller.send("response.cancel", event_id="e-1")
    response = await caller.until_done()
    assert response["status"] == "cancelled"
    assert response["status_details"]["reason"] == "client_cancelled"
    await caller.send("conversation.item.truncate", item_id="i", audio_end_ms=40)
    assert (await caller.until("conversation.item.truncated"))["audio_end_ms"] == 40
    await caller.send("response.cancel", event_id="e-2")
    assert (await caller.until("error"))["error"]["event_id"] == "e-2"

    await caller.speak()
    await caller.until_done()
    await caller.speak()
    await caller.until("response.output_audio.delta")
    await caller.speak(tone(0.1))
    response = await caller.until_done()
    assert response["status_details"]["reason"] == "turn_detected"
    assert [turn.is_cancelled for turn in provider.model.turns] == [True, False, True]


async def test_an_answer_that_is_held_ends_when_it_is_cut_off(
    provider: RealtimeProvider, caller: Caller
) -> None:
    """However slow whoever cuts it off."""
    provider.model.mind.teach("Hello.", Say(text=LONG))
    provider.model.holds = True
    await caller.speak()
    for _ in range(HELD_AFTER):
        await caller.until("response.output_audio.delta")

    await caller.send("response.cancel")

    assert (await caller.until_done())["status"] == "cancelled"
    assert len(caller.of("response.output_audio.delta")) == HELD_AFTER


async def test_an_answer_goes_on_when_nobody_is_to_interrupt(
    provider: RealtimeProvider, caller: Caller
) -> None:
    """The session decides."""
    provider.model.mind.expect("Story.")
    provider.model.mind.teach("Story.", Say(text=LONG[:60]))
    detection = {"interrupt_response": False}
    session = {"audio": {"input": {"turn_detection": detection}}}
    await caller.send("session.update", session=session)
    await caller.speak()
    await caller.until("response.output_audio.delta")

    await caller.speak(tone(0.1))

    assert (await caller.until_done())["status"] == "completed"


async def test_what_can_go_wrong(provider: RealtimeProvider, caller: Caller) -> None:
    """A failed answer, too much, a broken line; unknown events are nothing."""
    provider.model.mind.expect("Fail.", "Limit.", "Hang up.")
    for words, reaction in (("Fail.", Fail()), ("Limit.", Limit()), ("Hang up.", HangUp())):
        provider.model.mind.teach(words, reaction)

    await caller.send("telepathy")
    await caller.speak()
    response = await caller.until_done()
    assert response["status_details"]["error"]["type"] == "server_error"
    await caller.speak()
    assert (await caller.until("error"))["error"]["code"] == "rate_limit_exceeded"
    await caller.speak()
    with pytest.raises(ConnectionClosed):
        await caller.until("response.done")
    assert caller.peer.close_code == 1011
    assert provider.sessions == 1


async def test_a_key_may_be_refused(provider: RealtimeProvider) -> None:
    """As a provider refuses it."""
    provider.lets_in = False
    with pytest.raises(InvalidStatus) as raised:
        async with called(provider):
            pass
    assert raised.value.response.status_code == 401


async def test_it_leaves_nothing_behind(socket_enabled: None) -> None:
    """Sessions end with it, in the middle of an answer."""
    async with RealtimeProvider.instant() as provider:
        provider.model.mind.expect("Story.")
        provider.model.mind.teach("Story.", Say(text=LONG))
        async with called(provider) as caller:
            await caller.speak()
            await caller.until("response.output_audio.delta")
            await provider.__aexit__()
            assert provider.open_sessions == 0


async def test_it_hears_and_speaks_with_the_offline_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> None:
    """What is heard and spoken is theirs."""

    async def at_rate(sound: Sound, *, rate: int) -> Sound:
        return Sound(samples=sound.samples, rate=rate)

    monkeypatch.setattr(provider_module, "speak", say_words)
    monkeypatch.setattr(provider_module, "resampled", at_rate)
    async with (
        RealtimeProvider.offline(PaperRecogniser(tmp_path)) as provider,
        called(provider) as caller,
    ):
        await caller.speak()
        await caller.until_done()

    assert caller.heard == [f"{round(0.3 * RATE) + round(0.5 * RATE)} samples"]
    assert caller.said == [f"You said: {caller.heard[0]}."]
    assert caller.sound


async def test_a_recogniser_that_is_gone_is_an_error_of_the_provider(
    socket_enabled: None,
) -> None:
    """The session goes on."""
    provider = RealtimeProvider.instant()

    async def deaf(_: bytes) -> str:
        raise DemoError("The recogniser is gone.")

    provider.model.hear = deaf
    async with provider, called(provider) as caller:
        await caller.speak()
        error = (await caller.until("error"))["error"]

    assert error == {"type": "server_error", "message": "The recogniser is gone."}


@pytest.mark.e2e("speech")
@pytest.mark.parametrize("question", ["What time is it in the kitchen?", "Open the garage door."])
async def test_two_questions_have_two_spoken_answers(recogniser: Recogniser, question: str) -> None:
    """With the real engines: what comes back says what was asked, and can be heard."""
    asked = await resampled(await speak(question, voice=USER_VOICE), rate=RATE)
    async with RealtimeProvider.offline(recogniser) as provider, called(provider) as caller:
        await caller.speak(silence(0.2) + asked.samples + silence(0.8))
        await caller.until_done()

    (heard,) = caller.heard
    assert share_heard(question, heard) >= 0.6
    answer = await recogniser.hear(Sound(samples=caller.sound, rate=RATE))
    assert share_heard(heard, answer) >= 0.5
    other = {"What time is it in the kitchen?", "Open the garage door."} - {question}
    assert share_heard(other.pop(), answer) < 0.5
