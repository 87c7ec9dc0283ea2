"""What a run hands to whoever iterates it, in order."""

from dataclasses import dataclass, field
from enum import StrEnum

from .frames import JsonObject
from .questions import AgentQuestion


@dataclass(frozen=True, slots=True)
class MessageStarted:
    """A new message begins; the deltas that follow belong to it. Comes before the first one, too.

    A run says more than one message when it uses a tool in between, and when the gateway takes
    back a text that was already handed out: then the message starts again as a new one.
    """


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """More text of the current message, to be appended as it is."""

    text: str = field(repr=False)


class ToolPhase(StrEnum):
    """Where a tool call stands."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolActivity:
    """The agent uses a tool on the gateway."""

    call_id: str
    name: str
    phase: ToolPhase
    title: str | None = field(default=None, repr=False)
    """What the gateway shows people for it."""

    arguments: JsonObject = field(default_factory=dict, repr=False)
    """At the start, if the gateway tells them; long ones are cut."""

    result: str | None = field(default=None, repr=False)
    """At the end: its text, cut at `MAX_TOOL_TEXT`."""

    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalAwaited:
    """The run waits until somebody allows what a tool is to do, or denies it."""

    approval_id: str | None


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """The agent asks people something, and waits for their answer."""

    question: AgentQuestion


class RunOutcome(StrEnum):
    """How a run ended that did not fail."""

    ANSWERED = "answered"
    SILENT = "silent"
    """The agent decided that nothing needs to be said."""

    ABORTED = "aborted"
    """Somebody stopped it; what was said until then stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFinal:
    """The end of a run, always the last item."""

    outcome: RunOutcome
    text: str = field(default="", repr=False)
    """The whole text, messages joined by a blank line. The deltas have carried all of it."""

    links: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of media that belong to the answer."""

    is_from_gateway: bool = False
    """The text was made by the gateway itself, not by a model."""


type RunItem = (
    MessageStarted | ChatDelta | ToolActivity | ApprovalAwaited | QuestionAsked | ChatFinal
)
