"""One agent of the gateway, as Home Assistant uses it: its options, sessions and turns.

Whoever answers people with an agent (conversation, actions, tasks) asks here.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
import logging
from typing import Any, Final, Protocol

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..gateway.callbacks import Listeners
from ..gateway.client import GatewayClient
from ..gateway.errors import GatewayError
from ..gateway.run_recovery import connected
from ..outbox.late_answer import LateAnswer, LateStatus
from ..outbox.late_answers import Outbox
from .followup import FollowUps
from .memory import Memory
from .options import AgentOptions
from .question import Question
from .scope import session_scope
from .session_key import SessionScope
from .spoken_answer import AskedBack
from .timings import NO_TIMES, Timings

_LOGGER: Final = logging.getLogger(__name__)

MAX_REMEMBERED: Final = 200
"""Sessions of which is remembered what was set up in them, or said aside."""

MODEL_LIMIT: Final = 3.0
"""Seconds to give a session its model; a turn does not wait longer for it."""

STILL_HEARD: Final = 60.0
"""Seconds after a turn in which "stop" is about what it said."""

MAX_ASIDE: Final = 6
"""Runs of a side session of which its session is told."""


class Stopped(StrEnum):
    """What was stopped."""

    ANSWER = "answer"
    """A turn that somebody listened to."""

    TASK = "task"
    """A run that went on without its turn."""

    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the agents of one entry share."""

    hass: HomeAssistant
    entry: ConfigEntry[Any]
    client: GatewayClient
    memory: Memory
    outbox: Outbox
    explain: Callable[[str, GatewayError], Coroutine[Any, Any, str]]
    """A language and an error -> the sentence about it."""

    agents: Mapping[str, Agent]
    """All of them, by the id of their subentry."""


