"""What a gateway says when it refuses, word for word as recorded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A response with `ok: false`; on a refused `connect` the gateway then closes the socket."""

    code: str = "INVALID_REQUEST"
    message: str
    details: JsonObject | None = None
    retryable: bool | None = None
    retry_after_ms: int | None = None
    payload: JsonObject | None = None
    """What comes beside the error; only a failed `agent` run has that."""

    close_code: int = 1008
    close_reason: str | None = None
    """The message by default."""

    @property
    def error(self) -> JsonObject:
        """The `error` of the response."""
        fields = {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "retryAfterMs": self.retry_after_ms,
            "details": self.details,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def response(self, request_id: str) -> JsonObject:
        """Return the whole frame."""
        frame: JsonObject = {"type": "res", "id": request_id, "ok": False}
        if self.payload is not None:
            frame["payload"] = self.payload
        return frame | {"error": self.error}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRequest:
    """What an owner is asked to approve."""

    request_id: str
    device_id: str
    scopes: tuple[str, ...]
    approved: tuple[str, ...] = field(default=())


def unauthorized(
    detail_code: str, message: str, *, reason: str, next_step: str, has_device: bool = False
) -> Refusal:
    """Refuse a secret."""
    details = {
        "code": detail_code,
        "authReason": reason,
        "canRetryWithDeviceToken": has_device,
        "recommendedNextStep": next_step,
    }
    return Refusal(message=f"unauthorized: {message}", details=details)


def token_mismatch(*, has_device: bool = True) -> Refusal:
    """Refuse a wrong shared secret."""
    return unauthorized(
        "AUTH_TOKEN_MISMATCH",
        "gateway token mismatch (provide gateway auth token)",
        reason="token_mismatch",
        next_step="retry_with_device_token" if has_device else "update_auth_credentials",
        has_device=has_device,
    )


def token_missing() -> Refusal:
    """Refuse a connect without any secret."""
    return unauthorized(
        "AUTH_TOKEN_MISSING",
        "gateway token missing (provide gateway auth token)",
        reason="token_missing",
        next_step="update_auth_configuration",
    )


def device_token_mismatch() -> Refusal:
    """Refuse a device token that was removed, revoked or rotated."""
    return unauthorized(
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "device token mismatch (rotate/reissue device token)",
        reason="device_token_mismatch",
        next_step="update_auth_credentials",
    )


def scope_mismatch() -> Refusal:
    """Refuse more scopes than the device token has."""
    return unauthorized(
        "AUTH_SCOPE_MISMATCH",
        "device token scope mismatch (re-pair or approve scope upgrade)",
        reason="scope_mismatch",
        next_step="review_auth_configuration",
    )


def bootstrap_token_invalid() -> Refusal:
    """Refuse a setup code."""
    return unauthorized(
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
        "setup code invalid, expired, revoked, or already used (create a new code; "
        "review `openclaw devices list`)",
        reason="bootstrap_token_invalid",
        next_step="review_auth_configuration",
    )


def rate_limited(retry_after_ms: int | None = 4989) -> Refusal:
    """Refuse an address with too many failures; the time to wait may be missing."""
    return Refusal(
        message="unauthorized: too many failed authentication attempts (retry later)",
        retryable=True,
        retry_after_ms=retry_after_ms,
        details={
            "code": "AUTH_RATE_LIMITED",
            "authReason": "rate_limited",
            "canRetryWithDeviceToken": False,
            "recommendedNextStep": "wait_then_retry",
        },
    )


def device_identity_required() -> Refusal:
    """Refuse a stranger without a key."""
    return Refusal(
        code="NOT_PAIRED",
        message="device identity required",
        details={"code": "DEVICE_IDENTITY_REQUIRED"},
    )


def device_refused(detail_code: str, message: str, reason: str) -> Refusal:
    """Refuse a key or what it signed."""
    return Refusal(message=message, details={"code": detail_code, "reason": reason})


def pairing_required(request: PairingRequest) -> Refusal:
    """Ask the owner first."""
    details: JsonObject = {
        "code": "PAIRING_REQUIRED",
        "reason": "not-paired",
        "requestId": request.request_id,
        "remediationHint": "Approve this device from the pending pairing requests.",
        "deviceId": request.device_id,
        "requestedRole": "operator",
        "requestedScopes": list(request.scopes),
    }
    said = "device is not approved yet"
    if request.approved:
        said = "device is asking for more scopes than currently approved"
        details |= {
            "reason": "scope-upgrade",
            "remediationHint": "Review the requested scopes, then approve the pending upgrade.",
            "approvedRoles": ["operator"],
            "approvedScopes": sorted(request.approved),
        }
    message = f"pairing required: {said}"
    reason = f"{message} (requestId: {request.request_id})"
    return Refusal(code="NOT_PAIRED", message=message, details=details, close_reason=reason)


def protocol_mismatch(lowest: int = 4, highest: int = 4, *, expected: int = 5) -> Refusal:
    """Refuse a client of another protocol."""
    return Refusal(
        message="protocol mismatch",
        details={
            "code": "PROTOCOL_MISMATCH",
            "clientMinProtocol": lowest,
            "clientMaxProtocol": highest,
            "expectedProtocol": expected,
            "minimumProbeProtocol": 3,
        },
        close_code=1002,
    )


def still_starting(retry_after_ms: int = 500) -> Refusal:
    """Put off a client that came too early."""
    return Refusal(
        code="UNAVAILABLE",
        message="gateway starting; retry shortly",
        retryable=True,
        retry_after_ms=retry_after_ms,
        details={"reason": "startup-sidecars"},
        close_code=1013,
        close_reason="gateway starting",
    )


def restarting(method: str = "agent") -> Refusal:
    """Put off a request while the gateway waits for its last runs."""
    return Refusal(
        code="UNAVAILABLE",
        message=f"{method} unavailable during gateway restart",
        retryable=True,
        retry_after_ms=1000,
        details={"method": method, "reason": "gateway-restarting", "phase": "accepting"},
    )


def missing_scope(scope: str) -> Refusal:
    """Refuse a method that needs more rights."""
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    return Refusal(code="FORBIDDEN", message=f"missing scope: {scope}", details=details)


def unwanted_context() -> Refusal:
    """A stop word or a command comes with a context."""
    return Refusal(message="Working context is only supported for ordinary chat messages.")


def unwanted_file(method: str, attachments: Iterable[JsonObject]) -> Refusal | None:
    """A file that the method does not take: `agent` sees images only."""
    for file in attachments:
        name, kind = file.get("fileName", "attachment-1"), file["mimeType"]
        if method == "agent" and not kind.startswith("image/"):
            why = f"attachment {name}: non-image attachments ({kind}) are not supported"
            return Refusal(message=f"UnsupportedAttachmentError: {why} on this entrypoint")
    return None
