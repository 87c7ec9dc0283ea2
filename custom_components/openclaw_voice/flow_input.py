"""What people type or paste into the forms of the flow (pure)."""

from dataclasses import dataclass, field

from .gateway.setup_code import InvalidSetupCodeError, SetupCode, parse_setup_code
from .gateway_url import InvalidAddressError, normalise_url


class InvalidInputError(ValueError):
    """It cannot be used; `key` is the translation key of what to say about it."""

    def __init__(self, key: str) -> None:
        """Nothing of what was typed is kept: it may be a secret."""
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedAddress:
    """Where to connect to, and the credential if it came with the address."""

    url: str
    bootstrap_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedSecret:
    """What proves that we may come in; nothing when nothing was typed."""

    secret: str | None = field(default=None, repr=False)
    bootstrap_token: str | None = field(default=None, repr=False)


def read_address(text: str) -> TypedAddress:
    """Read an address or a setup code.

    Raises:
        InvalidInputError: It is neither.
    """
    code = _setup_code(text)
    try:
        if code is None:
            return TypedAddress(url=normalise_url(text))
        return TypedAddress(url=normalise_url(code.url), bootstrap_token=code.bootstrap_token)
    except InvalidAddressError:
        # The form shows an address that cannot be read again, but never a setup code.
        key = "invalid_address" if code is None else "invalid_setup_code"
        raise InvalidInputError(key) from None


def read_secret(text: str) -> TypedSecret:
    """Read a token, a password or a setup code.

    What only looks like a setup code may well be a token.
    """
    try:
        code = _setup_code(text)
    except InvalidInputError:
        code = None
    if code is not None:
        return TypedSecret(bootstrap_token=code.bootstrap_token)
    return TypedSecret(secret=text.strip() or None)


def read_setup_code(text: str) -> str:
    """Return the token of a setup code.

    Raises:
        InvalidInputError: It is not a setup code, or not a whole one.
    """
    code = _setup_code(text)
    if code is None:
        raise InvalidInputError("invalid_setup_code")
    return code.bootstrap_token


def _setup_code(text: str) -> SetupCode | None:
    try:
        return parse_setup_code(text)
    except InvalidSetupCodeError:
        raise InvalidInputError("invalid_setup_code") from None
