"""Realtime sessions with a gateway: how they are begun, what the agent is told, how they end."""

from collections.abc import AsyncGenerator
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.openclaw_voice import voice_sessions
from custom_components.openclaw_voice.assist.question import Origin
from custom_components.openclaw_voice.const import EVENT_REALTIME_SESSION
from custom_components.openclaw_voice.outbox.delivery import async_delivery
from custom_components.openclaw_voice.outbox.replies import Expected
from custom_components.openclaw_voice.realtime.consults import NOT_WANTED
from demo.voice.speech_model import Consult
from tests.fakes.small_gateway import SmallGateway

from .realtime_home import RealtimeHome

GOING_AWAY = 1001
QUESTION = "What is the weather like?"
KITCHEN = {
    "satelliteId": "kitchen-1",
    "satellite": {
        "name": "Kitchen satellite",
        "area": "Kitchen",
        "model": "Box 3",
        "features": ["echo_cancellation"],
    },
}


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway whose speech model asks the agent about the weather."""
    async with SmallGateway(agents=("main", "cook")) as gateway:
        gateway.talk.brain.mind.teach(QUESTION, Consult(question=QUESTION))
        yield gateway


def asked(gateway: SmallGateway, number: int = -1) -> str:
    """Return what the agent was told with a question of the speech model."""
    context = gateway.received("talk.client.toolCall")[number].params["args"]["context"]
    assert isinstance(context, str)
    return context


async def test_a_satellite_talks_with_the_agent(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """By way of the speech model, which knows neither room nor person: the agent does."""
    ar.async_get(realtime.hass).async_create("Kitchen")
    token = realtime.hass.auth.async_validate_access_token(realtime.token)
    assert token is not None
    realtime.hass.states.async_set("person.anna", "home", {"user_id": token.user.id})
    await realtime.add(gateway, "main")
    gateway.talk.brain.mind.expect(QUESTION)
    device = {"location": "by the window", "timezone": "Europe/Berlin"}
    history = [{"role": "user", "text": "Hi."}, {"role": "assistant", "text": "Hello!"}]
    async with realtime.session(
        **KITCHEN,
        userId="Grandma",
        deviceContext=device,
        conversationHistory=history,
        instructionsOverride="Whisper.",
    ) as caller:
        assert caller.ready["notes"] == ["context_for_agent_only"]
        await caller.speak()
        await caller.told("transcript.done", role="user", text=QUESTION)
        await caller.told("tool.progress", summary="Main has answered.")
        await caller.told("audio.done")
        assert caller.pcm
    told = asked(gateway).splitlines()
    for line in (
        "- Room: Kitchen",
        "- Satellite: Kitchen satellite",
        "- Device: Box 3",
        "- Person: anna",
        "- Speaker: Grandma",
        "- Location: by the window",
        "- Time zone: Europe/Berlin",
        "- Person: Hi.",
        "- You: Hello!",
        "Whisper.",
    ):
        assert line in told
    assert any(line.startswith("- Local time: ") for line in told)


async def test_an_agent_is_told_what_its_options_allow(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Neither rooms nor what the satellite adds."""
    options = {"main": {"context": ["time"], "instructions": "Be {{ 'brief' }}."}}
    await realtime.add(gateway, "main", options=options)
    gateway.talk.brain.mind.expect(QUESTION)
    realtime.sessions.async_note_opening("kitchen-1", "You said: the cake is done.")
    async with realtime.session(**KITCHEN, instructionsOverride="Whisper.") as caller:
        realtime.sessions.async_note_opening("kitchen-1", "You said: the cake is cold.")
        await caller.speak()
        await caller.told("audio.done")
    assert "Be brief." in asked(gateway)
    assert "Kitchen" not in asked(gateway)
    assert "Whisper" not in asked(gateway)
    assert "cake" not in asked(gateway)


