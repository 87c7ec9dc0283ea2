"""Notifications reach people without an automation: aloud, on their devices, in Home Assistant."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
import logging
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import persistent_notification
from homeassistant.components.assist_pipeline import async_get_pipeline, async_update_pipeline
from homeassistant.components.assist_satellite import SatelliteBusyError
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openclaw_voice.assist.phrases import async_phrases, async_texts
from custom_components.openclaw_voice.assist.speech import spoken
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox import announcer as announcer_module
from custom_components.openclaw_voice.outbox.announcer import Announcer
from custom_components.openclaw_voice.outbox.delivery import async_delivery
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.outbox.replies import Expected
from custom_components.openclaw_voice.outbox.shown import MAX_SHOWN
from custom_components.openclaw_voice.outbox.unsaid import Unsaid

from .satellite import Phone, Satellite, add_phone, add_satellite, add_voice
from .support import WAIT_LIMIT

KITCHEN = "assist_satellite.kitchen"
HALL = "assist_satellite.hall"
PHONE = "notify.phone"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
JOB_SESSION = "agent:main:cron:briefing:run:1"

type Subscribe = Callable[[Callable[[Notification], None]], CALLBACK_TYPE]


def notification(
    kind: NotificationKind = NotificationKind.JOB_FINISHED, number: int = 1, **fields: object
) -> Notification:
    """Return a notification of right now."""
    known: dict[str, Any] = {
        "id": f"{kind.value}:{number}",
        "kind": kind,
        "title": "Briefing",
        "message": f"Number **{number}**",
        "agent_id": "main",
        "session_key": JOB_SESSION,
        "time": dt_util.utcnow(),
    }
    return Notification(**(known | fields))


def approval(number: int = 1, **data: object) -> Notification:
    """Return an approval that is asked for, for half an hour."""
    return notification(
        NotificationKind.APPROVAL_REQUESTED,
        id=f"approval:{number}",
        title="Run a command",
        message="make clean",
        data={
            "approval_id": str(number),
            "decisions": ["allow-once", "deny"],
            "expires": (dt_util.utcnow() + timedelta(minutes=30)).isoformat(),
        }
        | data,
    )


def resolved(number: int = 1) -> Notification:
    """Return that it was decided."""
    return notification(
        NotificationKind.APPROVAL_RESOLVED,
        id=f"approval:{number}:resolved",
        data={"approval_id": str(number), "decision": "deny"},
    )


class House:
    """An entry whose notifications reach people."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Have an entry that tells nobody anything."""
        self.hass = hass
        self.entry = MockConfigEntry(domain=DOMAIN, title="Attic")
        self.entry.add_to_hass(hass)
        self.unsaid = Unsaid()
        self.announcer = Announcer(
            hass,
            self.entry,
            speak=self.speak,
            texts=lambda language: async_texts(hass, language, "common"),
            agent_name={"main": "Molty"}.get,
            unsaid=self.unsaid,
        )
        self.listeners: list[Callable[[Notification], None]] = []
        self._freezer = freezer

    @callback
    def subscribe(self, listener: Callable[[Notification], None]) -> CALLBACK_TYPE:
        """Be the notifier."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def speak(self, text: str, language: str) -> str:
        """Make a text fit for speech, as the household does."""
        if text == "Unspeakable":
            raise ValueError(text)
        return spoken(text, (await async_phrases(self.hass, language)).words)

    async def choose(self, **options: object) -> None:
        """Change the options, as the flow does."""
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        await self.settle()

    async def tell(self, *told: Notification, is_waited_for: bool = True) -> None:
        """Surface notifications; wait until they are told, or wait for their satellite."""
        for each in told:
            for listener in tuple(self.listeners):
                listener(each)
        if is_waited_for:
            await self.settle()

    async def settle(self) -> None:
        """Wait until all is told that can be told now."""
        async with asyncio.timeout(WAIT_LIMIT):
            await self.hass.async_block_till_done(wait_background_tasks=True)

    async def wait(self, duration: timedelta) -> None:
        """Let time pass."""
        self._freezer.tick(duration)
        async_fire_time_changed(self.hass)
        await self.settle()

    @property
    def shown(self) -> dict[str, tuple[str | None, str]]:
        """What is shown in Home Assistant: title and text by id."""
        shown = persistent_notification._async_get_or_create_notifications(self.hass)
        return {key: (each["title"], each["message"]) for key, each in shown.items()}


@pytest.fixture
async def house(
    home: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[House]:
    """Return a house at noon, in which nobody is told anything yet."""
    freezer.move_to(NOON)
    await add_voice(home, tmp_path, monkeypatch)
    house = House(home, freezer)
    house.announcer.async_start(house.subscribe)
    yield house
    await house.announcer.async_stop()


@pytest.fixture
async def kitchen(house: House) -> Satellite:
    """Return a satellite that can listen, and has been idle for some seconds."""
    pipeline = async_get_pipeline(house.hass)
    await async_update_pipeline(house.hass, pipeline, conversation_engine="conversation.main")
    satellite = await add_satellite(house.hass, "kitchen", can_listen=True)
    await house.wait(timedelta(seconds=4))
    return satellite


@pytest.fixture
async def phone(house: House) -> Phone:
    """Return somebody who can be sent a text."""
    return await add_phone(house.hass, "phone")


async def test_nobody_is_told_anything_by_default(
    house: House, kitchen: Satellite, phone: Phone
) -> None:
    """Nor afterwards, when somebody begins to listen."""
    await house.tell(notification())
    await house.choose(satellites=[KITCHEN], notify=[PHONE], persistent=True)
    await house.wait(timedelta(minutes=1))
    assert kitchen.begun.empty()
    assert phone.sent == []
    assert house.shown == {}
    assert house.announcer.options.is_on


async def test_it_reaches_people_wherever_they_are(
    house: House, kitchen: Satellite, phone: Phone
) -> None:
    """Every satellite says it, with the title before it; what is read keeps its markup."""
    hall = await add_satellite(house.hass, "hall")
    await house.wait(timedelta(seconds=4))
    await house.choose(satellites=[KITCHEN, HALL], notify=[PHONE], persistent=True)
    await house.tell(notification())
    assert await kitchen.begins() == await hall.begins() == "Briefing: Number 1."
    assert phone.sent == [("Briefing", "Number **1**")]
    [(shown_id, shown)] = house.shown.items()
    assert shown == ("Briefing", "Number **1**")
    assert house.entry.entry_id in shown_id


async def test_only_what_was_chosen_is_told(house: House, phone: Phone) -> None:
    """Of all the kinds there are."""
    await house.choose(notify=[PHONE], kinds=["heartbeat"])
    await house.tell(
        notification(), notification(NotificationKind.HEARTBEAT, 2, title="", session_key=None)
    )
    assert phone.sent == [("Message from Molty", "Number **2**")]


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"agent_id": None, "session_key": "agent:main:main"}, "Message from Molty"),
        ({"agent_id": "cook"}, "Message from cook"),
        ({"agent_id": None, "session_key": None}, "Message from Attic"),
        ({"agent_id": None, "session_key": "global"}, "Message from Attic"),
    ],
)
async def test_who_says_it_is_named(
    house: House, phone: Phone, fields: dict[str, Any], title: str
) -> None:
    """The agent if it is known, by its name here if it has one; else the gateway."""
    await house.choose(notify=[PHONE])
    await house.tell(notification(NotificationKind.MESSAGE, title="", **fields))
    assert phone.sent == [(title, "Number **1**")]


async def test_it_is_told_in_the_language_of_the_system(house: House, phone: Phone) -> None:
    """Nobody has asked in another one."""
    house.hass.config.language = "de"
    await house.choose(notify=[PHONE])
    await house.tell(notification(NotificationKind.MESSAGE, title=""))
    assert phone.sent == [("Nachricht von Molty", "Number **1**")]


async def test_what_cannot_be_said_is_announced_by_its_title(
    house: House, kitchen: Satellite
) -> None:
    """There is no way to read a picture aloud."""
    await house.choose(satellites=[KITCHEN])
    await house.tell(notification(message="🦞"))
    assert await kitchen.begins() == "Briefing."


async def test_a_title_that_cannot_be_said_is_said_all_the_same(
    house: House, kitchen: Satellite
) -> None:
    """A voice makes of it what it can."""
    await house.choose(satellites=[KITCHEN])
    await house.tell(notification(title="🦞", message=""))
    assert await kitchen.begins() == "🦞."


async def test_a_busy_satellite_is_waited_for(house: House, kitchen: Satellite) -> None:
    """What has come meanwhile is said together."""
    await house.choose(satellites=[KITCHEN])
    kitchen.hears()
    await house.tell(notification(number=1), notification(number=2, title="Garden"))
    await house.wait(timedelta(minutes=1))
    assert kitchen.begun.empty()
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=2))
    assert await kitchen.begins() == "Briefing: Number 1. Garden: Number 2."


async def test_what_is_too_old_is_not_said(house: House, kitchen: Satellite, phone: Phone) -> None:
    """It has waited too long, or happened long ago; it can still be read."""
    await house.choose(satellites=[KITCHEN], notify=[PHONE], expires=10)
    kitchen.hears()
    await house.tell(notification())
    await house.wait(timedelta(minutes=10))
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=4))
    await house.tell(notification(number=2, time=dt_util.utcnow() - timedelta(minutes=10)))
    assert kitchen.begun.empty()
    assert len(phone.sent) == 2


async def test_a_clock_that_is_ahead_does_not_make_it_last(
    house: House, kitchen: Satellite
) -> None:
    """The gateway has one of its own."""
    await house.choose(satellites=[KITCHEN], expires=10)
    kitchen.hears()
    await house.tell(notification(time=dt_util.utcnow() + timedelta(hours=5)))
    await house.wait(timedelta(minutes=10))
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=4))
    assert kitchen.begun.empty()


async def test_quiet_hours_are_kept(house: House, kitchen: Satellite, phone: Phone) -> None:
    """By the local clock; whoever reads is told at once, whoever hears when they are over."""
    await house.hass.config.async_set_time_zone("Europe/Berlin")
    await house.choose(
        satellites=[KITCHEN], notify=[PHONE], quiet_from="12:30", quiet_to="13:30", expires=60
    )
    assert dt_util.now().tzinfo == ZoneInfo("Europe/Berlin")
    await house.tell(notification(number=1), notification(number=2))
    assert len(phone.sent) == 2
    await house.wait(timedelta(minutes=29))
    assert kitchen.begun.empty()
    await house.wait(timedelta(minutes=1))
    assert await kitchen.begins() == "Briefing: Number 1. Briefing: Number 2."


async def test_changed_quiet_hours_count_for_what_waits(house: House, kitchen: Satellite) -> None:
    """At once, and without a reload; so does a satellite that is no longer to say it."""
    hall = await add_satellite(house.hass, "hall")
    await house.wait(timedelta(seconds=4))
    quiet = {"quiet_from": "00:00", "quiet_to": "23:59"}
    await house.choose(satellites=[KITCHEN, HALL], **quiet)
    await house.tell(notification())
    await house.choose(satellites=[KITCHEN, HALL], **quiet, other=1)
    assert kitchen.begun.empty()
    await house.choose(satellites=[KITCHEN])
    assert await kitchen.begins() == "Briefing: Number 1."
    assert hall.begun.empty()


async def test_what_is_being_said_is_said_to_its_end(house: House, kitchen: Satellite) -> None:
    """Whatever somebody chooses meanwhile; and it is said once."""
    await house.choose(satellites=[KITCHEN])
    kitchen.may_end.clear()
    await house.tell(notification(), is_waited_for=False)
    await kitchen.begins()
    house.hass.config_entries.async_update_entry(
        house.entry, options={"satellites": [KITCHEN], "expires": 5}
    )
    kitchen.may_end.set()
    await house.wait(timedelta(minutes=1))
    assert kitchen.said == ["Briefing: Number 1."]
    assert kitchen.begun.empty()


async def test_an_approval_can_be_read_and_goes_when_it_is_decided(
    house: House, kitchen: Satellite, phone: Phone
) -> None:
    """Wherever that is; what was still to be said is not said."""
    await house.choose(satellites=[KITCHEN], notify=[PHONE], persistent=True)
    kitchen.hears()
    await house.tell(approval(), approval(2))
    text = "make clean\n\nPossible decisions: allow once, deny"
    title = "Molty asks for permission: Run a command"
    assert phone.sent == [(title, text)] * 2
    assert set(house.shown.values()) == {(title, text)}
    assert len(house.shown) == 2
    await house.tell(resolved())
    [shown_id] = house.shown
    assert shown_id.endswith("approval:2")
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=4))
    assert await kitchen.begins() == f"{title}."


async def test_an_approval_that_was_decided_unseen_goes(house: House) -> None:
    """There was no connection; what waits still is known afterwards."""
    await house.choose(persistent=True)
    house.announcer.async_note_open(frozenset())
    await house.tell(approval(1), approval(2))
    house.announcer.async_note_open(frozenset({"approval:1", "approval:2"}))
    assert len(house.shown) == 2
    house.announcer.async_note_open(frozenset({"approval:2"}))
    [shown_id] = house.shown
    assert shown_id.endswith("approval:2")


async def test_an_approval_nobody_decides_goes_when_it_expires(
    house: House, kitchen: Satellite
) -> None:
    """Nothing can be done with it any more, long before the options give it up."""
    await house.choose(satellites=[KITCHEN], persistent=True)
    kitchen.hears()
    await house.tell(approval())
    await house.wait(timedelta(minutes=29))
    assert len(house.shown) == 1
    await house.wait(timedelta(minutes=1))
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=4))
    assert house.shown == {}
    assert kitchen.begun.empty()
    await house.tell(approval(2, expires=dt_util.utcnow().isoformat()))
    assert house.shown == {}


async def test_an_approval_without_an_end_stays(house: House) -> None:
    """Until somebody decides."""
    await house.choose(persistent=True)
    await house.tell(approval(expires=None))
    await house.wait(timedelta(hours=5))
    assert len(house.shown) == 1


async def test_a_question_goes_when_it_is_answered(house: House) -> None:
    """As an approval does."""
    await house.choose(persistent=True)
    asked = {"question_id": "q", "questions": [{"question": "A or B?", "options": ["A", "B"]}]}
    question = NotificationKind.QUESTION_ASKED
    await house.tell(notification(question, id="question:q", message="A or B?", data=asked))
    [(_, text)] = house.shown.values()
    assert text == "A or B?\n\nPossible answers: A, B"
    answer = NotificationKind.QUESTION_ANSWERED
    await house.tell(notification(answer, id="question:q:answered", data={"question_id": "q"}))
    assert house.shown == {}


async def test_only_so_many_are_shown(house: House) -> None:
    """Nobody reads more; the newest stay."""
    await house.choose(persistent=True)
    await house.tell(*(notification(number=number) for number in range(MAX_SHOWN + 2)))
    texts = [text for _, text in house.shown.values()]
    assert texts == [f"Number **{number}**" for number in range(2, MAX_SHOWN + 2)]


async def test_approvals_can_be_asked_for_aloud(house: House, kitchen: Satellite) -> None:
    """By whoever knows how, each alone, and where the satellite can listen."""
    asked: list[tuple[str, str]] = []
    hall = await add_satellite(house.hass, "hall")
    await house.wait(timedelta(seconds=4))

    async def ask(satellite_id: str, text: str) -> None:
        asked.append((satellite_id, text))

    house.announcer.ask_approval = lambda _: ask
    await house.choose(satellites=[KITCHEN, HALL], asks_approvals=True, listens=True)
    await house.tell(approval(1), approval(2), notification())
    await house.wait(timedelta(seconds=4))
    text = "Molty asks for permission: Run a command."
    assert asked == [(KITCHEN, text)] * 2
    assert kitchen.asked == ["Briefing: Number 1."]
    assert async_delivery(house.hass).replies.take(KITCHEN, dt_util.utcnow()) is not None
    assert hall.said[0].startswith(text)


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_approval_nobody_can_ask_for_is_announced(
    house: House, kitchen: Satellite, *, is_known: bool
) -> None:
    """There is no language for it, or nobody who asks at all."""
    if is_known:
        house.announcer.ask_approval = lambda _: None
    await house.choose(satellites=[KITCHEN], asks_approvals=True)
    await house.tell(approval())
    assert kitchen.said == ["Molty asks for permission: Run a command."]
    assert kitchen.asked == []


async def test_an_approval_is_not_asked_for_unless_it_is_wanted(
    house: House, kitchen: Satellite
) -> None:
    """It is off at first."""

    def refuse(_: Notification) -> None:
        pytest.fail("nobody wants to be asked")

    house.announcer.ask_approval = refuse
    await house.choose(satellites=[KITCHEN])
    await house.tell(approval())
    assert len(kitchen.said) == 1


async def test_a_satellite_listens_for_the_reply(house: House, kitchen: Satellite) -> None:
    """It is expected once the message was said."""
    await house.choose(satellites=[KITCHEN], listens=True)
    replies = async_delivery(house.hass).replies
    kitchen.may_end.clear()
    await house.tell(notification(), is_waited_for=False)
    await kitchen.begins()
    assert replies.take(KITCHEN, dt_util.utcnow()) is None
    kitchen.may_end.set()
    await house.settle()
    assert replies.take(KITCHEN, dt_util.utcnow()) == Expected(
        entry_id=house.entry.entry_id,
        agent_id="main",
        session_key=JOB_SESSION,
        said="Briefing\nNumber **1**",
        aloud="Briefing: Number 1.",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": NotificationKind.APPROVAL_REQUESTED},
        {"agent_id": None, "session_key": None},
        {"agent_id": "cook"},
    ],
    ids=["takes decisions", "of nobody", "cannot be asked"],
)
async def test_what_cannot_be_answered_in_words_is_announced(
    house: House, kitchen: Satellite, fields: dict[str, Any]
) -> None:
    """Whoever spoke would be heard by nobody."""
    await house.choose(satellites=[KITCHEN], listens=True)
    await house.tell(notification(**fields))
    await kitchen.begins()
    await house.wait(timedelta(seconds=1))
    assert len(kitchen.said) == 1
    assert kitchen.asked == []


@pytest.mark.parametrize(
    ("fields", "session_key"),
    [
        ({"session_key": "agent:cook:main"}, None),
        ({"session_key": None}, None),
        ({"session_key": "Agent:Main:x"}, "Agent:Main:x"),
        ({"kind": NotificationKind.HEARTBEAT, "session_key": None}, "agent:main:main"),
    ],
    ids=["of another agent", "none", "upper case", "heartbeat"],
)
async def test_the_reply_goes_into_the_session_of_the_message(
    house: House, kitchen: Satellite, fields: dict[str, Any], session_key: str | None
) -> None:
    """A heartbeat is in the main session; without one the reply goes where a question would."""
    await house.choose(satellites=[KITCHEN], listens=True)
    await house.tell(notification(**fields))
    expected = async_delivery(house.hass).replies.take(KITCHEN, dt_util.utcnow())
    assert expected is not None
    assert expected.session_key == session_key


async def test_a_satellite_that_cannot_listen_announces(house: House, kitchen: Satellite) -> None:
    """Home Assistant's own agent takes no replies; neither does a satellite without the means."""
    pipeline = async_get_pipeline(house.hass)
    await async_update_pipeline(
        house.hass, pipeline, conversation_engine="conversation.home_assistant"
    )
    hall = await add_satellite(house.hass, "hall")
    await house.wait(timedelta(seconds=4))
    await house.choose(satellites=[KITCHEN, HALL], listens=True)
    await house.tell(notification())
    assert await kitchen.begins() == await hall.begins() == "Briefing: Number 1."
    assert kitchen.asked == hall.asked == []
    assert async_delivery(house.hass).replies.take(KITCHEN, dt_util.utcnow()) is None


