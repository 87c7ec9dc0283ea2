"""What the speech model asks the agent, from the call of the tool to its result."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
import contextlib
from dataclasses import dataclass, field
import logging
import re
from typing import Final

from ..assist.consent import consent
from ..gateway.errors import GatewayError, NotConnectedError, TransportError
from ..gateway.frames import JsonObject, as_text
from ..gateway.talk_items import (
    ConsultEnded,
    ConsultProgress,
    SteerMode,
    TalkToolCall,
)
from ..gateway.talk_session import TalkSession
from .backend import Activity, ActivityCancelled, BackendEvent
from .sound import Loudspeaker
from .talk_turns import TalkTurns

_LOGGER = logging.getLogger(__name__)

CONSULT_LIMIT: Final = 120.0
"""Seconds the agent has for an answer. Source: the gateway's reference client."""

ASKING_LIMIT: Final = 2.0
"""Seconds the gateway may take to say which run answers a question, when somebody leaves."""

WORKING: Final[JsonObject] = {"status": "working"}
"""What a model is told at once that did not ask by itself."""

NOT_WANTED: Final[JsonObject] = {"error": "Only talk here: the agent is not to be asked."}
NO_ANSWER: Final[JsonObject] = {"error": "The agent could not be asked."}
FAILED: Final[JsonObject] = {"error": "The agent could not answer."}
TOO_LATE: Final[JsonObject] = {"error": "The agent did not answer in time."}
STOPPED: Final[JsonObject] = {"status": "cancelled"}
NOTHING: Final[JsonObject] = {"status": "nothing to say"}

MAX_NOTES: Final = 10
"""Things to add to the next question that are kept; the oldest go first."""

DEFAULT_LANGUAGE: Final = "en"

_CONFIRMATION: Final = re.compile(r"VOICE_CONFIRMATION_REQUIRED:\s*([^\s\"']+)")
"""How the gateway asks for a spoken yes. Source: its documentation of Talk."""


@dataclass(slots=True, kw_only=True)
class _Consult:
    """One question to the agent that goes on."""

    question: str = field(repr=False)
    run_id: str | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """The gateway has told the run, or there is none."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    end: ConsultEnded | None = None
    is_dropped: bool = False
    """The model does not wait for a result."""

    is_muted: bool = False
    """Nobody wants to hear the result."""

    @property
    def has_answer(self) -> bool:
        """Whether there is something to be told."""
        return self.end is not None and bool(self.end.text) and not self.end.is_aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A question whose answer the model has not got."""

    run_id: str
    question: str = field(repr=False)
    end: ConsultEnded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How a question ended."""

    result: JsonObject = field(repr=False)
    """For the model."""

    summary: str | None = "could not answer"
    """For people, after the agent's name; None: it was stopped."""

    is_spoken: bool = True
    """The model is to say something about it."""


class Context:
    """What the agent is told with each question, and what only with the next one."""

    def __init__(self, text: Callable[[], str]) -> None:
        """`text` returns what belongs to each question."""
        self._text = text
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)

    def note(self, text: str) -> None:
        """Add something to the next question."""
        self._notes.append(text)

    def take(self, *more: str | None) -> str:
        """Return all of it for a question, followed by what belongs to that one only."""
        notes = tuple(self._notes)
        self._notes.clear()
        return "\n\n".join(filter(None, (self._text(), *notes, *more)))


