"""How an agent is used: the options of its subentry (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from .session_key import SessionKind


class When(StrEnum):
    """When something is done."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class ContextField(StrEnum):
    """What an agent may be told about a turn."""

    AREA = "area"
    FLOOR = "floor"
    SATELLITE = "satellite"
    DEVICE = "device"
    PERSON = "person"
    LANGUAGE = "language"
    TIME = "time"
    EXTRA = "extra"
    """What an automation or Home Assistant adds to the turn."""


ALL_FIELDS: Final = frozenset(ContextField)

DEFAULT_PATIENCE: Final = 8.0
DEFAULT_OUTAGE_WAIT: Final = 10.0
DEFAULT_FOLLOW_UP_LIMIT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How one agent is used. Every field is stored under its own name."""

    scope: SessionKind = SessionKind.CONVERSATION
    instructions: str = field(default="", repr=False)
    """A template of Home Assistant; its result is told the agent in every turn."""

    context: frozenset[ContextField] = ALL_FIELDS
    spoken_style: When = When.AUTO
    """When an answer is made fit for speech; `auto`: when a satellite or device is known."""

    follow_up: When = When.AUTO
    follow_up_limit: int = DEFAULT_FOLLOW_UP_LIMIT
    """Turns in a row for which the satellite listens again by itself."""

    patience: float = DEFAULT_PATIENCE
    """Seconds a spoken turn waits without a word before it is answered later."""

    holding_phrases: tuple[str, ...] = ()
    """Said in place of the built-in sentence when the answer comes later; one is chosen."""

    fallback: tuple[str, ...] = ()
    """Entity ids of satellites and notify entities that get what could not be said."""

    outage_wait: float = DEFAULT_OUTAGE_WAIT
    """Seconds a turn waits for the gateway to come back before it apologises."""

    thinking: str | None = None
    """Level for every run, one of the agent's own; None: the agent's default."""

    model: str | None = None
    """As `provider/id`; None: the agent's default."""

    asks_before_risk: bool = False
    """Runs are started so that the gateway can ask for approvals (`chat.send`)."""

    only_if_addressed: bool = False
    """The agent is told to stay silent when it is not meant."""

    reachable_by_realtime: bool = True
    offered_as_tool: bool = False
    """Other agents of Home Assistant may ask this one."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of a subentry; what is missing or odd gets its default."""
        raise NotImplementedError
