"""The blueprint of the morning briefing, in an automation."""

from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from tests.fakes.gateway import ScriptedGateway

from .blueprints import install, make, running
from .notifications import notification, tell
from .support import add_entry

pytestmark = pytest.mark.usefixtures("home")

MOTION = "binary_sensor.kitchen_motion"
KITCHEN = "assist_satellite.kitchen"
INPUTS = {
    "job": "Morning briefing",
    "sensors": [MOTION],
    "satellites": [KITCHEN],
    "earliest": "06:00:00",
    "latest": "11:00:00",
}


def briefing(text: str = "It will **rain**.", **fields: object) -> Notification:
    """Return what the job has written."""
    title = str(fields.pop("title", "morning Briefing "))
    return notification(
        NotificationKind.JOB_FINISHED, title=title, message=text, data={"status": "ok"} | fields
    )


@pytest.fixture
async def entry(hass: HomeAssistant, friendly: ScriptedGateway, tmp_path: Path) -> MockConfigEntry:
    """Return the entry of a gateway in a home where everybody sleeps."""
    entry = await add_entry(hass, friendly)
    await hass.config.async_set_time_zone("Europe/Berlin")
    install(hass, tmp_path)
    hass.states.async_set(MOTION, "off")
    hass.states.async_set(KITCHEN, "idle")
    return entry


@pytest.fixture
def said(hass: HomeAssistant) -> list[ServiceCall]:
    """Return what satellites are to say."""
    return async_mock_service(hass, "assist_satellite", "announce")


class Clock:
    """Moves the time of Home Assistant."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Use the clock of the test."""
        self._hass = hass
        self._freezer = freezer

    def at(self, local: str) -> None:
        """Make it a time of the home, for instance `2026-11-01 07:00`."""
        time = dt_util.parse_datetime(f"{local}:00+01:00")
        assert time is not None
        self._freezer.move_to(time)
        async_fire_time_changed(self._hass, time)


@pytest.fixture
def clock(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Clock:
    """Return what moves the time."""
    return Clock(hass, freezer)


def move(hass: HomeAssistant, state: str = "on") -> None:
    """Let the sensor see somebody, or nobody."""
    hass.states.async_set(MOTION, state)


def texts(said: list[ServiceCall]) -> list[str]:
    """Return what was said so far."""
    return [call.data["message"] for call in said]


async def test_it_waits_until_somebody_is_up(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """And is said once, at the chosen devices."""
    clock.at("2026-11-02 06:30")
    await make(hass, "morning_briefing", INPUTS)
    tell(hass, entry, briefing())
    assert said == []
    assert running(hass) == 1
    clock.at("2026-11-02 07:10")
    move(hass)
    await hass.async_block_till_done()
    assert texts(said) == ["Good morning! It will rain."]
    assert said[0].data["entity_id"] == [KITCHEN]
    move(hass, "off")
    move(hass)
    await hass.async_block_till_done()
    assert len(said) == 1
    assert running(hass) == 0


async def test_a_walk_at_night_does_not_count(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """Who is still up when it may begin hears it then."""
    clock.at("2026-11-02 04:00")
    await make(hass, "morning_briefing", INPUTS)
    tell(hass, entry, briefing())
    move(hass)
    move(hass, "off")
    assert said == []
    move(hass)
    clock.at("2026-11-02 05:59")
    assert said == []
    clock.at("2026-11-02 06:01")
    await hass.async_block_till_done()
    assert texts(said) == ["Good morning! It will rain."]


async def test_one_that_is_written_in_the_evening_is_for_the_next_morning(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """Somebody is certainly up then."""
    clock.at("2026-11-02 20:00")
    await make(hass, "morning_briefing", INPUTS)
    move(hass)
    tell(hass, entry, briefing())
    move(hass, "off")
    assert said == []
    clock.at("2026-11-03 08:00")
    move(hass)
    await hass.async_block_till_done()
    assert len(said) == 1


async def test_nobody_hears_it_after_the_window(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """The run ends by itself."""
    clock.at("2026-11-02 06:30")
    await make(hass, "morning_briefing", INPUTS)
    tell(hass, entry, briefing())
    clock.at("2026-11-02 11:01")
    await hass.async_block_till_done()
    assert running(hass) == 0
    move(hass)
    await hass.async_block_till_done()
    assert said == []


async def test_a_newer_one_replaces_it(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """Nobody wants to hear both."""
    clock.at("2026-11-02 06:30")
    await make(hass, "morning_briefing", INPUTS)
    tell(hass, entry, briefing())
    tell(hass, entry, briefing("It will snow."))
    move(hass)
    await hass.async_block_till_done()
    assert texts(said) == ["Good morning! It will snow."]


@pytest.mark.parametrize(
    "told",
    [
        briefing(title="Evening briefing", text="Unlike the morning briefing."),
        briefing(status="error"),
        briefing(" "),
        notification(title="Morning briefing"),
    ],
)
async def test_other_jobs_and_failures_are_not_read_out(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    said: list[ServiceCall],
    clock: Clock,
    told: Notification,
) -> None:
    """Not even when they mention its name."""
    clock.at("2026-11-02 06:30")
    await make(hass, "morning_briefing", INPUTS)
    move(hass)
    tell(hass, entry, told)
    await hass.async_block_till_done()
    assert said == []
    assert running(hass) == 0


async def test_a_busy_device_finishes_first(
    hass: HomeAssistant, entry: MockConfigEntry, said: list[ServiceCall], clock: Clock
) -> None:
    """For five minutes; then the briefing is left out."""
    clock.at("2026-11-02 06:30")
    await make(hass, "morning_briefing", INPUTS)
    hass.states.async_set(KITCHEN, "responding")
    move(hass)
    tell(hass, entry, briefing())
    assert said == []
    hass.states.async_set(KITCHEN, "idle")
    await hass.async_block_till_done()
    assert len(said) == 1
    hass.states.async_set(KITCHEN, "listening")
    tell(hass, entry, briefing())
    clock.at("2026-11-02 06:36")
    await hass.async_block_till_done()
    assert running(hass) == 0
    assert len(said) == 1
