"""The answers an entry still owes people: kept, watched to their end, told.

What a late answer is and how it changes is in `late_answer`, who says it when in `queue` and
`delivery`. What only Home Assistant's files know (words, names, options) is passed in.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final, Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..gateway.errors import (
    AccessError,
    GatewayError,
    NotConnectedError,
    RateLimitedError,
    RequestTimeoutError,
    RunLostError,
    TransportError,
)
from ..gateway.run_items import ChatFinal, RunItem, RunOutcome
from ..gateway.run_request import RunMethod
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
from .reply import Reply

_LOGGER = logging.getLogger(__name__)

MAX_RUNNING: Final = 50
"""So many tasks go on at once; for a new one the oldest is given up, and people are told."""

RUN_LIFETIME: Final = timedelta(hours=6)
"""How long a run is looked for while the gateway cannot be reached. Source: its own limit."""

RESUME_WAIT: Final = 60.0
"""Seconds between two looks for a run while the gateway cannot be reached."""

START_GRACE: Final = timedelta(minutes=5)
"""How long a satellite has after a start of Home Assistant to come up, at least."""

ABORT_LIMIT: Final = 15.0
"""Seconds until a task that was cancelled must have ended."""

GIVEN_UP: Final = "too_many"
"""Category of the error of a task that had to give way to others."""

_OUTAGES = (
    TransportError,
    AccessError,
    RateLimitedError,
    NotConnectedError,
    RequestTimeoutError,
)
"""They say nothing about the run: it is looked for again."""


class Run(Protocol):
    """What is needed of a run that goes on."""

    @property
    def run_id(self) -> str:
        """The id the gateway runs it under now."""

    async def abort(self) -> None:
        """Stop it on the gateway; raises GatewayError."""


class FoundRun(Run, AsyncIterable[RunItem], Protocol):
    """A run that was started earlier, followed again."""


class Chat(Protocol):
    """Finds runs again."""

    def resume(
        self, *, session_key: str, run_id: str, method: RunMethod
    ) -> AbstractAsyncContextManager[FoundRun]:
        """Return a run that was started earlier, to be entered."""


class Client(Protocol):
    """What is needed of the gateway's client."""

    @property
    def chat(self) -> Chat:
        """Where runs are found."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped by us: then no run has ended, we only stopped listening."""


