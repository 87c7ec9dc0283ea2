"""What answers in a realtime session: the gateway's speech model, or Home Assistant's engines."""

import asyncio
from collections.abc import AsyncGenerator
import gc
from typing import Any
from unittest.mock import AsyncMock, MagicMock

from homeassistant.core import Event, callback
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.openclaw_voice import voice_backends
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox.late_answer import LateStatus
from custom_components.openclaw_voice.realtime.session import SessionLimits
from custom_components.openclaw_voice.realtime.session_config import SessionConfig
from demo.voice.speech_model import Consult
from tests.fakes.small_gateway import SmallGateway

from .assist_backend.engines import Ear, FlowingMouth, add_engines, add_pipeline
from .realtime_home import LIMIT, SPEECH, RealtimeHome
from .support import AGENT

QUESTION = "What is the weather like?"
BUTTON = {"turnDetection": {"mode": "manual"}, "language": "de"}
KITCHEN = {"satelliteId": "kitchen-1", "satellite": {"name": "Kitchen satellite"}}


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway whose speech model asks the agent."""
    async with SmallGateway() as gateway:
        gateway.talk.brain.mind.teach(QUESTION, Consult(question=QUESTION))
        yield gateway


@pytest.fixture
async def mouth(realtime: RealtimeHome) -> FlowingMouth:
    """Return the engine that speaks, of the one pipeline there is."""
    ear, mouth = Ear(), FlowingMouth()
    await add_engines(realtime.hass, ear, mouth)
    await add_pipeline(realtime.hass, conversation_engine=AGENT)
    return mouth


def has_issue(home: RealtimeHome, entry_id: str) -> bool:
    """Tell whether people are told that the gateway has no speech model."""
    issues = ir.async_get(home.hass).issues
    return any(
        domain == DOMAIN and "realtime_unavailable" in issue and entry_id in issue
        for domain, issue in issues
    )


async def test_the_engines_answer_when_the_gateway_cannot(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """The satellite is told, and people, until the gateway can."""
    entry = await realtime.add(gateway)
    gateway.talk.brain.is_configured = False
    async with realtime.session(**BUTTON) as caller:
        assert caller.ready["backend"] == "assist"
        assert caller.ready["notes"] == ["gateway_backend_unavailable"]
        assert has_issue(realtime, entry.entry_id)
        await caller.socket.send_bytes(SPEECH)
        await caller.socket.send_json({"type": "audio.commit"})
        await caller.told("transcript.done", role="user", text="Wie spät ist es?")
        await caller.told("audio.done")
    assert mouth.said
    async with realtime.session(backend="assist"):
        assert has_issue(realtime, entry.entry_id)
    gateway.talk.brain.is_configured = True
    async with realtime.session() as caller:
        assert caller.ready["backend"] == "gateway"
        assert not has_issue(realtime, entry.entry_id)


async def test_the_engines_answer_for_an_agent_that_wants_them(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """Unless the satellite wants something else."""
    entry = await realtime.add(gateway, options={"main": {"realtime_backend": "assist"}})
    gateway.talk.brain.is_configured = False
    async with realtime.session() as caller:
        assert (caller.ready["backend"], caller.ready["notes"]) == ("assist", [])
    assert not has_issue(realtime, entry.entry_id)
    assert await realtime.refused(backend="gateway") == ("no_backend", 1013)
    assert not has_issue(realtime, entry.entry_id)


@pytest.mark.parametrize(("option", "config"), [("gateway", {}), ("auto", {"backend": "gateway"})])
async def test_nothing_but_a_speech_model_is_wanted_and_there_is_none(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    mouth: FlowingMouth,
    option: str,
    config: dict[str, str],
) -> None:
    """People are told until there is one; that it is away for a moment tells nothing."""
    entry = await realtime.add(gateway, options={"main": {"realtime_backend": option}})
    gateway.talk.brain.is_configured = False
    assert await realtime.refused(**config) == ("no_backend", 1013)
    assert has_issue(realtime, entry.entry_id)
    gateway.talk.brain.is_configured = True
    gateway.talk.brain.is_reachable = False
    reason, _ = await realtime.refused(**config)
    assert reason != "no_backend"
    assert has_issue(realtime, entry.entry_id)
    gateway.talk.brain.is_reachable = True
    async with realtime.session(**config):
        assert not has_issue(realtime, entry.entry_id)


async def test_nothing_can_answer(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """There is neither a speech model nor a pipeline; nobody blames the gateway for a moment."""
    entry = await realtime.add(gateway)
    gateway.talk.brain.is_configured = False
    assert await realtime.refused() == ("no_backend", 1013)
    assert not has_issue(realtime, entry.entry_id)


async def test_a_speech_model_that_is_away_for_a_moment(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """Is configured: there is nothing for people to do about that in Home Assistant."""
    entry = await realtime.add(gateway)
    gateway.talk.brain.is_reachable = False
    async with realtime.session() as caller:
        assert caller.ready["notes"] == ["gateway_backend_unavailable"]
    assert not has_issue(realtime, entry.entry_id)


@pytest.mark.parametrize(("language", "is_heard"), [("de_AT", True), ("fr", False)])
async def test_a_language_the_engines_do_not_hear(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    mouth: FlowingMouth,
    language: str,
    is_heard: bool,
) -> None:
    """The pipeline has its own, whatever the satellite says."""
    await realtime.add(gateway)
    async with realtime.session(backend="assist", language=language) as caller:
        assert caller.ready["notes"] == ([] if is_heard else ["language_unavailable"])


async def test_a_pipeline_has_nobody_but_the_agent(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """A satellite that wants nothing but talk is told."""
    await realtime.add(gateway)
    async with realtime.session(backend="assist", brainAgent="none") as caller:
        assert caller.ready["notes"] == ["agent_tools_enabled"]


@pytest.mark.parametrize("language", [None, "fr"])
async def test_the_language_of_a_session(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth, language: str | None
) -> None:
    """It is that of the pipeline, unless the satellite says."""
    await realtime.add(gateway)
    async with realtime.session(language=language):
        pass
    assert gateway.talk.created[-1]["language"] == (language or "de")


async def test_a_conversation_by_name(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """It is the same on both backends."""
    await realtime.add(gateway)
    async with realtime.session(sessionKey="desk"):
        pass
    async with realtime.session(sessionKey="desk", backend="assist", **BUTTON) as caller:
        await caller.socket.send_bytes(SPEECH)
        await caller.socket.send_json({"type": "audio.commit"})
        await caller.told("audio.done")
    (asked,) = gateway.received("agent")
    assert asked.params["sessionKey"] == gateway.talk.created[0]["sessionKey"]


async def test_what_the_agent_is_told_through_a_pipeline(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth
) -> None:
    """Where it is once, as in other pipelines, and what the satellite adds; its user is no person."""
    await realtime.add(gateway)
    realtime.sessions.async_note_opening("kitchen-1", "You said: the cake is done.")
    async with realtime.session(
        **KITCHEN, **BUTTON, backend="assist", instructionsOverride="Whisper."
    ) as caller:
        await caller.socket.send_bytes(SPEECH)
        await caller.socket.send_json({"type": "audio.commit"})
        await caller.told("audio.done")
    (asked,) = gateway.received("agent")
    told = asked.params["extraSystemPrompt"]
    for part in ("- Satellite: Kitchen satellite", "Whisper.", "the cake"):
        assert told.count(part) == 1
    assert "- Person:" not in told


@pytest.mark.parametrize("backend", ["gateway", "assist"])
async def test_long_instructions_are_told_to_their_end(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth, backend: str
) -> None:
    """After all that was said before, and with what opened the conversation."""
    await realtime.add(gateway)
    gateway.talk.brain.mind.expect(QUESTION)
    realtime.sessions.async_note_opening("kitchen-1", "The cake is done.")
    history = [{"role": "user", "text": "word " * 100}] * 12
    wanted = {
        **KITCHEN,
        "backend": backend,
        "instructionsOverride": "x" * 7991 + " Whisper.",
        "conversationHistory": history,
    }
    manual = BUTTON if backend == "assist" else {}
    async with realtime.session(**wanted, **manual) as caller:
        if backend == "assist":
            await caller.socket.send_bytes(SPEECH)
            await caller.socket.send_json({"type": "audio.commit"})
        else:
            await caller.speak()
        await caller.told("audio.done")
    if backend == "assist":
        told = gateway.received("agent")[0].params["extraSystemPrompt"]
    else:
        told = gateway.received("talk.client.toolCall")[0].params["args"]["context"]
    assert "x Whisper." in told
    assert "The cake is done." in told


async def test_an_answer_that_comes_when_the_satellite_has_left(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Is owed: it comes later, to the satellite that asked."""
    entry = await realtime.add(gateway)
    gateway.talk.brain.mind.teach(QUESTION, Consult(question="MODEL:HANG 30"))
    gateway.talk.brain.mind.expect(QUESTION)
    ended: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @callback
    def take(event: Event[Any]) -> None:
        ended.put_nowait(dict(event.data))

    realtime.hass.bus.async_listen("openclaw_voice_late_answer", take)
    left = asyncio.Event()
    realtime.hub.subscribe(lambda event: left.set() if event.summary else None)
    async with realtime.session(**KITCHEN) as caller:
        await caller.speak()
        await gateway.wait_for_request("talk.client.toolCall")
        await caller.told("tool.progress")
    outbox = entry.runtime_data.outbox
    async with asyncio.timeout(LIMIT):
        await left.wait()
    (owed,) = outbox.all()
    satellite = entry.runtime_data.satellites.get("kitchen-1")
    assert owed.status is LateStatus.RUNNING
    assert owed.satellite_id == satellite.entity_id(realtime.hass)
    assert (owed.question, owed.subentry_id) == ("MODEL:HANG 30", "subentry-main")
    await outbox.async_cancel(owed.id)
    async with asyncio.timeout(LIMIT):
        assert (await ended.get())["id"] == owed.id


