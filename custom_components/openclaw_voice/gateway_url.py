"""From what people type as an address to the URL of the gateway (pure)."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORT: Final = 18789
"""The gateway's own port, taken where nobody names another one."""

HEALTH_PATH: Final = "/healthz"
"""Answers without a credential, below the path of the gateway."""

_PORT_OF_HTTPS: Final = 443

_SCHEMES: Final = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_NOT_IN_A_HOST: Final = frozenset("\\^`{}|<>\"'%")


class InvalidAddressError(ValueError):
    """The text is not an address of a gateway."""


def normalise_url(text: str) -> str:
    """Return the WebSocket URL for an address as people type or paste it.

    A bare host or IP address, with or without a port, is plain WebSocket. `http` and `https` stand
    for `ws` and `wss`. Without a port it is the gateway's own, with TLS the one of HTTPS, because
    that is a reverse proxy. A query or fragment is dropped: pasted links can carry a token there.

    Raises:
        InvalidAddressError: It cannot be read, names a user, or is of another scheme.
    """
    text = text.strip()
    parts = _split(text)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or parts.username is not None or parts.password is not None:
        raise InvalidAddressError
    host = _host(parts)
    port = _port(parts)
    if port is None and scheme == "ws":
        port = DEFAULT_PORT
    address = host if port is None else f"{host}:{port}"
    return f"{scheme}://{address}{parts.path.rstrip('/')}"


def without_query(text: str) -> str:
    """Return an address as it was typed, less query and fragment, where tokens are pasted along."""
    return text.partition("?")[0].partition("#")[0]


def is_secure(url: str) -> bool:
    """Return whether a normalised URL uses TLS."""
    return url.startswith("wss://")


def host_of(url: str) -> str:
    """Return the host of a normalised URL, to name the gateway by."""
    return urlsplit(url).hostname or url


def address_of(url: str) -> str:
    """Return host and port of a normalised URL, as people know them."""
    return urlsplit(url).netloc


def port_of(url: str) -> int:
    """Return the port of a normalised URL."""
    return urlsplit(url).port or _PORT_OF_HTTPS


def probe_url(url: str, *, is_secure: bool) -> str:
    """Return the address of the gateway's health page, with TLS or without, on the same port.

    A path that was meant for TLS stays out of plain text: it may be a secret.
    """
    parts = urlsplit(url)
    path = parts.path if is_secure or parts.scheme == "ws" else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    scheme = "https" if is_secure else "http"
    return f"{scheme}://{host}:{port_of(url)}{path}{HEALTH_PATH}"


def web_url(url: str) -> str:
    """Return the address of the gateway's web interface, which it serves on the same port."""
    return f"http{url.removeprefix('ws')}"


def _split(text: str) -> SplitResult:
    if "://" not in text:
        text = f"ws://{_bracketed(text)}"
    try:
        return urlsplit(text)
    except ValueError:
        raise InvalidAddressError from None


def _bracketed(text: str) -> str:
    """Put brackets around a bare IPv6 address, which is full of colons."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host or any(sign.isspace() or sign in _NOT_IN_A_HOST for sign in host):
        raise InvalidAddressError
    return f"[{host}]" if ":" in host else host


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        raise InvalidAddressError from None
    if port == 0:
        raise InvalidAddressError
    return port
