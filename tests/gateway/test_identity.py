"""The device key: made once, kept as text, the same for ever."""

import base64
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest

from custom_components.openclaw_voice.gateway.identity import DeviceIdentity

# RFC 8032, section 7.1, test 2: a message of one letter.
PRIVATE = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
MESSAGE = "r"
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def in_base64url(raw: bytes) -> str:
    """Return bytes as the gateway writes them: base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.fixture
def identity() -> DeviceIdentity:
    """Return the identity of the published test vector."""
    return DeviceIdentity.from_private_key(in_base64url(PRIVATE))


def test_a_stored_key_gives_the_published_public_key(identity: DeviceIdentity) -> None:
    """The public key is the 32 raw bytes in base64url without padding."""
    assert identity.public_key == in_base64url(PUBLIC)
    assert identity.private_key == in_base64url(PRIVATE)


def test_the_device_id_is_the_hash_of_the_public_key(identity: DeviceIdentity) -> None:
    """The gateway computes the id itself, so it has to be the SHA-256 of the raw bytes in hex."""
    assert identity.device_id == hashlib.sha256(PUBLIC).hexdigest()


def test_a_signature_is_the_published_one(identity: DeviceIdentity) -> None:
    """Ed25519 signs the same text the same way everywhere."""
    assert identity.sign(MESSAGE) == in_base64url(SIGNATURE)


def test_letters_are_signed_as_utf_8(identity: DeviceIdentity) -> None:
    """A text is signed by its UTF-8 bytes."""
    signature = base64.urlsafe_b64decode(identity.sign("Grüße") + "==")

    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, "Grüße".encode())


def test_a_signature_fits_one_text_only(identity: DeviceIdentity) -> None:
    """The signature of another text is refused."""
    signature = base64.urlsafe_b64decode(identity.sign("one") + "==")

    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, b"other")


def test_a_new_identity_has_the_form_the_gateway_wants() -> None:
    """Lengths and alphabets are those of the protocol."""
    identity = DeviceIdentity.create()

    assert re.fullmatch(r"[\w-]{43}", identity.private_key, re.ASCII)
    assert re.fullmatch(r"[\w-]{43}", identity.public_key, re.ASCII)
    assert re.fullmatch(r"[0-9a-f]{64}", identity.device_id)
    assert re.fullmatch(r"[\w-]{86}", identity.sign("x"), re.ASCII)


def test_every_new_identity_is_another_one() -> None:
    """Two entries never share a key."""
    assert DeviceIdentity.create() != DeviceIdentity.create()


def test_a_new_identity_survives_being_stored() -> None:
    """The private key is all that has to be kept."""
    identity = DeviceIdentity.create()

    assert DeviceIdentity.from_private_key(identity.private_key) == identity


@pytest.mark.parametrize(
    "text",
    ["", "x", "!!!!", in_base64url(PRIVATE)[:-2], in_base64url(PRIVATE + b"x"), "ä" * 43],
    ids=["nothing", "one letter", "no base64", "too short", "too long", "not ASCII"],
)
def test_a_stored_key_that_is_none_is_a_value_error(text: str) -> None:
    """A damaged store is told apart from a refusal of the gateway."""
    with pytest.raises(ValueError, match=r"."):
        DeviceIdentity.from_private_key(text)


def test_the_private_key_is_not_in_the_repr(identity: DeviceIdentity) -> None:
    """An identity may appear in a log, its secret may not."""
    assert identity.private_key not in repr(identity)
