"""Messages reach people: on their satellite when it is idle, else wherever the fallback says."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.assist_satellite import SatelliteBusyError
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openclaw_voice.outbox import notify_queue, satellite_queue
from custom_components.openclaw_voice.outbox.delivery import Delivery, async_delivery
from custom_components.openclaw_voice.outbox.queue import (
    CUT_OFF_TIME,
    FALLBACK_LIFETIME,
    LIFETIME,
    MAX_TRIES,
    MAX_WAITING,
    RETRY_WAIT,
    Message,
    Progress,
)

from .satellite import Phone, Satellite, add_phone, add_satellite, add_voice
from .support import WAIT_LIMIT

KITCHEN = "assist_satellite.kitchen"
HALL = "assist_satellite.hall"
PHONE = "notify.phone"
PAUSE = timedelta(seconds=2)


class Sender:
    """Has messages said, and knows what became of them."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Have nothing said yet."""
        self.delivery: Delivery = async_delivery(hass)
        self.progress: list[tuple[str, Progress]] = []
        self._hass = hass
        self._freezer = freezer
        self._changed = asyncio.Condition()

    def say(
        self,
        message_id: str = "a",
        *,
        on: str | None = KITCHEN,
        fallback: tuple[str, ...] = (),
    ) -> Message:
        """Have a message said, for an hour at most."""
        message = Message(
            id=message_id,
            spoken=f"This is {message_id}.",
            next_introduction="And:",
            written=f"This is **{message_id}**.",
            title="Molty",
            satellite_id=on,
            fallback=fallback,
            expires=dt_util.utcnow() + LIFETIME,
        )
        self.delivery.async_deliver(message, self.note)
        return message

    async def note(self, message_id: str, progress: Progress) -> None:
        """Note what becomes of a message."""
        async with self._changed:
            self.progress.append((message_id, progress))
            self._changed.notify_all()

    async def learns(self, progress: Progress, message_id: str = "a") -> None:
        """Wait until this becomes of a message."""
        async with asyncio.timeout(WAIT_LIMIT), self._changed:
            await self._changed.wait_for(lambda: (message_id, progress) in self.progress)

    def let_pass(self, duration: timedelta) -> None:
        """Let time pass while something is being said: Home Assistant has not done everything."""
        self._freezer.tick(duration)
        async_fire_time_changed(self._hass)

    async def wait(self, duration: timedelta) -> None:
        """Let time pass."""
        self.let_pass(duration)
        await self._hass.async_block_till_done()


@pytest.fixture
async def sender(
    home: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[Sender]:
    """Return somebody who has something to say; what is left at the end is taken back."""
    await add_voice(home, tmp_path, monkeypatch)
    sender = Sender(home, freezer)
    yield sender
    for message_id in ("a", "b", "c"):
        sender.delivery.async_withdraw(message_id)


@pytest.fixture
async def kitchen(home: HomeAssistant, sender: Sender) -> Satellite:
    """Return a satellite that has been idle for some seconds."""
    satellite = await add_satellite(home, "kitchen")
    await sender.wait(PAUSE * 2)
    return satellite


@pytest.fixture
async def phone(home: HomeAssistant, sender: Sender) -> Phone:
    """Return somebody who can be sent a text."""
    return await add_phone(home, "phone")


async def test_an_idle_satellite_says_it_at_once(sender: Sender, kitchen: Satellite) -> None:
    """What is about to be said is noted before the first sound."""
    kitchen.may_end.clear()
    sender.say()
    assert await kitchen.begins() == "This is a."
    assert sender.progress == [("a", Progress.SPEAKING)]
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD)
    assert kitchen.said == ["This is a."]


async def test_a_busy_satellite_keeps_its_turn(sender: Sender, kitchen: Satellite) -> None:
    """The announcement comes two seconds after the turn."""
    kitchen.hears()
    sender.say()
    await sender.wait(timedelta(minutes=1))
    assert kitchen.begun.empty()
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE / 2)
    assert kitchen.begun.empty()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_a_turn_in_the_pause_starts_the_pause_anew(
    sender: Sender, kitchen: Satellite
) -> None:
    """Somebody goes on talking right after an answer."""
    kitchen.hears()
    sender.say()
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE / 2)
    kitchen.hears()
    await sender.wait(PAUSE)
    assert kitchen.begun.empty()
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE / 2)
    assert kitchen.begun.empty()
    await sender.wait(PAUSE / 2)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


