"""Who may come in: the gateway's decision on a `connect`, for its own host and for another one.

Pure but for what it remembers: approved devices, their tokens and pending requests.
"""

import base64
import binascii
from dataclasses import dataclass
import hashlib
import json
import secrets
from typing import Any, Final
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .agent_run import now_ms
from .refusals import (
    PairingRequest,
    Refusal,
    bootstrap_token_invalid,
    device_identity_required,
    device_refused,
    device_token_mismatch,
    pairing_required,
    protocol_mismatch,
    scope_mismatch,
    token_mismatch,
    token_missing,
)

type JsonObject = dict[str, Any]

PROTOCOL: Final = 4
SIGNATURE_TOLERANCE_MS: Final = 120_000
SETUP_CODE_VALID_MS: Final = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The rights of a connection."""

    method: str
    scopes: tuple[str, ...]
    device_token: str | None = None
    device_id: str | None = None


@dataclass(slots=True, kw_only=True)
class _Device:
    """A device the owner has approved."""

    scopes: tuple[str, ...]
    token: str


class Authorizer:
    """Decides on every `connect` of one gateway."""

    def __init__(self, secret: str, *, is_remote: bool = False) -> None:
        """Take the shared secret, and whether clients count as coming from another host."""
        self._secret = secret
        self._is_remote = is_remote
        self._devices: dict[str, _Device] = {}
        self.pending: dict[str, PairingRequest] = {}
        """What waits for the owner, by device."""

        self._bootstrap_tokens: dict[str, str | None] = {}
        """Those of the setup codes that are valid, with the device that used one first."""

    def decide(self, params: JsonObject, challenge: JsonObject) -> Admission | Refusal:
        """Admit or refuse; `challenge` is the payload that was sent on this connection."""
        lowest, highest = params["minProtocol"], params["maxProtocol"]
        if not lowest <= PROTOCOL <= highest:
            return protocol_mismatch(lowest, highest, expected=PROTOCOL)
        device: JsonObject | None = params.get("device")
        auth: JsonObject = params.get("auth", {})
        secret = next(iter(auth.values()), "")
        if device is None and not secret:
            return device_identity_required()
        if device and (refusal := check_device(params, challenge, secret)):
            return refusal
        scopes = tuple(params.get("scopes", ()))
        if "deviceToken" in auth:
            return self._by_device_token(device, auth["deviceToken"], scopes)
        if "bootstrapToken" in auth:
            return self._by_bootstrap_token(device, auth["bootstrapToken"], scopes)
        if not secret:
            return token_missing()
        if not secrets.compare_digest(secret, self._secret):
            return token_mismatch(has_device=device is not None)
        return self._by_secret(device, scopes)

    def approve(self, request_id: str | None = None) -> None:
        """Approve a pending request, as the owner does; the only one by default.

        Raises:
            LookupError: No such request is pending.
        """
        matching = [
            request for request in self.pending.values() if request_id in (None, request.request_id)
        ]
        if len(matching) != 1:
            raise LookupError(f"{len(matching)} pending requests match {request_id}")
        request = matching[0]
        del self.pending[request.device_id]
        known = self._devices.get(request.device_id)
        token = known.token if known else secrets.token_urlsafe(32)
        self._devices[request.device_id] = _Device(scopes=request.scopes, token=token)

    def remove(self, device_id: str) -> None:
        """Remove a device, as the owner does."""
        del self._devices[device_id]

    def new_setup_code(self, url: str) -> str:
        """Return a new setup code for clients that reach the gateway at `url`."""
        token = secrets.token_urlsafe(32)
        self._bootstrap_tokens[token] = None
        expires = now_ms() + SETUP_CODE_VALID_MS
        content = {"url": url, "bootstrapToken": token, "expiresAtMs": expires}
        text = json.dumps(content, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def expire_setup_codes(self) -> None:
        """Let more than ten minutes pass for all setup codes."""
        self._bootstrap_tokens.clear()

    def _by_secret(self, device: JsonObject | None, scopes: tuple[str, ...]) -> Admission | Refusal:
        """Decide on a client that knows the shared secret."""
        if not self._is_remote:
            device_id = device["id"] if device else None
            return Admission(method="token", scopes=scopes, device_id=device_id)
        if device is None:
            return Admission(method="token", scopes=())
        known = self._devices.get(device["id"])
        if known is None or not set(scopes) <= set(known.scopes):
            return pairing_required(self._ask_owner(device["id"], scopes, known))
        return Admission(
            method="token", scopes=scopes, device_token=known.token, device_id=device["id"]
        )

    def _by_device_token(
        self, device: JsonObject | None, token: str, scopes: tuple[str, ...]
    ) -> Admission | Refusal:
        """Decide on a client that shows the token of an earlier hello."""
        known = self._devices.get(device["id"]) if device else None
        if device is None or known is None or not secrets.compare_digest(token, known.token):
            return device_token_mismatch()
        if not set(scopes) <= set(known.scopes):
            return scope_mismatch()
        return Admission(
            method="device-token", scopes=scopes, device_token=token, device_id=device["id"]
        )

    def _by_bootstrap_token(
        self, device: JsonObject | None, token: str, scopes: tuple[str, ...]
    ) -> Admission | Refusal:
        """Decide on a client that shows a setup code; the code belongs to the first device."""
        if device is None or token not in self._bootstrap_tokens:
            return bootstrap_token_invalid()
        if self._bootstrap_tokens[token] not in (None, device["id"]):
            return bootstrap_token_invalid()
        self._bootstrap_tokens[token] = device["id"]
        if self._is_remote:
            return self._by_secret(device, scopes)
        # On its own host the gateway pairs the device at once, unlike with the secret.
        made = _Device(scopes=scopes, token=secrets.token_urlsafe(32))
        known = self._devices.setdefault(device["id"], made)
        return Admission(
            method="bootstrap-token",
            scopes=scopes,
            device_token=known.token,
            device_id=device["id"],
        )

    def _ask_owner(
        self, device_id: str, scopes: tuple[str, ...], known: _Device | None
    ) -> PairingRequest:
        """File a request; the same question again keeps its id."""
        before = self.pending.get(device_id)
        if before is None or before.scopes != scopes:
            self.pending[device_id] = PairingRequest(
                request_id=str(uuid.uuid4()),
                device_id=device_id,
                scopes=scopes,
                approved=known.scopes if known else (),
            )
        return self.pending[device_id]


def check_device(params: JsonObject, challenge: JsonObject, secret: str) -> Refusal | None:
    """Check a device identity and its signature of the challenge."""
    device = params["device"]
    public_key = _decoded(device["publicKey"])
    if device["id"] != hashlib.sha256(public_key).hexdigest():
        return device_refused(
            "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device identity mismatch", "device-id-mismatch"
        )
    if abs(device["signedAt"] - challenge["ts"]) > SIGNATURE_TOLERANCE_MS:
        return device_refused(
            "DEVICE_AUTH_SIGNATURE_EXPIRED", "device signature expired", "device-signature-stale"
        )
    if device["nonce"] != challenge.get("nonce"):
        return device_refused(
            "DEVICE_AUTH_NONCE_MISMATCH", "device nonce mismatch", "device-nonce-mismatch"
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            _decoded(device["signature"]), signed_text(params, secret).encode()
        )
    except InvalidSignature, ValueError:
        return device_refused(
            "DEVICE_AUTH_SIGNATURE_INVALID", "device signature invalid", "device-signature"
        )
    return None


def signed_text(params: JsonObject, secret: str) -> str:
    """Return the text a device must sign: protocol documentation, device identity, version 3."""
    client, device = params["client"], params["device"]
    return "|".join(
        (
            "v3",
            device["id"],
            client["id"],
            client["mode"],
            params.get("role", "operator"),
            ",".join(params.get("scopes", ())),
            str(device["signedAt"]),
            secret,
            device["nonce"],
            client["platform"].strip().lower(),
            client.get("deviceFamily", "").strip().lower(),
        )
    )


def _decoded(text: str) -> bytes:
    """Decode base64url without padding; nothing for what is not."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error, ValueError:
        return b""
