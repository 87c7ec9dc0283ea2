"""A question to an agent, from our own commands and the choice of its session to what is kept of it.

The middle of it, a run and what it says, is `turn`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
import logging
from typing import Final, assert_never

from homeassistant.util import dt as dt_util

from ..gateway.chat_run import ChatRun
from ..gateway.errors import GatewayError, QuestionGoneError
from ..gateway.run_items import RunItem
from ..gateway.run_request import RUN_DEADLINE, Patience, RunMethod
from ..outbox.late_answer import LateAnswer
from .agent import Agent, Stopped
from .chat_deltas import TurnDelta
from .commands import Command, NewConversation, Stop, SwitchAgent, match
from .followup import listens_again
from .harmless import without_commands
from .own_words import OwnWords
from .phrases import Phrases, async_phrases
from .question import Question
from .run_plan import RunPlan, StillBusyError, async_plan, options_for
from .speech import SpeechFilter
from .spoken_answer import answers_in
from .timings import NO_TIMES, Timings
from .turn import Turn
from .turn_result import TOTAL_LIMIT, TurnOutcome, TurnResult, TurnStyle

_LOGGER: Final = logging.getLogger(__name__)


RUN_SILENCE: Final = 300.0
"""Seconds without any sign of a run until it has failed, unless its turn waits for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a question is treated."""

    is_conversation: bool = False
    """Somebody waits for the answer to go on: `stop` and the like are for us, an echo of our own
    answer is for nobody, and the patience of the agent counts when people listen."""

    limit: float | None = TOTAL_LIMIT
    """Seconds until an answer that is read comes later."""

    can_be_later: bool = True
    """Else the run is aborted after the limit, which is an error."""

    is_announced: bool = True
    """People are to hear of an answer that comes later."""


def run_patience(manners: Manners, outage_wait: float) -> Patience:
    """Return how long a turn waits for its run; `outage_wait` are seconds for a connection.

    The turn has a clock of its own; the run has one only where nobody takes it over.
    """
    if manners.can_be_later:
        return Patience(
            connect=outage_wait,
            silence=max(RUN_SILENCE, manners.limit or 0.0),
            total=RUN_DEADLINE,
            recovery=RUN_DEADLINE,
        )
    limit = manners.limit or RUN_DEADLINE
    return Patience(connect=outage_wait, silence=limit, total=limit, recovery=limit)


class AgentTurn:
    """One question. Iterate `deltas` to the end, then read what it came to."""

    def __init__(self, agent: Agent, question: Question, manners: Manners | None = None) -> None:
        """Nothing happens before `deltas`."""
        self.result = TurnResult(outcome=TurnOutcome.SILENT)
        self.listens = False
        """Whether the satellite listens again."""

        self.session_key = ""
        """Where the question was asked, once that is known."""

        self.run_id: str | None = None
        self.late_answer_id: str | None = None
        """What the answer is kept under, when it comes later."""

        self._agent = agent
        self._house = agent.house
        self._question = question
        self._manners = manners or Manners()
        self._options = options_for(agent, question)
        self._scope = agent.scope_of(question)
        self._run: ChatRun | None = None
        self._turn: Turn | None = None
        self._is_stopped = False
        self._began = 0.0
        """Loop time."""

    @property
    def timings(self) -> Timings:
        """When the stages of the turn were reached."""
        return self._turn.timings if self._turn is not None else NO_TIMES

    @property
    def satellite_id(self) -> str | None:
        """Entity id of the satellite it is heard at."""
        return self._question.origin.satellite_id

    async def deltas(self) -> AsyncGenerator[TurnDelta]:
        """Ask. Closing or cancelling it before the end aborts the run on the gateway.

        Errors of the gateway are not raised, their sentence is a message of its own.
        """
        self._began = self._now()
        phrases = await async_phrases(self._house.hass, self._question.language)
        words = OwnWords(
            phrases,
            explain=self._explain,
            holding_phrases=self._options.holding_phrases,
            turn=self._agent.turns,
        )
        self._agent.turns += 1
        if self._is_echo():
            _LOGGER.debug("An echo of our own answer is left alone")
            return
        if (command := self._command()) is not None:
            yield self._say(await self._obey(command, words), TurnOutcome.ANSWERED)
            self._note_answer(is_answer=False)
            return
        if (said := await self._answer_agent(phrases)) is not None:
            yield said
            self._note_answer(is_answer=False)
            return
        try:
            plan = await async_plan(self._agent, self._question, self._scope, self._options)
        except StillBusyError as err:
            yield self._say(await self._explain(err), TurnOutcome.FAILED, err)
            self._note_answer(is_answer=False)
            return
        self.session_key = plan.session_key
        with self._agent.living(self):
            async with aclosing(self._ask(plan, words)) as deltas:
                async for delta in deltas:
                    yield delta
        if self.result.outcome is TurnOutcome.ANSWERED:
            self._agent.note_timings(self.timings)

    async def async_stop(self) -> None:
        """Stop the run; the turn ends with what was said until then.

        Raises:
            GatewayError: The gateway could not be asked.
        """
        self._is_stopped = True
        if self._run is not None:
            await self._run.abort()

    async def async_leave(self) -> None:
        """Hand the run over now, if people listen to it."""
        if self._turn is not None:
            await self._turn.leave()

    async def _ask(self, plan: RunPlan, words: OwnWords) -> AsyncGenerator[TurnDelta]:
        # The session of a message belongs to the agent: how it is set up is not ours to change.
        if self._options.model is not None and plan.session_key != self._question.session_key:
            await self._agent.async_use_model(plan.session_key, self._options.model)
        waited = self._now() - self._began
        self._run = run = self._start(plan, max(0.0, self._options.outage_wait - waited))
        if self._is_stopped:
            await run.abort()  # Now it will not be sent.
        self.run_id = run.run_id
        if plan.aside is not None:
            plan.aside.run_ids.append(run.run_id)
        self._turn = turn = Turn(
            run,
            sentences=words,
            style=self._style(words),
            hand_over=partial(self._hand_over, run) if self._manners.can_be_later else None,
            began=self._began,
        )
        async with aclosing(turn.deltas()) as deltas:
            async for delta in deltas:
                yield delta
        self.result = result = turn.result
        try:
            if result.outcome is not TurnOutcome.FAILED and (
                result.answer or not result.is_stopped
            ):
                self._agent.note_told(plan.told_aside, plan.told_answers)
            is_answer = result.outcome is TurnOutcome.ANSWERED and not result.is_stopped
            self._note_answer(is_answer=is_answer or result.asked is not None)
        except Exception as err:  # noqa: BLE001 - a fault of ours must not cost the answer
            _LOGGER.error("What follows a turn was not noted: %s", type(err).__name__)

    def _start(self, plan: RunPlan, outage_wait: float) -> ChatRun:
        asks_before_risk = self._options.asks_before_risk
        text = self._question.text
        return self._house.client.chat.start(
            session_key=plan.session_key,
            message=without_commands(text) if asks_before_risk else text,
            instructions=None if asks_before_risk else plan.told,
            work_context=plan.told if asks_before_risk else None,
            method=RunMethod.CHAT_SEND if asks_before_risk else RunMethod.AGENT,
            thinking=self._options.thinking,
            attachments=self._question.attachments,
            patience=run_patience(self._manners, outage_wait),
        )

    def _style(self, words: OwnWords) -> TurnStyle:
        is_spoken = self._question.is_spoken
        is_waited_for = is_spoken and self._manners.is_conversation
        return TurnStyle(
            new_filter=partial(SpeechFilter, words.phrases.words) if is_spoken else None,
            patience=self._options.patience if is_waited_for else None,
            total=None if is_waited_for else self._manners.limit,
        )

    async def _hand_over(self, run: ChatRun, items: AsyncIterator[RunItem]) -> None:
        """Have the rest of a run followed and told without this turn."""
        outbox = self._house.outbox
        answer = LateAnswer(
            id=run.run_id,
            agent_id=self._agent.agent_id,
            subentry_id=self._agent.subentry_id,
            session_key=self.session_key,
            run_id=run.run_id,
            is_chat_send=self._options.asks_before_risk,
            question=self._question.text,
            language=self._question.language,
            satellite_id=self._question.origin.satellite_id,
            is_announced=self._manners.is_announced,
            said=self._turn.written if self._turn is not None else "",
            created=dt_util.utcnow(),
        )
        run.detach()
        self.late_answer_id = answer.id
        try:
            await outbox.async_hand_over(run, items, answer)
        except Exception as err:
            if outbox.get(answer.id) is None:
                self.late_answer_id = None
                raise
            # It is followed; only a restart of Home Assistant would lose it.
            _LOGGER.error("A late answer was not stored: %s", type(err).__name__)

    async def _answer_agent(self, phrases: Phrases) -> TurnDelta | None:
        """Take what is said as the answer to what the agent has just asked; None when it is not."""
        if not self._manners.is_conversation or self._question.reply_to is not None:
            return None
        asked = self._agent.asked_back.take(self._place, self._now())
        answers = None if asked is None else answers_in(asked, self._question.text)
        if asked is None or answers is None:
            return None
        try:
            await self._house.client.questions.answer(asked.id, answers)
        except QuestionGoneError:
            return None
        except GatewayError as err:
            return self._say(await self._explain(err), TurnOutcome.FAILED, err)
        # What the agent makes of it comes later: its turn was handed over.
        return self._say(phrases.question_answered, TurnOutcome.ANSWERED)

    # our own commands

    def _command(self) -> Command | None:
        """Return what the words ask of us instead of the agent."""
        if not self._manners.is_conversation:
            return None
        names = {agent.name: key for key, agent in self._house.agents.items()}
        command = match(self._question.text, self._question.language, names)
        is_here = self._question.origin.satellite_id is not None
        return None if isinstance(command, SwitchAgent) and not is_here else command

    async def _obey(self, command: Command, words: OwnWords) -> str:
        """Do it; return the sentence to confirm it, or about why it cannot be done."""
        phrases = words.phrases
        match command:
            case Stop():
                return await self._stop_session(phrases)
            case NewConversation():
                self._agent.new_conversation(self._scope)
                return phrases.new_conversation
            case SwitchAgent(agent_id=subentry_id):
                satellite_id = self._question.origin.satellite_id
                if satellite_id is not None:
                    self._house.memory.choose_agent(satellite_id, subentry_id)
                return phrases.switched_to(self._house.agents[subentry_id].name)
            case _:
                assert_never(command)

    async def _stop_session(self, phrases: Phrases) -> str:
        was_heard = self._agent.take_heard(self.satellite_id) or self._question.reply_to is not None
        try:
            stopped = await self._agent.async_stop(
                self._question.session_key or self._agent.key_of(self._scope),
                satellite_id=self._question.origin.satellite_id,
            )
        except GatewayError as err:
            return await self._explain(err)
        match stopped:
            case Stopped.ANSWER:
                return phrases.stopped
            case Stopped.TASK:
                return phrases.task_stopped
            case Stopped.NOTHING if was_heard:
                return phrases.stopped
            case Stopped.NOTHING:
                return phrases.nothing_to_stop
            case _:
                assert_never(stopped)

    # small things

    @property
    def _place(self) -> str | None:
        """Where turns follow each other: at a satellite, else in a conversation."""
        return self._question.origin.satellite_id or self._question.conversation_id

    def _is_echo(self) -> bool:
        """Whether a satellite that listens again has heard the end of our own answer."""
        if not self._manners.is_conversation or self._place is None:
            return False
        follow_ups = self._agent.follow_ups
        # Whoever types means it; the turn begins all the same.
        heard = self._question.text if self._question.is_spoken else ""
        is_echo = follow_ups.is_echo(self._place, heard, self._now())
        # Who was asked something may still answer.
        self.listens = is_echo and follow_ups.listens_on(self._place)
        return is_echo

    def _note_answer(self, *, is_answer: bool) -> None:
        """Decide whether the satellite listens again, and remember what it may hear of itself."""
        if not self._manners.is_conversation or self._place is None:
            return
        follow_ups, asked = self._agent.follow_ups, self.result.asked
        if asked is not None:
            self._agent.asked_back.note(self._place, asked, self._now())
        self.listens = listens_again(
            self.result.answer if asked is None else f"{asked.parts[0].text}?",
            policy=self._options.follow_up,
            turns_in_a_row=follow_ups.turns_in_a_row(self._place),
            limit=self._options.follow_up_limit,
            language=self._question.language,
            is_answer=is_answer,
        )
        follow_ups.note_answer(self._place, self.result.speech, self.listens, self._now())

    def _say(
        self, sentence: str, outcome: TurnOutcome, error: GatewayError | None = None
    ) -> TurnDelta:
        self.result = TurnResult(outcome=outcome, speech=sentence, sentence=sentence, error=error)
        return {"role": "assistant", "content": sentence}

    async def _explain(self, error: GatewayError) -> str:
        return await self._house.explain(self._question.language, error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
