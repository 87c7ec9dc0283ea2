"""Tests of the reasons and close codes of the satellite protocol."""

import pytest

from custom_components.openclaw_voice.realtime.protocol import (
    RULES,
    CloseCode,
    ProtocolProblem,
    Reason,
    reason_of,
)


def test_every_reason_has_a_rule() -> None:
    """A reason nobody can look up says nothing."""
    assert list(RULES) == list(Reason)
    assert {rule.close for rule in RULES.values()} == set(CloseCode)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_fits_into_a_close_frame(reason: Reason) -> None:
    """WebSocket has 123 bytes for it."""
    assert len(reason.encode()) <= 123


@pytest.mark.parametrize(
    "reason",
    [
        ("auth_failed", 401),
        ("config_required", 400),
        ("already_configured", 400),
        ("invalid_event", 400),
        ("unsupported_frame", 501),
        ("no_agent", 400),
        ("no_backend", 503),
        ("backend_start_failed", 503),
        ("provider_auth", 502),
        ("provider_unavailable", 502),
        ("rate_limited", 429),
        ("replaced", 409),
        ("idle", 408),
        ("token_revoked", 401),
        ("message_too_large", 413),
        ("agent_unreachable", 403),
        ("gateway_lost", 503),
        ("session_expired", 408),
        ("slow_consumer", 408),
        ("pipeline_error", 500),
    ],
)
def test_what_was_promised_does_not_change(reason: tuple[str, int]) -> None:
    """Satellites branch on it."""
    name, code = reason
    assert RULES[Reason(name)].code == code


def test_an_end_that_is_no_error_goes_on_with_nothing() -> None:
    """It is never sent as an error."""
    quiet = [reason for reason, rule in RULES.items() if rule.code is None]
    assert quiet == [
        Reason.COMPLETED,
        Reason.CLIENT_ENDED,
        Reason.DISCONNECTED,
        Reason.UNLOADED,
        Reason.STOPPED,
    ]
    assert not any(RULES[reason].is_recoverable for reason in quiet)


def test_a_reason_nobody_knows_is_ours_to_explain() -> None:
    """A backend may be newer than the table."""
    assert reason_of("idle") is Reason.IDLE
    assert reason_of("moon_phase") is Reason.INTERNAL_ERROR


def test_a_problem_says_what_and_where() -> None:
    """For the developer of a satellite."""
    found = ProtocolProblem(Reason.MESSAGE_TOO_LARGE)
    assert (str(found), found.code, found.is_recoverable) == ("message too large", 413, False)
    assert str(ProtocolProblem(Reason.INVALID_EVENT, "text: a text")).endswith(": text: a text")
