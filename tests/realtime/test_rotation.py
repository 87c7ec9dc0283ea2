"""When a session is replaced, and why there is none."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.openclaw_voice.gateway.errors import (
    AgentNotFoundError,
    CannotConnectError,
    GatewayError,
    TalkUnavailableError,
)
from custom_components.openclaw_voice.gateway.talk_items import TalkUnavailability
from custom_components.openclaw_voice.realtime.rotation import (
    has_expired,
    rotates_in,
    rotation_error,
    start_error,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "wait"), [(1800, 1740), (61, 1), (60, 0), (5, 0), (-5, 0)])
def test_it_is_replaced_a_minute_before_its_end(seconds: int, wait: int) -> None:
    """Or at once when that is over."""
    assert rotates_in(NOW + timedelta(seconds=seconds), NOW) == wait


@pytest.mark.parametrize(("seconds", "expected"), [(60, False), (9, True), (-1, True)])
def test_its_end_is_known_about(seconds: int, expected: bool) -> None:
    """Clocks differ."""
    assert has_expired(NOW + timedelta(seconds=seconds), NOW) is expected


@pytest.mark.parametrize(
    ("error", "start", "rotation"),
    [
        (CannotConnectError("away"), "backend_start_failed", "gateway_lost"),
        (AgentNotFoundError("INVALID_REQUEST", "gone"), "no_agent", "gateway_lost"),
        *(
            (TalkUnavailableError("no", kind=kind), reason, reason)
            for kind, reason in (
                (TalkUnavailability.NOT_CONFIGURED, "no_backend"),
                (TalkUnavailability.UNSUPPORTED, "no_backend"),
                (TalkUnavailability.AUTH, "provider_auth"),
                (TalkUnavailability.UNREACHABLE, "provider_unavailable"),
                (TalkUnavailability.TOO_MANY, "rate_limited"),
                (TalkUnavailability.FORBIDDEN, "backend_start_failed"),
            )
        ),
    ],
    ids=lambda value: getattr(value, "kind", None) or str(value),
)
def test_why_there_is_none(error: GatewayError, start: str, rotation: str) -> None:
    """In the words of the satellite protocol; none of it is recoverable."""
    assert (start_error(error).reason, start_error(error).is_recoverable) == (start, False)
    assert rotation_error(error).reason == rotation
