"""What people type or paste is an address, a secret or a setup code."""

import pytest

from custom_components.openclaw_voice.flow_input import (
    InvalidInputError,
    TypedAddress,
    TypedSecret,
    read_address,
    read_secret,
    read_setup_code,
)

from .flow import setup_code

CODE = setup_code("ws://192.0.2.4:18789", "made-up")


def test_an_address_is_normalised() -> None:
    """The forms of an address have tests of their own."""
    assert read_address(" attic ") == TypedAddress(url="ws://attic:18789")


@pytest.mark.parametrize("text", [CODE, f" {CODE}\n", f"{CODE[:30]}\n{CODE[30:]}"])
def test_a_setup_code_is_address_and_credential(text: str) -> None:
    """A terminal wraps long lines."""
    assert read_address(text) == TypedAddress(url="ws://192.0.2.4:18789", bootstrap_token="made-up")
    assert read_secret(text) == TypedSecret(bootstrap_token="made-up")
    assert read_setup_code(text) == "made-up"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "invalid_address"),
        ("ftp://attic", "invalid_address"),
        (CODE[:-9], "invalid_setup_code"),
        (setup_code("ws://user@attic"), "invalid_setup_code"),
    ],
)
def test_what_is_neither_is_told_apart(text: str, key: str) -> None:
    """What cannot be read is not repeated in the error: it may be a secret."""
    with pytest.raises(InvalidInputError) as raised:
        read_address(text)
    assert raised.value.key == str(raised.value) == key
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("text", ["", "a token", CODE[:-9]])
def test_only_a_setup_code_is_read_as_one(text: str) -> None:
    """Where a new one is asked for nothing else is of use."""
    with pytest.raises(InvalidInputError, match="invalid_setup_code"):
        read_setup_code(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [("", None), ("  ", None), (" a token ", "a token"), (CODE[:-9], CODE[:-9])],
)
def test_what_only_looks_like_a_setup_code_may_be_a_token(text: str, secret: str | None) -> None:
    """A secret may begin like anything."""
    assert read_secret(text) == TypedSecret(secret=secret)


def test_secrets_are_not_shown() -> None:
    """A traceback or a log may show what was typed."""
    assert "made-up" not in repr(read_secret(CODE)) + repr(read_address(CODE))
    assert "made-up" not in repr(read_secret("made-up"))
