"""One turn: items of a run in, deltas of Home Assistant's chat log out, then a result.

Knows neither entities nor pipelines, so everything that answers people with an agent can use it.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
)
from contextlib import AbstractAsyncContextManager
import logging
from typing import Any, Final, assert_never

from ..gateway.errors import GatewayError
from ..gateway.questions import AgentQuestion
from ..gateway.run_items import (
    ApprovalAwaited,
    ChatDelta,
    ChatFinal,
    QuestionAsked,
    RunItem,
    RunOutcome,
)
from .chat_deltas import ChatDeltas, TurnDelta, as_markdown
from .patient import PatientItems
from .spoken_answer import can_be_said
from .timings import StopWatch, Timings
from .turn_result import AnswerStoppedError, Sentences, TurnOutcome, TurnResult, TurnStyle

_LOGGER: Final = logging.getLogger(__name__)

AFTER_CONNECTING: Final = 3.0
"""Seconds of patience that are left to an agent when the connection has used up the others."""

STORING_LIMIT: Final = 10.0
"""Seconds until a run that was handed over must be stored: people do not wait for a slow disk."""

LEAVING_LIMIT: Final = 2.0
"""Seconds to hand a run over when its turn is cancelled meanwhile."""

type HandOver = Callable[[AsyncIterator[RunItem]], Coroutine[Any, Any, None]]
"""Takes over the rest of a run: it is safe when this returns, and goes on without its turn.

