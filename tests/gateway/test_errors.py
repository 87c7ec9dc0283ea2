"""The error tree: what callers rely on."""

from collections.abc import Iterator
import inspect
import re

import pytest

from custom_components.openclaw_voice.gateway import errors
from custom_components.openclaw_voice.gateway.errors import (
    UNKNOWN_RATE_LIMIT_WAIT,
    AccessError,
    CannotConnectError,
    CertificateChangedError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    HandshakeRefusedError,
    MissingRightsError,
    PairingRequiredError,
    ProxyRefusedError,
    RateLimitedError,
    RequestError,
    RunFailedError,
    SignatureRejectedError,
    UnsupportedVersionError,
)

ERRORS = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, BaseException)
]


def drawn_tree() -> Iterator[tuple[str, str]]:
    """Yield each error of the module's docstring with the one it is drawn under."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"((?: {4})*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            yield found[2], path[depth - 1] if depth else "Exception"


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_derives_from_the_root(error: type[BaseException]) -> None:
    """Whoever catches GatewayError catches everything of the client."""
    assert issubclass(error, GatewayError)


def test_the_drawn_tree_is_the_real_one() -> None:
    """The tree in the docstring names every error, at the place where it is."""
    assert dict(drawn_tree()) == {
        error.__name__: error.__base__.__name__ for error in ERRORS if error.__base__
    }


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_slug_to_translate_by(error: type[GatewayError]) -> None:
    """A category is a translation key: lower case, digits and underscores."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", error.category)


def test_a_lost_connection_tells_code_and_reason() -> None:
    """The close code and reason are in the message and on the error."""
    error = ConnectionLostError(1012, "service restart")

    assert str(error) == "connection closed with 1012 service restart"
    assert (error.code, error.reason) == (1012, "service restart")


def test_a_connection_lost_without_a_reason_ends_with_the_code() -> None:
    """An empty reason leaves no space behind."""
    assert str(ConnectionLostError(1006)) == "connection closed with 1006"


@pytest.mark.parametrize(
    ("told", "wait"),
    [(None, UNKNOWN_RATE_LIMIT_WAIT), (4.989, 4.989)],
    ids=["unknown", "told by the gateway"],
)
def test_a_rate_limit_always_has_a_wait(told: float | None, wait: float) -> None:
    """Without a word of the gateway it is five minutes, its default lock."""
    assert RateLimitedError("too many", retry_after=told).retry_after == wait


def test_a_refused_request_says_its_code() -> None:
    """The gateway's code stands before its sentence."""
    error = RequestError("FORBIDDEN", "missing scope", detail_code="MISSING_SCOPE", retry_after=1.0)

    assert str(error) == "FORBIDDEN: missing scope"
    assert (error.code, error.detail_code, error.retry_after) == ("FORBIDDEN", "MISSING_SCOPE", 1.0)


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        pytest.param(
            CannotConnectError("x", status=503, retry_after=0.5),
            {"status": 503, "retry_after": 0.5},
            id="cannot connect",
        ),
        pytest.param(
            CannotConnectError("x"), {"status": None, "retry_after": None}, id="nothing known"
        ),
        pytest.param(
            CredentialsRejectedError("x", detail_code="AUTH_TOKEN_MISMATCH"),
            {"detail_code": "AUTH_TOKEN_MISMATCH"},
            id="credentials",
        ),
        pytest.param(
            MissingRightsError("x", missing=("operator.read",)),
            {"missing": ("operator.read",), "detail_code": None},
            id="rights",
        ),
        pytest.param(
            MissingRightsError("x", detail_code="AUTH_SCOPE_MISMATCH"),
            {"missing": (), "detail_code": "AUTH_SCOPE_MISMATCH"},
            id="rights of a token",
        ),
        pytest.param(
            CertificateChangedError("x", fingerprint="ab"),
            {"fingerprint": "ab", "detail_code": None},
            id="certificate",
        ),
        pytest.param(
            PairingRequiredError("x", request_id="r", reason="not-paired"),
            {"request_id": "r", "reason": "not-paired"},
            id="pairing",
        ),
        pytest.param(ProxyRefusedError("x", status=403), {"status": 403}, id="proxy"),
        pytest.param(SignatureRejectedError("x", expired=True), {"expired": True}, id="signature"),
        pytest.param(UnsupportedVersionError("x", expected=5), {"expected": 5}, id="version"),
        pytest.param(HandshakeRefusedError("x", detail_code="Y"), {"detail_code": "Y"}, id="other"),
        pytest.param(RunFailedError("x", kind="timeout"), {"kind": "timeout"}, id="run"),
    ],
)
def test_errors_carry_what_their_caller_needs(
    error: GatewayError, fields: dict[str, object]
) -> None:
    """What a caller acts on is a field, not a word in a message."""
    assert str(error) == "x"
    assert {name: getattr(error, name) for name in fields} == fields


def test_access_errors_are_not_worth_a_retry() -> None:
    """Rate limits and network errors are outside of the branch that waits for a person."""
    assert not issubclass(RateLimitedError, AccessError)
    assert not issubclass(CannotConnectError, AccessError)
