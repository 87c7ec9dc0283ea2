"""Realtime voice: what is said, asked, cut off and refused in a session."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import (
    AgentNotFoundError,
    ConnectionLostError,
    GatewayError,
    RequestError,
    TalkUnavailableError,
)
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.state import ClientState
from custom_components.openclaw_voice.gateway.talk_items import (
    ASSISTANT,
    CONSULT_TOOL,
    CONTINUITY_RESET,
    CONTROL_TOOL,
    TALK_RATE,
    USER,
    CancelStatus,
    ConsultEnded,
    ConsultProgress,
    SteerMode,
    TalkAudio,
    TalkAudioDone,
    TalkClear,
    TalkItem,
    TalkMark,
    TalkProblem,
    TalkRequest,
    TalkResponseStarted,
    TalkToolCall,
    TalkTranscript,
    TalkTurn,
    TalkUnavailability,
)
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from custom_components.openclaw_voice.gateway.unasked_message import UnaskedMessage
from demo.voice.speech_model import (
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

from .conftest import STATE_LIMIT, Server
from .test_pairing import approved, with_token

LIMIT: Final = 60.0
"""Seconds until something has happened in a session."""

STEP: Final = 0.06
"""Seconds of sound that are appended at a time."""

LONG: Final = "Once upon a time there was a very patient lighthouse. " * 6
SAMPLE_BYTES: Final = 2


class Conversation:
    """A session with somebody who speaks in it, and all that came of it."""

    def __init__(self, session: TalkSession) -> None:
        """Fetch everything from now on."""
        self.session = session
        self.items: list[TalkItem] = []
        self.error: GatewayError | None = None
        self.has_ended = False
        self._clock = 0.0
        self._news = asyncio.Event()

    async def fetch(self) -> None:
        """Fetch until the session ends."""
        try:
            async for item in self.session:
                self.items.append(item)
                if isinstance(item, TalkMark):
                    self.session.acknowledge(item.name)
                self._news.set()
        except GatewayError as err:
            self.error = err
        self.has_ended = True
        self._news.set()

    def speak(self, seconds: float = 0.3, *, pause: float = 0.0) -> None:
        """Say something after a pause, and then nothing for so long that it has an end."""
        self._clock += pause
        sound = tone(seconds) + silence(0.7)
        size = round(STEP * TALK_RATE) * SAMPLE_BYTES
        for at in range(0, len(sound), size):
            piece = sound[at : at + size]
            self.session.append(piece, self._clock)
            self._clock += len(piece) / (TALK_RATE * SAMPLE_BYTES)

    def of[Kind](self, kind: type[Kind]) -> list[Kind]:
        """Return what came of one kind."""
        return [item for item in self.items if isinstance(item, kind)]

    def said(self, role: str) -> list[str]:
        """Return what somebody has said to its end."""
        return [
            each.text for each in self.of(TalkTranscript) if each.is_final and each.role == role
        ]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something has come."""
        async with asyncio.timeout(LIMIT):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def until_done(self, number: int = 1) -> None:
        """Wait for the end of a response."""
        await self.until(lambda: len(self.of(TalkAudioDone)) >= number)

    async def until_called(self, number: int = 1) -> TalkToolCall:
        """Wait for a tool call, and return it."""
        await self.until(lambda: len(self.of(TalkToolCall)) >= number)
        return self.of(TalkToolCall)[number - 1]


@asynccontextmanager
async def talking(
    client: GatewayClient, session_key: str, **wishes: object
) -> AsyncGenerator[Conversation]:
    """Open a session while the block lasts."""
    request = TalkRequest(session_key=session_key, **wishes)  # type: ignore[arg-type]  # named by the test
    async with client.talk.session(request) as session:
        conversation = Conversation(session)
        fetching = asyncio.create_task(conversation.fetch())
        try:
            yield conversation
        finally:
            await session.close()
            await asyncio.wait_for(fetching, LIMIT)


