"""The fake's voice sessions tell what the real gateway's tell: the same events, the same fields."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterable
import contextlib
from itertools import groupby
from typing import Any

import pytest

from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import ConnectionLostError, RequestError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from demo.voice.speech_model import (
    Consult,
    Control,
    Fail,
    HangUp,
    Limit,
    Reaction,
    Say,
    silence,
    tone,
)
from tests.fakes.small_gateway import SmallGateway
from tests.fakes.talk_relay import PER_CONNECTION, PER_GATEWAY
from tests.recordings import Recording
from tests.schema.check import violations

type JsonObject = dict[str, Any]

LIMIT = 5.0
KEY = "agent:main:ha-voice-kitchen"
SPEECH = tone(0.3) + silence(0.6)
WISH = {"mode": "realtime", "transport": "gateway-relay", "brain": "agent-consult"}


class Talker:
    """A client of a gateway, frame by frame."""

    def __init__(self, gateway: SmallGateway) -> None:
        """Talk to `gateway`."""
        self.told: list[JsonObject] = []
        self.ended_runs: list[JsonObject] = []
        self._news = asyncio.Event()
        settings = ConnectionSettings(
            url=gateway.url,
            credentials=Credentials(secret=gateway.secret),
            identity=DeviceIdentity.create(),
            client_version="0.1.0",
        )
        self.connection = Connection(settings, on_event=self._on_event)

    async def create(self, **wishes: object) -> JsonObject:
        """Begin a session."""
        return await self.connection.request("talk.session.create", WISH | wishes)

    async def ask(self, method: str, session_id: str, **params: object) -> JsonObject:
        """Ask something of a session."""
        params = {"sessionId": session_id} | params
        return await self.connection.request(f"talk.session.{method}", params)

    async def speak(self, session_id: str, sound: bytes = SPEECH) -> None:
        """Say something."""
        audio = b64encode(sound).decode()
        await self.ask("appendAudio", session_id, audioBase64=audio, timestamp=0)

    async def until(self, kind: str, number: int = 1) -> JsonObject:
        """Wait for an event of a kind, and return its payload."""
        async with asyncio.timeout(LIMIT):
            while len(found := self.of(kind)) < number:
                self._news.clear()
                await self._news.wait()
        return found[number - 1]

    async def until_run_ended(self) -> JsonObject:
        """Wait for the end of a run, and return the payload of its `chat` event."""
        async with asyncio.timeout(LIMIT):
            while not self.ended_runs:
                self._news.clear()
                await self._news.wait()
        return self.ended_runs[0]

    def of(self, kind: str) -> list[JsonObject]:
        """Return the payloads of a kind."""
        return [payload for payload in self.told if payload["type"] == kind]

    def _on_event(self, event: GatewayEvent) -> None:
        if event.name == "talk.event":
            self.told.append(event.payload)
        elif event.name == "chat" and event.payload["state"] in ("final", "aborted"):
            self.ended_runs.append(event.payload)
        self._news.set()


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway with a provider that works."""
    async with SmallGateway() as gateway:
        yield gateway


@pytest.fixture
async def talker(gateway: SmallGateway) -> AsyncGenerator[Talker]:
    """Return a client."""
    talker = Talker(gateway)
    async with talker.connection:
        yield talker


def label(payload: JsonObject) -> str:
    """Name an event by its kind, that of its envelope, and what matters of it."""
    envelope = payload.get("talkEvent", {})
    what = payload.get("role", "") if payload["type"] == "transcript" else ""
    return f"{payload['type']} {envelope.get('type', '-')} {what}".strip()


def outline(told: Iterable[JsonObject]) -> list[str]:
    """Return what was told, once each, in the order of the first time."""
    return list(dict.fromkeys(map(label, told)))


def recorded(name: str) -> list[JsonObject]:
    """Return what a real gateway told."""
    frames = (line.frame for line in Recording.load(name).on() if line.direction == "in")
    return [frame["payload"] for frame in frames if frame.get("event") == "talk.event"]


def shapes(told: Iterable[JsonObject]) -> dict[str, set[str]]:
    """Return the fields of each kind of event, those of the envelope and its payload with a path."""
    found: dict[str, set[str]] = {}
    for name, payloads in groupby(sorted(told, key=label), key=label):
        for payload in payloads:
            envelope = payload.get("talkEvent", {})
            inner = envelope.get("payload")
            fields = set(payload) | {f"talkEvent/{field}" for field in envelope}
            if isinstance(inner, dict):
                fields |= {f"payload/{field}" for field in inner}
            found[name] = found.get(name, set()) | fields
    return found


LATER = frozenset(
    {"itemId", "responseId", "talkEvent/final", "talkEvent/callId", "talkEvent/itemId"}
)
"""Fields no client of ours reads."""


