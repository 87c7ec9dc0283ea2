"""The handshake: challenge in, signed connect request out, answer understood (pure).

Source: gateway protocol 4, "Handshake" and "Device identity and signature".
"""

from dataclasses import dataclass
import re
from typing import Final, Self

from .errors import (
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
from .frames import ErrorShape, GatewayEvent, JsonObject, as_number, as_text
from .models import PROTOCOL_VERSION, ConnectionSettings, HelloOk

CLIENT_ID: Final = "gateway-client"
CLIENT_MODE: Final = "backend"
"""The id and mode meant for programs; both are closed lists of the gateway."""

PLATFORM: Final = "linux"
DEVICE_FAMILY: Final = "Linux"
"""Pinned at pairing: they must never change, whatever Home Assistant runs on."""

USER_AGENT: Final = "openclaw_voice"

MIN_STARTUP_WAIT: Final = 0.1
MAX_STARTUP_WAIT: Final = 2.0
"""Bounds (seconds) of the wait a starting gateway asks for."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)

_CREDENTIALS_REJECTED: Final = frozenset(
    {
        "AUTH_TOKEN_MISMATCH",
        "AUTH_PASSWORD_MISMATCH",
        "AUTH_TOKEN_MISSING",
        "AUTH_PASSWORD_MISSING",
        "AUTH_UNAUTHORIZED",
        "AUTH_REQUIRED",
        "AUTH_DEVICE_TOKEN_MISMATCH",
    }
)
_MISCONFIGURED: Final = frozenset({"AUTH_IDENTITY_HEADER_REQUIRED", "AUTH_VERIFIED_USER_REQUIRED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What the gateway wants signed."""

    nonce: str
    signed_at_ms: int
    """Time of the challenge on the gateway's clock, milliseconds since 1970."""

    @classmethod
    def from_event(cls, event: GatewayEvent) -> Self:
        """Read a `connect.challenge`.

        Raises:
            ProtocolError: It carries no nonce or no time.
        """
        nonce = as_text(event.payload.get("nonce"))
        signed_at_ms = as_number(event.payload.get("ts"))
        # Half an emoji can be escaped in JSON, but neither signed nor sent.
        if nonce is None or not nonce.isascii() or signed_at_ms is None:
            raise ProtocolError("challenge without nonce or time")
        return cls(nonce=nonce, signed_at_ms=int(signed_at_ms))


def connect_params(settings: ConnectionSettings, challenge: Challenge) -> JsonObject:
    """Return the params of the `connect` request that answers `challenge`."""
    params: JsonObject = {
        "minProtocol": PROTOCOL_VERSION,
        "maxProtocol": PROTOCOL_VERSION,
        "client": {
            "id": CLIENT_ID,
            "displayName": settings.display_name,
            "version": settings.client_version,
            "platform": PLATFORM,
            "deviceFamily": DEVICE_FAMILY,
            "mode": CLIENT_MODE,
        },
        "role": settings.role,
        "scopes": list(settings.wanted_scopes),
        "caps": list(settings.caps),
        "userAgent": f"{USER_AGENT}/{settings.client_version}",
    }
    if settings.commands:
        params["commands"] = list(settings.commands)
    credential = settings.credentials.for_wire()
    if credential is not None:
        params["auth"] = {credential[0]: credential[1]}
    identity = settings.identity
    if identity is not None:
        params["device"] = {
            "id": identity.device_id,
            "publicKey": identity.public_key,
            "signature": identity.sign(signed_text(settings, challenge, identity.device_id)),
            "signedAt": challenge.signed_at_ms,
            "nonce": challenge.nonce,
        }
    return params


def signed_text(settings: ConnectionSettings, challenge: Challenge, device_id: str) -> str:
    """Return the text a device signs, version 3: eleven fields joined with `|`."""
    credential = settings.credentials.for_wire()
    return "|".join(
        (
            "v3",
            device_id,
            CLIENT_ID,
            CLIENT_MODE,
            settings.role,
            ",".join(settings.wanted_scopes),
            str(challenge.signed_at_ms),
            credential[1] if credential else "",
            challenge.nonce,
            PLATFORM.lower(),
            DEVICE_FAMILY.lower(),
        )
    )


def accept_hello(payload: JsonObject, settings: ConnectionSettings) -> HelloOk:
    """Read the payload of a successful `connect` and check that it is of use to us.

    Raises:
        ProtocolError: It is not a `hello-ok`.
        UnsupportedVersionError: The gateway chose another protocol version.
        MissingRightsError: Without a paired identity the gateway says ok and grants nothing.
    """
    hello = HelloOk.from_payload(payload)
    if hello.protocol != PROTOCOL_VERSION:
        raise UnsupportedVersionError(
            f"gateway speaks protocol {hello.protocol}", expected=hello.protocol
        )
    missing = tuple(scope for scope in settings.required_scopes if scope not in hello.scopes)
    if missing:
        raise MissingRightsError(f"gateway did not grant {', '.join(missing)}", missing=missing)
    return hello


def refusal(error: ErrorShape) -> GatewayError:
    """Return the typed error of a refused `connect`.

    The gateway's code decides, not its text. A code we do not know is a `HandshakeRefusedError`.
    """
    # Each reader takes the codes of one kind; the first that knows the code wins.
    for reader in (_starting, _pairing, _authentication, _device_signature, _version):
        found = reader(error)
        if found is not None:
            return found
    return HandshakeRefusedError(error.message, detail_code=error.detail_code)


def _starting(error: ErrorShape) -> GatewayError | None:
    if error.code != "UNAVAILABLE":
        return None
    wait = MIN_STARTUP_WAIT if error.retry_after is None else error.retry_after
    return CannotConnectError(
        error.message, retry_after=min(max(wait, MIN_STARTUP_WAIT), MAX_STARTUP_WAIT)
    )


def _pairing(error: ErrorShape) -> GatewayError | None:
    if error.detail_code != "PAIRING_REQUIRED":
        return None
    return PairingRequiredError(
        error.message,
        request_id=_request_id(error.details.get("requestId")),
        reason=error.detail_reason or "not-paired",
    )


def _request_id(value: object) -> str:
    """Return an id that may stand in a command people are told to run, else nothing."""
    text = as_text(value) or ""
    return text if _REQUEST_ID.fullmatch(text) else ""


def _authentication(error: ErrorShape) -> GatewayError | None:
    code = error.detail_code or ""
    if code == "AUTH_RATE_LIMITED":
        return RateLimitedError(error.message, retry_after=error.retry_after)
    if code == "AUTH_SCOPE_MISMATCH":
        return MissingRightsError(error.message, detail_code=code)
    if code == "AUTH_BOOTSTRAP_TOKEN_INVALID":
        return SetupCodeRejectedError(error.message, detail_code=code)
    if code in _CREDENTIALS_REJECTED:
        return CredentialsRejectedError(error.message, detail_code=code)
    if (
        code in _MISCONFIGURED
        or code.endswith("_NOT_CONFIGURED")
        or code.startswith("AUTH_TAILSCALE_")
    ):
        return GatewayMisconfiguredError(error.message, detail_code=code)
    return None


def _device_signature(error: ErrorShape) -> GatewayError | None:
    code = error.detail_code or ""
    if not code.startswith("DEVICE_AUTH_"):
        return None
    return SignatureRejectedError(error.message, expired=code == "DEVICE_AUTH_SIGNATURE_EXPIRED")


def _version(error: ErrorShape) -> GatewayError | None:
    if error.detail_code != "PROTOCOL_MISMATCH":
        return None
    expected = as_number(error.details.get("expectedProtocol"))
    return UnsupportedVersionError(
        error.message, expected=None if expected is None else int(expected)
    )
