"""Satellites that connect become devices with entities, and stay known."""

from collections.abc import Iterable
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.realtime.backend import BackendInfo
from custom_components.openclaw_voice.realtime.protocol import ProtocolProblem, Reason
from custom_components.openclaw_voice.realtime.session_config import (
    Feature,
    SatelliteInfo,
    SessionConfig,
)
from custom_components.openclaw_voice.voice_backends import VoiceBackends
from custom_components.openclaw_voice.voice_satellites import (
    MAX_SATELLITES,
    VoiceSatellite,
    VoiceSatellites,
)
from custom_components.openclaw_voice.voice_sessions import async_voice_sessions
from tests.fakes.gateway import ScriptedGateway
from tests.realtime.scripted import ScriptedBackend

from .support import add_entry
from .voice_satellite import KITCHEN, Connect, until_state

ENTITY: Final = "assist_satellite.kitchen"
DESCRIBED: Final = {
    "name": "Kitchen",
    "area": "Cooking",
    "manufacturer": "Acme",
    "model": "Ear 2",
    "softwareVersion": "1.4",
}


@pytest.fixture
async def entry(home: HomeAssistant, friendly: ScriptedGateway) -> MockConfigEntry:
    """Return an entry that is connected to its gateway."""
    return await add_entry(home, friendly)


@pytest.fixture
def satellites(entry: MockConfigEntry) -> VoiceSatellites:
    """Return those of the entry."""
    made: VoiceSatellites = entry.runtime_data.satellites
    return made


def config(
    satellite_id: str | None = KITCHEN,
    features: Iterable[Feature] = (),
    **info: Any,  # noqa: ANN401
) -> SessionConfig:
    """Return the first message of a satellite."""
    satellite = SatelliteInfo(features=frozenset(features), **info)
    return SessionConfig(satellite_id=satellite_id, satellite=satellite)


def device_of(hass: HomeAssistant, satellite: VoiceSatellite) -> dr.DeviceEntry:
    """Return the device of a satellite."""
    device = dr.async_get(hass).async_get_device_by_identifier(
        satellite.identifier, satellite.entry_id
    )
    assert device is not None
    return device


async def test_one_that_connects_becomes_a_device(
    home: HomeAssistant, connect: Connect, satellites: VoiceSatellites
) -> None:
    """With the area it is in, and an entity that is there as long as it is connected."""
    async with connect(satellite=DESCRIBED) as socket:
        await socket.told("session.ready")
        satellite = satellites.get(KITCHEN)
        assert satellite is not None
        device = device_of(home, satellite)
        assert (device.name, device.manufacturer, device.model, device.sw_version) == (
            "Kitchen",
            "Acme",
            "Ear 2",
            "1.4",
        )
        area = ar.async_get(home).async_get_area_by_name("Cooking")
        assert area is not None
        assert device.area_id == area.id
        entity_id = satellite.entity_id(home)
        assert entity_id == "assist_satellite.cooking_kitchen"
        await home.async_block_till_done()
        state = home.states.get(entity_id)
        assert state is not None
        assert (state.state, state.name) == ("idle", "Kitchen")
    await until_state(home, entity_id, "unavailable")


async def test_one_without_a_name_is_no_device(
    home: HomeAssistant, entry: MockConfigEntry, connect: Connect
) -> None:
    """It may talk, and nobody can tell it anything later."""
    backend = ScriptedBackend()

    async def start(_: object) -> tuple[ScriptedBackend, BackendInfo]:
        return backend, await backend.start()

    before = dr.async_entries_for_config_entry(dr.async_get(home), entry.entry_id)
    with patch.object(VoiceBackends, "async_start", start):
        async with connect(None, mode="conversation") as socket:
            await socket.told("session.ready")
    assert dr.async_entries_for_config_entry(dr.async_get(home), entry.entry_id) == before


async def test_its_entity_exists_before_its_session(
    home: HomeAssistant, satellites: VoiceSatellites
) -> None:
    """A pipeline and an agent are told by whom they are used."""
    satellite = satellites.async_admit(config(name="Kitchen"))
    assert satellite.entity_id(home) == ENTITY
    assert satellites.all == (satellite,)


