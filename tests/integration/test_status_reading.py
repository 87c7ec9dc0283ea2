"""When a value is asked for that nobody pushes."""

import asyncio
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.gateway.errors import (
    ConnectionLostError,
    RequestTimeoutError,
)
from custom_components.openclaw_voice.status_reading import AGAIN, SETTLING, Reading

SPACING = 300.0
EVERY = 1800.0


class Source:
    """Answers when it is let."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.asked = 0
        self._outcome: bool | Exception = True
        self._is_open = asyncio.Event()

    async def read(self) -> bool:
        """Note the question and wait for the answer."""
        self.asked += 1
        await self._is_open.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    async def give(self, outcome: bool | Exception) -> None:
        """Answer all that was asked, and what is asked from now on."""
        self._outcome = outcome
        self._is_open.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def hold(self) -> None:
        """Let questions wait again."""
        self._is_open.clear()


@pytest.fixture
async def source() -> Source:
    """Return what is asked."""
    return Source()


@pytest.fixture
def reading(hass: HomeAssistant, source: Source) -> Reading:
    """Return a reading of it, over a connection."""
    entry = MockConfigEntry(domain=DOMAIN)
    reading = Reading(hass, entry, "test", source.read, spacing=SPACING, every=EVERY)
    reading.async_connected()
    return reading


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    """Let time pass."""
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def test_nothing_is_asked_while_nobody_watches(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, source: Source, reading: Reading
) -> None:
    """The second one who watches finds the value there; after the last one it rests."""
    reading.async_changed()
    await pass_time(hass, freezer, EVERY)
    assert source.asked == 0
    assert not reading.is_watched
    await source.give(True)
    first, second = reading.async_watch(), reading.async_watch()
    await pass_time(hass, freezer, 0)
    assert source.asked == 1
    first()
    assert reading.is_watched
    await pass_time(hass, freezer, EVERY)
    await pass_time(hass, freezer, EVERY)
    assert source.asked == 2
    second()
    await pass_time(hass, freezer, EVERY)
    assert source.asked == 2


async def test_a_change_while_it_is_read_is_not_missed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, source: Source, reading: Reading
) -> None:
    """The answer may be older; the next question waits its time all the same."""
    stop = reading.async_watch()
    reading.async_changed()
    await source.give(True)
    await pass_time(hass, freezer, SPACING - 1)
    assert source.asked == 1
    await pass_time(hass, freezer, 2)
    assert source.asked == 2
    stop()


async def test_several_changes_are_one_question(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, source: Source, reading: Reading
) -> None:
    """The first of them sets the time."""
    await source.give(True)
    stop = reading.async_watch()
    await pass_time(hass, freezer, 0)
    await pass_time(hass, freezer, SPACING + 1)
    reading.async_changed()
    await pass_time(hass, freezer, SETTLING - 1)
    reading.async_changed()
    assert source.asked == 1
    await pass_time(hass, freezer, 2)
    assert source.asked == 2
    stop()


async def test_what_is_asked_for_now_is_asked_again_after_the_question_under_way(
    hass: HomeAssistant, source: Source, reading: Reading
) -> None:
    """That one may be answered with yesterday."""
    stop = reading.async_watch()
    reading.async_read()
    assert source.asked == 1
    await source.give(True)
    await hass.async_block_till_done()
    assert source.asked == 2
    stop()


@pytest.mark.parametrize("failure", [RequestTimeoutError("late"), ConnectionLostError("gone")])
async def test_what_failed_on_the_way_is_asked_again(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    source: Source,
    reading: Reading,
    failure: Exception,
) -> None:
    """After a while, if there is still a connection."""
    stop = reading.async_watch()
    await source.give(failure)
    source.hold()
    await pass_time(hass, freezer, AGAIN + 1)
    assert source.asked == 2
    await source.give(True)
    stop()


async def test_an_answer_after_the_loss_sets_no_timer(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, source: Source, reading: Reading
) -> None:
    """The next connection asks anew."""
    stop = reading.async_watch()
    reading.async_disconnected()
    await source.give(False)
    source.hold()
    await pass_time(hass, freezer, EVERY + 1)
    assert source.asked == 1
    reading.async_connected()
    assert source.asked == 2
    await source.give(True)
    stop()


async def test_without_an_interval_only_changes_count(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, source: Source
) -> None:
    """They are told."""
    reading = Reading(hass, MockConfigEntry(domain=DOMAIN), "test", source.read, spacing=SPACING)
    await source.give(True)
    stop = reading.async_watch()
    reading.async_connected()
    await pass_time(hass, freezer, 0)
    await pass_time(hass, freezer, SPACING + 1)
    await pass_time(hass, freezer, EVERY + 1)
    assert source.asked == 1
    reading.async_changed()
    await pass_time(hass, freezer, SETTLING + 1)
    assert source.asked == 2
    stop()