@pytest.mark.parametrize(
    ("name", "reaction"),
    [
        ("talk-reply", Say(text="It is half past nine.")),
        ("talk-control", Control()),
        ("talk-provider-failures", Fail()),
    ],
)
async def test_a_turn_is_told_as_by_the_real_gateway(
    gateway: SmallGateway, talker: Talker, name: str, reaction: Reaction
) -> None:
    """The same kinds of events in the same order, with the same fields."""
    gateway.talk.brain.mind.expect("What time is it?")
    gateway.talk.brain.mind.teach("What time is it?", reaction)
    session_id = (await talker.create())["sessionId"]
    await talker.speak(session_id)
    await talker.until("error" if reaction == Fail() else "audioDone")
    if reaction == Control():
        await talker.ask("steer", session_id, text="x", mode="status")
        call_id = talker.of("toolCall")[0]["callId"]
        await talker.ask("submitToolResult", session_id, callId=call_id, result={"ok": True})
    await talker.ask("close", session_id)
    await talker.until("close")

    real = recorded(name)
    if reaction == Fail():
        # The recording goes on with other failures.
        real = real[: next(i for i, each in enumerate(real) if each["type"] == "close") + 1]
    mine = [label for label in outline(talker.told) if label in outline(real)]
    assert mine == outline(real)
    wanted = shapes(real)
    for kind, fields in shapes(talker.told).items():
        if kind in wanted:
            assert fields - LATER == wanted[kind] - LATER, kind
    for payload in talker.told:
        if "talkEvent" in payload:
            assert violations("TalkEvent", payload["talkEvent"]) == []


async def test_a_consult_is_told_as_by_the_real_gateway(
    gateway: SmallGateway, talker: Talker
) -> None:
    """The call, the run of the agent, and the answer."""
    gateway.talk.brain.mind.expect("Turn on the light.")
    gateway.talk.brain.mind.teach("Turn on the light.", Consult())
    session_id = (await talker.create(sessionKey=KEY))["sessionId"]
    await talker.speak(session_id)
    call = await talker.until("toolCall")
    consult = {
        "sessionKey": KEY,
        "relaySessionId": session_id,
        "callId": call["callId"],
        "name": call["name"],
        "args": call["args"] | {"question": "MODEL:SAY Done."},
    }
    started = await talker.connection.request("talk.client.toolCall", consult)
    ended = await talker.until_run_ended()
    assert (ended["runId"], ended["state"]) == (started["runId"], "final")
    result = {"result": "Done."}
    await talker.ask("submitToolResult", session_id, callId=call["callId"], result=result)
    await talker.until("audioDone", 2)
    await talker.ask("close", session_id)
    await talker.until("close")

    real = recorded("talk-consult")
    assert [each for each in outline(talker.told) if each in outline(real)] == outline(real)
    rows = gateway.session(KEY).history(10)["messages"]
    said = [(row["role"], row["content"][0]["text"]) for row in rows]
    assert said == [("user", "Turn on the light."), ("assistant", "Done."), ("assistant", "Done.")]


async def test_the_gateway_may_have_the_agent_answer_everything(
    gateway: SmallGateway, talker: Talker
) -> None:
    """Then it calls the tool itself."""
    gateway.talk.brain.is_forced = True
    session_id = (await talker.create(sessionKey=KEY))["sessionId"]
    await talker.speak(session_id)

    call = await talker.until("toolCall")
    await talker.ask(
        "submitToolResult",
        session_id,
        callId=call["callId"],
        result={"status": "working"},
        options={"willContinue": True},
    )

    assert call["forced"] is True
    (real,) = (each for each in recorded("talk-forced-consult") if each["type"] == "toolCall")
    assert set(call) - LATER == set(real) - LATER
    assert talker.of("responseStarted") == []


@pytest.mark.parametrize(("reaction", "phase"), [(Limit(), "stream"), (HangUp(), None)])
async def test_what_can_go_wrong_with_the_provider(
    gateway: SmallGateway, talker: Talker, reaction: Reaction, phase: str | None
) -> None:
    """The session stays open."""
    gateway.talk.brain.mind.teach("Hello.", reaction)
    session_id = (await talker.create())["sessionId"]
    await talker.speak(session_id)

    told = await (talker.until("error") if phase else talker.until("clear", 2))

    assert told.get("phase") == phase
    assert gateway.talk.line.is_open


async def test_an_answer_that_is_held_is_cut_off(gateway: SmallGateway, talker: Talker) -> None:
    """By the client, or by speech."""
    gateway.talk.brain.is_held = True
    session_id = (await talker.create())["sessionId"]
    await talker.speak(session_id)
    await talker.until("mark")

    stale = await talker.ask("cancelOutput", session_id, turnId="turn-9")
    applied = await talker.ask("cancelOutput", session_id, turnId="turn-1", reason="tapped")
    idle = await talker.ask("cancelOutput", session_id)
    assert [each["status"] for each in (stale, applied, idle)] == ["stale", "applied", "idle"]
    await talker.speak(session_id)
    await talker.until("mark", 2)
    await talker.speak(session_id, tone(0.1))
    done = await talker.until("audioDone")
    assert done["talkEvent"]["payload"] == {"reason": "cancelled"}

    gateway.talk.brain.released.set()
    await talker.speak(session_id, silence(0.6))
    assert (await talker.until("audioDone", 2))["talkEvent"]["payload"]["reason"] == "completed"