async def test_people_have_the_last_word_on_name_and_area(
    home: HomeAssistant, satellites: VoiceSatellites
) -> None:
    """What a satellite says of itself later does not move it back."""
    satellite = satellites.async_admit(config(name="Kitchen", area="Cooking", model="Ear 2"))
    area = ar.async_get(home).async_create("Cellar")
    dr.async_get(home).async_update_device(
        satellite.device_id, area_id=area.id, name_by_user="Bottles"
    )
    await home.async_block_till_done()
    again = satellites.async_admit(config(name="Kitchen 2", area="Cooking", software_version="2"))
    device = device_of(home, again)
    assert (device.area_id, device.name_by_user, device.name) == (area.id, "Bottles", "Kitchen 2")
    assert (device.model, device.sw_version) == ("Ear 2", "2")
    assert again.name == "Bottles"
    assert again.entity_id(home) == satellite.entity_id(home)


async def test_an_area_is_known_by_its_id_too(
    home: HomeAssistant, satellites: VoiceSatellites
) -> None:
    """No second one is made."""
    area = ar.async_get(home).async_create("Cooking corner")
    satellite = satellites.async_admit(config(area=area.id))
    device = device_of(home, satellite)
    assert (device.area_id, device.name) == (area.id, KITCHEN)
    assert [each.id for each in ar.async_get(home).async_list_areas()] == [area.id]


async def test_a_new_name_is_followed(home: HomeAssistant, satellites: VoiceSatellites) -> None:
    """People may rename it while it is connected."""
    satellite = satellites.async_admit(config(name="Kitchen"))
    dr.async_get(home).async_update_device(satellite.device_id, name_by_user="Bottles")
    await home.async_block_till_done()
    known = satellites.get(KITCHEN)
    assert known is not None
    assert known.name == "Bottles"


async def test_entities_are_added_once_and_for_what_is_offered(
    home: HomeAssistant, satellites: VoiceSatellites
) -> None:
    """Also when a satellite offers more after an update, or less."""
    added: list[tuple[str, str]] = []
    end = satellites.async_for_each(lambda each: added.append(("all", each.satellite_id)))
    satellites.async_for_each(
        lambda each: added.append(("volume", each.satellite_id)), Feature.VOLUME
    )
    satellites.async_admit(config())
    assert added == [("all", KITCHEN)]
    satellite = satellites.async_admit(config(features=[Feature.VOLUME]))
    satellites.async_admit(config(features=[Feature.VOLUME]))
    assert added == [("all", KITCHEN), ("volume", KITCHEN)]
    await home.async_block_till_done()
    registry = er.async_get(home)
    volume = registry.async_get_or_create(
        "number", DOMAIN, satellite.unique_id(Feature.VOLUME)
    ).entity_id
    assert satellites.async_admit(config()).features == {Feature.VOLUME}
    assert registry.async_get(volume) is not None
    satellites.async_admit(config(features=[Feature.MUTE]))
    assert registry.async_get(volume) is None
    end()
    satellites.async_admit(config("hall", features=[Feature.VOLUME]))
    satellites.async_admit(config(features=[Feature.VOLUME]))
    assert added[2:] == [("volume", "hall"), ("volume", KITCHEN)]


async def test_it_is_known_after_a_restart(
    home: HomeAssistant, entry: MockConfigEntry, satellites: VoiceSatellites
) -> None:
    """Also what it offers: it may be away for long."""
    first = satellites.async_admit(config(name="Kitchen", features=[Feature.VOLUME]))
    await home.async_block_till_done()
    er.async_get(home).async_get_or_create(
        "number", DOMAIN, first.unique_id(Feature.VOLUME), config_entry=entry
    )
    assert await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    again = entry.runtime_data.satellites.get(KITCHEN)
    assert (again.device_id, again.name) == (first.device_id, "Kitchen")
    assert again.features == {Feature.VOLUME}
    state = home.states.get(ENTITY)
    assert state is not None
    assert state.state == "unavailable"


