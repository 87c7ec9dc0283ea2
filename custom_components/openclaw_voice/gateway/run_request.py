"""What a run is asked to do, and how long its caller waits (pure).

Source: gateway protocol 4, "chat.send" and "agent".
"""

from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
import uuid

from .frames import MILLISECONDS, JsonObject, whole_characters

RUN_DEADLINE: Final = 6 * 3600.0
"""Seconds the gateway lets a run work. Its own limit would be two days."""

MAX_WORK_CONTEXT: Final = 640
"""Characters of `workContext.selection`. Source: gateway protocol 4, "chat.send"."""

WORK_PLACE: Final = {"page": "voice", "title": "Home Assistant"}
"""Where the user is, as the gateway wants to know it beside the context."""


class RunMethod(StrEnum):
    """How a run is started."""

    AGENT = "agent"
    """Takes instructions; its tools cannot ask for approvals."""

    CHAT_SEND = "chat.send"
    """Takes no instructions; its tools can ask this device for approvals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a message. `RunMethod.AGENT` takes images only."""

    name: str
    mime_type: str
    content: bytes = field(repr=False)

    @property
    def is_image(self) -> bool:
        """Whether the model sees it; the text of another file is added to the message."""
        return self.mime_type.startswith("image/")

    def for_wire(self) -> JsonObject:
        """Return it as the gateway wants it."""
        payload = {
            "mimeType": self.mime_type,
            "fileName": whole_characters(self.name),
            "content": b64encode(self.content).decode(),
        }
        return {"type": "image"} | payload if self.is_image else payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long somebody waits for a run. Seconds."""

    connect: float = 5.0
    """At the start, for a connection that is just being made or comes back from a short outage."""

    silence: float = 120.0
    """Without any frame of the run. Then an attached run has failed; a detached one is asked for."""

    total: float = 240.0
    """From start to end; of a detached run from the moment it was detached."""

    recovery: float = 30.0
    """From a lost connection until the run is found again.

    A gateway needs 11 to 15 s for a restart, and some more to continue what it had interrupted.
    """


DETACHED: Final = Patience(total=RUN_DEADLINE, recovery=RUN_DEADLINE)
"""Of a run nobody waits for: it ends when the gateway ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is asked to do."""

    session_key: str
    message: str = field(repr=False)
    instructions: str | None = field(default=None, repr=False)
    """For the agent's system prompt; only `RunMethod.AGENT` can carry them."""

    method: RunMethod = RunMethod.AGENT
    thinking: str | None = None
    """One of the levels the agent's model has; None: the session's own."""

    attachments: tuple[Attachment, ...] = ()
    work_context: str | None = field(default=None, repr=False)
    """Told the agent as quoted data; only `RunMethod.CHAT_SEND` can carry it, cut at 640 characters."""

    deadline: float = RUN_DEADLINE
    """Seconds until the gateway itself ends the run."""

    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Chosen by us: it is the idempotency key, so that repeating the request is safe."""

    def params(self) -> JsonObject:
        """Return the params of the request that starts the run."""
        params: JsonObject = {
            "message": whole_characters(self.message),
            "sessionKey": self.session_key,
            "idempotencyKey": self.run_id,
        }
        if self.method is RunMethod.AGENT:
            params["timeout"] = round(self.deadline)
            if instructions := whole_characters(self.instructions or ""):
                params["extraSystemPrompt"] = instructions
        else:
            params["timeoutMs"] = round(self.deadline * MILLISECONDS)
            if context := whole_characters((self.work_context or "")[:MAX_WORK_CONTEXT]):
                params["workContext"] = WORK_PLACE | {"selection": context}
        if self.thinking:
            params["thinking"] = self.thinking
        if self.attachments:
            params["attachments"] = [file.for_wire() for file in self.attachments]
        return params
