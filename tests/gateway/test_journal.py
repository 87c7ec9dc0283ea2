"""What diagnostics are told about the connection."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.openclaw_voice.gateway.errors import (
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
)
from custom_components.openclaw_voice.gateway.journal import KEPT, Journal, JournalEntry

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "category", "code"),
    [
        (None, None, None),
        (CredentialsRejectedError("secret words"), "invalid_auth", None),
        (ConnectionLostError(4001, "device removed"), "connection_lost", 4001),
    ],
    ids=["no error", "refusal", "close"],
)
def test_an_event_tells_kind_and_code_but_no_texts(
    error: GatewayError | None, category: str | None, code: int | None
) -> None:
    """Texts come from outside, and diagnostics are posted in public."""
    journal = Journal()
    journal.note(NOON, "refused", error)
    assert journal.entries == (
        JournalEntry(at=NOON, state="refused", category=category, code=code),
    )


def test_the_oldest_event_makes_way() -> None:
    """A gateway that is away for a week does not fill the memory."""
    journal = Journal()
    times = [NOON + timedelta(seconds=number) for number in range(KEPT + 2)]
    for at in times:
        journal.note(at, "retry_wait", None)
    assert [entry.at for entry in journal.entries] == times[2:]
