"""The device key of one config entry: create it, keep it, sign a challenge.

Pure: no files, no network. The gateway pins the key at pairing, so it is kept for ever.
"""

import base64
from dataclasses import dataclass, field
import hashlib
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """An Ed25519 key and the names the gateway knows it by."""

    private_key: str = field(repr=False)
    """The 32 raw private bytes, base64url without padding. A secret."""

    public_key: str
    """The 32 raw public bytes, base64url without padding (43 characters)."""

    device_id: str
    """SHA-256 of the raw public bytes, lower-case hex (64 characters)."""

    @classmethod
    def create(cls) -> Self:
        """Make a new key."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_private_key(cls, private_key: str) -> Self:
        """Load a stored `private_key`.

        Raises:
            ValueError: The text is not 32 bytes in base64url.
        """
        return cls._of(Ed25519PrivateKey.from_private_bytes(_decode(private_key)))

    @classmethod
    def _of(cls, key: Ed25519PrivateKey) -> Self:
        public = key.public_key().public_bytes_raw()
        return cls(
            private_key=_encode(key.private_bytes_raw()),
            public_key=_encode(public),
            device_id=hashlib.sha256(public).hexdigest(),
        )

    def sign(self, text: str) -> str:
        """Return the signature of the UTF-8 bytes of `text`, base64url without padding."""
        key = Ed25519PrivateKey.from_private_bytes(_decode(self.private_key))
        return _encode(key.sign(text.encode()))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