def runs_of(
    client: GatewayClient, is_wanted: Callable[[GatewayEvent], bool]
) -> Callable[[str], Awaitable[None]]:
    """Listen to events of runs from now on; return what waits for such a one of a run."""
    found: set[str] = set()
    news = asyncio.Event()

    def on_event(event: GatewayEvent) -> None:
        if event.name in ("agent", "chat") and is_wanted(event):
            found.add(event.payload["runId"])
            news.set()

    async def wait(run_id: str) -> None:
        async with asyncio.timeout(LIMIT):
            while run_id not in found:
                news.clear()
                await news.wait()

    client.subscribe_events(on_event)
    return wait


def has_started(event: GatewayEvent) -> bool:
    """Tell whether a run starts."""
    return event.name == "agent" and event.payload["data"].get("phase") == "start"


def is_aborted(event: GatewayEvent) -> bool:
    """Tell whether a run was stopped."""
    return event.name == "chat" and event.payload.get("state") == "aborted"


@pytest.fixture
async def conversation(client: GatewayClient, session_key: str) -> AsyncGenerator[Conversation]:
    """Return a session that has begun."""
    async with talking(client, session_key) as conversation:
        yield conversation


async def test_what_there_is(client: GatewayClient) -> None:
    """A provider, its models and voices."""
    catalog = await client.talk.catalog()

    assert catalog.is_ready
    assert catalog.active == "openai"
    assert catalog.provider is not None
    assert catalog.provider.is_configured
    assert catalog.provider.can_relay
    assert "gpt-realtime-2.1" in catalog.models
    assert "cedar" in catalog.voices


async def test_a_session_is_as_it_is_wished(client: GatewayClient, session_key: str) -> None:
    """It lasts half an hour."""
    wishes = {"voice": "marin", "language": "en-GB", "vad_threshold": 0.4, "silence": 0.4}
    async with talking(client, session_key, **wishes) as conversation:
        info = conversation.session.info

    assert (info.provider, info.model, info.voice) == ("openai", "gpt-realtime-2.1", "marin")
    assert timedelta(minutes=29) < info.expires - datetime.now(UTC) < timedelta(minutes=31)
    assert conversation.error is None


async def test_a_question_is_answered(conversation: Conversation, server: Server) -> None:
    """The words of both, the sound, and marks in between."""
    server.provider.mind.expect("What time is it?")
    server.provider.mind.teach("What time is it?", Say(text="It is half past nine."))

    conversation.speak()
    await conversation.until_done()

    assert conversation.said(USER) == ["What time is it?"]
    assert conversation.said(ASSISTANT) == ["It is half past nine."]
    deltas = [each.text for each in conversation.of(TalkTranscript) if not each.is_final]
    assert "".join(deltas).split() == [
        "What",
        "time",
        "is",
        "it?",
        "It",
        "is",
        "half",
        "past",
        "nine.",
    ]
    sound = b"".join(each.pcm for each in conversation.of(TalkAudio))
    spoken = len(instant_voice("It is half past nine."))
    assert abs(len(sound) - spoken) <= spoken // 5
    assert conversation.of(TalkMark)
    turn_ids = {each.turn_id for each in conversation.of(TalkAudio)}
    assert turn_ids == {conversation.of(TalkTurn)[0].turn_id}
    (done,) = conversation.of(TalkAudioDone)
    assert done.reason == "completed"
    assert conversation.session.dropped_input == 0


async def test_two_questions_have_two_turns(conversation: Conversation, server: Server) -> None:
    """Each answer belongs to its own."""
    server.provider.mind.expect("One.", "Two.")

    conversation.speak()
    await conversation.until_done()
    conversation.speak(pause=2.0)
    await conversation.until_done(2)

    assert conversation.said(ASSISTANT) == ["You said: One.", "You said: Two."]
    first, second = (each.turn_id for each in conversation.of(TalkAudioDone))
    assert first != second


