"""Has messages said by satellites, and sent where nobody could hear them.

There is one delivery for all entries: two of them may use the same satellite.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
import logging
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from .notify_queue import NotifyQueue
from .queue import ENDS, FALLBACK_LIFETIME, Message, Progress, Waiting, route
from .replies import Replies
from .satellite_queue import SatelliteQueue
from .satellites import Satellites

_LOGGER = logging.getLogger(__name__)

type Listener = Callable[[str, Progress], Awaitable[None]]
"""Is told the id of a message and what becomes of it."""


@dataclass(slots=True)
class _Errand:
    """A message on its way."""

    message: Message
    listener: Listener
    satellites: list[str] = field(default_factory=list)
    """Where it is said if the one before could not; the next one first."""

    notify: tuple[str, ...] = ()
    """Where it is sent if no satellite could say it."""

    withdraw: Callable[[], bool] = lambda: True
    """Takes it back from where it waits; False when it is too late for that."""


class Delivery:
    """Takes messages to people: to their satellite, else to the fallback."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is said before the first message."""
        self.replies: Final = Replies()
        """Who is expected to answer what; whoever sends a message that listens tells."""

        self._hass = hass
        self._satellites = Satellites(hass)
        self._errands: dict[str, _Errand] = {}
        self._queues: dict[str, SatelliteQueue] = {}
        self._senders: dict[str, NotifyQueue] = {}

    @callback
    def async_deliver(self, message: Message, listener: Listener) -> None:
        """Have a message said. One that is on its way already only gets another listener."""
        known = self._errands.get(message.id)
        if known is not None:
            known.listener = listener
            return
        satellites, notify = route(message)
        errand = _Errand(message, listener, list(satellites), notify)
        self._errands[message.id] = errand
        self._go_on(errand)

    @callback
    def async_withdraw(self, message_id: str) -> bool:
        """Take a message back; return False when it is being said, or is not known."""
        errand = self._errands.get(message_id)
        if errand is None or not errand.withdraw():
            return False
        del self._errands[message_id]
        return True

    def _go_on(self, errand: _Errand) -> None:
        """Take a message to the next satellite; send it when there is none left."""
        while errand.satellites:
            if self._queue_up(errand, errand.satellites.pop(0)):
                return
        self._send_once_started(errand)

    def _queue_up(self, errand: _Errand, entity_id: str) -> bool:
        """Have a satellite say a message; return False when it cannot."""
        message = errand.message
        until = message.expires
        if entity_id != message.satellite_id:
            satellite = self._satellites.now(entity_id)
            if not satellite.is_there or not satellite.can_announce:
                return False
            until = dt_util.utcnow() + FALLBACK_LIFETIME
        queue = self._queues.get(entity_id)
        if queue is None:
            queue = self._queues[entity_id] = SatelliteQueue(
                self._hass,
                self._satellites,
                entity_id,
                on_progress=self._async_tell,
                on_given_up=self._on_given_up,
            )
        errand.withdraw = partial(queue.async_withdraw, message.id)
        queue.async_add(Waiting(message=message, until=until))
        return True

    @callback
    def _on_given_up(self, message: Message) -> None:
        errand = self._errands.get(message.id)
        if errand is not None:
            self._go_on(errand)

    def _send_once_started(self, errand: _Errand) -> None:
        """Send a message; entities that can be sent to come up while Home Assistant starts."""
        is_sending = False

        @callback
        def send(_: HomeAssistant) -> None:
            nonlocal is_sending
            is_sending = True
            self._hass.async_create_background_task(
                self._async_send(errand), f"send message {errand.message.id}"
            )

        unsubscribe = async_at_started(self._hass, send)

        def withdraw() -> bool:
            unsubscribe()
            return not is_sending

        errand.withdraw = withdraw

    async def _async_send(self, errand: _Errand) -> None:
        """Send a message wherever it can be read: nobody knows who looks where."""
        message = errand.message
        taken = await asyncio.gather(
            *(self._sender(each).async_send(message) for each in errand.notify)
        )
        await self._async_tell(message, Progress.HEARD if any(taken) else Progress.UNHEARD)

    def _sender(self, entity_id: str) -> NotifyQueue:
        sender = self._senders.get(entity_id)
        if sender is None:
            sender = self._senders[entity_id] = NotifyQueue(self._hass, entity_id)
        return sender

    async def _async_tell(self, message: Message, progress: Progress) -> None:
        """Tell whoever wants the message said what becomes of it."""
        errand = self._errands.get(message.id)
        told: Listener | None = None
        while errand is not None and told is not errand.listener:
            # The listener changes when an entry is reloaded; the new one must know it, too.
            told = errand.listener
            try:
                await told(message.id, progress)
            except Exception:
                # Whoever does not listen must not keep others from being heard.
                _LOGGER.exception("Nobody took note of a message that is %s", progress)
        if progress in ENDS:
            self._errands.pop(message.id, None)


@singleton(f"{__name__}.delivery")
@callback
def async_delivery(hass: HomeAssistant) -> Delivery:
    """Return the one delivery of this Home Assistant."""
    return Delivery(hass)
