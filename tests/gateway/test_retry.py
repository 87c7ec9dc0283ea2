"""From the outcome of a connection to what the client does next."""

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.errors import (
    AccessError,
    CannotConnectError,
    CertificateChangedError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    GatewayMisconfiguredError,
    HandshakeRefusedError,
    MissingRightsError,
    NotAGatewayError,
    PairingRequiredError,
    ProtocolError,
    ProxyRefusedError,
    RateLimitedError,
    SetupCodeRejectedError,
    SignatureRejectedError,
    TlsError,
    UnsupportedVersionError,
    UntrustedCertificateError,
)
from custom_components.openclaw_voice.gateway.retry import (
    JITTER,
    LONGEST_WAIT,
    TOLERATED,
    Action,
    Decision,
    Outcome,
    decide,
)

NETWORK_ERRORS = [
    pytest.param(CannotConnectError("refused"), id="refused"),
    pytest.param(CannotConnectError("draining", status=503), id="http 503"),
    pytest.param(TlsError("certificate"), id="tls"),
    pytest.param(UntrustedCertificateError("self-signed"), id="untrusted"),
    pytest.param(ConnectionLostError(1006), id="1006"),
    pytest.param(ConnectionLostError(1012, "service restart"), id="1012"),
    pytest.param(ConnectionLostError(1013, "gateway starting"), id="1013"),
    pytest.param(ConnectionLostError(4001, "device removed"), id="4001"),
    pytest.param(ProtocolError("odd"), id="protocol"),
    pytest.param(NotAGatewayError("nginx"), id="not a gateway"),
]
PERSON_ERRORS = [
    pytest.param(CredentialsRejectedError("x"), id="credentials"),
    pytest.param(SetupCodeRejectedError("x"), id="setup code"),
    pytest.param(CertificateChangedError("x", fingerprint="ab"), id="certificate"),
    pytest.param(MissingRightsError("x"), id="rights"),
    pytest.param(ProxyRefusedError("x", status=403), id="proxy"),
    pytest.param(GatewayMisconfiguredError("x"), id="misconfigured"),
    pytest.param(AccessError("x"), id="access"),
    pytest.param(UnsupportedVersionError("x"), id="version"),
    pytest.param(HandshakeRefusedError("x"), id="handshake"),
]


def after(
    error: GatewayError,
    failures: int = 0,
    *,
    chance: float = 0.0,
    quick_losses: int = 0,
    protocol_errors: int = 0,
    signature_errors: int = 0,
    has_other_credential: bool = False,
) -> Decision:
    """Return the decision after an error."""
    outcome = Outcome(
        error=error,
        failures=failures,
        quick_losses=quick_losses,
        protocol_errors=protocol_errors,
        signature_errors=signature_errors,
        has_other_credential=has_other_credential,
    )
    return decide(outcome, chance=chance)


@pytest.mark.parametrize("error", NETWORK_ERRORS)
@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (5, 30.0), (6, 30.0)]
)
def test_waits_double_to_the_longest(error: GatewayError, failures: int, wait: float) -> None:
    """A gateway that is away is asked again after 1 s, 2 s, 4 s … 30 s."""
    assert after(error, failures) == Decision(action=Action.RETRY, delay=wait)


def test_a_very_long_outage_is_still_retried() -> None:
    """A week of failures does not overflow."""
    assert after(ConnectionLostError(1006), failures=1_000_000).delay == LONGEST_WAIT


@given(st.integers(0, 100), st.floats(0.0, 1.0))
def test_chance_only_ever_adds_to_a_wait(failures: int, chance: float) -> None:
    """Many clients do not come back at once, and none comes earlier than the table says."""
    least = after(ConnectionLostError(1006), failures).delay
    delay = after(ConnectionLostError(1006), failures, chance=chance).delay

    assert least is not None
    assert delay is not None
    assert least <= delay <= least * (1 + JITTER)


def test_the_longest_wait_has_jitter_too() -> None:
    """After a restart of a gateway with many clients it matters most there."""
    assert after(ConnectionLostError(1006), failures=9, chance=1.0).delay == 37.5


@pytest.mark.parametrize("wait", [0.1, 0.5, 2.0])
def test_a_gateway_that_says_when_is_asked_then(wait: float) -> None:
    """The time of a starting gateway comes before the table and has no jitter."""
    decision = after(CannotConnectError("starting", retry_after=wait), failures=5, chance=1.0)

    assert decision == Decision(action=Action.RETRY, delay=wait)


@pytest.mark.parametrize("losses", [TOLERATED, TOLERATED + 1, 100])
def test_quick_losses_in_a_row_lead_to_the_longest_wait(losses: int) -> None:
    """A gateway that lets us in and throws us out again is not hammered."""
    assert after(ConnectionLostError(1008), quick_losses=losses) == Decision(
        action=Action.RETRY, delay=LONGEST_WAIT, is_repeating=True
    )