@pytest.mark.parametrize("is_heard", [False, True], ids=["listening", "processing"])
async def test_a_turn_that_only_seems_to_be_over_is_not_cut_off(
    sender: Sender, kitchen: Satellite, *, is_heard: bool
) -> None:
    """Home Assistant calls it idle when the time of the answer before is over."""
    kitchen.hears()
    if is_heard:
        kitchen.thinks()
    kitchen.falls_silent()
    sender.say()
    await sender.wait(CUT_OFF_TIME - timedelta(seconds=1))
    assert kitchen.begun.empty()
    kitchen.thinks()
    await sender.wait(PAUSE)
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_a_turn_that_ends_without_an_answer_does_not_stop_others(
    sender: Sender, kitchen: Satellite
) -> None:
    """Nobody has said anything after the wake word."""
    kitchen.hears()
    kitchen.falls_silent()
    sender.say()
    await sender.wait(CUT_OFF_TIME)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_messages_that_wait_are_said_together(sender: Sender, kitchen: Satellite) -> None:
    """One announcement for all of them."""
    kitchen.hears()
    sender.say("a")
    sender.say("b")
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a. And: This is b."
    await sender.learns(Progress.HEARD, "b")
    assert ("a", Progress.HEARD) in sender.progress


async def test_never_two_announcements_at_once(sender: Sender, kitchen: Satellite) -> None:
    """What comes while one is said waits for its end, and for a pause."""
    kitchen.may_end.clear()
    sender.say("a")
    await kitchen.begins()
    sender.say("b")
    sender.let_pass(PAUSE * 2)
    assert kitchen.begun.empty()
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD, "a")
    assert kitchen.begun.empty()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is b."
    await sender.learns(Progress.HEARD, "b")


async def test_satellites_do_not_wait_for_each_other(
    home: HomeAssistant, sender: Sender, kitchen: Satellite
) -> None:
    """Each has a queue of its own."""
    hall = await add_satellite(home, "hall")
    await sender.wait(PAUSE)
    kitchen.hears()
    sender.say("a")
    sender.say("b", on=HALL)
    assert await hall.begins() == "This is b."
    await sender.learns(Progress.HEARD, "b")
    assert kitchen.begun.empty()


async def test_a_satellite_that_is_away_is_waited_for(sender: Sender, kitchen: Satellite) -> None:
    """It says it two seconds after it has come back."""
    kitchen.leave()
    sender.say()
    await sender.wait(timedelta(minutes=30))
    kitchen.leave(is_available=True)
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_a_satellite_that_does_not_exist_yet_is_waited_for(
    home: HomeAssistant, sender: Sender
) -> None:
    """Its integration may take longer to start."""
    sender.say()
    kitchen = await add_satellite(home, "kitchen")
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_nothing_is_said_before_home_assistant_has_started(
    home: HomeAssistant, sender: Sender, kitchen: Satellite
) -> None:
    """The pipeline that speaks may not be there."""
    home.set_state(CoreState.starting)
    sender.say()
    await sender.wait(timedelta(minutes=1))
    assert kitchen.begun.empty()
    home.set_state(CoreState.running)
    home.bus.async_fire("homeassistant_started")
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_what_nobody_could_hear_in_an_hour_is_sent(
    sender: Sender, kitchen: Satellite, phone: Phone
) -> None:
    """As it was written, under the name of the agent."""
    kitchen.hears()
    sender.say(fallback=(PHONE,))
    await sender.wait(LIFETIME - timedelta(seconds=2))
    assert phone.sent == []
    await sender.wait(timedelta(seconds=2))
    await sender.learns(Progress.HEARD)
    assert phone.sent == [("Molty", "This is **a**.")]
    assert kitchen.said == []


async def test_another_satellite_says_what_the_first_could_not(
    home: HomeAssistant, sender: Sender, kitchen: Satellite, phone: Phone
) -> None:
    """A voice comes before a text, whatever the order of the list."""
    hall = await add_satellite(home, "hall")
    kitchen.leave()
    sender.say(fallback=(PHONE, HALL))
    await sender.wait(LIFETIME)
    assert await hall.begins() == "This is a."
    await sender.learns(Progress.HEARD)
    assert phone.sent == []