async def test_an_agent_is_asked(
    conversation: Conversation, client: GatewayClient, server: Server, session_key: str
) -> None:
    """By the tool, which is ours to answer; and nobody else is told of it."""
    unasked: list[UnaskedMessage] = []
    client.unasked.subscribe(
        unasked.append, is_ours=lambda key: key == session_key, on_missed=lambda: None
    )
    server.provider.mind.expect("Turn on the light.")
    server.provider.mind.teach("Turn on the light.", Consult())
    conversation.speak()
    call = await conversation.until_called()
    assert (call.name, call.is_forced) == (CONSULT_TOOL, False)
    assert call.arguments["question"] == "Turn on the light."

    run_id = await conversation.session.consult(
        call.call_id,
        "MODEL:SAY The light is on.",
        context="Room: kitchen.",
        style="short",
    )
    await conversation.until(lambda: conversation.of(ConsultEnded))

    (ended,) = conversation.of(ConsultEnded)
    assert (ended.call_id, ended.run_id, ended.text) == (call.call_id, run_id, "The light is on.")
    assert not ended.is_aborted
    assert conversation.session.open_consults == ()
    await conversation.session.submit_result(call.call_id, {"result": ended.text})
    await conversation.until(lambda: "The light is on." in conversation.said(ASSISTANT))
    assert unasked == []
    kept = await client.unasked.since(session_key, datetime.fromtimestamp(0, UTC))
    assert kept == ()


async def test_a_consult_shows_its_tools(conversation: Conversation, server: Server) -> None:
    """For whoever waits."""
    server.provider.mind.expect("Look it up.")
    server.provider.mind.teach("Look it up.", Consult())
    conversation.speak()
    call = await conversation.until_called()

    await conversation.session.consult(call.call_id, 'MODEL:TOOL exec {"command": "echo hello"}')
    await conversation.until(lambda: conversation.of(ConsultEnded))

    progress = conversation.of(ConsultProgress)
    assert [(each.tool, each.is_end) for each in progress] == [("exec", False), ("exec", True)]


async def test_the_model_asks_what_the_agent_does(
    conversation: Conversation, server: Server
) -> None:
    """Nothing; which the model is told as the result of its tool."""
    server.provider.mind.expect("How is it going?")
    server.provider.mind.teach("How is it going?", Control(mode="status"))
    conversation.speak()
    call = await conversation.until_called()
    assert (call.name, call.arguments["mode"]) == (CONTROL_TOOL, "status")

    status = await conversation.session.steer(call.arguments["text"], SteerMode.STATUS)

    assert (status.is_ok, status.is_active) == (True, False)
    assert status.message
    await conversation.session.submit_result(call.call_id, status.result, suppress=True)


async def test_an_agent_at_work_is_told_things_and_stopped(
    conversation: Conversation, client: GatewayClient, server: Server
) -> None:
    """Its run ends, and says so. Before it has started it is told nothing."""
    server.provider.mind.expect("Do it slowly.")
    server.provider.mind.teach("Do it slowly.", Consult())
    conversation.speak()
    call = await conversation.until_called()
    started = runs_of(client, has_started)
    run_id = await conversation.session.consult(call.call_id, "MODEL:HANG 30")
    assert conversation.session.open_consults == (run_id,)
    await started(run_id)

    status = await conversation.session.steer("How is it going?")
    stopped = await conversation.session.steer("Cancel that.", SteerMode.CANCEL)
    await conversation.until(lambda: conversation.of(ConsultEnded))

    assert (status.is_active, status.mode) == (True, "status")
    assert (stopped.is_aborted, stopped.mode) == (True, "cancel")
    (ended,) = conversation.of(ConsultEnded)
    assert (ended.run_id, ended.is_aborted) == (run_id, True)


async def test_a_consult_is_aborted(conversation: Conversation, server: Server) -> None:
    """By the id of its run; once."""
    server.provider.mind.expect("Do it slowly.")
    server.provider.mind.teach("Do it slowly.", Consult())
    conversation.speak()
    call = await conversation.until_called()
    run_id = await conversation.session.consult(call.call_id, "MODEL:HANG 30")

    assert await conversation.session.abort_run(run_id)
    await conversation.until(lambda: conversation.of(ConsultEnded))

    assert conversation.of(ConsultEnded)[0].is_aborted
    assert not await conversation.session.abort_run(run_id)