@pytest.mark.parametrize("losses", range(TOLERATED))
def test_a_few_quick_losses_are_tolerated(losses: int) -> None:
    """A gateway that restarts twice is back soon."""
    assert after(ConnectionLostError(1006), quick_losses=losses) == Decision(
        action=Action.RETRY, delay=1.0
    )


@pytest.mark.parametrize("error", [ProtocolError("odd"), NotAGatewayError("nginx")])
def test_protocol_errors_in_a_row_lead_to_the_longest_wait(error: ProtocolError) -> None:
    """What does not understand us now will not in a second."""
    assert after(error, protocol_errors=TOLERATED) == Decision(
        action=Action.RETRY, delay=LONGEST_WAIT, is_repeating=True
    )
    assert after(error, protocol_errors=TOLERATED - 1) == Decision(action=Action.RETRY, delay=1.0)


def test_repeated_trouble_has_jitter_too() -> None:
    """The longest wait after quick losses and protocol errors is spread as well."""
    assert after(ConnectionLostError(1008), quick_losses=3, chance=1.0).delay == 37.5
    assert after(ProtocolError("odd"), protocol_errors=3, chance=1.0).delay == 37.5


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (RateLimitedError("x", retry_after=4.989), 4.989),
        (RateLimitedError("x", retry_after=3_600.0), 3_600.0),
        (RateLimitedError("x"), 300.0),
        (RateLimitedError("x", retry_after=0.0), 1.0),
    ],
    ids=["seconds", "an hour", "not told", "nothing"],
)
def test_a_rate_limit_is_waited_out(error: RateLimitedError, wait: float) -> None:
    """Never earlier than told, and never at once."""
    assert after(error, failures=9) == Decision(action=Action.WAIT_OUT_LIMIT, delay=wait)


@pytest.mark.parametrize("failures", [0, 1, 100])
def test_pairing_is_polled_slowly(failures: int) -> None:
    """Approving is enough: nobody has to come back to Home Assistant."""
    error = PairingRequiredError("x", request_id="r", reason="not-paired")

    assert after(error, failures, chance=1.0) == Decision(action=Action.POLL_PAIRING, delay=60.0)


@pytest.mark.parametrize("error", PERSON_ERRORS)
def test_a_refusal_waits_for_a_person(error: GatewayError) -> None:
    """Trying again would only lock the address."""
    assert after(error, failures=3, quick_losses=9, protocol_errors=9) == Decision(
        action=Action.WAIT_FOR_PERSON
    )


def test_a_refused_device_token_makes_way_for_the_other_credential() -> None:
    """The stored secret is tried at once."""
    assert after(CredentialsRejectedError("x"), has_other_credential=True) == Decision(
        action=Action.USE_OTHER_CREDENTIAL, delay=0.0
    )


@pytest.mark.parametrize(
    "error", [MissingRightsError("x"), ProxyRefusedError("x", status=403)], ids=["rights", "proxy"]
)
def test_another_credential_does_not_help_against_other_refusals(error: GatewayError) -> None:
    """Only a refused credential is a reason to try another one."""
    assert after(error, has_other_credential=True).action is Action.WAIT_FOR_PERSON


@pytest.mark.parametrize("is_expired", [True, False])
def test_a_refused_signature_is_tried_once_more(is_expired: bool) -> None:
    """A fresh challenge may be signed in time; a second refusal needs a person."""
    error = SignatureRejectedError("x", expired=is_expired)

    assert after(error, signature_errors=1, protocol_errors=2) == Decision(
        action=Action.RETRY, delay=1.0
    )
    assert after(error, signature_errors=2) == Decision(action=Action.WAIT_FOR_PERSON)


@given(
    outcome=st.builds(
        Outcome,
        error=st.sampled_from([param.values[0] for param in [*NETWORK_ERRORS, *PERSON_ERRORS]]),
        failures=st.integers(0, 1_000),
        quick_losses=st.integers(0, 10),
        protocol_errors=st.integers(0, 10),
    ),
    chance=st.floats(0.0, 1.0),
)
def test_no_outcome_leads_to_a_busy_loop(outcome: Outcome, chance: float) -> None:
    """Whatever went before, a retry waits and a wait ends, or a person is asked."""
    decision = decide(outcome, chance=chance)

    if decision.action is Action.RETRY:
        assert decision.delay is not None
        assert 1.0 <= decision.delay <= LONGEST_WAIT * (1 + JITTER)
    else:
        assert decision == Decision(action=Action.WAIT_FOR_PERSON)
