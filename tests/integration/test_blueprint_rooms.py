"""The blueprint that speaks where someone is, in an automation."""

from datetime import timedelta
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.openclaw_voice.outbox.notification import NotificationKind
from tests.fakes.gateway import ScriptedGateway

from .blueprints import install, make, running
from .notifications import notification, tell
from .support import add_entry

pytestmark = pytest.mark.usefixtures("home")

ROOMS = ("kitchen", "office", "hall")
INPUTS = {
    "satellites": [f"assist_satellite.{room}" for room in ROOMS],
    "sensors": [f"binary_sensor.{room}" for room in ROOMS],
    "recently": 5,
}
SPOKEN = "Garden. The tomatoes are ripe."


@pytest.fixture
async def entry(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    tmp_path: Path,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
) -> MockConfigEntry:
    """Return the entry of a gateway in a home with three rooms, at noon. Nobody was there for hours."""
    entry = await add_entry(hass, friendly)
    await hass.config.async_set_time_zone("UTC")
    install(hass, tmp_path)
    freezer.move_to("2026-11-01T06:00:00+00:00")
    for room in ROOMS:
        area = ar.async_get(hass).async_create(room)
        for domain, state in (("assist_satellite", "idle"), ("binary_sensor", "off")):
            entity = entity_registry.async_get_or_create(
                domain, "test", room, suggested_object_id=room
            )
            entity_registry.async_update_entity(entity.entity_id, area_id=area.id)
            hass.states.async_set(entity.entity_id, state)
    freezer.move_to("2026-11-01T12:00:00+00:00")
    return entry


@pytest.fixture
def said(hass: HomeAssistant) -> list[ServiceCall]:
    """Return what satellites are to say."""
    return async_mock_service(hass, "assist_satellite", "announce")


async def where(hass: HomeAssistant, said: list[ServiceCall]) -> list[set[str]]:
    """Return the rooms of each announcement so far."""
    await hass.async_block_till_done()
    return [{entity_id.split(".")[1] for entity_id in call.data["entity_id"]} for call in said]


async def test_it_speaks_where_someone_is(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall]
) -> None:
    """In every such room, and what can be said of it."""
    await make(hass, "announce_where_someone_is", INPUTS)
    hass.states.async_set("binary_sensor.kitchen", "on")
    hass.states.async_set("binary_sensor.hall", "on")
    tell(hass, entry, notification())
    assert await where(hass, said) == [{"kitchen", "hall"}]
    assert said[0].data["message"] == SPOKEN


async def test_somebody_who_was_seen_lately_is_still_there(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    said: list[ServiceCall],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Motion sensors see only who moves."""
    await make(hass, "announce_where_someone_is", INPUTS)
    hass.states.async_set("binary_sensor.office", "on")
    hass.states.async_set("binary_sensor.office", "off")
    freezer.tick(timedelta(minutes=4))
    tell(hass, entry, notification())
    assert await where(hass, said) == [{"office"}]
    freezer.tick(timedelta(minutes=2))
    tell(hass, entry, notification(number=2))
    assert await where(hass, said) == [{"office"}]


@pytest.mark.parametrize("fallback", [[], ["assist_satellite.hall"]])
async def test_when_nobody_is_seen_the_others_speak(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], fallback: list[str]
) -> None:
    """If there are any. A sensor that is gone sees nobody."""
    inputs = INPUTS | {"fallback": fallback}
    inputs["sensors"] = [*INPUTS["sensors"], "binary_sensor.gone"]
    await make(hass, "announce_where_someone_is", inputs)
    tell(hass, entry, notification())
    assert await where(hass, said) == ([{"hall"}] if fallback else [])


async def test_a_satellite_that_is_away_is_replaced(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall]
) -> None:
    """By those for when nobody is seen."""
    await make(
        hass, "announce_where_someone_is", INPUTS | {"fallback": ["assist_satellite.office"]}
    )
    hass.states.async_set("binary_sensor.kitchen", "on")
    hass.states.async_set("assist_satellite.kitchen", "unavailable")
    tell(hass, entry, notification())
    assert await where(hass, said) == [{"office"}]


async def test_a_conversation_is_not_broken_off(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall]
) -> None:
    """What comes meanwhile waits, in its order."""
    await make(hass, "announce_where_someone_is", INPUTS)
    hass.states.async_set("binary_sensor.kitchen", "on")
    hass.states.async_set("assist_satellite.kitchen", "processing")
    tell(hass, entry, notification(message="One."))
    tell(hass, entry, notification(message="Two.", number=2))
    assert said == []
    assert running(hass) == 2
    hass.states.async_set("assist_satellite.kitchen", "idle")
    assert await where(hass, said) == [{"kitchen"}, {"kitchen"}]
    assert [call.data["message"] for call in said] == ["Garden. One.", "Garden. Two."]


async def test_it_does_not_wait_for_ever(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    said: list[ServiceCall],
    freezer: FrozenDateTimeFactory,
) -> None:
    """After five minutes those that are free speak."""
    await make(hass, "announce_where_someone_is", INPUTS)
    for room in ("kitchen", "office"):
        hass.states.async_set(f"binary_sensor.{room}", "on")
    hass.states.async_set("assist_satellite.kitchen", "listening")
    tell(hass, entry, notification())
    assert running(hass) == 1
    freezer.tick(timedelta(minutes=5, seconds=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    assert await where(hass, said) == [{"office"}]
    assert running(hass) == 0


@pytest.mark.parametrize(
    ("hours", "speaks"),
    [
        (("22:00:00", "07:00:00"), True),
        (("11:00:00", "13:00:00"), False),
        (("13:00:00", "12:00:00"), True),
        (("13:00:00", "12:30:00"), False),
        (("12:00:00", "12:00:00"), True),
    ],
)
async def test_it_is_quiet_at_night(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    said: list[ServiceCall],
    hours: tuple[str, str],
    speaks: bool,
) -> None:
    """It is noon; hours may go over midnight, or be none."""
    inputs = INPUTS | dict(zip(("quiet_from", "quiet_to"), hours, strict=True))
    await make(hass, "announce_where_someone_is", inputs)
    hass.states.async_set("binary_sensor.kitchen", "on")
    tell(hass, entry, notification())
    assert len(await where(hass, said)) == speaks


async def test_only_what_is_chosen_is_said(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall]
) -> None:
    """By kind, agent and text; and never nothing."""
    await make(
        hass,
        "announce_where_someone_is",
        INPUTS | {"kinds": ["message"], "agents": ["conversation.main"], "text": "tomato"},
    )
    hass.states.async_set("binary_sensor.kitchen", "on")
    tell(hass, entry, notification(NotificationKind.HEARTBEAT))
    tell(hass, entry, notification(agent_id="other", number=2))
    tell(hass, entry, notification(message="Potatoes.", number=3))
    tell(hass, entry, notification(title="Tomatoes", message=" ", number=4))
    tell(hass, entry, notification(number=5, title="Ripe?"))
    await where(hass, said)
    assert [call.data["message"] for call in said] == ["Ripe? The tomatoes are ripe."]
