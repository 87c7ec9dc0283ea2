"""The messages on their way to one notify entity: one after the other, in order."""

import asyncio
from collections import deque
import logging
from typing import Final

from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, callback

from .late_answer import cut
from .queue import Message

_LOGGER = logging.getLogger(__name__)

NOTIFY: Final = "notify"

NOTIFY_LIMIT: Final = 30.0
"""Seconds to send one notification."""

MAX_NOTIFICATION: Final = 1_000
"""Characters of a notification: push services carry little more."""

MAX_SENDING: Final = 1_000
"""So many messages wait for one entity; the oldest is given up for a new one."""


class NotifyQueue:
    """What one notify entity is sent. It has a task only while something waits."""

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        """Nothing happens before the first message."""
        self._hass = hass
        self._entity_id = entity_id
        self._waiting: deque[tuple[Message, asyncio.Future[bool]]] = deque()
        self._is_sending = False

    @callback
    def async_send(self, message: Message) -> asyncio.Future[bool]:
        """Send a message after those before it; the future tells whether the entity took it."""
        is_taken: asyncio.Future[bool] = self._hass.loop.create_future()
        if len(self._waiting) >= MAX_SENDING:
            _, given_up = self._waiting.popleft()
            _settle(given_up, is_taken=False)
        self._waiting.append((message, is_taken))
        if not self._is_sending:
            self._is_sending = True
            self._hass.async_create_background_task(
                self._async_work(), f"messages to {self._entity_id}"
            )
        return is_taken

    async def _async_work(self) -> None:
        try:
            while self._waiting:
                message, is_taken = self._waiting.popleft()
                try:
                    _settle(is_taken, is_taken=await self._async_send(message))
                finally:
                    _settle(is_taken, is_taken=False)
        finally:
            self._is_sending = False

    async def _async_send(self, message: Message) -> bool:
        state = self._hass.states.get(self._entity_id)
        if state is None or state.state == STATE_UNAVAILABLE:
            return False  # The action would do nothing, and not say so.
        try:
            async with asyncio.timeout(NOTIFY_LIMIT):
                await self._hass.services.async_call(
                    NOTIFY,
                    "send_message",
                    {
                        ATTR_ENTITY_ID: self._entity_id,
                        "message": cut(message.written, MAX_NOTIFICATION),
                        "title": message.title,
                    },
                    blocking=True,
                )
        except Exception as err:  # noqa: BLE001  other integrations raise what they like
            _LOGGER.warning("%s cannot be sent a message: %s", self._entity_id, type(err).__name__)
            return False
        return True


def _settle(future: asyncio.Future[bool], *, is_taken: bool) -> None:
    """Tell whoever still waits for it what became of a message."""
    if not future.done():
        future.set_result(is_taken)
