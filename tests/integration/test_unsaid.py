"""What a satellite has still to say when Home Assistant ends is said after its next start."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import persistent_notification
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import instance_id
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_test_home_assistant,
)

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox import notifier as notifier_module
from custom_components.openclaw_voice.outbox.surfaced import Surfaced
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal
from tests.outbox import told

from .hearing import (
    Ear,
    event_of_injection,
    event_of_job,
    our_session,
    row_of_injection,
    row_of_job,
    soon,
    tell,
    tells_of_jobs,
    tells_of_sessions,
    wire,
)
from .satellite import Phone, Satellite, add_phone, add_satellite, add_voice
from .support import WAIT_LIMIT, add_entry

KITCHEN: Final = "assist_satellite.kitchen"
HALL: Final = "assist_satellite.hall"
PHONE: Final = "notify.phone"
ELSEWHERE: Final = "agent:main:main"


class House:
    """A Home Assistant with a satellite in the kitchen that people use, and an entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        gateway: ScriptedGateway,
        freezer: FrozenDateTimeFactory,
        storage: dict[str, Any],
    ) -> None:
        """`prepare` does the rest."""
        self.hass = hass
        self.gateway = gateway
        self.ear = Ear(hass)
        self.entry: MockConfigEntry
        self.kitchen: Satellite
        self._freezer = freezer
        self._storage = storage
        self._markers = 0

    async def prepare(self) -> None:
        """Let somebody talk in the kitchen, where everything is to be said."""
        self.kitchen = await add_satellite(self.hass, "kitchen")
        self.entry = await add_entry(self.hass, self.gateway)
        self.kitchen.hears()
        self.choose()

    def choose(self, **options: object) -> None:
        """Have the kitchen say everything, unless the options say something else."""
        chosen = {"satellites": [KITCHEN]} | options
        self.hass.config_entries.async_update_entry(self.entry, options=chosen)

    async def end(self) -> None:
        """End the entry."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)

    async def begin(self) -> None:
        """Load it again, and wait until it has looked for what was missed."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.until(lambda: self.counts["searches"] > 0)
        await self.is_done()

    async def restart(self) -> None:
        """End the entry and load it again."""
        await self.end()
        await self.begin()

    async def is_done(self) -> None:
        """Wait until all that has come so far was dealt with."""
        self._markers += 1
        marker = told.at(told.APPROVAL_RESOLVED, ELSEWHERE) | {"id": f"marker-{self._markers}"}
        await tell(self.gateway, "exec.approval.resolved", marker)
        await self.until(
            lambda: any(each["data"].get("approval_id") == marker["id"] for each in self.ear.heard)
        )
        self.ear.heard.pop()
        announcer = self.entry.runtime_data.household.announcer
        await self.until(announcer._task.done)
        await self.hass.async_block_till_done()

    async def wait(self, duration: timedelta = timedelta(seconds=4)) -> None:
        """Let time pass."""
        self._freezer.tick(duration)
        async_fire_time_changed(self.hass)
        await self.hass.async_block_till_done()

    async def fall_silent(self) -> None:
        """Let whoever talks in the kitchen have their answer."""
        self.kitchen.answers()
        self.kitchen.falls_silent()
        await self.wait()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait for something that happens in the background."""
        async with asyncio.timeout(WAIT_LIMIT):
            while not is_true():
                await self.hass.async_add_executor_job(_nothing)

    @property
    def counts(self) -> dict[str, int]:
        """What the notifier has counted since the entry was loaded."""
        counts: dict[str, int] = self.entry.runtime_data.notifier.counts
        return counts

    @property
    def unsaid(self) -> list[str]:
        """The ids of what is remembered as unsaid now."""
        return [each["id"] for each in self.entry.runtime_data.notifier.unsaid.as_data()]

    @property
    def stored(self) -> dict[str, Any]:
        """What is on the disk."""
        stored = self._storage[f"{DOMAIN}.notifications.{self.entry.entry_id}"]
        return dict(stored["data"])


def _nothing() -> None:
    """Let the loop do what it has to do meanwhile."""


@pytest.fixture
async def voice(home: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let satellites speak."""
    await add_voice(home, tmp_path, monkeypatch)


