"""How a turn is told to people, and what it comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from ..gateway.errors import GatewayError, RunError
from ..gateway.questions import AgentQuestion
from .chat_deltas import TextFilter

TOTAL_LIMIT: Final = 240.0
"""Seconds until a turn that is read, not heard, is answered later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStyle:
    """How a turn is told to people."""

    new_filter: Callable[[], TextFilter] | None = None
    """Makes what is said fit for speech, one for each message. None: nobody listens, it is shown."""

    patience: float | None = None
    """Seconds without a word after which the rest is handed over; None: only the total counts."""

    total: float | None = TOTAL_LIMIT
    """Seconds after which the rest is handed over all the same; 0: whatever has come by then."""

    @property
    def is_spoken(self) -> bool:
        """Whether people listen to the answer."""
        return self.new_filter is not None

    def fit(self, text: str) -> str:
        """Return a text that is complete as people get it."""
        if self.new_filter is None:
            return text
        text_filter = self.new_filter()
        return (text_filter.feed(text) + text_filter.finish()).strip()


class Sentences(Protocol):
    """What we say ourselves, in the language of the user."""

    @property
    def no_answer(self) -> str:
        """Shown when the agent says nothing on purpose."""

    @property
    def file(self) -> str:
        """Said when an answer comes with pictures or other files."""

    @property
    def approval(self) -> str:
        """Said when something waits until people allow it."""

    def asking(self, question: AgentQuestion) -> str:
        """Return what is said when the agent asks people something, as it was written."""

    def holding(self, tool: str | None) -> str:
        """Return what is said when the answer comes later; `tool` is what the agent uses now."""

    async def explain(self, error: GatewayError) -> str:
        """Return the sentence for an error."""


class AnswerStoppedError(RunError):
    """Somebody stopped the run before it had said anything."""

    category = "answer_stopped"


class TurnOutcome(StrEnum):
    """How a turn ended."""

    ANSWERED = "answered"
    SILENT = "silent"
    """Nothing needs to be said."""

    LATER = "later"
    """The agent goes on; its answer is delivered when it is there."""

    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """What a turn came to."""

    outcome: TurnOutcome
    speech: str = field(default="", repr=False)
    """The last message, for those who get no deltas; with the sentence that ended it, if any."""

    answer: str = field(default="", repr=False)
    """What the agent itself said last."""

    sentence: str = ""
    """What we said besides it."""

    links: tuple[str, ...] = field(default=(), repr=False)
    error: GatewayError | None = None
    """Why it failed."""

    asked: AgentQuestion | None = field(default=None, repr=False)
    """What the agent waits for an answer to, when what is said next may be the answer."""

    is_stopped: bool = False
    """Somebody stopped it, or asked something else, before it was complete."""
