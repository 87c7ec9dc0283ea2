"""What people are told without having asked reaches realtime satellites."""

import asyncio
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox.late_answer import LateStatus
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.realtime.backend import (
    ResponseStarted,
    SpeechEnded,
    TurnEnded,
    TurnStarted,
)
from tests.fakes.frames import event
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.outbox.late import make_answer
from tests.outbox.runs import HandRun
from tests.realtime.scripted import ScriptedBackend

from .notifications import tell_listeners
from .support import WAIT_LIMIT, state_change
from .voice_room import BELL, ENTITY, LONG, Room, hears
from .voice_satellite import RATE, until_state

PAUSE = timedelta(seconds=4)

# Before anything is connected: to what is, much time would seem to have passed.
pytestmark = pytest.mark.usefixtures("freezer")


class Clock:
    """Lets time pass."""

    def __init__(self, room: Room, freezer: FrozenDateTimeFactory) -> None:
        """It stands still."""
        self._room = room
        self._freezer = freezer

    async def wait(self, duration: timedelta = PAUSE) -> None:
        """Let it pass; after a pause a satellite is idle for long enough."""
        self._freezer.tick(duration)
        async_fire_time_changed(self._room.hass)
        await self._room.hass.async_block_till_done()


@pytest.fixture
def clock(room: Room, freezer: FrozenDateTimeFactory) -> Clock:
    """Return the clock of the room."""
    return Clock(room, freezer)


@pytest.fixture
def entry(room: Room) -> MockConfigEntry:
    """Return the entry of the room's agent."""
    entry: MockConfigEntry = room.hass.config_entries.async_entries(DOMAIN)[0]
    return entry


async def promise(entry: MockConfigEntry, run_id: str = "run-1") -> HandRun:
    """Promise an answer to whoever is at the satellite."""
    run = HandRun(run_id)
    answer = make_answer(
        id=run_id, run_id=run_id, satellite_id=ENTITY, created=dt_util.utcnow(), language="en"
    )
    await entry.runtime_data.outbox.async_hand_over(run, aiter(run), answer)
    return run


def message() -> Notification:
    """Return something an agent says on its own."""
    return Notification(
        id="message:1",
        kind=NotificationKind.MESSAGE,
        title="Garden",
        message="The **tomatoes** are ripe.",
        agent_id="main",
        session_key="agent:main:main",
        time=dt_util.utcnow(),
    )


async def becomes(room: Room, entry: MockConfigEntry, status: LateStatus) -> None:
    """Wait until the answer stands like this."""
    async with asyncio.timeout(WAIT_LIMIT):
        while entry.runtime_data.outbox.get("run-1").status is not status:
            await room.hass.async_add_executor_job(_nothing)


def _nothing() -> None:
    """Let others do something."""


async def test_a_late_answer_is_announced(room: Room, clock: Clock, entry: MockConfigEntry) -> None:
    """In standby, too; it is delivered when it was heard to its end."""
    room.mouth.pause = LONG
    async with room.satellite() as socket:
        socket.plays.clear()
        await clock.wait()
        run = await promise(entry)
        run.answer("It is **42**.")
        assert (await socket.told("announcement"))["text"].endswith("It is 42.")
        await socket.told("audio.done")
        assert entry.runtime_data.outbox.get("run-1").status is LateStatus.WAITING
        socket.plays.set()
        await becomes(room, entry, LateStatus.DELIVERED)


async def test_a_satellite_that_is_away_is_waited_for(
    room: Room, clock: Clock, entry: MockConfigEntry
) -> None:
    """It hears it when it is back."""
    async with room.satellite():
        await clock.wait()
    run = await promise(entry)
    run.answer("It is 42.")
    await clock.wait()
    async with room.satellite() as socket:
        await clock.wait()
        assert (await socket.told("announcement"))["text"].endswith("It is 42.")


async def test_it_listens_for_the_reply(room: Room, clock: Clock, entry: MockConfigEntry) -> None:
    """As any other satellite, where the options want that."""
    options = {"satellites": [ENTITY], "listens": True}
    room.hass.config_entries.async_update_entry(entry, options=options)
    async with room.satellite() as socket:
        await clock.wait()
        tell_listeners(entry.runtime_data.notifier, message())
        await socket.told("listen")
        assert "The tomatoes are ripe." in (await socket.told("announcement"))["text"]


async def test_a_conversation_is_not_interrupted(
    room: Room, clock: Clock, entry: MockConfigEntry
) -> None:
    """What there is to say is said when it is over."""
    backend = ScriptedBackend()
    async with room.talking(backend) as socket:
        await clock.wait()
        backend.tell(TurnStarted(turn_id="t"))
        await until_state(room.hass, ENTITY, "listening")
        run = await promise(entry)
        run.answer("It is 42.")
        await becomes(room, entry, LateStatus.WAITING)
        await clock.wait()
        assert "announcement" not in [event["type"] for event in socket.events]
        backend.tell(SpeechEnded(turn_id="t"), ResponseStarted(turn_id="t"), TurnEnded(turn_id="t"))
        await until_state(room.hass, ENTITY, "idle")
        # Nobody goes on in secret, as with other satellites.
        await clock.wait()
        assert (await socket.told("announcement"))["text"].endswith("It is 42.")


async def test_a_notification_is_announced(
    room: Room, clock: Clock, entry: MockConfigEntry
) -> None:
    """At the satellites that the options name."""
    room.hass.config_entries.async_update_entry(entry, options={"satellites": [ENTITY]})
    async with room.satellite() as socket:
        await clock.wait()
        tell_listeners(entry.runtime_data.notifier, message())
        told = await socket.told("announcement")
        assert "The tomatoes are ripe." in told["text"]
        await hears(socket, f"{BELL}{told['text']}")


async def test_an_approval_is_asked_for_aloud(
    room: Room, clock: Clock, entry: MockConfigEntry, friendly: ScriptedGateway
) -> None:
    """From the gateway to the kitchen, and the answer back."""
    options = {"satellites": [ENTITY], "asks_approvals": True}
    room.hass.config_entries.async_update_entry(entry, options=options)
    friendly.script(Expect("exec.approval.resolve", reply={"ok": True}))
    room.ear.text = "Yes"
    now = int(dt_util.utcnow().timestamp() * 1000)
    request = {
        "command": "rm -r build",
        "allowedDecisions": ["allow-once", "deny"],
        "resolvedPath": "/usr/bin/rm",
        "agentId": "main",
    }
    asked = {"id": "a-1", "request": request, "createdAtMs": now, "expiresAtMs": now + 1_800_000}
    async with room.satellite(turnDetection={"mode": "manual"}) as socket:
        async with state_change(
            room.hass, lambda _: entry.runtime_data.requests.get("a-1") is not None
        ):
            await friendly.emit(event("exec.approval.requested", asked))
        await room.hass.async_block_till_done()
        await clock.wait()
        assert "rm -r build" in (await socket.told("announcement"))["text"]
        assert (await socket.told("listen"))["purpose"] == "answer"
        await socket.speak(bytes(RATE))
        await socket.send("audio.commit")
        resolve = await friendly.wait_for_request("exec.approval.resolve")
        assert resolve.params == {"id": "a-1", "decision": "allow-once"}
        assert (await socket.told("announcement", 2))["text"] == "Okay, it is allowed this once."