async def test_there_are_only_so_many(satellites: VoiceSatellites) -> None:
    """Those that are known may always come back."""
    for number in range(MAX_SATELLITES):
        satellites.async_admit(config(f"satellite-{number}"))
    with pytest.raises(ProtocolProblem) as refused:
        satellites.async_admit(config("one-more"))
    assert refused.value.reason is Reason.TOO_MANY_SESSIONS
    assert satellites.async_admit(config("satellite-0")).satellite_id == "satellite-0"


async def test_one_must_be_named(satellites: VoiceSatellites) -> None:
    """Whoever calls this has to look."""
    with pytest.raises(ValueError, match="without a name"):
        satellites.async_admit(config(None))


async def test_people_can_remove_it(
    home: HomeAssistant,
    entry: MockConfigEntry,
    connect: Connect,
    satellites: VoiceSatellites,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Its session ends, its entity goes; when it comes back it is a new one."""
    assert await async_setup_component(home, "config", {})
    ws = await hass_ws_client(home)

    async def remove(device_id: str) -> bool:
        await ws.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": device_id,
            }
        )
        removed: bool = (await ws.receive_json())["success"]
        await home.async_block_till_done()
        return removed

    added: list[str] = []
    satellites.async_for_each(lambda each: added.append(each.device_id))
    async with connect(satellite={"name": "Kitchen"}) as socket:
        await socket.told("session.ready")
        await home.async_block_till_done()
        first = satellites.get(KITCHEN)
        assert first is not None
        assert await remove(first.device_id)
        assert await socket.until_closed() == 1008
        assert (await socket.told("session.ended"))["reason"] == "removed"
    assert satellites.get(KITCHEN) is None
    assert home.states.get(ENTITY) is None
    assert not await remove(entry.runtime_data.device_id)
    async with connect(satellite={"name": "Kitchen"}) as socket:
        await socket.told("session.ready")
        await home.async_block_till_done()
        assert len(added) == 2
        state = home.states.get(ENTITY)
        assert state is not None
        assert state.state == "idle"
    # One that is away can be removed, too.
    await until_state(home, ENTITY, "unavailable")
    second = satellites.get(KITCHEN)
    assert second is not None
    assert await remove(second.device_id)
    assert satellites.all == ()


async def test_a_device_that_is_gone_has_no_session(
    home: HomeAssistant, connect: Connect, satellites: VoiceSatellites
) -> None:
    """Whoever has removed it; that of another one goes on."""
    async with connect() as socket, connect("hall") as other:
        kitchen = satellites.get(KITCHEN)
        assert kitchen is not None
        dr.async_get(home).async_remove_device(kitchen.device_id)
        assert await socket.until_closed() == 1008
        sessions = async_voice_sessions(home).hub.sessions
        assert [each.info.satellite_id for each in sessions if each.summary is None] == ["hall"]
        assert other.close_code is None


async def test_an_entity_that_was_removed_alone_comes_back(
    home: HomeAssistant, entry: MockConfigEntry, satellites: VoiceSatellites
) -> None:
    """With the next connection; not as an entry that nothing stands behind."""
    satellites.async_admit(config(name="Kitchen", features=[Feature.VOLUME]))
    await home.async_block_till_done()
    for entity_id in (ENTITY, "number.kitchen_volume"):
        er.async_get(home).async_remove(entity_id)
    await home.async_block_till_done()
    assert home.states.get(ENTITY) is None
    satellites.async_admit(config(name="Kitchen", features=[Feature.VOLUME]))
    await home.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert home.states.get(ENTITY) is not None
    entry.runtime_data.satellites.async_admit(config(features=[Feature.VOLUME]))
    await home.async_block_till_done()
    assert home.states.get("number.kitchen_volume") is not None


async def test_other_devices_are_left_alone(
    home: HomeAssistant, entry: MockConfigEntry, satellites: VoiceSatellites
) -> None:
    """Agents and the gateway are devices of the same entry."""
    satellite = satellites.async_admit(config())
    dr.async_get(home).async_update_device(entry.runtime_data.device_id, name_by_user="Attic")
    await home.async_block_till_done()
    assert satellites.all == (satellite,)
