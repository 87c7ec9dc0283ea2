"""What people type as an address."""

import pytest

from custom_components.openclaw_voice.gateway_url import (
    InvalidAddressError,
    address_of,
    host_of,
    is_secure,
    normalise_url,
    port_of,
    probe_url,
    web_url,
    without_query,
)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("gateway.local", "ws://gateway.local:18789"),
        ("  Gateway.Local \n", "ws://gateway.local:18789"),
        ("192.168.1.5", "ws://192.168.1.5:18789"),
        ("192.168.1.5:1234", "ws://192.168.1.5:1234"),
        ("gateway.local/", "ws://gateway.local:18789"),
        ("gateway.local:80/openclaw/", "ws://gateway.local:80/openclaw"),
        ("::1", "ws://[::1]:18789"),
        ("[::1]", "ws://[::1]:18789"),
        ("[fd00::5]:1234", "ws://[fd00::5]:1234"),
        ("ws://gateway.local", "ws://gateway.local:18789"),
        ("http://gateway.local", "ws://gateway.local:18789"),
        ("HTTP://gateway.local:80", "ws://gateway.local:80"),
        ("wss://gateway.example", "wss://gateway.example"),
        ("https://gateway.example", "wss://gateway.example"),
        ("https://gateway.example:8443/base", "wss://gateway.example:8443/base"),
        ("http://gateway.local:18789/chat?session=main#token=x", "ws://gateway.local:18789/chat"),
    ],
)
def test_addresses_become_websocket_urls(typed: str, url: str) -> None:
    """Every usual way to write an address works, and is stored in one way."""
    assert normalise_url(typed) == url
    assert normalise_url(url) == url


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ws://",
        ":18789",
        "ftp://gateway.local",
        "gateway.local:port",
        "gateway.local:0",
        "gateway.local:65536",
        "http://me:secret@gateway.local",
        "me@gateway.local",
        "two words",
        "ws://[::1",
        "gate|way",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    """A secret in an address would end up in places where addresses are shown."""
    with pytest.raises(InvalidAddressError):
        normalise_url(typed)


def test_what_is_known_from_a_url() -> None:
    """Whether it needs TLS, what to call it, and where its web interface is."""
    assert not is_secure("ws://gateway.local:18789")
    assert is_secure("wss://gateway.example")
    assert host_of("wss://gateway.example/base") == "gateway.example"
    assert host_of("ws://[::1]:18789") == "::1"
    assert web_url("ws://gateway.local:18789") == "http://gateway.local:18789"
    assert web_url("wss://gateway.example/base") == "https://gateway.example/base"
    assert port_of("ws://gateway.local:18789") == 18789
    assert port_of("wss://gateway.example/base") == 443
    assert address_of("ws://[::1]:18789/base") == "[::1]:18789"
    assert address_of("wss://gateway.example/base") == "gateway.example"


@pytest.mark.parametrize(
    ("url", "plain", "secure"),
    [
        ("ws://attic:18789", "http://attic:18789/healthz", "https://attic:18789/healthz"),
        ("wss://attic/base", "http://attic:443/healthz", "https://attic:443/base/healthz"),
        ("ws://[::1]:1", "http://[::1]:1/healthz", "https://[::1]:1/healthz"),
    ],
)
def test_the_health_page_is_on_the_same_port(url: str, plain: str, secure: str) -> None:
    """With TLS and without: one of the two answers."""
    assert probe_url(url, is_secure=False) == plain
    assert probe_url(url, is_secure=True) == secure


@pytest.mark.parametrize("typed", ["attic", "attic?token=x", "attic#token=x", "attic?a#b"])
def test_a_pasted_query_is_not_shown_again(typed: str) -> None:
    """Links to the web interface can carry a token."""
    assert without_query(typed) == "attic"