async def test_what_the_agent_does_ends_with_the_session(
    client: GatewayClient, server: Server, session_key: str
) -> None:
    """To let it end, the session has to be kept open, which needs no sound."""
    server.provider.mind.expect("Do it slowly.")
    server.provider.mind.teach("Do it slowly.", Consult())
    started, aborted = runs_of(client, has_started), runs_of(client, is_aborted)
    async with talking(client, session_key) as conversation:
        conversation.speak()
        call = await conversation.until_called()
        run_id = await conversation.session.consult(call.call_id, "MODEL:HANG 30")
        await started(run_id)

    await aborted(run_id)


async def test_an_answer_is_cut_off_by_us(conversation: Conversation, server: Server) -> None:
    """Only the one that is named, if one is; and nothing is cut off where nothing is said."""
    server.provider.mind.expect("Tell me a story.", "And now?")
    server.provider.mind.teach("Tell me a story.", Say(text=LONG))
    server.provider.hold(True)
    session = conversation.session
    assert await session.cancel_output() is CancelStatus.IDLE
    conversation.speak()
    await conversation.until(lambda: conversation.of(TalkMark))
    turn_id = conversation.of(TalkAudio)[-1].turn_id

    assert await session.cancel_output("turn-999") is CancelStatus.STALE
    before = len(conversation.of(TalkClear))
    assert await session.cancel_output(turn_id) is CancelStatus.APPLIED
    server.provider.hold(False)

    await conversation.until(lambda: len(conversation.of(TalkClear)) > before)
    assert conversation.of(TalkClear)[-1].turn_id == turn_id
    assert LONG not in conversation.said(ASSISTANT)
    conversation.speak(pause=1.0)
    await conversation.until(lambda: "You said: And now?." in conversation.said(ASSISTANT))


async def test_an_answer_is_cut_off_by_speech(conversation: Conversation, server: Server) -> None:
    """The provider hears it; what waits to be played must not be heard any more."""
    server.provider.mind.expect("Tell me a story.", "Stop.")
    server.provider.mind.teach("Tell me a story.", Say(text=LONG))
    server.provider.hold(True)
    conversation.speak()
    await conversation.until(lambda: conversation.of(TalkMark))
    server.provider.hold(False)
    turn_id = conversation.of(TalkAudio)[-1].turn_id
    before = len(conversation.of(TalkClear))

    conversation.speak(pause=1.0)
    await conversation.until(lambda: "You said: Stop." in conversation.said(ASSISTANT))

    clears = conversation.of(TalkClear)[before:]
    assert turn_id in [each.turn_id for each in clears]
    assert LONG not in conversation.said(ASSISTANT)
    reasons = {each.turn_id: each.reason for each in conversation.of(TalkAudioDone)}
    assert reasons[turn_id] == "cancelled"


@pytest.mark.parametrize(
    ("reaction", "phase"), [(Fail(), "response"), (Limit(), "stream")], ids=["fail", "limit"]
)
async def test_a_problem_of_the_provider_ends_nothing(
    conversation: Conversation, server: Server, reaction: Fail | Limit, phase: str
) -> None:
    """The next question is answered."""
    server.provider.mind.expect("Please fail.", "Again.")
    server.provider.mind.teach("Please fail.", reaction)
    conversation.speak()
    await conversation.until(lambda: conversation.of(TalkProblem))

    (problem,) = conversation.of(TalkProblem)
    assert (problem.phase, problem.kind) == (phase, TalkUnavailability.UNREACHABLE)
    conversation.speak(pause=1.0)
    await conversation.until(lambda: "You said: Again." in conversation.said(ASSISTANT))


