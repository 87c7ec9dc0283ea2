"""What is asked, and where it comes from (pure)."""

from dataclasses import dataclass, field

from ..gateway.run_request import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A room of the home, or another area or floor."""

    id: str
    """Id in the registry of Home Assistant; it may contain the name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks, as far as Home Assistant knows it. Nobody is guessed."""

    id: str
    """The id of the user of Home Assistant: the same person always has the same."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a question comes from. What Home Assistant does not know is None."""

    satellite_id: str | None = None
    """Entity id of the Assist satellite."""

    satellite_name: str | None = None
    device_id: str | None = None
    device_model: str | None = None
    area: Place | None = None
    floor: Place | None = None
    person: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One utterance, typed text or task for an agent."""

    text: str = field(repr=False)
    language: str
    """As BCP 47 tag, for instance `en` or `de-DE`."""

    conversation_id: str | None = None
    """Of Home Assistant; None for a conversation of its own."""

    origin: Origin = field(default_factory=Origin)
    is_spoken: bool = False
    """Whether people listen to the answer, and nobody reads it."""

    extra_instructions: str | None = field(default=None, repr=False)
    """What Home Assistant, or the caller of an action, adds for this very turn."""

    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    session: str | None = None
    """A session by a name of its own, instead of the scope the agent is set to."""

    session_key: str | None = None
    """The very session, instead of one by a scope: where the message belongs that is answered."""

    reply_to: str | None = field(default=None, repr=False)
    """What the agent has said on its own just before; the text is the reply."""