class Consults:
    """The tools the model calls in one session on the gateway; the turns know of each call."""

    def __init__(
        self,
        session: TalkSession,
        turns: TalkTurns,
        speaker: Loudspeaker,
        emit: Callable[[Iterable[BackendEvent]], None],
        *,
        context: Context,
        agent_name: str,
        language: str | None,
        asks_agent: bool = True,
    ) -> None:
        """`context` is shared by the sessions that follow each other."""
        self._asks_agent = asks_agent
        self._agent_name = agent_name
        self._session = session
        self._turns = turns
        self._speaker = speaker
        self._emit = emit
        self._context = context
        self._language = language or DEFAULT_LANGUAGE
        self._consults: dict[str, _Consult] = {}
        self._confirmation: str | None = None

    @property
    def unfinished(self) -> tuple[Unheard, ...]:
        """What the agent still works on, or has answered and nobody has heard."""
        going = self._session.open_consults
        return tuple(
            Unheard(run_id=each.run_id, question=each.question, end=each.end)
            for each in self._consults.values()
            if each.run_id is not None
            and not (each.is_dropped or each.is_muted)
            and (each.run_id in going or each.has_answer)
        )

    async def control(self, call: TalkToolCall) -> None:
        """Let the model ask what the agent does, or change it."""
        told = (NOT_WANTED, True) if not self._asks_agent else await self._control(call)
        await self._submit(call, told[0], is_spoken=told[1])

    async def consult(self, call: TalkToolCall) -> None:
        """Ask the agent, and give the model what it has said."""
        question = as_text(call.arguments.get("question")) or self._turns.last_words
        consult = self._consults[call.call_id] = _Consult(question=question)
        self._activity(call.call_id, f"Asking {self._agent_name}...")
        try:
            await self._answer(call, consult)
        except TransportError, NotConnectedError:
            # The session is lost, and all that goes on with it: see `lose`.
            return
        finally:
            consult.asked.set()
        del self._consults[call.call_id]

    def take(self, item: ConsultProgress | ConsultEnded) -> None:
        """Take what becomes of a question."""
        consult = self._consults.get(item.call_id)
        if consult is None:
            return
        if isinstance(item, ConsultEnded):
            consult.end = item
            consult.ended.set()
        else:
            name = item.title or item.tool
            text = f"{name} finished." if item.is_end else f"Running {name}..."
            self._activity(item.call_id, text)

    async def drop(self, call_id: str) -> None:
        """Stop a question whose result the model does not want any more."""
        consult = self._consults.get(call_id)
        if consult is not None:
            consult.is_dropped = True
            consult.ended.set()
            if consult.run_id is not None:
                await self._abort(consult.run_id)

    def mute(self) -> None:
        """Note that nobody wants to hear what is being asked; what was not asked yet is not to be."""
        for consult in self._consults.values():
            consult.is_muted = True
            if consult.run_id is None:
                consult.is_dropped = True
                consult.ended.set()

    async def abort(self) -> None:
        """Stop everything the agent does here."""
        for run_id in self._session.open_consults:
            await self._abort(run_id)

    def lose(self) -> None:
        """Forget everything: the session on the gateway is lost."""
        if self._consults:
            self._emit((ActivityCancelled(call_ids=tuple(self._consults)),))
            self._consults.clear()

    async def settle(self) -> None:
        """Wait a little until it is known which runs answer the questions that are being asked."""
        asking = [asyncio.ensure_future(each.asked.wait()) for each in self._consults.values()]
        if asking:
            _, late = await asyncio.wait(asking, timeout=ASKING_LIMIT)
            for each in late:
                each.cancel()

    async def _control(self, call: TalkToolCall) -> tuple[JsonObject, bool]:
        """Return what the model is told about the agent, and whether it is to say so."""
        mode = as_text(call.arguments.get("mode"))
        text = as_text(call.arguments.get("text")) or self._turns.last_words
        try:
            told = await self._session.steer(text, steer_mode(mode))
        except GatewayError as err:
            _LOGGER.debug("The agent was not told: %s", err.category)
            return NO_ANSWER, True
        return told.result, told.result.get("suppress") is not True

    async def _answer(self, call: TalkToolCall, consult: _Consult) -> None:
        try:
            outcome = await self._ask(call, consult)
        except TransportError, NotConnectedError:
            raise
        except GatewayError as err:
            _LOGGER.debug("The agent was not asked: %s", err.category)
            outcome = _Outcome(result=NO_ANSWER)
        self._tell_end(call, outcome)
        if outcome.is_spoken:
            # The result would cut off what the model is saying meanwhile.
            await self._speaker.wait_silent()
        if not consult.is_dropped:
            is_spoken = outcome.is_spoken and not consult.is_muted
            await self._submit(call, outcome.result, is_spoken=is_spoken)
        else:
            self._emit(self._turns.close_call(call.call_id, is_answered=False))

    async def _ask(self, call: TalkToolCall, consult: _Consult) -> _Outcome:
        if call.is_forced:
            await self._session.submit_result(call.call_id, WORKING, will_continue=True)
        if not self._asks_agent:
            return _Outcome(result=NOT_WANTED)
        if not consult.question:
            return _Outcome(result=NO_ANSWER)
        arguments = call.arguments
        consult.run_id = await self._session.consult(
            call.call_id,
            consult.question,
            context=self._context.take(as_text(arguments.get("context"))),
            style=as_text(arguments.get("responseStyle")),
            confirmation_id=as_text(arguments.get("confirmationId")) or self._confirmed(),
        )
        consult.asked.set()
        if consult.is_dropped:
            await self._abort(consult.run_id)
        try:
            async with asyncio.timeout(CONSULT_LIMIT):
                await consult.ended.wait()
        except TimeoutError:
            await self._abort(consult.run_id)
            return _Outcome(result=TOO_LATE)
        return self._outcome(consult.end)

    def _outcome(self, end: ConsultEnded | None) -> _Outcome:
        if end is None or end.is_aborted:
            return _Outcome(result=STOPPED, summary=None, is_spoken=False)
        if end.text is None:
            return _Outcome(result=FAILED)
        if not end.text:
            return _Outcome(result=NOTHING, summary="has nothing to say", is_spoken=False)
        if found := _CONFIRMATION.search(end.text):
            self._confirmation = found[1]
        return _Outcome(result={"result": end.text}, summary="has answered")

    def _confirmed(self) -> str | None:
        """Return what the agent wants confirmed, if the user has just said a clear yes."""
        wanted, self._confirmation = self._confirmation, None
        return wanted if wanted and consent(self._turns.last_words, self._language) else None

    def _tell_end(self, call: TalkToolCall, outcome: _Outcome) -> None:
        if outcome.summary is None:
            self._emit((ActivityCancelled(call_ids=(call.call_id,)),))
        else:
            self._activity(call.call_id, f"{self._agent_name} {outcome.summary}.", is_final=True)

    def _activity(self, call_id: str, summary: str, *, is_final: bool = False) -> None:
        self._emit((Activity(call_id=call_id, summary=summary, is_final=is_final),))

    async def _submit(self, call: TalkToolCall, result: JsonObject, *, is_spoken: bool) -> None:
        try:
            await self._session.submit_result(call.call_id, result, suppress=not is_spoken)
        except TransportError, NotConnectedError:
            raise
        except GatewayError as err:
            _LOGGER.debug("A result was not taken: %s", err.category)
            is_spoken = False
        self._emit(self._turns.close_call(call.call_id, is_answered=is_spoken))

    async def _abort(self, run_id: str) -> None:
        with contextlib.suppress(GatewayError):
            await self._session.abort_run(run_id)


def steer_mode(value: str | None) -> SteerMode | None:
    """Read what is to be told the agent, None when the gateway is to find out."""
    try:
        return SteerMode(value or "")
    except ValueError:
        return None
