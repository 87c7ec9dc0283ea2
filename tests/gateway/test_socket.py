"""Whose certificate is accepted, and what is sent before it is known."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
import ssl

import pytest

from custom_components.openclaw_voice.gateway import socket as socket_module
from custom_components.openclaw_voice.gateway.connection import Connection
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    CertificateChangedError,
    GatewayError,
    TlsError,
    UntrustedCertificateError,
)
from custom_components.openclaw_voice.gateway.models import ConnectionSettings
from custom_components.openclaw_voice.gateway.socket import fetch_certificate_pin
from tests.fakes.certificate import not_verifying, pin_of, serving
from tests.fakes.gateway import ScriptedGateway

from .conftest import settings_for

OTHER_PIN = "0" * 64


@pytest.fixture
async def tls_gateway(socket_enabled: None, certificate: Path) -> AsyncGenerator[ScriptedGateway]:
    """Return a gateway with a self-signed certificate."""
    async with ScriptedGateway(ssl_context=serving(certificate)) as gateway:
        yield gateway


@pytest.fixture
def pin(certificate: Path) -> str:
    """Return the pin of that certificate."""
    return pin_of(certificate)


async def open_error(settings: ConnectionSettings) -> GatewayError:
    """Return why a connection does not come about."""
    with pytest.raises(GatewayError) as caught:
        async with Connection(settings):
            pytest.fail("the connection came about")
    return caught.value


async def test_self_signed_certificate_without_a_pin_is_untrusted(
    tls_gateway: ScriptedGateway,
) -> None:
    """A person may look at its fingerprint and confirm it."""
    settings = settings_for(tls_gateway, ssl_context=ssl.create_default_context())
    assert type(await open_error(settings)) is UntrustedCertificateError
    assert tls_gateway.clients == []


async def test_pinned_certificate_is_let_in(tls_gateway: ScriptedGateway, pin: str) -> None:
    """Nobody vouches for it but the person who confirmed it."""
    settings = settings_for(tls_gateway, ssl_context=not_verifying(), certificate_pin=pin)
    async with Connection(settings) as connection:
        assert connection.is_open


async def test_another_certificate_gets_nothing(
    tls_gateway: ScriptedGateway, pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the upgrade is asked for, and the socket is closed."""
    upgrades: list[object] = []
    upgrade = tls_gateway._upgrade
    monkeypatch.setattr(
        tls_gateway, "_upgrade", lambda *details: upgrades.append(details) or upgrade(*details)
    )
    await tls_gateway.stop()
    await tls_gateway.start()
    settings = settings_for(tls_gateway, ssl_context=not_verifying(), certificate_pin=OTHER_PIN)
    error = await open_error(settings)
    assert isinstance(error, CertificateChangedError)
    assert error.fingerprint == pin
    await tls_gateway.wait_for_no_client()
    assert upgrades == []

    settings = settings_for(tls_gateway, ssl_context=not_verifying(), certificate_pin=pin)
    async with Connection(settings):
        assert len(upgrades) == 1


async def test_pin_without_tls_gets_nothing(gateway: ScriptedGateway, pin: str) -> None:
    """An address that lost its TLS proves nothing."""
    error = await open_error(settings_for(gateway, certificate_pin=pin))
    assert isinstance(error, CertificateChangedError)
    assert error.fingerprint is None
    assert gateway.clients == []


async def test_pin_can_be_fetched(tls_gateway: ScriptedGateway, pin: str) -> None:
    """To be shown to a person: TLS comes about, and that is all."""
    assert await fetch_certificate_pin(tls_gateway.url, not_verifying()) == pin
    await tls_gateway.wait_for_no_client()
    assert tls_gateway.clients == []


async def test_pin_of_a_gateway_without_tls_cannot_be_fetched(gateway: ScriptedGateway) -> None:
    """Somebody typed wss:// for ws://: a web server answers in clear, and others hang up."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TlsError):
            await fetch_certificate_pin(f"wss://127.0.0.1:{port}", not_verifying())
    with pytest.raises(CannotConnectError):
        await fetch_certificate_pin(gateway.url.replace("ws://", "wss://"), not_verifying())
    with pytest.raises(TlsError):
        await fetch_certificate_pin(gateway.url, not_verifying())


async def test_pin_where_nobody_is_cannot_be_fetched(
    tls_gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens, nothing answers in time, or the address is none."""
    monkeypatch.setattr(socket_module, "FETCH_PIN_TIMEOUT", 0.0)
    with pytest.raises(CannotConnectError, match="in time"):
        await fetch_certificate_pin(tls_gateway.url, not_verifying())
    monkeypatch.undo()
    await tls_gateway.stop()
    with pytest.raises(CannotConnectError):
        await fetch_certificate_pin(tls_gateway.url, not_verifying())
    with pytest.raises(CannotConnectError, match="not a WebSocket address"):
        await fetch_certificate_pin("http://127.0.0.1:1", not_verifying())
