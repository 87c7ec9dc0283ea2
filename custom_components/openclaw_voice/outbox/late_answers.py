"""The answers an entry still owes people: kept, watched to their end, told.

What a late answer is and how it changes is in `late_answer`, who says it when in `queue` and
`delivery`. What only Home Assistant's files know (words, names, options) is passed in.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..gateway.errors import GatewayError
from ..gateway.run_items import RunItem, RunOutcome
from .answer_store import AnswerStore
from .delivery import async_delivery
from .late_answer import (
    LateAnswer,
    LateStatus,
    answered,
    cancelled,
    event_data,
    failed,
    promised,
    settled,
    silenced,
)
from .queue import LIFETIME, Message, Progress
from .reply import Ended
from .watch import Client, Run, Watch

_LOGGER = logging.getLogger(__name__)

MAX_RUNNING: Final = 50
"""So many tasks go on at once; for a new one the oldest is given up, and people are told."""

START_GRACE: Final = timedelta(minutes=5)
"""How long a satellite has after a start of Home Assistant to come up, at least."""

UNEXPECTED: Final = "unexpected"
"""Category of the error of a task whose end was lost by a fault of ours."""

GIVEN_UP: Final = "too_many"
"""Category of the error of a task that had to give way to others."""


class Outbox:
    """The late answers of one entry."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: Client,
        *,
        speak: Callable[[str, str], Awaitable[str]],
        sentence: Callable[[str, str], Awaitable[str]],
        explain: Callable[[GatewayError, str], Awaitable[str]],
        fallback_of: Callable[[str], tuple[str, ...]],
        agent_name: Callable[[str], str],
    ) -> None:
        """Nothing happens before `async_start`.

        Args:
            hass: Home Assistant.
            entry: Owns the tasks.
            client: The client of the entry.
            speak: What an agent wrote, and its language -> what may be said.
            sentence: A language and a slug of the `common` translations -> the text.
            explain: An error and a language -> the sentence about it.
            fallback_of: A subentry -> entity ids of satellites and notify entities; () when the
                subentry is gone.
            agent_name: A subentry -> the name of its agent; "" when it is gone.
        """
        self.event_type: Final = f"{entry.domain}_late_answer"
        self._hass = hass
        self._entry = entry
        self._client = client
        self._speak = speak
        self._sentence = sentence
        self._explain = explain
        self._fallback_of = fallback_of
        self._agent_name = agent_name
        self._answers = AnswerStore(hass, entry.domain, entry.entry_id)
        self._delivery = async_delivery(hass)
        self._watches: dict[str, Watch] = {}
        self._is_stopped = False

    async def async_start(self) -> None:
        """Load what is owed: follow what goes on, queue what waits to be said."""
        now = dt_util.utcnow()
        await self._answers.async_load(now)
        for answer in self._answers.with_status(LateStatus.RUNNING):
            self._watch(answer, None, None)
        for answer in self._answers.with_status(LateStatus.WAITING):
            await self._async_queue(answer, not_before=now + START_GRACE)

    async def async_stop(self) -> None:
        """End what runs here. Nothing ends on the gateway, and nothing owed is lost. Idempotent."""
        if self._is_stopped:
            return
        self._is_stopped = True
        watches, self._watches = self._watches, {}
        for answer_id, watch in watches.items():
            watch.cancel()
            answer = self._answers.get(answer_id)
            if answer is not None:
                self._answers.put(replace(answer, run_id=watch.run_id), dt_util.utcnow())
        for answer in self._answers.with_status(LateStatus.WAITING):
            self._delivery.async_withdraw(answer.id)
        tasks = [watch.task for watch in watches.values() if watch.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._answers.async_save()

    async def async_hand_over(
        self, run: Run, items: AsyncIterable[RunItem], answer: LateAnswer
    ) -> None:
        """Promise an answer: it is stored when this returns, and followed to its end.

        The run must be detached. Nobody else may iterate `items` any more; they begin after what
        `answer.said` tells. After `async_stop` the promise is kept for the next start.

        Raises:
            ValueError: There is an answer with this id already.
        """
        if self._answers.get(answer.id) is not None:
            raise ValueError(f"there is a late answer {answer.id} already")
        running = self._answers.with_status(LateStatus.RUNNING)
        # Before the first await: who is cancelled while this is written keeps the promise, too.
        answer = promised(answer)
        self._answers.put(answer, dt_util.utcnow())
        if not self._is_stopped:
            self._watch(answer, run, items)
        await self._answers.async_save()
        for oldest in running[: max(0, len(running) + 1 - MAX_RUNNING)]:
            self._entry.async_create_background_task(
                self._hass,
                self._async_push_out(oldest.id),
                f"{self._entry.domain} give up {oldest.id}",
            )

    @callback
    def open_in(self, session_key: str) -> LateAnswer | None:
        """Return the task that goes on in a session; the newest, if there are several."""
        for answer in reversed(self._answers.with_status(LateStatus.RUNNING)):
            if answer.session_key == session_key:
                return answer
        return None

    @callback
    def unheard(
        self, *session_keys: str, satellite_id: str | None = None
    ) -> tuple[LateAnswer, ...]:
        """Return what nobody could hear of sessions, or at a satellite; the oldest first."""
        return tuple(
            answer
            for answer in self._answers.with_status(LateStatus.UNHEARD)
            if answer.session_key in session_keys
            or (satellite_id is not None and answer.satellite_id == satellite_id)
        )

    async def async_mark_told(self, answer_ids: tuple[str, ...]) -> None:
        """Note that a turn has told what was unheard: it is delivered now."""
        for answer_id in answer_ids:
            answer = self._answers.get(answer_id)
            if answer is not None and answer.status is LateStatus.UNHEARD:
                self._answers.put(settled(answer, LateStatus.DELIVERED), dt_util.utcnow())
        await self._answers.async_save()

    @callback
    def get(self, answer_id: str) -> LateAnswer | None:
        """Return one answer as it is now."""
        return self._answers.get(answer_id)

    @callback
    def all(self) -> tuple[LateAnswer, ...]:
        """Return every answer that is kept, the newest first."""
        return self._answers.all()[::-1]

    async def async_cancel(self, answer_id: str) -> LateAnswer:
        """Stop a task, or take back an answer that waits. One that has ended stays as it is.

        Raises:
            KeyError: There is no such answer.
            GatewayError: The gateway could not be asked: the task may go on there, but people
                will hear nothing of it.
        """
        answer = self._answers.get(answer_id)
        if answer is None:
            raise KeyError(answer_id)
        if answer.status is LateStatus.RUNNING:
            answer = cancelled(answer, now=dt_util.utcnow())
            await self._async_end(answer)
            await self._async_abort(answer)
        elif answer.status is LateStatus.WAITING and self._delivery.async_withdraw(answer_id):
            answer = cancelled(answer, now=dt_util.utcnow())
            await self._async_keep(answer)
        return answer

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Delete what is kept: the entry is removed, and has been unloaded."""
        await AnswerStore(hass, entry.domain, entry.entry_id).async_remove()

    # watching

    def _watch(
        self, answer: LateAnswer, run: Run | None, items: AsyncIterable[RunItem] | None
    ) -> None:
        watch = Watch(self._client, answer, run, self._async_on_run_id)
        self._watches[answer.id] = watch
        watch.task = self._entry.async_create_background_task(
            self._hass,
            self._async_watch(watch, answer.id, items),
            f"{self._entry.domain} late answer {answer.id}",
        )

    async def _async_watch(
        self, watch: Watch, answer_id: str, items: AsyncIterable[RunItem] | None
    ) -> None:
        """Follow a run to its end, and note how it ended; a fault of ours ends it, too."""
        try:
            await self._async_follow(watch, answer_id, items)
        except Exception as err:  # noqa: BLE001  else its session would wait for it for ever
            _LOGGER.error("A late answer was lost: %s", type(err).__name__)
            watch.has_ended = True
            await self._async_give_up(answer_id, UNEXPECTED)
        finally:
            if self._watches.get(answer_id) is watch:
                del self._watches[answer_id]

    async def _async_follow(
        self, watch: Watch, answer_id: str, items: AsyncIterable[RunItem] | None
    ) -> None:
        try:
            ended = await watch.follow(items)
        except GatewayError as err:
            if not watch.is_our_doing(err):
                watch.has_ended = True
                await self._async_fail(answer_id, err)
        else:
            watch.has_ended = True
            await self._async_finish(answer_id, ended)

    async def _async_on_run_id(self, answer_id: str, run_id: str) -> None:
        """Note under which id the gateway runs it now: that is how it is found again."""
        answer = self._answers.get(answer_id)
        if answer is not None:
            await self._async_keep(replace(answer, run_id=run_id))

    async def _async_abort(self, answer: LateAnswer) -> None:
        """Stop a run on the gateway, and stop following it."""
        watch = self._watches.pop(answer.id, None) or Watch(
            self._client, answer, None, self._async_on_run_id
        )
        try:
            await watch.abort()
        finally:
            watch.cancel()

    # ends

    async def _async_finish(self, answer_id: str, ended: Ended) -> None:
        answer, final = self._answers.get(answer_id), ended.final
        if answer is None or answer.status is not LateStatus.RUNNING:
            return  # It was cancelled meanwhile.
        now = dt_util.utcnow()
        match final.outcome:
            case RunOutcome.ANSWERED:
                answer = answered(
                    answer, text=final.text, rest=ended.rest, links=final.links, now=now
                )
            case RunOutcome.SILENT:
                answer = silenced(answer, now=now)
            case RunOutcome.ABORTED:
                answer = cancelled(answer, now=now, text=final.text, links=final.links)
        await self._async_end(answer)

    async def _async_fail(self, answer_id: str, error: GatewayError) -> None:
        answer = self._answers.get(answer_id)
        if answer is not None:
            sentence = await self._explain(error, answer.language)
            await self._async_end_failed(answer_id, sentence, error.category)

    async def _async_push_out(self, answer_id: str) -> None:
        """End the oldest task for a new one: it is one too many."""
        _LOGGER.warning("Too many tasks go on at once; the oldest is given up")
        await self._async_give_up(answer_id, GIVEN_UP)

    async def _async_give_up(self, answer_id: str, error: str) -> None:
        """End a task whose answer nobody waits for any more, here and on the gateway."""
        answer = self._answers.get(answer_id)
        if answer is None or answer.status is not LateStatus.RUNNING:
            return
        sentence = await self._sentence(answer.language, "late_failed")
        await self._async_end_failed(answer.id, sentence, error)
        try:
            await self._async_abort(answer)
        except GatewayError as err:
            _LOGGER.debug("Run %s was not aborted: %s", answer.run_id, err.category)

    async def _async_end_failed(self, answer_id: str, sentence: str, error: str) -> None:
        answer = self._answers.get(answer_id)
        if answer is not None and answer.status is LateStatus.RUNNING:
            now = dt_util.utcnow()
            await self._async_end(failed(answer, sentence=sentence, error=error, now=now))

    async def _async_end(self, answer: LateAnswer) -> None:
        """Keep the end of a run, tell automations, and have it said if people are to hear it."""
        await self._async_keep(answer)
        self._hass.bus.async_fire(
            self.event_type, event_data(answer, entry_id=self._entry.entry_id)
        )
        if answer.status is LateStatus.WAITING and not self._is_stopped:
            await self._async_queue(answer)

    async def _async_keep(self, answer: LateAnswer) -> None:
        """Keep an answer as it is now; a disk that is full does not keep it from people."""
        self._answers.put(answer, dt_util.utcnow())
        try:
            await self._answers.async_save()
        except Exception as err:  # noqa: BLE001  whatever a disk does, people are still to be told
            _LOGGER.error("A late answer was not stored: %s", type(err).__name__)

    # saying

    async def _async_queue(self, answer: LateAnswer, *, not_before: datetime | None = None) -> None:
        """Have an answer said; the fallback does not get it before `not_before`."""
        expires = (answer.ended or answer.created) + LIFETIME
        self._delivery.async_deliver(
            await self._async_message(
                answer, expires if not_before is None else max(expires, not_before)
            ),
            self._async_on_progress,
        )

    async def _async_message(self, answer: LateAnswer, expires: datetime) -> Message:
        language = answer.language
        spoken = await self._async_spoken(answer)
        if not spoken.strip():
            # All was said before, or the rest cannot be said: the promise is kept all the same.
            spoken = await self._sentence(language, "late_done")
        name = self._agent_name(answer.subentry_id) or answer.agent_id
        return Message(
            id=answer.id,
            spoken=spoken,
            introduction=(
                ""
                if answer.error in (GIVEN_UP, UNEXPECTED)
                else await self._sentence(language, "late_ready")
            ),
            next_introduction=await self._sentence(language, "late_more"),
            written=answer.text or spoken,
            title=(await self._sentence(language, "late_title")).format(agent=name),
            satellite_id=answer.satellite_id,
            fallback=self._fallback_of(answer.subentry_id),
            expires=expires,
        )

    async def _async_spoken(self, answer: LateAnswer) -> str:
        """Return what is left to say, fit for speech."""
        if answer.error is not None:
            return answer.rest
        try:
            return await self._speak(answer.rest, answer.language)
        except Exception as err:  # noqa: BLE001  better read with its markup than not at all
            _LOGGER.error("A late answer cannot be made fit for speech: %s", type(err).__name__)
            return answer.rest

    async def _async_on_progress(self, answer_id: str, progress: Progress) -> None:
        """Note what becomes of an answer. Called before it is said, and after."""
        answer = self._answers.get(answer_id)
        if answer is None or answer.status is not LateStatus.WAITING or self._is_removed():
            return
        match progress:
            case Progress.SPEAKING:
                answer = replace(answer, is_speaking=True)
            case Progress.WAITING:
                answer = replace(answer, is_speaking=False)
            case Progress.HEARD | Progress.ASKED:
                answer = settled(answer, LateStatus.DELIVERED)
            case Progress.UNHEARD:
                answer = settled(answer, LateStatus.UNHEARD)
        await self._async_keep(answer)

    def _is_removed(self) -> bool:
        """Whether the entry was removed while something was said: then nothing is kept any more."""
        entry_id = self._entry.entry_id
        return self._is_stopped and self._hass.config_entries.async_get_entry(entry_id) is None