async def test_an_answer_is_owed_when_the_entry_is_unloaded(
    realtime: RealtimeHome, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the disk before the outbox stops, which waits for a slow one."""
    adopt = voice_backends.async_adopt

    async def adopt_slowly(*args: Any, **named: Any) -> None:  # noqa: ANN401
        await realtime.hass.async_add_executor_job(list)
        await adopt(*args, **named)

    monkeypatch.setattr(voice_backends, "async_adopt", adopt_slowly)
    entry = await realtime.add(gateway)
    gateway.talk.brain.mind.teach(QUESTION, Consult(question="MODEL:HANG 30"))
    gateway.talk.brain.mind.expect(QUESTION)
    async with realtime.session(**KITCHEN) as caller:
        await caller.speak()
        await gateway.wait_for_request("talk.client.toolCall")
        await caller.told("tool.progress")
        outbox = entry.runtime_data.outbox
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)
        assert [answer.question for answer in outbox.all()] == ["MODEL:HANG 30"]


async def test_an_answer_that_cannot_be_promised(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Is a mistake that is logged without what was asked; nothing else fails with it."""
    adopt = AsyncMock(side_effect=ValueError("MODEL:HANG 30"))
    monkeypatch.setattr(voice_backends, "async_adopt", adopt)
    entry = await realtime.add(gateway)
    gateway.talk.brain.mind.teach(QUESTION, Consult(question="MODEL:HANG 30"))
    gateway.talk.brain.mind.expect(QUESTION)
    async with realtime.session(**KITCHEN) as caller:
        await caller.speak()
        await gateway.wait_for_request("talk.client.toolCall")
        await caller.told("tool.progress")
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)
    assert adopt.await_count == 1
    gc.collect()
    assert "A late answer could not be promised: ValueError" in caplog.text
    assert "MODEL:HANG" not in caplog.text


