"""Tells Home Assistant what the gateway or an agent says on its own: in order, once, nothing lost.

What is a notification is in `notifications`, what was surfaced before in `surfaced`, what happened
while nobody listened in `missed`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, CoreState, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..gateway.callbacks import Listeners
from ..gateway.client import GatewayClient
from ..gateway.frames import GatewayEvent, moment
from ..gateway.heartbeat import HEARTBEAT_EVENT, Heartbeat
from ..gateway.state import ClientSnapshot, ClientState
from ..gateway.unasked_message import UnaskedMessage
from .asked import Asked
from .missed import async_missed, async_with_full_text
from .notification import Notification, NotificationKind, event_data
from .notifications import TABLE, Arrival, asked_by, is_for_us, of_asked, of_message, of_update
from .surfaced import FOUND_AGAIN, Surfaced
from .unsaid import Reminder, Unsaid

_LOGGER = logging.getLogger(__name__)

MAX_WAITING: Final = 2_000
"""So many wait to be surfaced; what comes then is asked for again, when there is room."""

START_GRACE: Final = 5.0
"""Seconds after the start of Home Assistant until its automations listen."""

SEARCH_AGAIN: Final = 60.0
"""Seconds until what could not be asked for is asked for again, on the same connection."""

MAX_DOUBLINGS: Final = 5
"""So often that time becomes twice as long while it is in vain."""

_TICK: Final = "tick"


@dataclass(frozen=True, slots=True)
class _Told:
    """A notification, and the heartbeat whose full text is to be read first."""

    notification: Notification
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class _Alive:
    """The gateway was there at this moment of its clock, and has told everything until then."""

    at: datetime


@dataclass(frozen=True, slots=True)
class _Search:
    """From here on something may be missing: look for it first."""


type _Waiting = _Told | _Alive | _Search


class Notifier:
    """The notifications of one entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: GatewayClient,
        *,
        is_ours: Callable[[str], bool],
        agent_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Nothing happens before `async_start`.

        Args:
            hass: Home Assistant.
            entry: Owns the worker.
            client: The client of the entry.
            is_ours: Whether a session, by its key, belongs to this Home Assistant.
            agent_ids: The gateway's ids of the agents of the entry.
        """
        self.event_type: Final = f"{entry.domain}_notification"
        self.last: Notification | None = None
        """What was surfaced last since the start."""

        self.counts: Counter[str] = Counter()
        """How much was surfaced, by kind, and what happened besides, since the start."""

        self.remind: Callable[[Notification, Reminder], None] | None = None
        """Takes what was surfaced before the start, and is still to be said."""

        self._hass = hass
        self._entry = entry
        self._client = client
        self._is_ours = is_ours
        self._agent_ids = agent_ids
        self._listeners = Listeners[[Notification]]()
        self._surfaced = Surfaced(hass, entry.domain, entry.entry_id)
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._is_released = asyncio.Event()
        self._is_behind = False
        """Something was not queued that can be found again; a search is queued for it."""

        self._is_complete = False
        """All that had been missed when the worker last looked is surfaced."""

        self._asked = Asked()
        self._endings: list[CALLBACK_TYPE] = []
        self._later: CALLBACK_TYPE | None = None
        """Takes back the search that is planned."""

        self._in_vain = 0
        """Searches since the last one that was complete."""

        self._worker: asyncio.Task[None] | None = None

    @property
    def unsaid(self) -> Unsaid:
        """What satellites have still to say; stored with what was surfaced."""
        return self._surfaced.unsaid

    async def async_start(self) -> None:
        """Collect from now on what happens; what was missed since the last time comes first."""
        is_new = await self._surfaced.async_load()
        if self._client.snapshot.state is ClientState.READY:
            if is_new:
                self._begin()
            else:
                self._search()
        self._endings += [
            self._client.subscribe(self._on_snapshot),
            self._client.subscribe_events(self._on_event),
            self._client.unasked.subscribe(
                self._on_message, is_ours=self._is_ours, on_missed=self._search
            ),
        ]
        self._worker = self._entry.async_create_background_task(
            self._hass, self._async_work(), f"{self._entry.domain} notifications"
        )

    @callback
    def async_release(self) -> None:
        """Surface what was collected, as soon as automations can listen to it."""

        @callback
        def release(_: object) -> None:
            self._is_released.set()

        async def wait(hass: HomeAssistant) -> None:
            self._endings.append(async_call_later(hass, START_GRACE, HassJob(release)))

        if self._hass.state is CoreState.running:
            self._is_released.set()
        else:
            self._endings.append(async_at_started(self._hass, wait))

    async def async_stop(self) -> None:
        """Surface no more. Idempotent; `async_save` is the last that is to be done."""
        endings, self._endings = self._endings, []
        later, self._later = self._later, None
        for end in (*endings, *filter(None, (later,))):
            end()
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.cancel()
        await asyncio.wait({worker})
        if self._is_released.is_set():
            self._surface_what_cannot_be_found()

    async def async_save(self) -> None:
        """Write what was surfaced, and what of it is unsaid: whoever says it has stopped."""
        await self._surfaced.async_save()

    @callback
    def async_subscribe(self, listener: Callable[[Notification], None]) -> CALLBACK_TYPE:
        """Call `listener` with every notification, in order; return what ends that."""
        return self._listeners.add(listener)

    def facts(self) -> dict[str, Any]:
        """Return what a bug report needs: numbers and times, nothing that was said."""
        return {
            "counts": dict(self.counts),
            "remembered": len(self._surfaced),
            "waiting": len(self._waiting),
            "unsaid": len(self.unsaid),
            "is_released": self._is_released.is_set(),
            "is_complete": self._is_complete,
            "missing_since": self._surfaced.since,
        }

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Delete what is kept: the entry is removed, and has been unloaded."""
        await Surfaced(hass, entry.domain, entry.entry_id).async_remove()

    # what comes in

    @callback
    def _begin(self) -> None:
        """Begin with an entry that is new here: what there was before it is not surfaced."""
        self._is_complete = True
        hello = self._client.snapshot.hello
        if hello is not None and hello.update is not None:
            self._surfaced.note(of_update(hello.update, dt_util.utcnow()))

    @callback
    def _on_snapshot(self, snapshot: ClientSnapshot) -> None:
        if snapshot.state is ClientState.READY:
            self._search()

    @callback
    def _on_event(self, event: GatewayEvent) -> None:
        if event.is_after_gap:
            # The gateway leaves something out when we are slow.
            self.counts["gaps"] += 1
            self._search_later()
        if event.name == _TICK:
            at = moment(event.payload.get("ts"))
            if at is not None and not self._is_behind:
                self._put(_Alive(at))
            return
        read = TABLE.get(event.name)
        if read is None:
            return
        hello = self._client.snapshot.hello
        arrival = Arrival(now=dt_util.utcnow(), boot_id=hello.boot_id if hello else None)
        notification = read(event.payload, arrival)
        if notification is not None:
            is_heartbeat = event.name == HEARTBEAT_EVENT
            heartbeat = Heartbeat.from_payload(event.payload) if is_heartbeat else None
            self._take(_Told(notification, heartbeat))

    @callback
    def _on_message(self, message: UnaskedMessage) -> None:
        self._take(_Told(of_message(message)))

    @callback
    def _take(self, told: _Told) -> None:
        """Queue a notification, unless it is none of ours, or there is no room."""
        notification = told.notification
        if not is_for_us(notification, self._is_ours):
            self.counts["not_ours"] += 1
        elif notification.kind in FOUND_AGAIN and (
            self._is_behind or len(self._waiting) >= MAX_WAITING
        ):
            # What comes after it is not queued either, so that the order stays.
            self.counts["put_off"] += 1
            if not self._is_behind:
                self._search()
                self._is_behind = True
        elif len(self._waiting) < 2 * MAX_WAITING:
            self._put(told)
        else:
            self.counts["dropped"] += 1

    @callback
    def _search(self) -> None:
        """Look for what is missing, after what waits already."""
        if not any(isinstance(item, _Search) for item in self._waiting):
            self._put(_Search())

    @callback
    def _put(self, item: _Waiting) -> None:
        self._waiting.append(item)
        self._news.set()

    # what goes out

    async def _async_work(self) -> None:
        """Surface one after the other; Home Assistant gets its turn after each of them."""
        await self._is_released.wait()
        while True:
            while self._waiting:
                item = self._waiting.popleft()
                try:
                    await self._async_do(item)
                except Exception as err:  # noqa: BLE001 - what one comes to must not end the rest
                    # Without the traceback's values: they may hold what was said.
                    _LOGGER.error("A notification failed with %s", type(err).__name__)
                    if isinstance(item, _Search):
                        self._search_later()
                await asyncio.sleep(0)
            self._news.clear()
            await self._news.wait()

    async def _async_do(self, item: _Waiting) -> None:
        match item:
            case _Told(notification, heartbeat):
                if heartbeat is not None and notification.id not in self._surfaced:
                    notification = await async_with_full_text(
                        self._client, notification, heartbeat, self._agent_ids()
                    )
                self._surface(notification)
            case _Alive(at):
                if self._is_complete:
                    self._surfaced.mark(at)
            case _Search():
                await self._async_search()

    async def _async_search(self) -> None:
        """Surface what was missed. What comes meanwhile waits behind it."""
        self._is_behind = self._is_complete = False
        self.counts["searches"] += 1
        missed = await async_missed(
            self._client,
            since=self._surfaced.since,
            floor=self._surfaced.floor,
            is_ours=self._is_ours,
            agent_ids=self._agent_ids(),
            heartbeats=self._surfaced.heartbeats,
            unsaid=self.unsaid.look_for(dt_util.utcnow()),
        )
        for notification in missed.notifications:
            self._surface_found(notification)
            await asyncio.sleep(0)
        hello = self._client.snapshot.hello
        if hello is not None and hello.update is not None:
            self._surface_found(of_update(hello.update, dt_util.utcnow()))
        self._is_complete = missed.is_complete
        if missed.is_complete:
            self._in_vain = 0
            self.unsaid.give_up()
        else:
            self.counts["incomplete_searches"] += 1
            self._search_later()
            self._in_vain += 1

    @callback
    def _search_later(self) -> None:
        """Look again after a while; a connection that is lost is followed by a search anyway."""
        self._is_complete = False

        @callback
        def search(_: datetime) -> None:
            self._later = None
            if self._client.snapshot.state is ClientState.READY:
                self._search()

        if self._later is None:
            wait = SEARCH_AGAIN * 2 ** min(self._in_vain, MAX_DOUBLINGS)
            self._later = async_call_later(self._hass, wait, search)

    @callback
    def _surface_what_cannot_be_found(self) -> None:
        """Tell what would be lost now; the rest is found at the next start."""
        for item in self._waiting:
            if isinstance(item, _Told) and item.notification.kind not in FOUND_AGAIN:
                self._surface(item.notification)
        self._waiting.clear()

    @callback
    def _surface_found(self, notification: Notification) -> None:
        """Surface what was found, or have it said that was not said before the start."""
        reminder = self.unsaid.take(notification.id)
        if reminder is None:
            self._surface(notification)
            return
        self._asked.note(notification)
        if self.remind is not None:
            self.remind(notification, reminder)

    @callback
    def _surface(self, notification: Notification) -> None:
        """Tell Home Assistant, unless it was told before."""
        self._asked.note(notification)
        if notification.id in self._surfaced:
            self.counts["known"] += 1
            return
        if notification.kind is NotificationKind.QUESTION_ANSWERED:
            asked = asked_by(notification)
            if asked not in self._surfaced:
                self.counts["not_ours"] += 1
                return
            if (question := self._asked.take(asked)) is not None:
                notification = of_asked(notification, question)
        self.last = notification
        self.counts[notification.kind.value] += 1
        self._hass.bus.async_fire(
            self.event_type, event_data(notification, entry_id=self._entry.entry_id)
        )
        self._listeners.tell(notification)
        self._surfaced.note(notification)