async def test_another_satellite_is_waited_for_only_minutes(
    home: HomeAssistant, sender: Sender, phone: Phone
) -> None:
    """Then it is sent: the message is old enough."""
    hall = await add_satellite(home, "hall")
    hall.hears()
    sender.say(on=None, fallback=(HALL, PHONE))
    assert phone.sent == []
    await sender.wait(FALLBACK_LIFETIME)
    await sender.learns(Progress.HEARD)
    assert phone.sent == [("Molty", "This is **a**.")]


async def test_other_satellites_that_cannot_speak_now_are_passed_over(
    home: HomeAssistant, sender: Sender, phone: Phone
) -> None:
    """One is away, one cannot announce, one does not exist."""
    (await add_satellite(home, "hall")).leave()
    await add_satellite(home, "attic", can_announce=False)
    sender.say(
        on=None, fallback=(HALL, "assist_satellite.attic", "assist_satellite.nowhere", PHONE)
    )
    await sender.learns(Progress.HEARD)
    assert phone.sent == [("Molty", "This is **a**.")]


async def test_a_satellite_without_announcements_is_not_waited_for(
    home: HomeAssistant, sender: Sender, phone: Phone
) -> None:
    """The fallback gets it at once."""
    await add_satellite(home, "kitchen", can_announce=False)
    sender.say(fallback=(PHONE,))
    await sender.learns(Progress.HEARD)
    assert phone.sent == [("Molty", "This is **a**.")]


async def test_everybody_on_the_list_is_sent_it(
    home: HomeAssistant, sender: Sender, phone: Phone
) -> None:
    """One that fails and one that is not there do not matter."""
    tablet = await add_phone(home, "tablet")
    phone.error = HomeAssistantError("no push today")
    sender.say(on=None, fallback=(PHONE, "notify.nowhere", "notify.tablet"))
    await sender.learns(Progress.HEARD)
    assert tablet.sent == [("Molty", "This is **a**.")]


async def test_nobody_could_be_reached(sender: Sender, phone: Phone) -> None:
    """The sender learns it, and may tell it otherwise."""
    phone.error = ConnectionError()
    sender.say(on=None, fallback=(PHONE,))
    await sender.learns(Progress.UNHEARD)
    sender.say("b", on=None)
    await sender.learns(Progress.UNHEARD, "b")


async def test_nothing_is_sent_before_home_assistant_has_started(
    home: HomeAssistant, sender: Sender
) -> None:
    """Who can be sent a text may not be there yet."""
    home.set_state(CoreState.starting)
    sender.say(on=None, fallback=(PHONE,))
    phone = await add_phone(home, "phone")
    assert phone.sent == []
    home.set_state(CoreState.running)
    home.bus.async_fire("homeassistant_started")
    await sender.learns(Progress.HEARD)
    assert len(phone.sent) == 1


