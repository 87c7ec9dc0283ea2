"""Takes notifications to people without an automation: aloud, to their devices, in Home Assistant.

What is told whom is in `notification_options`, in which words in `wording`, when it is said in
`queue`. A notification that comes while nobody is to be told is not told later. What waits to be said
when Home Assistant ends is in `unsaid`, and comes again after its start.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .delivery import async_delivery
from .notification import Notification, NotificationKind
from .notification_options import REPLY_KINDS, NotificationOptions
from .queue import ENDS, Ask, Message, Progress, announcement
from .replies import Expected
from .shown import Shown
from .unsaid import Reminder, Unsaid
from .wording import with_end, wording

_LOGGER = logging.getLogger(__name__)

MAX_PENDING: Final = 200
"""So many notifications wait to be put into words; for one more the oldest is not told."""

MAIN_SESSION: Final = "agent:{agent_id}:main"
"""Where an agent looks around by itself; the gateway does not tell."""

_RESOLVED: Final = {
    NotificationKind.APPROVAL_RESOLVED: ("approval", "approval_id"),
    NotificationKind.QUESTION_ANSWERED: ("question", "question_id"),
}
"""What is over with them: how its id begins, and where the rest of it is."""

_WAITING_FOR_PEOPLE: Final = frozenset(
    {NotificationKind.APPROVAL_REQUESTED, NotificationKind.QUESTION_ASKED}
)

type Subscribe = Callable[[Callable[[Notification], None]], CALLBACK_TYPE]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Come:
    """What has come, until it is put into words."""

    notification: Notification
    is_wanted: bool = True
    """Whether people are to be told."""

    reminder: Reminder | None = None
    """They were told before, except that these satellites have not said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a satellite is to say, until it has."""

    notification: Notification
    satellite_id: str
    message: Message
    expected: Expected | None
    """The reply that may come to it."""


class Announcer:
    """Tells people what the gateway and the agents of one entry say on their own."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        *,
        speak: Callable[[str, str], Awaitable[str]],
        texts: Callable[[str], Awaitable[Mapping[str, str]]],
        agent_name: Callable[[str], str | None],
        unsaid: Unsaid,
    ) -> None:
        """Nothing happens before `async_start`.

        Args:
            hass: Home Assistant.
            entry: Its options say who is told what; owns the task.
            speak: What an agent wrote, and its language -> what may be said.
            texts: A language -> the texts of `wording.SLUGS`, by slug.
            agent_name: The gateway's id of an agent -> its name; None when it is not one of those
                that can be asked here.
            unsaid: Remembers what satellites have still to say.
        """
        self.ask_approval: Callable[[Notification], Ask | None] | None = None
        """Makes what has a satellite ask for an approval, where the options want that. It is called
        when the satellite is idle, says the text, and takes the answer; where it raises before it
        has asked, the approval is announced. None: it is announced anyway."""

        self._hass = hass
        self._entry = entry
        self._speak = speak
        self._texts = texts
        self._agent_name = agent_name
        self._unsaid = unsaid
        self._delivery = async_delivery(hass)
        self._options = NotificationOptions.from_data(entry.options)
        self._task: asyncio.Task[None] | None = None
        self._pending: deque[_Come] = deque()
        self._told: dict[str, _Told] = {}
        """What satellites have still to say, by the id of the message."""

        self._shown = Shown(hass, f"{entry.domain}_{entry.entry_id}")
        self._open: frozenset[str] = frozenset()
        """What waits for people on the gateway, by the ids of the notifications about it."""

        self._endings: list[CALLBACK_TYPE] = []

    @property
    def options(self) -> NotificationOptions:
        """Who is told what, now."""
        return self._options

    @callback
    def async_start(self, subscribe: Subscribe) -> None:
        """Tell people of every notification from now on; `subscribe` is the notifier's."""
        self._endings = [
            subscribe(self._on_notification),
            self._entry.add_update_listener(self._async_on_update),
        ]

    async def async_stop(self) -> None:
        """Tell nobody anything any more; what waits to be said stays remembered. Idempotent."""
        endings, self._endings = self._endings, []
        for end in endings:
            end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pending.clear()
        # While Home Assistant ends, its entries are not unloaded.
        goes_on = self._entry.state is not ConfigEntryState.LOADED
        for message_id, told in tuple(self._told.items()):
            if not self._withdraw(message_id) and goes_on:
                self._forget(told.notification)  # It is said to its end without us.
        if goes_on:
            # Those that come after us write what is remembered.
            self._unsaid = Unsaid()
        self._shown.async_stop()
        self._delivery.replies.forget(self._entry.entry_id)

    @callback
    def async_note_open(self, notification_ids: frozenset[str]) -> None:
        """Note what waits for people now; what does no longer is decided, wherever that was."""
        over, self._open = self._open - notification_ids, notification_ids
        for notification_id in over:
            self._settle(notification_id)

    @callback
    def _on_notification(self, notification: Notification) -> None:
        is_wanted = self._options.is_on and notification.kind in self._options.kinds
        if not is_wanted and notification.kind not in _RESOLVED:
            return
        expires = self._expires(notification)
        if is_wanted and expires > dt_util.utcnow():
            self._unsaid.note(notification, self._options.satellites, expires)
        self._take(_Come(notification=notification, is_wanted=is_wanted))

    @callback
    def async_remind(self, notification: Notification, reminder: Reminder) -> None:
        """Have a notification said that was not before Home Assistant, or the entry, ended."""
        self._take(_Come(notification=notification, reminder=reminder))

    def _take(self, come: _Come) -> None:
        if len(self._pending) >= MAX_PENDING:
            self._forget(self._pending.popleft().notification)
            _LOGGER.warning("Too many notifications at once; the oldest is told nobody")
        self._pending.append(come)
        if self._task is None or self._task.done():
            self._task = self._entry.async_create_background_task(
                self._hass, self._async_work(), f"{self._entry.domain} announcer", eager_start=False
            )

    async def _async_work(self) -> None:
        while self._pending:
            come = self._pending.popleft()
            notification = come.notification
            try:
                if notification.kind in _RESOLVED:
                    kind, field = _RESOLVED[notification.kind]
                    self._settle(f"{kind}:{notification.data.get(field)}")
                if come.is_wanted:
                    await self._async_tell(notification, come.reminder)
            except Exception as err:  # noqa: BLE001  one that fails must not keep back the others
                _LOGGER.error("A notification is told nobody: %s", type(err).__name__)
            self._remember(notification)

    async def _async_tell(self, notification: Notification, reminder: Reminder | None) -> None:
        """Tell people of a notification, wherever the options say now."""
        message = await self._async_message(notification)
        options = self._options
        if reminder is not None:
            if notification.kind in options.kinds:
                for satellite_id in options.satellites:
                    if satellite_id in reminder.satellites:
                        self._say(notification, satellite_id, message, until=reminder.expires)
            return
        if options.persistent:
            until = _end_of(notification)
            self._shown.async_show(notification.id, message.title, message.written, until=until)
        if options.notify:
            sent = replace(message, id=f"{message.id}:notify", fallback=options.notify)
            self._delivery.async_deliver(sent, self._async_on_progress)
        for satellite_id in options.satellites:
            self._say(notification, satellite_id, message)

    async def _async_message(self, notification: Notification) -> Message:
        """Put a notification into words, for nobody yet."""
        language = self._hass.config.language
        words = wording(
            notification,
            await self._texts(language),
            agent=self._name_of(notification),
            gateway=self._entry.title,
        )
        title = (await self._speak(words.title, language)).strip() or words.title
        aloud = (await self._speak(words.aloud, language)).strip()
        return Message(
            id=self._id_of(notification),
            introduction=with_end(title, ":") if aloud else "",
            next_introduction=with_end(title, ":") if aloud else "",
            spoken=with_end(aloud or title, "."),
            written=words.written,
            title=words.title,
            satellite_id=None,
            expires=dt_util.utcnow(),
            is_owed=False,
        )

    # aloud

    def _say(
        self,
        notification: Notification,
        satellite_id: str,
        message: Message,
        *,
        until: datetime | None = None,
    ) -> None:
        """Have a satellite say it, unless it is too old for that, or it is after `until` (UTC)."""
        options, expires = self._options, self._expires(notification)
        if until is not None:
            expires = min(expires, until)
        if expires <= dt_util.utcnow():
            return
        expected = self._expected(notification, message) if options.listens else None
        ask = self._ask_of(notification) if options.asks_approvals else None
        message = replace(
            message,
            id=f"{self._id_of(notification)}:{satellite_id}",
            satellite_id=satellite_id,
            expires=expires,
            quiet=options.quiet_hours(dt_util.get_default_time_zone()),
            listens=expected is not None or ask is not None,
            ask=ask,
        )
        self._told[message.id] = _Told(
            notification=notification,
            satellite_id=satellite_id,
            message=message,
            expected=expected,
        )
        self._delivery.async_deliver(message, self._async_on_progress)

    def _ask_of(self, notification: Notification) -> Ask | None:
        """Return what asks for an approval aloud."""
        is_approval = notification.kind is NotificationKind.APPROVAL_REQUESTED
        return self.ask_approval(notification) if is_approval and self.ask_approval else None

    def _expected(self, notification: Notification, message: Message) -> Expected | None:
        """Return the reply that a notification may get; None when nobody could take it."""
        agent_id = _agent_of(notification)
        if notification.kind not in REPLY_KINDS or agent_id is None:
            return None
        if self._agent_name(agent_id) is None:
            return None
        key = notification.session_key
        if notification.kind is NotificationKind.HEARTBEAT:
            key = key or MAIN_SESSION.format(agent_id=agent_id)
        is_of_agent = key is not None and key.lower().startswith(f"agent:{agent_id}:".lower())
        return Expected(
            entry_id=self._entry.entry_id,
            agent_id=agent_id,
            session_key=key if is_of_agent else None,
            said=f"{message.title}\n{notification.message}",
            aloud=announcement([message]),
        )

    async def _async_on_progress(self, message_id: str, progress: Progress) -> None:
        told = self._told.get(message_id)
        if told is None:
            return
        if progress is Progress.ASKED and told.expected is not None:
            self._delivery.replies.expect(told.satellite_id, told.expected, dt_util.utcnow())
        if progress in ENDS:
            del self._told[message_id]
            self._remember(told.notification)

    async def _async_on_update(self, _: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Follow the options: what still waits to be said waits as they say now."""
        options = NotificationOptions.from_data(entry.options)
        if options == self._options:
            return
        self._options = options
        for message_id, told in tuple(self._told.items()):
            if not self._withdraw(message_id):
                continue  # It is being said.
            if told.notification.kind in options.kinds and told.satellite_id in options.satellites:
                self._say(told.notification, told.satellite_id, told.message)
            self._remember(told.notification)

    def _withdraw(self, message_id: str) -> bool:
        """Take back what a satellite is to say; False when it is being said."""
        if not self._delivery.async_withdraw(message_id):
            return False
        self._told.pop(message_id, None)
        return True

    def _settle(self, notification_id: str) -> None:
        """Forget what waited for people: somebody has decided, or it is too late."""
        self._shown.async_hide(notification_id)
        for message_id, told in tuple(self._told.items()):
            if told.notification.id == notification_id and self._withdraw(message_id):
                self._remember(told.notification)

    # over restarts

    def _remember(self, notification: Notification) -> None:
        """Remember who has still to say a notification that was put into words."""
        waiting = [each for each in self._told.values() if each.notification.id == notification.id]
        expires = max((each.message.expires for each in waiting), default=notification.time)
        self._unsaid.note(notification, [each.satellite_id for each in waiting], expires)

    def _forget(self, notification: Notification) -> None:
        self._unsaid.note(notification, (), notification.time)

    def _expires(self, notification: Notification) -> datetime:
        lifetime = timedelta(minutes=self._options.expires)
        return _expires(notification, lifetime, dt_util.utcnow())

    # names

    def _name_of(self, notification: Notification) -> str:
        agent_id = _agent_of(notification)
        if agent_id is None:
            return self._entry.title
        return self._agent_name(agent_id) or agent_id

    def _id_of(self, notification: Notification) -> str:
        """Return an id that no other entry uses."""
        return f"{self._entry.entry_id}:{notification.id}"


def _agent_of(notification: Notification) -> str | None:
    """Return whose it is; its session tells, too."""
    if notification.agent_id is not None or notification.session_key is None:
        return notification.agent_id
    kind, _, rest = notification.session_key.partition(":")
    return (rest.partition(":")[0] or None) if kind == "agent" else None


def _expires(notification: Notification, lifetime: timedelta, now: datetime) -> datetime:
    """Return until when it may be said (UTC): not long after it happened, nor when it is over."""
    # A gateway whose clock is ahead must not make it wait for longer.
    expires = min(notification.time, now) + lifetime
    end = _end_of(notification)
    return expires if end is None else min(expires, end)


def _end_of(notification: Notification) -> datetime | None:
    """Return until when people can decide (UTC)."""
    if notification.kind not in _WAITING_FOR_PEOPLE:
        return None
    end = dt_util.parse_datetime(str(notification.data.get("expires")))
    return None if end is None else dt_util.as_utc(end)
