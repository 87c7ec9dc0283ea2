"""The messages that wait for one satellite, said as soon as it is idle.

Announcing cancels whatever runs on a satellite, so the queue follows the state of its entity. What
is said when is decided in `queue`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
import logging
from typing import Final

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import CALLBACK_TYPE, CoreState, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from .queue import (
    ANSWER_LIMIT,
    RETRY_WAIT,
    Ask,
    Decision,
    Message,
    Progress,
    Waiting,
    announce_limit,
    announcement,
    decide,
    failed_to_say,
    is_ready,
    surplus,
    without,
)
from .satellites import SATELLITE, Satellites

_LOGGER = logging.getLogger(__name__)

ANNOUNCE: Final = "announce"
START_CONVERSATION: Final = "start_conversation"


class SatelliteQueue:
    """What one satellite has to say. It follows the satellite only while something waits."""

    def __init__(
        self,
        hass: HomeAssistant,
        satellites: Satellites,
        entity_id: str,
        *,
        on_progress: Callable[[Message, Progress], Awaitable[None]],
        on_given_up: Callable[[Message], None],
    ) -> None:
        """Nothing happens before the first message.

        Args:
            hass: Home Assistant.
            satellites: Tells how this one is, and when it changes.
            entity_id: Of the satellite.
            on_progress: Awaited before a message is said, and after.
            on_given_up: Somebody else has to say it.
        """
        self._hass = hass
        self._satellites = satellites
        self._entity_id = entity_id
        self._on_progress = on_progress
        self._on_given_up = on_given_up
        self._waiting: list[Waiting] = []
        self._saying: tuple[Waiting, ...] = ()
        self._not_before: datetime | None = None
        self._timer: CALLBACK_TYPE | None = None
        self._listeners: list[CALLBACK_TYPE] = []

    @callback
    def async_add(self, waiting: Waiting) -> None:
        """Have one more message said."""
        self._waiting.append(waiting)
        self._push_out()
        self._go_on()

    @callback
    def async_withdraw(self, message_id: str) -> bool:
        """Take a message back; return False when it is being said."""
        if any(each.message.id == message_id for each in self._saying):
            return False
        self._waiting = [each for each in self._waiting if each.message.id != message_id]
        self._go_on()
        return True

    @callback
    def _go_on(self, *_: object) -> None:
        """Decide what to do now. Called whenever something has changed."""
        if self._saying:
            return
        self._stop_timer()
        if self._hass.state is CoreState.running:
            self._act()
        if not self._waiting:
            self._unlisten()
        elif not self._listeners:
            self._listen()

    def _push_out(self) -> None:
        """Keep the bound of the queue, also while nothing can be decided."""
        pushed_out = surplus(without(self._waiting, self._saying))
        self._waiting = without(self._waiting, pushed_out)
        for each in pushed_out:
            self._on_given_up(each.message)

    def _act(self) -> None:
        satellite = self._satellites.now(self._entity_id)
        decision = decide(self._waiting, satellite, dt_util.utcnow(), not_before=self._not_before)
        self._waiting = without(self._waiting, decision.given_up)
        if decision.say:
            self._saying = decision.say
            self._hass.async_create_background_task(
                self._async_say(decision), f"announcement on {self._entity_id}"
            )
        elif decision.wake_at is not None:
            self._timer = async_track_point_in_utc_time(self._hass, self._go_on, decision.wake_at)
        for each in decision.given_up:
            self._on_given_up(each.message)

    async def _async_say(self, decision: Decision) -> None:
        """Say messages together, and note what became of them."""
        said = decision.say
        messages = [each.message for each in said]
        for message in messages:
            await self._on_progress(message, Progress.SPEAKING)
        progress, left = await self._async_announce(said, listens=decision.listens)
        for message in messages:
            await self._on_progress(message, progress)
        self._waiting = [*left, *without(self._waiting, said)]
        self._saying = ()
        self._go_on()

    async def _async_announce(
        self, said: Sequence[Waiting], *, listens: bool
    ) -> tuple[Progress, tuple[Waiting, ...]]:
        """Announce messages; return what became of them, and what still has to be said."""
        if not is_ready(self._satellites.now(self._entity_id), dt_util.utcnow()):
            return Progress.WAITING, tuple(said)  # It was used while this was noted.
        text = announcement([each.message for each in said])
        ask = said[0].message.ask if listens else None
        try:
            async with asyncio.timeout(announce_limit(text) + (ANSWER_LIMIT if ask else 0)):
                if listens and await self._async_ask(text, ask):
                    return Progress.ASKED, ()
                await self._async_call(ANNOUNCE, message=text)
        except TimeoutError:
            # It may have been heard: whoever gets it next may read it again, nobody hears it twice.
            _LOGGER.warning("%s does not say when an announcement has ended", self._entity_id)
            return Progress.WAITING, failed_to_say(said, is_final=True)
        except Exception as err:  # noqa: BLE001  satellites of other integrations raise what they like
            if self._satellites.now(self._entity_id).idle_since is None:
                return Progress.WAITING, tuple(said)  # Somebody else has just begun to use it.
            _LOGGER.warning("%s cannot announce: %s", self._entity_id, type(err).__name__)
            self._not_before = dt_util.utcnow() + RETRY_WAIT
            return Progress.WAITING, failed_to_say(said)
        return Progress.HEARD, ()

    async def _async_ask(self, text: str, ask: Ask | None) -> bool:
        """Say a text and listen; return False when it must be announced instead."""
        try:
            if ask is not None:
                await ask(self._entity_id, text)
            else:
                await self._async_call(START_CONVERSATION, start_message=text)
        except TimeoutError:
            raise  # It may have been heard.
        except Exception as err:
            if self._satellites.now(self._entity_id).idle_since is None:
                raise
            # The built-in agent of Home Assistant, for instance, takes no replies.
            _LOGGER.info("%s cannot listen for a reply: %s", self._entity_id, type(err).__name__)
            return False
        return True

    async def _async_call(self, service: str, **data: str) -> None:
        await self._hass.services.async_call(
            SATELLITE, service, {ATTR_ENTITY_ID: self._entity_id, **data}, blocking=True
        )

    def _listen(self) -> None:
        self._listeners = [self._satellites.async_subscribe(self._entity_id, self._go_on)]
        if self._hass.state is not CoreState.running:
            self._listeners.append(async_at_started(self._hass, self._go_on))

    def _unlisten(self) -> None:
        listeners, self._listeners = self._listeners, []
        for stop in listeners:
            stop()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None