async def test_a_long_text_is_cut_to_what_a_push_service_carries(
    sender: Sender, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark shows that there is more."""
    monkeypatch.setattr(notify_queue, "MAX_NOTIFICATION", 8)
    sender.say(on=None, fallback=(PHONE,))
    await sender.learns(Progress.HEARD)
    assert phone.sent == [("Molty", "This is…")]


async def test_a_notification_that_hangs_is_given_up(
    home: HomeAssistant, sender: Sender, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as not sent."""
    monkeypatch.setattr(notify_queue, "NOTIFY_LIMIT", 0)

    async def hang(message: str, title: str | None = None) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(phone, "async_send_message", hang)
    sender.say(on=None, fallback=(PHONE,))
    await sender.learns(Progress.UNHEARD)


async def test_a_satellite_that_fails_is_tried_again(sender: Sender, kitchen: Satellite) -> None:
    """After a while, and never in a loop."""
    kitchen.failures = [HomeAssistantError("not now")]
    sender.say()
    await kitchen.begins()
    await sender.learns(Progress.WAITING)
    await sender.wait(RETRY_WAIT / 2)
    assert kitchen.begun.empty()
    await sender.wait(RETRY_WAIT)
    assert await kitchen.begins() == "This is a."
    await sender.learns(Progress.HEARD)


async def test_a_satellite_that_keeps_failing_is_given_up(
    sender: Sender, kitchen: Satellite, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """The fallback gets it; the log names the satellite and no word of the message."""
    kitchen.failures = [ConnectionError("This is a.") for _ in range(MAX_TRIES)]
    sender.say(fallback=(PHONE,))
    for _ in range(MAX_TRIES):
        await kitchen.begins()
        await sender.wait(RETRY_WAIT * 2)
    await sender.learns(Progress.HEARD)
    assert len(phone.sent) == 1
    assert "assist_satellite.kitchen cannot announce: ConnectionError" in caplog.text
    ours = [each for each in caplog.records if "openclaw_voice" in each.name]
    assert not any("This is" in each.getMessage() for each in ours)


async def test_a_satellite_that_somebody_else_uses_meanwhile_is_waited_for(
    sender: Sender, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Being busy is no failure, however often it happens."""

    async def refuse(**_: object) -> None:
        kitchen.hears()
        raise SatelliteBusyError

    announce = kitchen.async_internal_announce
    sender.say("b")
    await sender.learns(Progress.HEARD, "b")
    await sender.wait(PAUSE)
    monkeypatch.setattr(kitchen, "async_internal_announce", refuse)
    sender.say()
    for _ in range(MAX_TRIES + 1):
        await sender.wait(timedelta(0))
        kitchen.answers()
        kitchen.falls_silent()
        await sender.wait(PAUSE)
    monkeypatch.setattr(kitchen, "async_internal_announce", announce)
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    await sender.learns(Progress.HEARD)
    assert sender.progress.count(("a", Progress.WAITING)) > MAX_TRIES


async def test_a_satellite_that_hears_somebody_at_the_last_moment_is_left_alone(
    sender: Sender, kitchen: Satellite
) -> None:
    """Between the decision and the announcement something is written to the disk."""
    wrote = sender.note

    async def write(message_id: str, progress: Progress) -> None:
        await wrote(message_id, progress)
        if progress is Progress.SPEAKING and len(sender.progress) == 1:
            kitchen.hears()

    sender.note = write  # type: ignore[method-assign]  # the sender is slow in this test
    sender.say()
    await sender.learns(Progress.WAITING)
    assert kitchen.begun.empty()
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    await sender.learns(Progress.HEARD)


async def test_a_satellite_that_never_ends_is_given_up(
    sender: Sender, kitchen: Satellite, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not said there again, because it may have been heard."""
    monkeypatch.setattr(satellite_queue, "announce_limit", lambda _: 0)
    kitchen.may_end.clear()
    sender.say(fallback=(PHONE,))
    await sender.learns(Progress.HEARD)
    assert len(phone.sent) == 1
    assert kitchen.said == []


async def test_a_message_can_be_taken_back_while_it_waits(
    sender: Sender, kitchen: Satellite
) -> None:
    """The others stay."""
    kitchen.hears()
    sender.say("a")
    sender.say("b")
    assert sender.delivery.async_withdraw("a")
    assert not sender.delivery.async_withdraw("a")
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is b."
    await sender.learns(Progress.HEARD, "b")


async def test_a_message_that_is_being_said_cannot_be_taken_back(
    sender: Sender, kitchen: Satellite
) -> None:
    """It is heard to its end."""
    kitchen.may_end.clear()
    sender.say()
    await kitchen.begins()
    assert not sender.delivery.async_withdraw("a")
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD)


async def test_a_message_can_be_taken_back_before_it_is_sent(
    home: HomeAssistant, sender: Sender, phone: Phone
) -> None:
    """As long as Home Assistant starts."""
    home.set_state(CoreState.starting)
    sender.say(on=None, fallback=(PHONE,))
    assert sender.delivery.async_withdraw("a")
    home.set_state(CoreState.running)
    home.bus.async_fire("homeassistant_started")
    await home.async_block_till_done()
    assert phone.sent == []


async def test_a_message_that_is_being_sent_cannot_be_taken_back(
    sender: Sender, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can call a push message back."""
    may_send = asyncio.Event()

    async def send(message: str, title: str | None = None) -> None:
        await may_send.wait()

    monkeypatch.setattr(phone, "async_send_message", send)
    sender.say(on=None, fallback=(PHONE,))
    assert not sender.delivery.async_withdraw("a")
    may_send.set()
    await sender.learns(Progress.HEARD)


async def test_a_message_given_twice_is_said_once(sender: Sender, kitchen: Satellite) -> None:
    """Its entry was reloaded while it was said: whoever came last learns its end."""
    kitchen.may_end.clear()
    message = sender.say()
    await kitchen.begins()
    learnt: list[Progress] = []

    async def note(_: str, progress: Progress) -> None:
        learnt.append(progress)
        await sender.note(message.id, progress)

    sender.delivery.async_deliver(message, note)
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD)
    assert learnt == [Progress.HEARD]
    assert kitchen.said == ["This is a."]


async def test_who_asks_again_while_the_end_is_noted_learns_it_too(
    sender: Sender, kitchen: Satellite
) -> None:
    """Its entry was reloaded at that very moment."""
    late: list[Progress] = []

    async def note_late(_: str, progress: Progress) -> None:
        late.append(progress)
        await sender.note("late", progress)

    async def note(_: str, progress: Progress) -> None:
        if progress is Progress.HEARD:
            sender.delivery.async_deliver(message, note_late)

    kitchen.may_end.clear()
    message = sender.say("b")
    sender.delivery.async_deliver(message, note)
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD, "late")
    assert late == [Progress.HEARD]
    assert kitchen.said == ["This is b."]


async def test_only_so_many_wait_while_something_is_being_said(
    sender: Sender, kitchen: Satellite
) -> None:
    """For the next the oldest goes elsewhere at once, not when that has ended."""
    kitchen.may_end.clear()
    sender.say()
    assert await kitchen.begins() == "This is a."
    for number in range(MAX_WAITING + 2):
        sender.say(str(number))
    await sender.learns(Progress.UNHEARD, "1")
    assert ("a", Progress.UNHEARD) not in sender.progress
    assert [each for each, progress in sender.progress if progress is Progress.UNHEARD] == [
        "0",
        "1",
    ]
    kitchen.may_end.set()
    await sender.learns(Progress.HEARD)
    for number in range(2, MAX_WAITING + 2):
        await sender.wait(PAUSE)
        await sender.learns(Progress.HEARD, str(number))


async def test_a_sender_that_fails_does_not_hold_up_others(
    sender: Sender, kitchen: Satellite, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said all the same, and so is what comes after it."""

    async def fail(_: str, progress: Progress) -> None:
        raise ValueError(progress)

    kitchen.hears()
    message = sender.say("a")
    sender.delivery.async_deliver(message, fail)
    sender.say("b")
    kitchen.answers()
    kitchen.falls_silent()
    await sender.wait(PAUSE)
    assert await kitchen.begins() == "This is a. And: This is b."
    await sender.learns(Progress.HEARD, "b")
    assert "Nobody took note of a message that is heard" in caplog.text


async def test_one_delivery_serves_all(home: HomeAssistant, sender: Sender) -> None:
    """Two gateways may use the same satellite."""
    assert async_delivery(home) is sender.delivery


async def test_a_slow_phone_gets_what_it_is_sent_in_order(
    home: HomeAssistant, sender: Sender, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, and another phone does not wait for it."""
    other = await add_phone(home, "other")
    go_on = asyncio.Event()
    send = phone.async_send_message

    async def slowly(message: str, title: str | None = None) -> None:
        await go_on.wait()
        await send(message, title)

    monkeypatch.setattr(phone, "async_send_message", slowly)
    seen: list[str] = []
    send_to_other = other.async_send_message

    async def note(message: str, title: str | None = None) -> None:
        await send_to_other(message, title)
        seen.append(message)
        if len(seen) == 3:
            assert phone.sent == []
            go_on.set()

    monkeypatch.setattr(other, "async_send_message", note)
    for number in range(3):
        sender.say(f"m{number}", on=None, fallback=(PHONE, "notify.other"))
    for number in range(3):
        await sender.learns(Progress.HEARD, f"m{number}")
    assert phone.sent == other.sent == [("Molty", f"This is **m{number}**.") for number in range(3)]


async def test_a_phone_that_hangs_is_not_sent_everything_later(
    sender: Sender, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest that waits gives way."""
    monkeypatch.setattr(notify_queue, "MAX_SENDING", 1)
    go_on = asyncio.Event()
    send = phone.async_send_message

    async def slowly(message: str, title: str | None = None) -> None:
        await go_on.wait()
        await send(message, title)

    monkeypatch.setattr(phone, "async_send_message", slowly)
    for number in range(3):
        sender.say(f"m{number}", on=None, fallback=(PHONE,))
    await sender.learns(Progress.UNHEARD, "m1")
    go_on.set()
    await sender.learns(Progress.HEARD, "m0")
    await sender.learns(Progress.HEARD, "m2")
    assert len(phone.sent) == 2