async def test_silent_people_are_asked(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    mouth: FlowingMouth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In their language, by the engine of their pipeline; then the satellite listens."""
    await realtime.add(gateway)
    async with realtime.session(watchdog="enabled", language="de") as caller:
        (session,) = realtime.hub.sessions
        monkeypatch.setattr(session._watch, "_limits", SessionLimits(silence=0.0))
        session._watch.expect_nobody()
        session._watch.look()
        told = await caller.told("announcement")
        assert told["text"] == "Bist du noch da?"
        await caller.told("listen")
    assert mouth.said == ["Bist du noch da?"]


@pytest.mark.parametrize("is_heard", [True, False])
async def test_a_satellite_listens_when_its_question_was_heard(
    realtime: RealtimeHome, gateway: SmallGateway, mouth: FlowingMouth, is_heard: bool
) -> None:
    """Who has stopped it is there already."""
    await realtime.add(gateway)
    token = realtime.hass.auth.async_validate_access_token(realtime.token)
    assert token is not None
    prepared = await realtime.sessions.async_prepare("session-1", SessionConfig(), token.user)
    assert prepared.ask_gently is not None
    session = MagicMock(announce=AsyncMock(return_value=is_heard))
    await prepared.ask_gently(session)
    assert session.announce.await_args.args[0] == "Bist du noch da?"
    assert session.ask_to_listen.called is is_heard