@pytest.fixture
async def house(
    home: HomeAssistant,
    voice: None,
    friendly: ScriptedGateway,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> House:
    """Return a house in which somebody talks in the kitchen."""
    house = House(home, friendly, freezer, hass_storage)
    await house.prepare()
    return house


async def job(house: House, name: str, at: datetime) -> None:
    """Let a job finish that the gateway remembers."""
    await tell(house.gateway, "cron", event_of_job(name, at))
    await house.ear.hears_of(name)
    tells_of_jobs(house.gateway, row_of_job(name, at))


async def test_what_was_still_to_be_said_is_said_after_the_start(house: House) -> None:
    """Once, and no automation is told of it again."""
    await job(house, "Trash", soon(1))
    await house.restart()
    assert house.kitchen.begun.empty()
    await house.fall_silent()
    assert await house.kitchen.begins() == "Trash: Trash is done."
    await house.until(lambda: not house.unsaid)
    assert house.ear.heard == []
    await house.restart()
    await house.wait()
    assert house.kitchen.begun.empty()


async def test_it_is_on_the_disk_soon_and_without_a_word_of_it(house: House) -> None:
    """Home Assistant may crash."""
    await job(house, "Trash", soon(1))
    await house.wait()
    [stored] = house.stored["unsaid"]
    assert stored["satellites"] == [KITCHEN]
    assert stored["id"] in dict(house.stored["ids"])
    assert "is done" not in str(house.stored)


async def test_each_kind_comes_again_with_its_own_words(house: House) -> None:
    """From where the gateway keeps it, in the order in which it happened."""
    ours = our_session(await instance_id.async_get(house.hass))
    kinds = ["job_finished", "heartbeat", "message", "approval_requested", "question_asked"]
    house.choose(kinds=[*kinds, "update_available"])
    approval = told.at(told.APPROVAL, ours)
    approval |= {"createdAtMs": wire(soon(4)), "expiresAtMs": wire(soon(900))}
    question = told.at(told.QUESTION, ours)
    question |= {"createdAtMs": wire(soon(5)), "expiresAtMs": wire(soon(900))}
    heartbeat = told.HEARTBEAT | {"ts": wire(soon(3))}
    at = soon(1)
    tells_of_sessions(house.gateway, [ours], soon(2), row_of_injection(2, soon(2)))
    for name, payload in (
        ("cron", event_of_job("Trash", at)),
        ("chat", event_of_injection(ours, 2, soon(2))),
        ("heartbeat", heartbeat),
        ("exec.approval.requested", approval),
        ("question.requested", question),
        ("update.available", told.UPDATE),
    ):
        await tell(house.gateway, name, payload)
    await house.ear.hears(6)
    tells_of_jobs(house.gateway, row_of_job("Trash", at))
    house.gateway.anytime(
        Expect("exec.approval.list", reply=[approval]),
        Expect("question.list", reply={"questions": [question]}),
        Expect("last-heartbeat", reply=heartbeat),
    )
    hello = hello_ok()
    hello["snapshot"] |= {"updateAvailable": told.UPDATE["updateAvailable"]}
    house.gateway.hello = hello
    await house.restart()
    assert len(house.ear.heard) == 6
    await house.fall_silent()
    said = await house.kitchen.begins()
    words = (
        "Trash is done.",
        "Message 2.",
        "Water the plants.",
        "permission",
        "Which room?",
        "is available",
    )
    assert [each for each in words if each not in said] == [], said
    places = [said.index(each) for each in words]
    assert places == sorted(places)
    await tell(house.gateway, "question.resolved", told.QUESTION_RESOLVED)
    await house.ear.hears(7)
    assert house.ear.heard[6]["session"] == ours


async def test_what_one_satellite_has_said_it_does_not_say_again(house: House) -> None:
    """The others do, that have not; what is sent and shown is not repeated either."""
    hall = await add_satellite(house.hass, "hall")
    phone: Phone = await add_phone(house.hass, "phone")
    await house.wait()
    house.choose(satellites=[KITCHEN, HALL], notify=[PHONE], persistent=True)
    await job(house, "Trash", soon(1))
    assert await hall.begins() == "Trash: Trash is done."
    await house.until(lambda: len(phone.sent) == 1)
    await house.until(lambda: bool(hall.said))
    await house.hass.async_block_till_done()
    persistent_notification.async_dismiss_all(house.hass)
    await house.restart()
    await house.fall_silent()
    assert await house.kitchen.begins() == "Trash: Trash is done."
    assert hall.begun.empty()
    assert len(phone.sent) == 1
    assert not persistent_notification._async_get_or_create_notifications(house.hass)


async def test_what_is_not_there_any_more_is_forgotten(house: House) -> None:
    """It was decided meanwhile, or the gateway has nothing of it."""
    approval = told.at(told.APPROVAL, ELSEWHERE)
    approval |= {"createdAtMs": wire(soon(4)), "expiresAtMs": wire(soon(900))}
    await tell(house.gateway, "exec.approval.requested", approval)
    await house.ear.hears(1)
    assert len(house.unsaid) == 1
    await house.restart()
    await house.fall_silent()
    assert house.unsaid == []
    assert house.kitchen.begun.empty()


async def test_what_has_expired_is_not_said(house: House) -> None:
    """As it would not have been without a restart."""
    house.choose(expires=10)
    await job(house, "Trash", soon(1))
    await house.end()
    await house.wait(timedelta(minutes=11))
    await house.begin()
    await house.fall_silent()
    assert house.unsaid == []
    assert house.kitchen.begun.empty()


async def test_a_restart_does_not_make_it_last(house: House) -> None:
    """The clock of the gateway is ahead, so its own time would allow it for longer."""
    house.choose(expires=10)
    await job(house, "Trash", soon(3600))
    await house.end()
    await house.wait(timedelta(minutes=9))
    await house.begin()
    await house.wait(timedelta(minutes=2))
    await house.fall_silent()
    assert house.kitchen.begun.empty()


@pytest.mark.parametrize(
    "options", [{"kinds": ["heartbeat"]}, {"satellites": [HALL]}, {"expires": 1}], ids=str
)
async def test_the_options_of_now_count(house: House, options: dict[str, Any]) -> None:
    """They may have changed meanwhile."""
    hall = await add_satellite(house.hass, "hall")
    await job(house, "Trash", soon(1))
    await house.end()
    house.choose(**options)
    await house.wait(timedelta(minutes=2))
    await house.begin()
    await house.fall_silent()
    await house.until(lambda: house.unsaid == [])
    assert house.kitchen.begun.empty()
    assert hall.begun.empty()


async def test_it_is_looked_for_as_far_back_as_needed(house: House) -> None:
    """What was not surfaced then is not surfaced now: it was not to be."""
    house.choose(expires=600)
    at = soon(1)
    await job(house, "Trash", at)
    await tell(house.gateway, "tick", {"ts": wire(soon(7200))})
    await house.is_done()
    await house.end()
    tells_of_jobs(
        house.gateway, row_of_job("Trash", at), row_of_job("Other", at + timedelta(minutes=1))
    )
    await house.wait(timedelta(hours=2))
    await house.begin()
    await house.fall_silent()
    assert await house.kitchen.begins() == "Trash: Trash is done."
    assert house.ear.heard == []


async def test_what_could_not_be_asked_for_is_asked_for_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is busy when it starts, too; until then it stays remembered."""
    monkeypatch.setattr(notifier_module, "SEARCH_AGAIN", 0.1)
    at = soon(1)
    await job(house, "Trash", at)
    await house.end()
    busy = Refusal(code="UNAVAILABLE", message="busy", retry_after_ms=10)
    house.gateway.anytime(Expect("cron.runs", reply=busy))
    await house.begin()
    await house.until(lambda: house.counts["incomplete_searches"] == 1)
    assert len(house.unsaid) == 1
    tells_of_jobs(house.gateway, row_of_job("Trash", at))
    await house.fall_silent()
    assert await house.kitchen.begins() == "Trash: Trash is done."


@pytest.mark.parametrize(("minutes", "is_said"), [(600, True), (60, False)])
async def test_what_came_at_night_is_said_in_the_morning(
    house: House, minutes: int, *, is_said: bool
) -> None:
    """Over a restart in between, if it may wait for so long."""
    await house.hass.config.async_set_time_zone("UTC")
    house.kitchen.answers()
    house.kitchen.falls_silent()
    now = dt_util.utcnow()
    morning = now + timedelta(hours=8)
    house.choose(
        expires=minutes,
        quiet_from=f"{now - timedelta(hours=1):%H:%M:%S}",
        quiet_to=f"{morning:%H:%M:%S}",
    )
    await job(house, "Trash", soon(1))
    await house.wait(timedelta(minutes=30))
    await house.restart()
    await house.wait(timedelta(hours=7))
    assert house.kitchen.begun.empty()
    await house.wait(timedelta(minutes=31))
    assert house.kitchen.begun.empty() is not is_said


async def test_what_is_being_said_when_the_entry_is_loaded_anew_is_said_once(
    house: House,
) -> None:
    """It goes on meanwhile."""
    await house.fall_silent()
    house.kitchen.may_end.clear()
    await job(house, "Trash", soon(1))
    assert await house.kitchen.begins() == "Trash: Trash is done."
    await house.end()
    assert await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.until(lambda: house.entry.runtime_data.notifier.facts()["is_complete"])
    assert house.unsaid == []
    house.kitchen.may_end.set()
    await house.until(lambda: bool(house.kitchen.said))
    await house.wait()
    assert house.kitchen.begun.empty()


@pytest.mark.parametrize("is_heard", [True, False])
async def test_what_is_being_said_when_home_assistant_ends(house: House, *, is_heard: bool) -> None:
    """It is said again, unless it has come to its end before the last write."""
    await house.fall_silent()
    house.kitchen.may_end.clear()
    await job(house, "Trash", soon(1))
    assert await house.kitchen.begins() == "Trash: Trash is done."
    await house.entry.runtime_data.async_stop()
    assert len(house.stored["unsaid"]) == 1
    if is_heard:
        house.kitchen.may_end.set()
        await house.until(lambda: bool(house.kitchen.said))
        await house.hass.async_block_till_done()
    house.hass.set_state(CoreState.final_write)
    house.hass.bus.async_fire_internal("homeassistant_final_write")
    if is_heard:
        await house.until(lambda: not house.stored["unsaid"])
    assert len(house.stored["unsaid"]) == (0 if is_heard else 1)
    house.hass.set_state(CoreState.running)
    house.kitchen.may_end.set()


async def test_nothing_is_written_before_it_was_read(
    home: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """A setup that ends early would wipe out what is remembered."""
    surfaced = Surfaced(home, DOMAIN, "entry")
    key = f"{DOMAIN}.notifications.entry"
    await surfaced.async_save()
    assert key not in hass_storage
    await surfaced.async_load()
    assert key in hass_storage


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_the_next_home_assistant_says_it(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_cut_off: bool
) -> None:
    """All that is left of the one before is what it has written."""
    if is_cut_off:
        await house.fall_silent()
        house.kitchen.may_end.clear()
    await job(house, "Trash", soon(1))
    if is_cut_off:
        await house.kitchen.begins()
    await house.hass.async_stop(force=True)
    assert house.kitchen.said == []
    async with async_test_home_assistant() as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        assert await async_setup_component(hass, "homeassistant", {})
        await add_voice(hass, tmp_path, monkeypatch)
        kitchen = await add_satellite(hass, "kitchen")
        await house.wait()
        before = house.entry
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id=before.entry_id,
            unique_id=before.unique_id,
            data=dict(before.data),
            options=dict(before.options),
            subentries_data=[each.as_dict() for each in before.subentries.values()],
        )
        entry.add_to_hass(hass)
        ear = Ear(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert await kitchen.begins() == "Trash: Trash is done."
        assert ear.heard == []
        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_stop(force=True)