class LiveTurn(Protocol):
    """A turn that goes on."""

    @property
    def session_key(self) -> str:
        """The session it belongs to."""

    @property
    def satellite_id(self) -> str | None:
        """Entity id of the satellite it is heard at."""

    async def async_stop(self) -> None:
        """Stop its run; raises GatewayError."""

    async def async_leave(self) -> None:
        """Hand its run over now, if people listen to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """The side session of a session, used while a task goes on there."""

    key: str
    run_ids: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_ASIDE))
    """The last runs in it, of which the session itself is to be told."""


class Agent:
    """One agent of the gateway, and what goes on with it."""

    def __init__(self, house: House, subentry_id: str, agent_id: str) -> None:
        """One for each subentry; `agent_id` is the gateway's."""
        self.house: Final = house
        self.subentry_id: Final = subentry_id
        self.agent_id: Final = agent_id
        self.follow_ups: Final = FollowUps()
        self.asked_back: Final = AskedBack()
        self.turns = 0
        """Turns so far."""

        self.last_timings: Timings = NO_TIMES
        """Of the last turn that came to something."""

        self._listeners = Listeners[[]]()
        self._live: list[LiveTurn] = []
        self._read: tuple[Mapping[str, Any], AgentOptions] | None = None
        self._models: OrderedDict[str, str] = OrderedDict()
        self._asides: OrderedDict[str, Aside] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()
        """When the last turn of a satellite ended (loop time)."""

    @property
    def name(self) -> str:
        """What people call it."""
        subentry = self._subentry
        return subentry.title if subentry is not None else self.agent_id

    @property
    def options(self) -> AgentOptions:
        """How it is used now."""
        subentry = self._subentry
        data = subentry.data if subentry is not None else {}
        if self._read is None or self._read[0] is not data:
            self._read = data, AgentOptions.from_data(data)
        return self._read[1]

    @property
    def open_turns(self) -> tuple[LiveTurn, ...]:
        """The turns that go on, the oldest first."""
        return tuple(self._live)

    @property
    def _subentry(self) -> ConfigSubentry | None:
        return self.house.entry.subentries.get(self.subentry_id)

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` after every turn; return what ends that."""
        return self._listeners.add(listener)

    @callback
    def note_timings(self, timings: Timings) -> None:
        """Remember how long a turn took that was answered."""
        self.last_timings = timings
        self._listeners.tell()

    @callback
    def scope_of(self, question: Question) -> SessionScope:
        """Return what the session of a question is shared by; call it once for each question."""
        return session_scope(question, self.options)

    @callback
    def key_of(self, scope: SessionScope) -> str:
        """Return the key of the session that `scope` has now."""
        return self.house.memory.key_of(self.agent_id, scope)

    @contextmanager
    def living(self, turn: LiveTurn) -> Generator[None]:
        """Know of a turn while it goes on."""
        self._live.append(turn)
        try:
            yield
        finally:
            self._live.remove(turn)
            if turn.satellite_id is not None:
                now = asyncio.get_running_loop().time()
                _remember(self._ended, turn.satellite_id, now)

    @callback
    def take_heard(self, satellite_id: str | None) -> bool:
        """Whether a turn has ended at a satellite so lately that "stop" is about it; once.

        The wake word ends the turn, and what is being said, before anybody can say "stop".
        """
        ended = self._ended.pop(satellite_id or "", None)
        return ended is not None and asyncio.get_running_loop().time() - ended < STILL_HEARD

    async def async_stop(
        self, session_key: str | None = None, *, satellite_id: str | None = None
    ) -> Stopped:
        """Stop the answer that somebody listens to, else the task that goes on.

        Args:
            session_key: Of this session, or its side session; None: of any.
            satellite_id: What was asked for there counts, too, whatever its session.

        Raises:
            GatewayError: The gateway could not be asked to stop it.
        """
        keys = None if session_key is None else self._with_aside(session_key)

        def is_meant(what: LiveTurn | LateAnswer) -> bool:
            is_here = satellite_id is not None and what.satellite_id == satellite_id
            return keys is None or what.session_key in keys or is_here

        turns = [turn for turn in self._live if is_meant(turn)]
        if turns:
            # Every one is asked; of several errors the first is told.
            errors = await asyncio.gather(
                *(turn.async_stop() for turn in turns), return_exceptions=True
            )
            raise_first(errors)
            return Stopped.ANSWER
        tasks = [task for task in self.open_tasks() if is_meant(task)]
        for task in tasks if keys is None else tasks[:1]:
            await self.house.outbox.async_cancel(task.id)
        return Stopped.TASK if tasks else Stopped.NOTHING

    async def async_stop_all(self) -> None:
        """Stop every answer that somebody listens to, and every task that goes on.

        Raises:
            GatewayError: The gateway could not be asked to stop one of them.
        """
        turns = (turn.async_stop() for turn in tuple(self._live))
        tasks = (self.house.outbox.async_cancel(task.id) for task in self.open_tasks())
        results = await asyncio.gather(*turns, *tasks, return_exceptions=True)
        raise_first([result for result in results if isinstance(result, BaseException)])

    @callback
    def open_tasks(self) -> tuple[LateAnswer, ...]:
        """Return the runs that go on without their turns, the newest first."""
        return tuple(
            answer
            for answer in self.house.outbox.all()
            if answer.subentry_id == self.subentry_id and answer.status is LateStatus.RUNNING
        )

    @callback
    def new_conversation(self, scope: SessionScope) -> tuple[str, str]:
        """Start a session afresh; return its old key and the new one. A task that goes on stays."""
        old, new = self.house.memory.new_conversation(self.agent_id, scope)
        self._asides.pop(old, None)
        return old, new

    @callback
    def continue_conversation(self, scope: SessionScope, key: str) -> None:
        """Let a scope go on with a session there is.

        Raises:
            NotOurSessionError, OtherAgentsSessionError: It cannot be continued here.
        """
        self.house.memory.continue_session(self.agent_id, scope, key)

    async def async_leave(self) -> None:
        """Hand over every turn that people listen to, because nobody can wait for it any more."""
        turns = tuple(self._live)
        for error in await asyncio.gather(
            *(turn.async_leave() for turn in turns), return_exceptions=True
        ):
            if error is not None:
                _LOGGER.error("A turn was not handed over: %s", type(error).__name__)

    # what a session was told

    @callback
    def aside_of(self, scope: SessionScope, session_key: str) -> Aside:
        """Return the side session of a session, and remember that it is used."""
        aside = self._asides.get(session_key)
        if aside is None:
            key = self.key_of(replace(scope, is_aside=True))
            aside = Aside(key=key)
            _remember(self._asides, session_key, aside)
        return aside

    @callback
    def aside_before(self, session_key: str) -> Aside | None:
        """Return the side session a session has not been told about yet."""
        return self._asides.get(session_key)

    @callback
    def note_told(self, session_key: str | None, answer_ids: tuple[str, ...]) -> None:
        """A session knows now what was said aside, or which late answers nobody has heard."""
        if session_key is not None:
            self._asides.pop(session_key, None)
        if answer_ids:
            # Written in the background: the turn has ended, whatever becomes of it.
            self.house.entry.async_create_background_task(
                self.house.hass,
                self.house.outbox.async_mark_told(answer_ids),
                f"openclaw_voice told {self.subentry_id}",
            )

    async def async_use_model(self, session_key: str, model: str) -> None:
        """Have a session use a model, once. Failing costs the model only."""
        if self._models.get(session_key) == model:
            return
        client = self.house.client
        try:
            await connected(client, self.options.outage_wait)
            async with asyncio.timeout(MODEL_LIMIT):
                await client.sessions.use_model(session_key, model)
        except GatewayError as err:
            _LOGGER.info("Agent %s cannot use its model: %s", self.agent_id, err.category)
        except TimeoutError:
            _LOGGER.info("Agent %s is not given its model in time", self.agent_id)
        else:
            _remember(self._models, session_key, model)

    def _with_aside(self, session_key: str) -> frozenset[str]:
        aside = self._asides.get(session_key)
        return frozenset({session_key} if aside is None else {session_key, aside.key})


def _remember[T](memory: OrderedDict[str, T], key: str, value: T) -> None:
    """Keep the newest `MAX_REMEMBERED`."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


def raise_first(results: Sequence[BaseException | None]) -> None:
    """Raise the first error of several things that were tried at the same time, if there is one."""
    for result in results:
        if result is not None:
            raise result
