"""Setup codes: address and credential of a gateway in one string to paste (pure).

Source: gateway protocol 4, "Setup code"; `openclaw qr --setup-code-only` prints one.
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
import json
import re
from typing import Final

from .frames import MILLISECONDS, JsonObject, as_number, as_object, as_text

_LIKE_ONE: Final = re.compile(r"eyJ[A-Za-z0-9_+/-]{17,}=*")
"""Base64 of a JSON object, too long and too odd for a host name."""

_URL_SAFE: Final = str.maketrans("+/", "-_")


class InvalidSetupCodeError(ValueError):
    """It looks like a setup code, but is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCode:
    """What a setup code says."""

    url: str
    """`ws://` or `wss://`, as the gateway sees itself: others may need another address."""

    bootstrap_token: str = field(repr=False)
    expires_at: datetime
    """UTC, on the gateway's clock; ten minutes after the code was made."""


def parse_setup_code(text: str) -> SetupCode | None:
    """Read what somebody pasted; None when it does not look like a setup code.

    Raises:
        InvalidSetupCodeError: It looks like one, but was cut off or changed.
    """
    code = "".join(text.split())
    if not _LIKE_ONE.fullmatch(code):
        return None
    content = _decoded(code)
    url = as_text(content.get("url"))
    token = as_text(content.get("bootstrapToken"))
    expires_ms = as_number(content.get("expiresAtMs"))
    if url is None or not url.startswith(("ws://", "wss://")):
        raise InvalidSetupCodeError("no address")
    if token is None or expires_ms is None:
        raise InvalidSetupCodeError("no token or no time")
    try:
        expires_at = datetime.fromtimestamp(expires_ms / MILLISECONDS, UTC)
    except OverflowError, ValueError:
        raise InvalidSetupCodeError("an impossible time") from None
    return SetupCode(url=url, bootstrap_token=token, expires_at=expires_at)


def _decoded(code: str) -> JsonObject:
    body = code.rstrip("=").translate(_URL_SAFE)
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return as_object(json.loads(raw))
    except ValueError, RecursionError:
        # The cause would carry the token.
        raise InvalidSetupCodeError("cut off or changed") from None