@dataclass(slots=True)
class _Watch:
    """A run that is followed to its end."""

    run: Run | None
    task: asyncio.Task[None] | None = None
    has_ended: bool = False
    """Only its end has still to be noted; that is not interrupted."""


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
        self._watches: dict[str, _Watch] = {}
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
        """End what runs here. Nothing ends on the gateway, and nothing owed is lost."""
        self._is_stopped = True
        watches, self._watches = self._watches, {}
        for answer_id, watch in watches.items():
            if watch.task is not None and not watch.has_ended:
                watch.task.cancel()
            self._note_run_id(answer_id, watch.run)
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
        for oldest in running[: len(running) + 1 - MAX_RUNNING]:
            await self._async_give_up(oldest)

    @callback
    def open_in(self, session_key: str) -> LateAnswer | None:
        """Return the task that goes on in a session; the newest, if there are several."""
        for answer in reversed(self._answers.with_status(LateStatus.RUNNING)):
            if answer.session_key == session_key:
                return answer
        return None

    @callback
    def unheard(self, session_key: str) -> tuple[LateAnswer, ...]:
        """Return what nobody could hear, for the next turn of its session; the oldest first."""
        return tuple(
            answer
            for answer in self._answers.with_status(LateStatus.UNHEARD)
            if answer.session_key == session_key
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
            await self._answers.async_keep(answer, dt_util.utcnow())
        return answer

    async def async_remove(self) -> None:
        """Delete what is kept: the entry is removed. Call it instead of `async_start`."""
        await self._answers.async_remove()

    # watching

    def _watch(
        self, answer: LateAnswer, run: Run | None, items: AsyncIterable[RunItem] | None
    ) -> None:
        watch = self._watches[answer.id] = _Watch(run)
        watch.task = self._entry.async_create_background_task(
            self._hass,
            self._async_watch(watch, answer, items),
            f"{self._entry.domain} late answer {answer.id}",
        )

    async def _async_watch(
        self, watch: _Watch, answer: LateAnswer, items: AsyncIterable[RunItem] | None
    ) -> None:
        """Follow a run to its end, and note how it ended."""
        try:
            reply = await self._async_follow(watch, answer, items)
            if reply.final is None:
                raise RunLostError("the run ended without an end")
        except GatewayError as err:
            if not self._is_our_doing(err):
                watch.has_ended = True
                await self._async_fail(answer.id, err)
        else:
            watch.has_ended = True
            await self._async_finish(answer.id, reply, reply.final)
        finally:
            if self._watches.get(answer.id) is watch:
                del self._watches[answer.id]

    async def _async_follow(
        self, watch: _Watch, answer: LateAnswer, items: AsyncIterable[RunItem] | None
    ) -> Reply:
        """Iterate a run to its end; look for it again when it cannot be reached meanwhile."""
        reply = Reply(answer.said, is_whole=items is not None)
        while True:
            try:
                if items is not None:
                    await self._async_listen(watch, answer.id, items, reply)
                else:
                    async with self._found(answer.id) as run:
                        watch.run = run
                        await self._async_listen(watch, answer.id, run, reply)
            except _OUTAGES as err:
                is_too_old = dt_util.utcnow() > answer.created + RUN_LIFETIME
                if self._client.is_stopped or (items is None and is_too_old):
                    raise
                _LOGGER.debug("Run %s is looked for again: %s", answer.id, err.category)
            else:
                return reply
            if items is None:
                await asyncio.sleep(RESUME_WAIT)
            items, reply = None, Reply(answer.said, is_whole=False)

    async def _async_listen(
        self, watch: _Watch, answer_id: str, items: AsyncIterable[RunItem], reply: Reply
    ) -> None:
        async for item in items:
            reply.take(item)
            if self._note_run_id(answer_id, watch.run):
                await self._answers.async_save()

    def _found(self, answer_id: str) -> AbstractAsyncContextManager[FoundRun]:
        answer = self._answers.get(answer_id)
        if answer is None:
            raise RunLostError("nobody knows the run any more")
        return self._client.chat.resume(
            session_key=answer.session_key,
            run_id=answer.run_id,
            method=RunMethod.CHAT_SEND if answer.is_chat_send else RunMethod.AGENT,
        )

    def _note_run_id(self, answer_id: str, run: Run | None) -> bool:
        """Note under which id the gateway runs it now; return whether that is news."""
        answer = self._answers.get(answer_id)
        if run is None or answer is None or answer.run_id == run.run_id:
            return False
        self._answers.put(replace(answer, run_id=run.run_id), dt_util.utcnow())
        return True

    def _is_our_doing(self, error: GatewayError) -> bool:
        """Whether a run has not ended: only we have stopped listening."""
        return self._client.is_stopped and isinstance(error, (RunLostError, *_OUTAGES))

    async def _async_abort(self, answer: LateAnswer) -> None:
        """Stop a run on the gateway, and stop following it."""
        watch = self._watches.pop(answer.id, None)
        try:
            async with asyncio.timeout(ABORT_LIMIT):
                if watch is not None and watch.run is not None:
                    await watch.run.abort()
                else:
                    async with self._found(answer.id) as run:
                        await run.abort()
        except TimeoutError:
            raise RequestTimeoutError("the run does not end") from None
        finally:
            if watch is not None and watch.task is not None:
                watch.task.cancel()

    # ends

    async def _async_finish(self, answer_id: str, reply: Reply, final: ChatFinal) -> None:
        answer = self._answers.get(answer_id)
        if answer is None or answer.status is not LateStatus.RUNNING:
            return  # It was cancelled meanwhile.
        now = dt_util.utcnow()
        match final.outcome:
            case RunOutcome.ANSWERED:
                ended = answered(
                    answer, text=final.text, rest=reply.rest, links=final.links, now=now
                )
            case RunOutcome.SILENT:
                ended = silenced(answer, now=now)
            case RunOutcome.ABORTED:
                ended = cancelled(answer, now=now, text=final.text, links=final.links)
        await self._async_end(ended)

    async def _async_fail(self, answer_id: str, error: GatewayError) -> None:
        answer = self._answers.get(answer_id)
        if answer is None or answer.status is not LateStatus.RUNNING:
            return
        sentence = await self._explain(error, answer.language)
        now = dt_util.utcnow()
        await self._async_end(failed(answer, sentence=sentence, error=error.category, now=now))

    async def _async_give_up(self, answer: LateAnswer) -> None:
        """End the oldest task for a new one: it is one too many."""
        _LOGGER.warning("Too many tasks go on at once; the oldest is given up")
        sentence = await self._sentence(answer.language, "late_failed")
        now = dt_util.utcnow()
        await self._async_end(failed(answer, sentence=sentence, error=GIVEN_UP, now=now))
        try:
            await self._async_abort(answer)
        except GatewayError as err:
            _LOGGER.debug("Run %s was not aborted: %s", answer.run_id, err.category)

    async def _async_end(self, answer: LateAnswer) -> None:
        """Keep the end of a run, tell automations, and have it said if people are to hear it."""
        await self._answers.async_keep(answer, dt_util.utcnow())
        self._hass.bus.async_fire(
            self.event_type, event_data(answer, entry_id=self._entry.entry_id)
        )
        if answer.status is LateStatus.WAITING and not self._is_stopped:
            await self._async_queue(answer)

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
        spoken = answer.rest if answer.error else await self._speak(answer.rest, language)
        if not spoken.strip():
            # All was said before, or the rest cannot be said: the promise is kept all the same.
            spoken = await self._sentence(language, "late_done")
        name = self._agent_name(answer.subentry_id) or answer.agent_id
        return Message(
            id=answer.id,
            spoken=spoken,
            introduction=(
                "" if answer.error == GIVEN_UP else await self._sentence(language, "late_ready")
            ),
            next_introduction=await self._sentence(language, "late_more"),
            written=answer.text or spoken,
            title=(await self._sentence(language, "late_title")).format(agent=name),
            satellite_id=answer.satellite_id,
            fallback=self._fallback_of(answer.subentry_id),
            expires=expires,
        )

    async def _async_on_progress(self, answer_id: str, progress: Progress) -> None:
        """Note what becomes of an answer. Called before it is said, and after."""
        answer = self._answers.get(answer_id)
        if answer is None or answer.status is not LateStatus.WAITING:
            return
        match progress:
            case Progress.SPEAKING:
                answer = replace(answer, is_speaking=True)
            case Progress.WAITING:
                answer = replace(answer, is_speaking=False)
            case Progress.HEARD:
                answer = settled(answer, LateStatus.DELIVERED)
            case Progress.UNHEARD:
                answer = settled(answer, LateStatus.UNHEARD)
        await self._answers.async_keep(answer, dt_util.utcnow())
