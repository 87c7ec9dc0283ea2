"""Opens the WebSocket to the gateway, and tells apart why it does not open."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
import hashlib
import logging
import ssl
import time
from typing import Final, override

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import HeadersLike
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.uri import parse_uri

from .errors import (
    CannotConnectError,
    CertificateChangedError,
    GatewayError,
    NotAGatewayError,
    ProxyRefusedError,
    TlsError,
    UntrustedCertificateError,
)
from .models import ConnectionSettings
from .redact import redact

_LOGGER = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for the closing handshake; a gateway that is gone must not hold us up."""

RECEIVE_CEILING: Final = 64 * 1024 * 1024
"""Bytes of one message the WebSocket layer lets in; the gateway's own policy is stricter."""

FETCH_PIN_TIMEOUT: Final = 15.0
"""Seconds for a look at a certificate, from the first TCP packet on."""

_PROXY_STATUSES: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 407})
"""HTTP statuses of an identity proxy, or of the gateway behind a proxy it does not trust."""

# The library would log every frame, secrets and speech included, when debug logging is on.
_SILENT = logging.Logger("websockets.client")  # noqa: LOG001 - on purpose out of everybody's reach
_SILENT.disabled = True


class _Connect(connect):
    """The library's connector, without following redirects: credentials go where we were sent."""

    @override
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(settings: ConnectionSettings) -> ClientConnection:
    """Connect and upgrade; the caller limits the time.

    Raises:
        CannotConnectError, TlsError: Nothing answers, or not as it should.
        CertificateChangedError: Another certificate than the pinned one answers; nothing was sent.
        ProxyRefusedError: A proxy, or the gateway because of one, refuses.
        NotAGatewayError: What answers does not speak WebSocket.
    """
    started = time.perf_counter()
    try:
        with _network_errors():
            socket = await _Connect(
                settings.url,
                ssl=settings.ssl_context,
                create_connection=_connection_class(settings.certificate_pin),
                compression=None,
                proxy=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=CLOSE_TIMEOUT,
                max_size=RECEIVE_CEILING,
                user_agent_header=None,
                logger=_SILENT,
            )
    except InvalidStatus as err:
        raise _upgrade_refused(err.response.status_code) from None
    except (InvalidHandshake, EOFError, ValueError) as err:
        if isinstance(err, EOFError) or isinstance(err.__cause__, EOFError):
            # A port forwarder takes the connection while there is nobody behind it.
            raise CannotConnectError("closed without an answer") from None
        raise NotAGatewayError(f"no WebSocket answer ({type(err).__name__})") from None
    _LOGGER.debug("Connected after %.3f s", time.perf_counter() - started)
    return socket


async def fetch_certificate_pin(url: str, ssl_context: ssl.SSLContext) -> str:
    """Return the pin of the certificate that answers at `url`. TLS comes about, nothing is sent.

    Args:
        url: `wss://`.
        ssl_context: One that does not verify; else there is no certificate to look at.

    Raises:
        CannotConnectError, TlsError: Nothing answers, or no TLS.
    """
    with _network_errors():
        address = parse_uri(url)
        if not address.secure:
            raise TlsError("not an address with TLS")
        async with asyncio.timeout(FETCH_PIN_TIMEOUT):
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol,
                address.host,
                address.port,
                ssl=ssl_context,
                server_hostname=address.host,
            )
    try:
        return _pin(transport) or ""
    finally:
        transport.abort()


def _connection_class(pin: str | None) -> type[ClientConnection]:
    """Return the class of connections that speak only to the owner of the pinned certificate."""
    if pin is None:
        return ClientConnection

    class Pinned(ClientConnection):
        """A connection that looks at the certificate before it sends its first byte."""

        @override
        async def handshake(
            self,
            additional_headers: HeadersLike | None = None,
            user_agent_header: str | None = None,
        ) -> None:
            found = _pin(self.transport)
            if found != pin:
                raise CertificateChangedError("not the pinned certificate", fingerprint=found)
            await super().handshake(additional_headers, user_agent_header)

    return Pinned


def _pin(transport: asyncio.BaseTransport) -> str | None:
    """Return the SHA-256 of the certificate on the other side, None without TLS."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    certificate = tls and tls.getpeercert(binary_form=True)
    return hashlib.sha256(certificate).hexdigest() if certificate else None


@contextmanager
def _network_errors() -> Generator[None]:
    try:
        yield
    except InvalidURI:
        raise CannotConnectError("not a WebSocket address") from None
    except ssl.SSLCertVerificationError as err:
        raise UntrustedCertificateError(redact(err.verify_message)) from err
    except ssl.SSLError as err:
        raise TlsError(redact(err.reason or type(err).__name__)) from err
    except TimeoutError:
        raise CannotConnectError("no answer in time") from None
    except OSError as err:
        raise CannotConnectError(redact(str(err) or type(err).__name__)) from err


def _upgrade_refused(status: int) -> GatewayError:
    if status in _PROXY_STATUSES:
        return ProxyRefusedError(f"upgrade refused with HTTP {status}", status=status)
    if status >= 500:
        return CannotConnectError(f"upgrade refused with HTTP {status}", status=status)
    return NotAGatewayError(f"upgrade answered with HTTP {status}")
