"""Setup codes, as people paste them."""

import base64
from contextlib import suppress
from datetime import UTC, datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.setup_code import (
    InvalidSetupCodeError,
    SetupCode,
    parse_setup_code,
)

CONTENT: dict[str, Any] = {
    "url": "ws://192.0.2.1:18789",
    "bootstrapToken": "the-token-of-the-setup-code?>~",
    "expiresAtMs": 1_795_168_936_873,
}
PARSED = SetupCode(
    url="ws://192.0.2.1:18789",
    bootstrap_token="the-token-of-the-setup-code?>~",
    expires_at=datetime(2026, 11, 20, 10, 2, 16, 873_000, UTC),
)


def encoded(content: object) -> str:
    """Return a setup code that says `content`."""
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CODE = encoded(CONTENT)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CODE, id="as printed"),
        pytest.param(f"  {CODE}\n", id="blanks around"),
        pytest.param(f"{CODE[:40]}\n  {CODE[40:]}", id="wrapped by a terminal"),
        pytest.param(CODE + "=" * (-len(CODE) % 4), id="padded"),
        pytest.param(CODE.replace("-", "+").replace("_", "/"), id="plain base64"),
        pytest.param(encoded(CONTENT | {"more": True}), id="newer gateway"),
    ],
)
def test_a_setup_code_is_read(text: str) -> None:
    """However it went through the clipboard."""
    assert parse_setup_code(text) == PARSED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gateway.local",
        "192.0.2.1:18789",
        "[2001:db8::1]:18789",
        "wss://gateway.example/openclaw",
        "eyJafjallajokull",
        "eyjafjallajokull-is-a-volcano",
        "a-shared-secret-of-forty-letters-or-more-1",
    ],
)
def test_an_address_or_a_secret_is_none(text: str) -> None:
    """One field takes both, so the two are told apart."""
    assert parse_setup_code(text) is None


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(CODE[:30], id="cut off early"),
        pytest.param(CODE[:-1], id="cut off late"),
        pytest.param(CODE[:-8] + "________", id="changed"),
        pytest.param(encoded({key: CONTENT[key] for key in ("url", "expiresAtMs")}), id="no token"),
        pytest.param(encoded(CONTENT | {"bootstrapToken": ""}), id="empty token"),
        pytest.param(encoded({"bootstrapToken": "t", "expiresAtMs": 1}), id="no address"),
        pytest.param(encoded(CONTENT | {"url": "http://192.0.2.1:18789"}), id="other address"),
        pytest.param(encoded(CONTENT | {"expiresAtMs": "soon"}), id="no time"),
        pytest.param(encoded(CONTENT | {"expiresAtMs": 1e15}), id="after the year 9999"),
        pytest.param(encoded('{"a":' + "[" * 100_000), id="deep"),
    ],
)
def test_a_broken_setup_code_is_told_apart(code: str) -> None:
    """Whoever pasted half a code is told so, and not that it is no address."""
    with pytest.raises(InvalidSetupCodeError) as caught:
        parse_setup_code(code)
    assert CONTENT["bootstrapToken"] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_setup_code_does_not_show_its_token() -> None:
    """It may appear in a log, its secret may not."""
    assert CONTENT["bootstrapToken"] not in repr(PARSED)


@given(st.text())
def test_whatever_is_pasted_is_read_or_refused(text: str) -> None:
    """No input breaks the form."""
    for pasted in (text, "eyJ" + text, encoded("{" + text)):
        with suppress(InvalidSetupCodeError):
            parse_setup_code(pasted)
