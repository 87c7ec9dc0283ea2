"""The entities of voice satellites: what they show, what can be chosen and set."""

import asyncio
from datetime import timedelta
import json

from homeassistant.components.assist_pipeline.pipeline import (
    async_get_pipelines,
    async_update_pipeline,
)
from homeassistant.components.number import NumberEntity
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.json import json_dumps
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.openclaw_voice import entity
from custom_components.openclaw_voice.exceptions import SatelliteProblem
from custom_components.openclaw_voice.number import SatelliteVolume
from custom_components.openclaw_voice.realtime import server_events as say
from custom_components.openclaw_voice.realtime.backend import (
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    SpeechEnded,
    TurnEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.client_events import SatelliteState
from custom_components.openclaw_voice.realtime.session_config import Feature, SessionMode
from custom_components.openclaw_voice.satellite_settings import (
    FINISHED_SPEAKING,
    PIPELINE,
    SatelliteSettings,
    async_satellite_settings,
    async_select_id,
)
from custom_components.openclaw_voice.select import AS_THE_ASSISTANT_SAYS
from custom_components.openclaw_voice.voice_satellites import VoiceSatellite
from tests.fakes.gateway import ScriptedGateway

from .connection import lose
from .support import add_entry, introduce, state_change
from .talking import admit, talking
from .voice_satellite import until_state

pytestmark = pytest.mark.usefixtures("home")

NAME = "kitchen_satellite"
ACTIVE = f"binary_sensor.{NAME}_session_active"
FIRST_AUDIO = f"sensor.{NAME}_time_to_first_audio"
VOLUME = f"number.{NAME}_volume"
MUTE = f"switch.{NAME}_mute_microphone"
ASSISTANT = f"select.{NAME}_assistant"
FINISHED = f"select.{NAME}_finished_speaking_detection"
AGENT = f"select.{NAME}_agent"
CONTROLS = (Feature.VOLUME, Feature.MUTE)


@pytest.fixture
async def entry(hass: HomeAssistant, friendly: ScriptedGateway) -> MockConfigEntry:
    """Return the entry of a gateway with one agent."""
    return await add_entry(hass, friendly)


async def admitted(
    hass: HomeAssistant, entry: MockConfigEntry, *features: Feature
) -> VoiceSatellite:
    """Let a satellite in, and have its entities."""
    satellite = admit(entry, *features)
    await hass.async_block_till_done()
    return satellite


def value_of(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return the state of an entity, None when there is none."""
    state = hass.states.get(entity_id)
    return None if state is None else state.state


def entities_of(registry: er.EntityRegistry, satellite: VoiceSatellite) -> dict[str, str]:
    """Return what a satellite's device has: unique ids by entity id, without the satellite's own."""
    entities = er.async_entries_for_device(registry, satellite.device_id)
    return {
        entity.entity_id: entity.unique_id
        for entity in entities
        if entity.domain != "assist_satellite"
    }


async def choose(hass: HomeAssistant, select: str, option: str) -> None:
    """Choose an option, as a person does."""
    await hass.services.async_call(
        "select", "select_option", {"entity_id": select, "option": option}, blocking=True
    )


async def test_a_satellite_has_its_entities(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """Those of its controls only when it offers them."""
    satellite = await admitted(hass, entry)
    known = satellite.unique_id()
    plain = {
        ACTIVE: f"{known}_session_active",
        FIRST_AUDIO: f"{known}_time_to_first_audio",
        ASSISTANT: f"{known}-pipeline",
        FINISHED: f"{known}-vad_sensitivity",
    }
    assert entities_of(entity_registry, satellite) == plain
    assert await admitted(hass, entry, *CONTROLS)
    controls = {VOLUME: f"{known}_volume", MUTE: f"{known}_mute"}
    assert entities_of(entity_registry, satellite) == plain | controls
    await admitted(hass, entry, Feature.MUTE)
    assert entities_of(entity_registry, satellite) == plain | {MUTE: controls[MUTE]}
    assert value_of(hass, VOLUME) is None
    await admitted(hass, entry, *CONTROLS)
    assert entities_of(entity_registry, satellite) == plain | controls


async def test_they_look_as_before(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    gateway: ScriptedGateway,
    snapshot: SnapshotAssertion,
) -> None:
    """Names, units, categories and options, of a satellite that has all of them."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway, "main", "cook")
    satellite = await admitted(hass, entry, *CONTROLS)
    async with talking(hass, entry, *CONTROLS) as caller:
        caller.session.receive(SatelliteState(volume=0.5, muted=True))
        looks = {}
        for entity_id in entities_of(entity_registry, satellite):
            known, state = entity_registry.async_get(entity_id), hass.states.get(entity_id)
            assert known is not None
            assert state is not None
            looks[entity_id] = {
                "state": state.state,
                "attributes": dict(state.attributes),
                "key": known.translation_key,
                "category": known.entity_category,
                "is_enabled": not known.disabled,
            }
    # Without enums, which change with Home Assistant.
    assert json.loads(json_dumps(looks)) == snapshot


async def test_they_are_there_again_after_a_restart(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """Although the satellite has not connected yet."""
    satellite = await admitted(hass, entry, *CONTROLS)
    before = entities_of(entity_registry, satellite)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entities_of(entity_registry, satellite) == before
    assert {value_of(hass, VOLUME), value_of(hass, MUTE)} == {"unavailable"}
    assert (value_of(hass, ACTIVE), value_of(hass, FIRST_AUDIO)) == ("off", "unknown")


async def test_a_session_is_active_while_somebody_talks(
    hass: HomeAssistant, friendly: ScriptedGateway, entry: MockConfigEntry
) -> None:
    """Standby is none, and the gateway does not matter."""
    await admitted(hass, entry)
    assert value_of(hass, ACTIVE) == "off"
    async with talking(hass, entry, mode=SessionMode.STANDBY):
        assert value_of(hass, ACTIVE) == "off"
    async with talking(hass, entry):
        assert value_of(hass, ACTIVE) == "on"
        await lose(hass, friendly)
        await hass.async_block_till_done()
        assert value_of(hass, ACTIVE) == "on"
    assert value_of(hass, ACTIVE) == "off"


async def test_the_last_wait_for_an_answer_stays(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It is shown when the answer was heard, and when the session is over."""
    await admitted(hass, entry)
    assert value_of(hass, FIRST_AUDIO) == "unknown"
    async with talking(hass, entry) as satellite:
        satellite.backend.tell(
            TurnStarted(turn_id="t"), SpeechEnded(turn_id="t"), ResponseStarted(turn_id="t")
        )
        await satellite.channel.until(say.ResponseStarted)
        satellite.now += 0.75
        satellite.backend.tell(
            OutputAudio(turn_id="t", pcm=bytes(640)),
            OutputEnded(turn_id="t"),
            TurnEnded(turn_id="t"),
        )
        await satellite.channel.until(say.LatencyMetrics)
        async with state_change(hass, lambda hass: value_of(hass, FIRST_AUDIO) == "0.75"):
            satellite.now += 1.0
            satellite.session.playback_done("t")
    assert value_of(hass, FIRST_AUDIO) == "0.75"


async def test_a_session_with_another_gateway_is_not_shown(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """There the satellite is another device."""
    await admitted(hass, entry, Feature.MUTE)
    async with talking(hass, entry, device_id="of another gateway") as satellite:
        satellite.session.receive(SatelliteState(muted=True))
        assert (value_of(hass, ACTIVE), value_of(hass, MUTE)) == ("off", "unavailable")


async def test_volume_and_mute_are_the_satellites(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """They show what it tells, and have it change that; without it there is nothing to change."""
    await admitted(hass, entry, *CONTROLS)
    assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("unavailable", "unavailable")
    async with talking(hass, entry, *CONTROLS, mode=SessionMode.STANDBY) as satellite:
        assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("unknown", "unknown")
        satellite.session.receive(SatelliteState(volume=0.555, muted=False))
        assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("56", "off")

        await hass.services.async_call(
            "number", "set_value", {"entity_id": VOLUME, "value": 30}, blocking=True
        )
        assert satellite.channel.last(say.SatelliteSet) == say.SatelliteSet(volume=0.3)
        assert value_of(hass, VOLUME) == "56"
        satellite.session.receive(SatelliteState(volume=0.3))
        assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("30", "off")

        for service, is_muted in (("turn_on", True), ("turn_off", False)):
            await hass.services.async_call("switch", service, {"entity_id": MUTE}, blocking=True)
            assert satellite.channel.last(say.SatelliteSet) == say.SatelliteSet(muted=is_muted)
    for entity_id in (VOLUME, MUTE):
        await until_state(hass, entity_id, "unavailable")
    async with talking(hass, entry, *CONTROLS) as satellite:
        assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("30", "off")
        satellite.session.receive(SatelliteState(muted=True))
        assert (value_of(hass, VOLUME), value_of(hass, MUTE)) == ("30", "on")


async def test_a_satellite_that_comes_back_at_once_was_not_away(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for standby after a session: nothing flickers, and who wants to tell it something waits."""
    monkeypatch.setattr(entity, "RETURN_LIMIT", 60.0)
    await admitted(hass, entry, Feature.VOLUME)
    volume = hass.data[DATA_INSTANCES]["number"].get_entity(VOLUME)
    assert isinstance(volume, SatelliteVolume)
    seen: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        assert event.data["new_state"] is not None
        seen.append(event.data["new_state"].state)

    async_track_state_change_event(hass, VOLUME, note)
    async with talking(hass, entry, Feature.VOLUME) as satellite:
        satellite.session.receive(SatelliteState(volume=0.5))
    waiting = asyncio.create_task(volume.async_returned_session())
    async with talking(hass, entry, Feature.VOLUME, mode=SessionMode.STANDBY) as satellite:
        assert await waiting is satellite.session
    assert seen == ["unknown", "50"]

    waiting = asyncio.create_task(volume.async_returned_session())
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done()
    assert seen == ["unknown", "50", "unavailable"]
    with pytest.raises(HomeAssistantError, match="not connected"):
        await waiting


async def test_a_satellite_that_is_away_cannot_be_changed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It may just have gone."""
    await admitted(hass, entry, Feature.VOLUME)
    volume = hass.data[DATA_INSTANCES]["number"].get_entity(VOLUME)
    assert isinstance(volume, NumberEntity)
    with pytest.raises(HomeAssistantError, match="not connected") as raised:
        await volume.async_set_native_value(30)
    assert raised.value.translation_key == SatelliteProblem.AWAY


async def test_a_satellite_that_hangs_up_cannot_be_changed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Nobody would hear of it any more."""
    await admitted(hass, entry, Feature.MUTE)
    async with talking(hass, entry, Feature.MUTE) as satellite:
        satellite.session.end("disconnected")
        await satellite.channel.until(say.SessionEnded)
        with pytest.raises(HomeAssistantError, match="not connected"):
            await hass.services.async_call("switch", "turn_on", {"entity_id": MUTE}, blocking=True)


async def test_nothing_is_chosen_at_first(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, entry: MockConfigEntry
) -> None:
    """The backends have their own defaults."""
    satellite = await admitted(hass, entry)
    nothing = SatelliteSettings(pipeline_id=None, silence=None)
    assert async_satellite_settings(hass, satellite) == nothing
    assert (value_of(hass, ASSISTANT), value_of(hass, FINISHED)) == ("preferred", "default")
    assert async_select_id(hass, satellite, PIPELINE) == ASSISTANT
    assert async_select_id(hass, satellite, FINISHED_SPEAKING) == FINISHED
    entity_registry.async_remove(FINISHED)
    await hass.async_block_till_done()
    assert async_select_id(hass, satellite, FINISHED_SPEAKING) is None
    assert async_satellite_settings(hass, satellite) == nothing


async def test_what_was_chosen_counts_and_stays(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Also over a restart, and while the select is not there."""
    satellite = await admitted(hass, entry)
    (preferred,) = async_get_pipelines(hass)
    await async_update_pipeline(hass, preferred, name="Claw")
    await choose(hass, ASSISTANT, "Claw")
    await choose(hass, FINISHED, "relaxed")
    chosen = SatelliteSettings(pipeline_id=preferred.id, silence=1.25)
    assert async_satellite_settings(hass, satellite) == chosen
    await choose(hass, FINISHED, "aggressive")
    assert async_satellite_settings(hass, satellite).silence == 0.25

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert value_of(hass, FINISHED) == "unavailable"
    assert async_satellite_settings(hass, satellite) == SatelliteSettings()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert async_satellite_settings(hass, satellite) == SatelliteSettings(
        pipeline_id=preferred.id, silence=0.25
    )


async def test_with_several_agents_one_is_chosen_on_the_satellites_own_device(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, gateway: ScriptedGateway
) -> None:
    """The select of every other satellite is on that of the gateway."""
    introduce(gateway, "main", "cook")
    entry = await add_entry(hass, gateway, "main", "cook")
    satellite = await admitted(hass, entry)
    other = entity_registry.async_get_or_create("assist_satellite", "test", "attic")
    await hass.async_block_till_done()
    selects = {
        entity.unique_id: entity
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if entity.domain == "select"
    }
    entity_id = satellite.entity_id(hass)
    assert entity_id is not None
    own = entity_registry.async_get(entity_id)
    assert own is not None
    prefix = f"{entry.entry_id}_satellite_agent"
    assert selects[f"{prefix}_{own.id}"].entity_id == AGENT
    assert selects[f"{prefix}_{own.id}"].device_id == satellite.device_id
    assert selects[f"{prefix}_{other.id}"].device_id == entry.runtime_data.device_id
    assert value_of(hass, AGENT) == AS_THE_ASSISTANT_SAYS

    await choose(hass, AGENT, "cook")
    assert entry.runtime_data.memory.agent_for(entity_id) == "subentry-cook"
    hass.config_entries.async_remove_subentry(entry, "subentry-cook")
    await hass.async_block_till_done()
    # The other selects of the satellite are not about agents.
    assert set(entities_of(entity_registry, satellite)) == {
        ACTIVE,
        FIRST_AUDIO,
        ASSISTANT,
        FINISHED,
    }
