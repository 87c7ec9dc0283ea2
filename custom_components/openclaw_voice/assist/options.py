"""How an agent is used: the options of its subentry (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
import math
import re
from typing import Any, Final, Self

from .session_key import SessionKind


class When(StrEnum):
    """When something is done."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class RealtimeBackend(StrEnum):
    """What answers in realtime sessions."""

    AUTO = "auto"
    """The gateway's speech model if it has one, else Home Assistant's speech engines."""

    GATEWAY = "gateway"
    ASSIST = "assist"


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

PATIENCE_BOUNDS: Final = (1.0, 240.0)
"""Seconds; after 240 every turn is handed over, spoken or not."""

OUTAGE_WAIT_BOUNDS: Final = (0.0, 60.0)
FOLLOW_UP_BOUNDS: Final = (1, 50)
SILENCE_BOUNDS: Final = (0.1, 5.0)
"""Seconds of it that end what somebody says in a realtime session."""

MAX_INSTRUCTIONS: Final = 10_000
"""Characters of the template."""

MAX_PHRASES: Final = 20
MAX_PHRASE: Final = 200
MAX_FALLBACKS: Final = 20
MAX_NAME: Final = 200
"""Characters of a thinking level, or of the name of a model or a voice."""

FALLBACK_DOMAINS: Final = ("assist_satellite", "notify")
_FALLBACK: Final = re.compile(rf"(?:{'|'.join(FALLBACK_DOMAINS)})\.[a-z0-9_]+")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


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

    realtime_backend: RealtimeBackend = RealtimeBackend.AUTO
    """What answers in a realtime session that does not name a backend itself."""

    realtime_voice: str | None = None
    """Of the gateway's speech model; None: the one it is configured with."""

    realtime_model: str | None = None
    """The speech model; None: the one the gateway is configured with."""

    realtime_language: str | None = None
    """As BCP 47 tag; None: as the satellite says, else as Home Assistant is set."""

    realtime_silence: float | None = None
    """Seconds that end what somebody says; None: the backend's own default."""

    realtime_asks_first: bool = False
    """Somebody who has long been silent is asked once before the session ends."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of a subentry; what is missing or odd gets its default."""
        default = cls()
        return cls(
            scope=_enum(data.get("scope"), default.scope),
            instructions=(_text(data.get("instructions"), MAX_INSTRUCTIONS) or ""),
            context=_context(data.get("context")),
            spoken_style=_enum(data.get("spoken_style"), default.spoken_style),
            follow_up=_enum(data.get("follow_up"), default.follow_up),
            follow_up_limit=int(
                _number(data.get("follow_up_limit"), default.follow_up_limit, FOLLOW_UP_BOUNDS)
            ),
            patience=_number(data.get("patience"), default.patience, PATIENCE_BOUNDS),
            holding_phrases=tuple(
                text[:MAX_PHRASE] for text in _texts(data.get("holding_phrases"))[:MAX_PHRASES]
            ),
            fallback=tuple(filter(_FALLBACK.fullmatch, _texts(data.get("fallback"))))[
                :MAX_FALLBACKS
            ],
            outage_wait=_number(data.get("outage_wait"), default.outage_wait, OUTAGE_WAIT_BOUNDS),
            thinking=_text(data.get("thinking"), MAX_NAME),
            model=_text(data.get("model"), MAX_NAME),
            asks_before_risk=_flag(data.get("asks_before_risk"), default.asks_before_risk),
            only_if_addressed=_flag(data.get("only_if_addressed"), default.only_if_addressed),
            reachable_by_realtime=_flag(
                data.get("reachable_by_realtime"), default.reachable_by_realtime
            ),
            offered_as_tool=_flag(data.get("offered_as_tool"), default.offered_as_tool),
            realtime_backend=_enum(data.get("realtime_backend"), default.realtime_backend),
            realtime_voice=_text(data.get("realtime_voice"), MAX_NAME),
            realtime_model=_text(data.get("realtime_model"), MAX_NAME),
            realtime_language=_language(data.get("realtime_language")),
            realtime_silence=_seconds(data.get("realtime_silence"), SILENCE_BOUNDS),
            realtime_asks_first=_flag(data.get("realtime_asks_first"), default.realtime_asks_first),
        )

    def as_data(self) -> dict[str, Any]:
        """Return what a subentry stores: plain values, which `from_data` reads back as they are."""
        return {item.name: _stored(getattr(self, item.name)) for item in fields(self)}


OPTION_NAMES: Final = tuple(item.name for item in fields(AgentOptions))
"""Names under which options are stored; what else a subentry stores is no option."""


def _stored(value: object) -> object:
    match value:
        case frozenset():
            return [item.value for item in ContextField if item in value]
        case tuple():
            return list(value)
        case StrEnum():
            return value.value
    return value


def _enum[E: StrEnum](value: object, default: E) -> E:
    known = {member.value: member for member in type(default)}
    return known.get(value, default) if isinstance(value, str) else default


def _number(value: object, default: float, bounds: tuple[float, float]) -> float:
    """Read a number and keep it within bounds; `True` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    if isinstance(value, float) and math.isnan(value):
        return default
    return float(min(max(value, bounds[0]), bounds[1]))


def _seconds(value: object, bounds: tuple[float, float]) -> float | None:
    """Read a number within bounds, or None."""
    number = _number(value, math.inf, bounds)
    return None if math.isinf(number) else number


def _language(value: object) -> str | None:
    """Read a BCP 47 tag."""
    text = _text(value, MAX_NAME)
    return text if text is not None and _LANGUAGE.fullmatch(text) else None


def _flag(value: object, default: bool) -> bool:
    return value if isinstance(value, bool) else default


def _text(value: object, limit: int) -> str | None:
    """Read a text that is neither empty nor longer than it can be."""
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        return None
    return value.strip()


def _texts(value: object) -> tuple[str, ...]:
    """Read texts: each once, without spaces around them, and none that is empty."""
    if not isinstance(value, list | tuple):
        return ()
    stripped = (text.strip() for text in value if isinstance(text, str))
    return tuple(dict.fromkeys(text for text in stripped if text))


def _context(value: object) -> frozenset[ContextField]:
    """Read which fields are told; a name of no field is left out."""
    if not isinstance(value, list | tuple | set | frozenset):
        return ALL_FIELDS
    return frozenset(item for item in ContextField if item in value)
