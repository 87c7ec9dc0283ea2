"""Opens the WebSocket to the gateway, and tells apart why it does not open."""

import logging
import ssl
import time
from typing import Final, override

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from .errors import (
    CannotConnectError,
    GatewayError,
    NotAGatewayError,
    ProxyRefusedError,
    TlsError,
)
from .models import ConnectionSettings
from .redact import redact

_LOGGER = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for the closing handshake; a gateway that is gone must not hold us up."""

RECEIVE_CEILING: Final = 64 * 1024 * 1024
"""Bytes of one message the WebSocket layer lets in; the gateway's own policy is stricter."""

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
        ProxyRefusedError: A proxy, or the gateway because of one, refuses.
        NotAGatewayError: What answers does not speak WebSocket.
    """
    started = time.perf_counter()
    try:
        socket = await _Connect(
            settings.url,
            ssl=settings.ssl_context,
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
    except InvalidURI:
        raise CannotConnectError("not a WebSocket address") from None
    except ssl.SSLError as err:
        raise TlsError(redact(err.reason or type(err).__name__)) from err
    except OSError as err:
        raise CannotConnectError(redact(str(err) or type(err).__name__)) from err
    except (InvalidHandshake, EOFError, ValueError) as err:
        if isinstance(err, EOFError) or isinstance(err.__cause__, EOFError):
            # A port forwarder takes the connection while there is nobody behind it.
            raise CannotConnectError("closed without an answer") from None
        raise NotAGatewayError(f"no WebSocket answer ({type(err).__name__})") from None
    _LOGGER.debug("Connected after %.3f s", time.perf_counter() - started)
    return socket


def _upgrade_refused(status: int) -> GatewayError:
    if status in _PROXY_STATUSES:
        return ProxyRefusedError(f"upgrade refused with HTTP {status}", status=status)
    if status >= 500:
        return CannotConnectError(f"upgrade refused with HTTP {status}", status=status)
    return NotAGatewayError(f"upgrade answered with HTTP {status}")
