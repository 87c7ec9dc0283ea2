"""Setting up a gateway with TLS: verified, or confirmed by its fingerprint and pinned."""

import hashlib
from pathlib import Path
import ssl
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice import connect_flow, pairing
from custom_components.openclaw_voice.connect_flow import fingerprint_command, readable_fingerprint
from custom_components.openclaw_voice.gateway.errors import TlsError
from tests.fakes.gateway import ScriptedGateway
from tests.fakes.small_gateway import SmallGateway

from .flow import (
    begin,
    expect_entry,
    expect_form,
    expect_progress,
    fill_in,
    finished,
    look,
    secure,
    submit,
    suggested,
)
from .support import SECRET

__all__ = ["secure"]

pytestmark = pytest.mark.usefixtures("home", "socket_enabled", "refused_handshakes")

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
OTHER_PIN = "ab" * 32


@pytest.fixture
def pin(tls: Contexts, tmp_path: Path) -> str:
    """Return the fingerprint of that certificate."""
    pem = (tmp_path / "gateway.pem").read_text(encoding="utf-8")
    certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


async def leave(hass: HomeAssistant) -> None:
    """Disconnect before the gateway of a test goes."""
    for entry in hass.config_entries.async_loaded_entries("openclaw_voice"):
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_certificate_that_home_assistant_trusts_is_not_asked_about(
    hass: HomeAssistant, secure: ScriptedGateway, tls: Contexts
) -> None:
    """It is verified from then on, so that it can be renewed."""
    with patch(
        "custom_components.openclaw_voice.entry_data.get_default_context", return_value=tls[1]
    ):
        result = await submit(hass, await begin(hass), f"https://127.0.0.1:{secure.port}")
    data = expect_entry(result)
    assert data["url"] == secure.url
    assert "certificate_pin" not in data
    await leave(hass)


async def test_a_certificate_of_its_own_is_confirmed_and_pinned(
    hass: HomeAssistant, secure: ScriptedGateway, pin: str
) -> None:
    """Nothing was sent before; afterwards the entry connects to this certificate only."""
    form = await submit(hass, await begin(hass), secure.url)
    expect_form(form, "certificate")
    assert secure.requests == []
    assert form["description_placeholders"] == {
        "host": "127.0.0.1",
        "fingerprint": readable_fingerprint(pin),
        "command": fingerprint_command(secure.url),
    }
    expect_form(await look(hass, form), "certificate")
    result = await fill_in(hass, form)
    assert expect_entry(result)["certificate_pin"] == pin
    assert result["result"].state is ConfigEntryState.LOADED
    await leave(hass)


def test_a_fingerprint_is_readable(pin: str) -> None:
    """It looks as on the gateway: pairs of capital letters and digits, in two lines."""
    text = readable_fingerprint(pin)
    assert text.replace(":", "").replace("\n", "").lower() == pin
    assert [len(line.strip(":").split(":")) for line in text.splitlines()] == [16, 16]
    assert text == text.upper()


async def test_a_confirmed_certificate_is_not_asked_about_again(
    hass: HomeAssistant, tls: Contexts
) -> None:
    """A wrong token is corrected without another look at the fingerprint."""
    async with SmallGateway(secret=SECRET, ssl_context=tls[0]) as gateway:
        form = await submit(hass, await begin(hass), gateway.url, token="wrong")
        form = await fill_in(hass, form)
        expect_form(form, "user", base="invalid_auth")
        assert suggested(form) == {"url": gateway.url}
        expect_entry(await submit(hass, form, gateway.url))
        await leave(hass)


async def test_a_certificate_that_changes_within_the_flow_is_asked_about(
    hass: HomeAssistant, secure: ScriptedGateway, pin: str
) -> None:
    """Somebody in between shows one certificate, the gateway another one."""
    with patch.object(connect_flow, "fetch_certificate_pin", return_value=OTHER_PIN):
        form = await submit(hass, await begin(hass), secure.url)
    form = await fill_in(hass, form)
    expect_form(form, "certificate_changed")
    assert form["description_placeholders"] == {
        "host": "127.0.0.1",
        "fingerprint": readable_fingerprint(pin),
        "command": fingerprint_command(secure.url),
        "known": readable_fingerprint(OTHER_PIN),
    }
    assert secure.requests == []
    expect_form(await look(hass, form), "certificate_changed")
    assert expect_entry(await fill_in(hass, form))["certificate_pin"] == pin
    await leave(hass)


async def test_a_certificate_that_cannot_be_looked_at_is_an_error(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """The gateway goes away between two connections."""
    with patch.object(connect_flow, "fetch_certificate_pin", side_effect=TlsError("gone")):
        form = await submit(hass, await begin(hass), secure.url)
    expect_form(form, "user", base="tls")
    expect_form(await submit(hass, form, secure.url), "certificate")


async def test_a_certificate_that_changes_while_waiting_is_asked_about(
    hass: HomeAssistant, tls: Contexts, other_tls: Contexts
) -> None:
    """The pairing does not go on with somebody else."""
    with patch.object(pairing, "POLL_INTERVAL", 0):
        async with SmallGateway(secret=SECRET, is_remote=True, ssl_context=tls[0]) as gateway:
            form = await submit(hass, await begin(hass), gateway.url)
            page = await fill_in(hass, form)
            expect_progress(page)
            await gateway.stop()
            gateway._ssl = other_tls[0]
            await gateway.start()
            form = await finished(hass, page)
            expect_form(form, "certificate_changed")
            expect_progress(await fill_in(hass, form))
