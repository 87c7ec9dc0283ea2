"""What Home Assistant's long-term statistics make of what a day has cost."""

from datetime import datetime

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.openclaw_voice.status_reading import AGAIN
from tests.fakes.gateway import Expect, ScriptedGateway

from .connection import NAME, lose, try_now
from .support import add_entry, state_change, usage_cost

TOKENS = f"sensor.{NAME}_tokens_today"
FIRST_DAY = "2026-11-21"
NEXT_DAY = "2026-11-22"


async def shown(hass: HomeAssistant, value: str) -> None:
    """Wait until the sensor has a value."""

    def is_shown(hass: HomeAssistant) -> bool:
        state = hass.states.get(TOKENS)
        return state is not None and state.state == value

    if not is_shown(hass):
        async with state_change(hass, is_shown):
            pass


async def compiled(hass: HomeAssistant, recorder: Recorder, start: datetime) -> list[float | None]:
    """Have the five minutes from `start` compiled; return the sums so far."""
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=start)
    await async_wait_recording_done(hass)
    rows = await recorder.async_add_executor_job(
        lambda: statistics_during_period(
            hass, dt_util.utc_from_timestamp(0), None, {TOKENS}, "5minute", None, {"sum"}
        )
    )
    return [row.get("sum") for row in rows[TOKENS]]


async def test_the_sum_is_what_was_used(
    recorder_mock: Recorder,
    home: HomeAssistant,
    friendly: ScriptedGateway,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A lost connection and a count that begins anew add nothing; midnight takes nothing away."""
    hass = home
    friendly.tick_interval_ms = 1_000_000_000
    await hass.config.async_set_time_zone("UTC")
    before_midnight = datetime(2026, 11, 21, 23, 50, tzinfo=dt_util.UTC)
    freezer.move_to(before_midnight)
    friendly.anytime(Expect("usage.cost", reply=usage_cost(90, 0.2, day=FIRST_DAY)))
    entry = await add_entry(hass, friendly)
    await shown(hass, "90")
    assert await compiled(hass, recorder_mock, before_midnight) == [0]

    freezer.move_to(before_midnight.replace(minute=55))
    await lose(hass, friendly)
    await friendly.start()
    friendly.anytime(Expect("usage.cost", reply=usage_cost(100, 0.2, day=FIRST_DAY)))
    await try_now(hass, entry, "ready")
    await shown(hass, "100")
    assert await compiled(hass, recorder_mock, before_midnight.replace(minute=55)) == [0, 10]

    midnight = datetime(2026, 11, 22, tzinfo=dt_util.UTC)
    freezer.move_to(midnight.replace(second=1))
    friendly.anytime(Expect("usage.cost", reply=usage_cost(status="refreshing", day=NEXT_DAY)))
    async_fire_time_changed(hass)
    await shown(hass, "unknown")
    await friendly.wait_for_request("usage.cost", number=5)
    await hass.async_block_till_done()
    friendly.anytime(Expect("usage.cost", reply=usage_cost(7, 0.1, day=NEXT_DAY)))
    await entry.runtime_data.client.request("models.list")
    freezer.tick(AGAIN + 1)
    async_fire_time_changed(hass)
    await shown(hass, "7")
    assert await compiled(hass, recorder_mock, midnight) == [0, 10, 17]