Before its first wait it has taken it, or has failed; whatever happens afterwards, it has it.
"""


class Turn:
    """One utterance and its answer. Iterate `deltas` to the end, then read `result`."""

    def __init__(
        self,
        run: AbstractAsyncContextManager[AsyncIterable[RunItem]],
        *,
        sentences: Sentences,
        style: TurnStyle | None = None,
        hand_over: HandOver | None = None,
        began: float | None = None,
    ) -> None:
        """Nothing happens before `deltas`.

        Args:
            run: Entered once.
            sentences: What is said besides the agent's words.
            style: Shown, and for as long as a typed turn may take, when None.
            hand_over: Without it the turn waits for whatever comes.
            began: When somebody began to wait (loop time); now when None.
        """
        self.result = TurnResult(outcome=TurnOutcome.SILENT)
        self._run = run
        self._sentences = sentences
        self._style = style or TurnStyle()
        self._hand_over = hand_over
        self._log = ChatDeltas(self._style.new_filter)
        self._now = asyncio.get_running_loop().time
        self._began = self._now() if began is None else began
        self._watch = StopWatch(self._began)
        self._heard_at = self._began
        """When the agent said something last (loop time)."""

        self._waits_for = ""
        """What we said last about people the run waits for, while it does."""

        self._asked: AgentQuestion | None = None
        """The same, when they may answer at once."""

        self._items: PatientItems[RunItem] | None = None
        self._is_handed_over = False
        self._is_leaving = False
        self._is_over = False
        """The run has said how it ended."""

        self._left = asyncio.Event()
        """There is no run, or it has ended, or somebody else has it."""

        self._left.set()

    @property
    def timings(self) -> Timings:
        """When the stages of the turn were reached."""
        return self._watch.timings

    @property
    def written(self) -> str:
        """What was passed on so far, as the agent wrote it."""
        return self._log.written

    async def leave(self) -> None:
        """Hand a run that is listened to over now, because nobody can wait for it any more."""
        if self._style.is_spoken and self._hand_over is not None:
            self._is_leaving = True
            if self._items is not None:
                self._items.wake()
            try:
                async with asyncio.timeout(LEAVING_LIMIT):
                    await self._left.wait()
            except TimeoutError:
                _LOGGER.debug("A turn was not handed over in time")

    async def deltas(self) -> AsyncGenerator[TurnDelta]:
        """Run the turn. Closing or cancelling it before the end aborts the run on the gateway.

        Gateway errors are not raised: their sentence comes as a message of its own, after what was
        said until then.
        """
        self._left.clear()
        try:
            async with self._run as run:
                items = self._begin(run)
                try:
                    while await self._goes_on(items):
                        item = await anext(items, None)
                        if item is None:
                            break
                        for delta in self._take(item):
                            yield delta
                finally:
                    await self._let_go(items)
            if self._is_handed_over:
                for delta in self._hold():
                    yield delta
        except GatewayError as err:
            for delta in await self._fail(err):
                yield delta
        finally:
            self._left.set()
        self._watch.note_done(self._now())

    def _begin(self, run: AsyncIterable[RunItem]) -> PatientItems[RunItem]:
        """The run was sent: the agent's time begins, as far as the connection has left any."""
        now = self._now()
        self._watch.note_connected(now)
        patience = self._style.patience or 0.0
        self._heard_at = max(self._began, now - patience + min(patience, AFTER_CONNECTING))
        self._items = PatientItems(run)
        return self._items

    async def _goes_on(self, items: PatientItems[RunItem]) -> bool:
        """Wait for the next item; return False when the rest is handed over instead."""
        takes_nothing = self._hand_over is not None and self._style.total == 0
        if not takes_nothing and await items.wait(self._until()):
            return True
        return not await self._give_away(items)

    def _until(self) -> float | None:
        """Return the loop time at which the rest is handed over."""
        if self._hand_over is None:
            return None
        if self._is_leaving or self._asked is not None:
            return self._began
        limits = []
        if self._style.patience is not None:
            limits.append(self._heard_at + self._style.patience)
        if self._style.total is not None:
            limits.append(self._began + self._style.total)
        return min(limits, default=None)

    # handing over

    async def _give_away(self, items: PatientItems[RunItem]) -> bool:
        """Hand the rest over; return whether somebody has it now."""
        if self._hand_over is None:
            return False
        work = asyncio.Task(
            self._hand_over(items), loop=asyncio.get_running_loop(), eager_start=True
        )
        work.add_done_callback(_note_failure)
        self._is_handed_over = not (work.done() and work.exception())
        if not self._is_handed_over:
            self._hand_over = None  # The turn waits for the answer itself.
        try:
            # Not to be cancelled with the turn: what is stored half would be kept half.
            await asyncio.wait((work,), timeout=STORING_LIMIT)
        except asyncio.CancelledError:
            await asyncio.wait((work,), timeout=LEAVING_LIMIT)
            raise
        finally:
            if work.cancel():
                _LOGGER.error("A run was not stored in time; a restart would lose it")
        return self._is_handed_over

    async def _give_away_soon(self, items: PatientItems[RunItem]) -> None:
        """Hand the rest over when the turn itself has been given up."""
        try:
            async with asyncio.timeout(LEAVING_LIMIT):
                await self._give_away(items)
        except TimeoutError:
            _LOGGER.debug("A turn that ended was not stored in time")

    async def _let_go(self, items: PatientItems[RunItem]) -> None:
        """The turn ends here, whether its run has ended or not."""
        try:
            is_over = self._is_over or items.has_ended
            if self._is_leaving and not is_over and not self._is_handed_over:
                await self._give_away_soon(items)
            if not self._is_handed_over:
                await items.aclose()
        finally:
            self._left.set()

    def _hold(self) -> list[TurnDelta]:
        """Say that the answer comes later, after what was held back of the text so far."""
        phrase = self._sentences.holding(None if self._waits_for else self._log.tool)
        deltas = [*self._log.flush(), *self._log.end_tools()]
        if self._asked is not None:
            # The answer to the question is what comes next.
            self._conclude(TurnOutcome.LATER, sentence=self._waits_for, asked=self._asked)
            return deltas
        sentence = f"{self._waits_for} {phrase}".strip()
        self._conclude(TurnOutcome.LATER, sentence=sentence)
        return [*deltas, *self._log.add_message(phrase)]

    # what the run says

    def _take(self, item: RunItem) -> list[TurnDelta]:
        match item:
            case ChatFinal():
                self._is_over = True
                return self._finish(item)
            case ApprovalAwaited():
                return self._say_why(self._sentences.approval)
            case QuestionAsked(question):
                if self._style.patience is not None and can_be_said(question):
                    self._asked = question
                return self._say_why(self._sentences.asking(question))
            case ChatDelta():
                self._heard_at = self._now()
                self._waits_for, self._asked = "", None
        return self._noted(self._log.convert(item))

    def _say_why(self, sentence: str) -> list[TurnDelta]:
        """Say that the run waits for people. That is no word of the agent: its patience goes on."""
        self._waits_for = self._style.fit(sentence)
        return list(self._log.add_words(self._waits_for, " " if self._style.is_spoken else "\n\n"))

    def _noted(self, deltas: Iterable[TurnDelta]) -> list[TurnDelta]:
        """Note when there was text."""
        noted = list(deltas)
        for delta in noted:
            if delta.get("role") != "tool_result" and (text := delta.get("content")):
                self._watch.note_text(str(text), self._now())
        return noted

    def _finish(self, final: ChatFinal) -> list[TurnDelta]:
        deltas = self._noted(self._log.flush())
        answer, sentence = self._log.speech, ""
        match final.outcome:
            case RunOutcome.ANSWERED:
                deltas += self._noted(self._add_links(final.links))
                outcome = TurnOutcome.ANSWERED
            case RunOutcome.SILENT:
                outcome = TurnOutcome.SILENT
                if not self._style.is_spoken and not self._log.speech:
                    sentence = self._sentences.no_answer
                    deltas += self._log.add_message(sentence)
            case RunOutcome.ABORTED if self._log.speech:
                outcome = TurnOutcome.ANSWERED
            case RunOutcome.ABORTED if self._style.is_spoken:
                # Somebody said stop, or asks something else: there is nothing to tell.
                outcome = TurnOutcome.SILENT
            case RunOutcome.ABORTED:
                raise AnswerStoppedError("stopped before the first word")
            case _:
                assert_never(final.outcome)
        is_stopped = final.outcome is RunOutcome.ABORTED
        self._conclude(
            outcome, answer=answer, sentence=sentence, links=final.links, is_stopped=is_stopped
        )
        return deltas

    def _add_links(self, links: tuple[str, ...]) -> Iterable[TurnDelta]:
        """Show media as links; nobody wants to hear addresses."""
        if not links:
            return ()
        if self._style.is_spoken:
            return self._log.add_paragraph(self._sentences.file, between=" ")
        return self._log.add_paragraph(as_markdown(links), between="\n\n")

    async def _fail(self, error: GatewayError) -> list[TurnDelta]:
        deltas = [*self._noted(self._log.flush()), *self._log.end_tools()]
        sentence = await self._sentences.explain(error)
        self._conclude(TurnOutcome.FAILED, sentence=sentence, error=error)
        return [*deltas, *self._log.add_message(sentence)]

    def _conclude(
        self,
        outcome: TurnOutcome,
        *,
        answer: str | None = None,
        sentence: str = "",
        links: tuple[str, ...] = (),
        error: GatewayError | None = None,
        asked: AgentQuestion | None = None,
        is_stopped: bool = False,
    ) -> None:
        """Set the result; a silent one says nothing but the sentence."""
        said = "" if outcome is TurnOutcome.SILENT else self._log.speech
        self.result = TurnResult(
            outcome=outcome,
            speech=f"{said.rstrip()} {sentence}".strip() if sentence else said,
            answer=said if answer is None or not said else answer,
            sentence=sentence,
            links=links,
            error=error,
            asked=asked,
            is_stopped=is_stopped,
        )


def _note_failure(work: asyncio.Future[None]) -> None:
    if not work.cancelled() and (error := work.exception()) is not None:
        _LOGGER.error("A run was not handed over: %s", type(error).__name__)