async def test_what_the_speech_model_is_like(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """The satellite says it, else the options of the agent do."""
    options = {
        "main": {
            "realtime_voice": "cedar",
            "realtime_language": "de",
            "realtime_silence": 0.8,
        }
    }
    await realtime.add(gateway, "main", options=options)
    async with realtime.session():
        pass
    async with realtime.session(
        voice="marin", language="fr-FR", turnDetection={"silenceMs": 300, "threshold": 0.25}
    ):
        pass
    by_options, by_satellite = gateway.talk.created
    assert (by_options["voice"], by_options["language"]) == ("cedar", "de")
    assert by_options["silenceDurationMs"] == 800
    assert (by_satellite["voice"], by_satellite["language"]) == ("marin", "fr")
    assert (by_satellite["silenceDurationMs"], by_satellite["vadThreshold"]) == (300, 0.25)


@pytest.mark.parametrize("is_asked", [False, True])
async def test_the_options_say_whether_somebody_silent_is_asked(
    realtime: RealtimeHome, gateway: SmallGateway, is_asked: bool
) -> None:
    """Before the session ends."""
    await realtime.add(gateway, "main", options={"main": {"realtime_asks_first": is_asked}})
    async with realtime.session():
        (session,) = realtime.hub.sessions
        assert (session._question() is not None) is is_asked


@pytest.mark.parametrize(
    ("options", "config", "end"),
    [
        ({"scope": "shared"}, {}, "shared:home"),
        ({"scope": "satellite"}, KITCHEN, "satellite:h-"),
        ({"scope": "satellite"}, KITCHEN | {"sessionKey": "desk"}, "shared:desk"),
    ],
)
async def test_which_session_goes_on(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    options: dict[str, str],
    config: dict[str, str],
    end: str,
) -> None:
    """The one that typed questions from there belong to, or a named one."""
    await realtime.add(gateway, "main", options={"main": options})
    async with realtime.session(**config):
        pass
    async with realtime.session(**config):
        pass
    first, second = (created["sessionKey"] for created in gateway.talk.created)
    assert first == second
    assert end in first


async def test_a_satellite_asks_for_what_cannot_be(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """It is told, and talks all the same."""
    await realtime.add(gateway, "main")
    tools = [{"name": "set_led", "description": "Sets the light."}]
    async with realtime.session(tools=tools) as caller:
        assert caller.ready["notes"] == ["client_tools_unavailable"]


async def test_a_satellite_wants_nothing_but_talk(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """The agent is not asked, and the speech model is told."""
    await realtime.add(gateway, "main")
    gateway.talk.brain.mind.expect(QUESTION)
    async with realtime.session(brainAgent="none") as caller:
        assert caller.ready["notes"] == []
        await caller.speak()
        await caller.told("tool.progress", summary="Main could not answer.")
        await caller.told("turn.ended")
    assert not gateway.received("talk.client.toolCall")
    assert [result for _, result in gateway.talk.line.results] == [NOT_WANTED]


async def test_what_a_satellite_has_said_before(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Belongs to the next question there, also when the session began before, and to that only."""
    await realtime.add(gateway, "main")
    gateway.talk.brain.mind.expect(*[QUESTION] * 3)
    realtime.sessions.async_note_opening("kitchen-1", "You said: something else.")
    realtime.sessions.async_note_opening("kitchen-1", "You said: the cake is done.")
    async with realtime.session(**KITCHEN) as caller:
        for note in (None, "You said: it burns.", None):
            if note is not None:
                realtime.sessions.async_note_opening("kitchen-1", note)
            await caller.speak()
            await caller.told("turn.ended")
            await caller.socket.send_json({"type": "playback.done"})
    assert "reply to it:\nYou said: the cake is done." in asked(gateway, 0)
    assert "something else" not in asked(gateway, 0)
    assert "it burns" in asked(gateway, 1)
    assert "You said" not in asked(gateway, 2)


@pytest.mark.parametrize(("agent", "is_told"), [("main", True), ("cook", False)])
async def test_a_reply_to_what_an_agent_has_said_by_itself(
    realtime: RealtimeHome, gateway: SmallGateway, agent: str, is_told: bool
) -> None:
    """Is known as such, once; what another agent has said is not."""
    entry = await realtime.add(gateway, "main", "cook")
    gateway.talk.brain.mind.expect(QUESTION, QUESTION)
    async with realtime.session(**KITCHEN, agent="main") as caller:
        entity_id = entry.runtime_data.satellites.get("kitchen-1").entity_id(realtime.hass)
        expected = Expected(
            entry_id=entry.entry_id, agent_id=agent, session_key=None, said="It has rung."
        )
        async_delivery(realtime.hass).replies.expect(entity_id, expected, dt_util.utcnow())
        for _ in range(2):
            await caller.speak()
            await caller.told("turn.ended")
            await caller.socket.send_json({"type": "playback.done"})
    assert ("It has rung." in asked(gateway, 0)) is is_told
    assert "It has rung." not in asked(gateway, 1)


async def test_what_a_satellite_has_said_long_before(
    realtime: RealtimeHome, gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Does not matter any more, nor what others have said when it is too much."""
    await realtime.add(gateway, "main")
    gateway.talk.brain.mind.expect(QUESTION, QUESTION)
    monkeypatch.setattr(voice_sessions, "MAX_OPENINGS", 1)
    realtime.sessions.async_note_opening("attic", "You said: good morning.")
    with monkeypatch.context() as patch:
        patch.setattr(voice_sessions, "OPENING_LIMIT", 0.0)
        realtime.sessions.async_note_opening("kitchen-1", "You said: good morning.")
    for satellite in ("attic", "kitchen-1"):
        async with realtime.session(satelliteId=satellite) as caller:
            await caller.speak()
            await caller.told("turn.ended")
        assert "You said" not in asked(gateway)


async def test_a_satellite_stands_by(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """No agent is needed for that; talking replaces it."""
    entry = await realtime.add(gateway, "main", "cook")
    async with realtime.session(**KITCHEN, mode="standby") as waiting:
        assert waiting.ready["backend"] == "none"
        (session,) = realtime.hub.sessions
        satellite = entry.runtime_data.satellites.get("kitchen-1")
        assert session.info.device_id == satellite.device_id
        assert session.info.entry_id == entry.entry_id
        realtime.sessions.async_update(entry.runtime_data)
        async with realtime.session(**KITCHEN, agent="main"):
            assert await waiting.until_closed() == ("replaced", 4409)


async def test_an_entry_is_unloaded(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Its sessions end, those that stand by, too; the satellites may come back."""
    entry = await realtime.add(gateway, "main")
    async with realtime.session() as caller, realtime.session(**KITCHEN, mode="standby") as other:
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)
        assert not realtime.hub.sessions
        assert await caller.until_closed() == ("unloaded", GOING_AWAY)
        assert await other.until_closed() == ("unloaded", GOING_AWAY)
    assert entry.state is ConfigEntryState.NOT_LOADED


@pytest.mark.parametrize(
    ("happens", "end"),
    [
        ("unloaded", ("gateway_lost", 1013)),
        ("removed", ("removed", 1008)),
        ("stopped", ("stopped", GOING_AWAY)),
    ],
)
async def test_something_happens_while_a_satellite_comes_in(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    monkeypatch: pytest.MonkeyPatch,
    happens: str,
    end: tuple[str, int],
) -> None:
    """No session is begun that nobody would end."""
    entry = await realtime.add(gateway, "main")
    look = voice_sessions.async_origin

    async def look_slowly(*args: Any, **named: Any) -> Origin:  # noqa: ANN401
        if happens == "unloaded":
            assert await realtime.hass.config_entries.async_unload(entry.entry_id)
        elif happens == "stopped":
            await realtime.sessions.async_stop()
        else:
            satellite = entry.runtime_data.satellites.get("kitchen-1")
            dr.async_get(realtime.hass).async_remove_device(satellite.device_id)
        return await look(*args, **named)

    monkeypatch.setattr(voice_sessions, "async_origin", look_slowly)
    assert await realtime.refused(**KITCHEN) == end
    assert not gateway.talk.created
    assert not realtime.hub.sessions


async def test_home_assistant_stops(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Satellites are told, and nobody comes in any more."""
    await realtime.add(gateway, "main")
    async with realtime.session() as caller:
        stop = [job.job for job in realtime.hass._shutdown_jobs if "sessions" in str(job.job.name)]
        assert len(stop) == 1
        await realtime.hass.async_run_hass_job(stop[0])
        assert await caller.until_closed() == ("stopped", GOING_AWAY)
    assert await realtime.refused() == ("stopped", GOING_AWAY)


async def test_an_agent_is_removed(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Its sessions end, the others go on."""
    entry = await realtime.add(gateway, "main", "cook")
    async with realtime.session(agent="main"), realtime.session(agent="cook") as caller:
        realtime.hass.config_entries.async_remove_subentry(entry, "subentry-cook")
        assert await caller.until_closed() == ("unloaded", GOING_AWAY)
        left = [
            session.info.agent_id for session in realtime.hub.sessions if session.summary is None
        ]
        assert left == ["main"]


async def test_an_agent_may_not_be_reached_any_more(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Somebody has changed its options: that is no failure."""
    entry = await realtime.add(gateway, "main")
    ended = async_capture_events(realtime.hass, EVENT_REALTIME_SESSION)
    async with realtime.session() as caller:
        subentry = entry.subentries["subentry-main"]
        realtime.hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, "reachable_by_realtime": False}
        )
        assert await caller.until_closed() == ("agent_unreachable", 1008)
        await realtime.hub.close("stopped")
    assert [(event.data["type"], event.data["reason"]) for event in ended] == [
        ("ended", "agent_unreachable")
    ]


async def test_all_of_home_assistant_stops(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Satellites hear the reason, and what their agent still works on is on the disk."""
    entry = await realtime.add(gateway, "main")
    gateway.talk.brain.mind.teach(QUESTION, Consult(question="MODEL:HANG 30"))
    gateway.talk.brain.mind.expect(QUESTION)
    async with realtime.session(**KITCHEN) as caller:
        await caller.speak()
        await gateway.wait_for_request("talk.client.toolCall")
        await caller.told("tool.progress")
        stopping = realtime.hass.async_create_task(realtime.hass.async_stop(force=True))
        assert await caller.until_closed() == ("stopped", GOING_AWAY)
    await stopping
    assert [answer.question for answer in entry.runtime_data.outbox.all()] == ["MODEL:HANG 30"]