@pytest.mark.parametrize("fault", ["lets_in", "is_reachable"])
async def test_a_provider_that_cannot_be_connected(
    gateway: SmallGateway, talker: Talker, fault: str
) -> None:
    """The session is created, and ends; as recorded."""
    setattr(gateway.talk.brain, fault, False)
    await talker.create()
    await talker.until("close")

    real = recorded("talk-key-rejected" if fault == "lets_in" else "talk-unreachable")
    assert outline(talker.told) == outline(real)
    assert talker.of("error")[0]["message"] == real[0]["message"]


async def refused(talker: Talker, method: str, **params: object) -> str:
    """Return why a request is refused."""
    with pytest.raises(RequestError) as raised:
        await talker.connection.request(method, params)
    return str(raised.value)


def recorded_refusals() -> list[str]:
    """Return what a real gateway says when it refuses."""
    frames = (frame for frame, _ in Recording.load("talk-refusals").received())
    return [f"{e['code']}: {e['message']}" for frame in frames if (e := frame.get("error"))]


async def test_what_is_refused(gateway: SmallGateway, talker: Talker) -> None:
    """Word for word as recorded."""
    session_id = (await talker.create(sessionKey=KEY))["sessionId"]
    consult = {"relaySessionId": session_id, "sessionKey": KEY, "callId": "c", "args": {}}
    audio: JsonObject = {"sessionId": session_id, "timestamp": 0}
    other = Talker(gateway)
    async with other.connection:
        not_owned = await refused(other, "talk.session.close", sessionId=session_id)
    found = [
        await refused(talker, "talk.session.create", **WISH, sessionKey="agent:nobody:x"),
        await refused(talker, "talk.session.create", **WISH, provider="google"),
        await refused(talker, "talk.session.close", sessionId="nope"),
        await refused(talker, "talk.session.appendAudio", **audio, audioBase64="!"),
        await refused(talker, "talk.client.toolCall", **consult, name="other_tool"),
        await refused(
            talker,
            "talk.client.toolCall",
            **consult | {"sessionKey": "agent:main:other"},
            name="openclaw_agent_consult",
        ),
        not_owned,
    ]
    for _ in range(PER_CONNECTION - 1):
        await talker.create()
    found.append(await refused(talker, "talk.session.create", **WISH))

    known = recorded_refusals()
    assert [each for each in found if each not in known] == []
    large = await refused(talker, "talk.session.appendAudio", **audio, audioBase64="A" * 524_292)
    assert "audio frame is too large" in large
    unknown = await refused(
        talker,
        "talk.client.toolCall",
        **consult | {"relaySessionId": "nope"},
        name="openclaw_agent_consult",
    )
    assert "Unknown Talk session" in unknown


async def test_there_is_a_limit_of_sessions(gateway: SmallGateway) -> None:
    """Over all connections; those that have ended do not count."""
    talkers = [Talker(gateway) for _ in range(PER_GATEWAY // PER_CONNECTION)]
    for talker in talkers:
        await talker.connection.__aenter__()
        for _ in range(PER_CONNECTION):
            await talker.create()
    one_more = Talker(gateway)
    async with one_more.connection:
        assert "Too many" in await refused(one_more, "talk.session.create", **WISH)
        await talkers[0].connection.close()
        await gateway._until(lambda: len(gateway.talk.open_lines) < PER_GATEWAY, "an end")
        await one_more.create()
    for talker in talkers[1:]:
        await talker.connection.close()


async def test_a_gateway_without_a_provider(gateway: SmallGateway, talker: Talker) -> None:
    """As recorded."""
    gateway.talk.brain.is_configured = False
    (frame,) = (each for each, _ in Recording.load("talk-unconfigured").received())

    catalog = await talker.connection.request("talk.catalog")

    assert catalog["realtime"]["ready"] is False
    message = await refused(talker, "talk.session.create", **WISH)
    assert message == f"UNAVAILABLE: {frame['error']['message']}"


async def append_without_a_clock() -> None:
    """Forget the time of a piece of sound."""
    async with SmallGateway() as gateway:
        talker = Talker(gateway)
        async with talker.connection:
            session_id = (await talker.create())["sessionId"]
            with contextlib.suppress(ConnectionLostError):
                await talker.ask("appendAudio", session_id, audioBase64="AAAA")


async def test_an_append_without_a_clock_fails_the_test(socket_enabled: None) -> None:
    """The real gateway would interrupt nothing, and nobody would notice."""
    with pytest.raises(AssertionError, match="without a timestamp"):
        await append_without_a_clock()