async def test_a_satellite_that_may_have_said_it_does_not_say_it_again(
    house: House, kitchen: Satellite
) -> None:
    """It does not tell when it has come to an end."""
    await house.choose(satellites=[KITCHEN], listens=True)
    kitchen.failures.append(TimeoutError())
    await house.tell(notification())
    await kitchen.begins()
    await house.wait(timedelta(minutes=5))
    assert kitchen.begun.empty()


async def test_a_satellite_that_hears_somebody_instead_is_waited_for(
    house: House, kitchen: Satellite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was used in the very moment; the message is said afterwards, and it listens."""

    async def refuse(**_: object) -> None:
        kitchen.hears()
        raise SatelliteBusyError

    await house.choose(satellites=[KITCHEN], listens=True)
    with monkeypatch.context() as busy:
        busy.setattr(kitchen, "async_internal_start_conversation", refuse)
        await house.tell(notification())
    assert kitchen.begun.empty()
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(seconds=4))
    assert kitchen.asked == ["Briefing: Number 1."]


async def test_one_that_fails_does_not_keep_back_others(
    house: House, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words are not in the log."""
    await house.choose(notify=[PHONE])
    await house.tell(notification(message="Unspeakable"), notification(number=2))
    assert [text for _, text in phone.sent] == ["Number **2**"]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == [
        "A notification is told nobody: ValueError"
    ]
    caplog.clear()


async def test_a_flood_is_bounded(
    house: House, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are told."""
    await house.announcer.async_stop()
    monkeypatch.setattr(announcer_module, "MAX_PENDING", 2)
    flooded = House(house.hass, house._freezer)
    flooded.announcer.async_start(flooded.subscribe)
    await flooded.choose(notify=[PHONE])
    await flooded.tell(*(notification(number=number) for number in range(4)))
    assert [text for _, text in phone.sent] == ["Number **2**", "Number **3**"]
    await flooded.announcer.async_stop()


async def test_nothing_is_said_after_the_end(house: House, kitchen: Satellite) -> None:
    """The entry was removed, or is loaded anew; stopping twice is no matter."""
    await house.choose(satellites=[KITCHEN], persistent=True, listens=True)
    replies = async_delivery(house.hass).replies
    await house.tell(notification())
    kitchen.hears()
    await house.tell(notification(number=2), approval())
    await house.announcer.async_stop()
    await house.announcer.async_stop()
    kitchen.answers()
    kitchen.falls_silent()
    await house.wait(timedelta(minutes=1))
    assert len(kitchen.said) == 1
    assert house.listeners == []
    assert replies.take(KITCHEN, dt_util.utcnow() - timedelta(minutes=1)) is None
