"""What a run is asked to do, and how long its caller waits (pure)."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
import uuid

from .frames import JsonObject, whole_characters

DEADLINE_MARGIN: Final = 30.0
"""Seconds the gateway's deadline lies behind ours: the time a lost connection may cost."""


class RunMethod(StrEnum):
    """How a run is started."""

    AGENT = "agent"
    """Takes instructions; its tools cannot ask for approvals."""

    CHAT_SEND = "chat.send"
    """Takes no instructions; its tools can ask this device for approvals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a message."""

    name: str
    mime_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a turn waits for its run. Seconds."""

    silence: float = 120.0
    """Without any frame of the run."""

    total: float = 240.0
    """From start to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run is asked to do."""

    session_key: str
    message: str = field(repr=False)
    instructions: str | None = field(default=None, repr=False)
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Chosen by us: it is the idempotency key, so that repeating the request is safe."""

    def params(self, patience: Patience) -> JsonObject:
        """Return the params of the `agent` request."""
        params: JsonObject = {
            "message": whole_characters(self.message),
            "sessionKey": self.session_key,
            "idempotencyKey": self.run_id,
            # The gateway's own deadline is two days. Ours comes first; this one is the net below.
            "timeout": round(patience.total + DEADLINE_MARGIN),
        }
        if instructions := whole_characters(self.instructions or ""):
            params["extraSystemPrompt"] = instructions
        return params
