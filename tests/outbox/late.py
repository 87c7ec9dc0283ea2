"""Late answers and messages for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from custom_components.openclaw_voice.outbox.late_answer import LateAnswer
from custom_components.openclaw_voice.outbox.queue import Message, Waiting

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
SATELLITE: Final = "assist_satellite.kitchen"


def make_answer(**fields: object) -> LateAnswer:
    """Return an answer that was promised at noon."""
    known: dict[str, Any] = {
        "id": "run-1",
        "agent_id": "main",
        "subentry_id": "subentry-main",
        "session_key": "agent:main:homeassistant:home:satellite:kitchen",
        "run_id": "run-1",
        "question": "What is the meaning of life?",
        "language": "en",
        "satellite_id": SATELLITE,
        "created": NOON,
    }
    known.update(fields)
    return LateAnswer(**known)


def make_message(message_id: str = "a", **fields: object) -> Message:
    """Return a message for the satellite in the kitchen."""
    known: dict[str, Any] = {
        "id": message_id,
        "spoken": f"This is {message_id}.",
        "written": f"This is **{message_id}**.",
        "satellite_id": SATELLITE,
        "expires": NOON + timedelta(hours=1),
    }
    known.update(fields)
    return Message(**known)


def make_waiting(message_id: str = "a", *, tries: int = 0, **fields: object) -> Waiting:
    """Return a message that waits as long as it lives."""
    message = make_message(message_id, **fields)
    return Waiting(message=message, until=message.expires, tries=tries)