async def test_a_provider_that_hangs_up_comes_back(
    conversation: Conversation, server: Server
) -> None:
    """The turn is lost, the session is not."""
    server.provider.mind.expect("Drop the line.", "Again.")
    server.provider.mind.teach("Drop the line.", HangUp())
    conversation.speak()
    await conversation.until(
        lambda: CONTINUITY_RESET in [each.reason for each in conversation.of(TalkClear)]
    )

    conversation.speak(pause=2.0)
    await conversation.until(lambda: "You said: Again." in conversation.said(ASSISTANT))

    assert not conversation.has_ended


async def test_a_provider_that_does_not_let_the_gateway_in(
    client: GatewayClient, server: Server, session_key: str
) -> None:
    """The session was created, and is of no use."""
    server.provider.let_in(False)

    with pytest.raises(TalkUnavailableError) as raised:
        async with talking(client, session_key):
            pass

    assert raised.value.kind is TalkUnavailability.AUTH


async def test_a_provider_that_is_not_configured(client: GatewayClient, session_key: str) -> None:
    """A person must act on the gateway."""
    with pytest.raises(TalkUnavailableError) as raised:
        async with talking(client, session_key, provider="xai"):
            pass

    assert raised.value.kind is TalkUnavailability.NOT_CONFIGURED


async def test_an_agent_that_does_not_exist(client: GatewayClient) -> None:
    """It is known by its name."""
    with pytest.raises(AgentNotFoundError):
        async with talking(client, "agent:nobody:homeassistant:x"):
            pass


async def test_a_session_that_is_closed_answers_no_more(
    client: GatewayClient, session_key: str
) -> None:
    """What has come may still be fetched; nothing can be asked."""
    async with talking(client, session_key) as conversation:
        await conversation.session.close()
        await conversation.session.close()
        with pytest.raises((RequestError, ConnectionLostError)):
            await conversation.session.cancel_output()

    assert (conversation.has_ended, conversation.error) == (True, None)


async def test_a_lost_connection_ends_the_session(
    client: GatewayClient, server: Server, session_key: str
) -> None:
    """Nothing can be resumed; a new one with the same key goes on in the agent's session."""
    server.provider.mind.expect("One.", "Two.")
    async with talking(client, session_key) as lost:
        lost.speak()
        await lost.until_done()
        server.network.cut()
        await lost.until(lambda: lost.has_ended)
    assert isinstance(lost.error, ConnectionLostError)

    await client.wait_ready(STATE_LIMIT)
    async with talking(client, session_key) as found:
        found.speak()
        await found.until_done()
    assert found.said(USER) == ["Two."]


async def test_sessions_do_not_hear_each_other(client: GatewayClient, session_key: str) -> None:
    """Each has a connection of its own."""
    async with talking(client, session_key) as one, talking(client, f"{session_key}-2") as other:
        one.speak()
        await one.until_done()

        assert other.items == []


async def test_nothing_is_said_before_a_response(conversation: Conversation) -> None:
    """The indicator comes first."""
    conversation.speak()
    await conversation.until_done()

    kinds = [type(item) for item in conversation.items]
    assert kinds.index(TalkResponseStarted) < kinds.index(TalkAudio) < kinds.index(TalkAudioDone)


async def test_a_paired_device_has_several_sessions_with_one_token(
    server: Server, session_key: str
) -> None:
    """What was given at the pairing stays good: for each of them, and for the client afterwards."""
    stranger = server.settings(url=server.remote_url, identity=DeviceIdentity.create())
    async with server.client(stranger) as client:
        paired = with_token(stranger, await approved(server, client))

    async with server.client(paired) as client:
        await client.wait_ready(STATE_LIMIT)
        async with talking(client, session_key) as one, talking(client, f"{session_key}-2"):
            one.speak()
            await one.until_done()
        assert client.snapshot.state is ClientState.READY
        assert client.snapshot.reconnects == 0
    async with server.client(paired) as client:
        await client.wait_ready(STATE_LIMIT)
