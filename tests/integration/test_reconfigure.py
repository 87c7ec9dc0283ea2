"""A gateway that has moved: the entry gets its new address and stays what it is."""

from collections.abc import AsyncGenerator
import ssl
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.util.ssl import get_default_no_verify_context
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.connect_flow import readable_fingerprint
from custom_components.openclaw_voice.gateway.socket import fetch_certificate_pin
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import token_mismatch
from tests.fakes.small_gateway import SmallGateway

from .flow import (
    expect_abort,
    expect_form,
    expect_progress,
    fill_in,
    finished,
    look,
    page_change,
    remote,
    secure,
    suggested,
)
from .support import SECRET, add_entry, introduce, make_entry

__all__ = ["remote", "secure"]

pytestmark = pytest.mark.usefixtures("home")

NOBODY = "ws://127.0.0.1:1"
"""Nothing listens on this port."""

TOKEN = "made-up-device-token"
OTHER_PIN = "ab" * 32


@pytest.fixture
async def moved(socket_enabled: None) -> AsyncGenerator[ScriptedGateway]:
    """Return the same gateway at another address."""
    async with ScriptedGateway() as gateway:
        introduce(gateway)
        yield gateway


async def ask(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    """Open the dialog."""
    form = await entry.start_reconfigure_flow(hass)
    expect_form(form, "reconfigure")
    assert suggested(form) == {"url": entry.data["url"]}
    return form


def move_away(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let an entry have an address where nobody answers."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": NOBODY})


async def leave(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Disconnect before the gateway of a test goes."""
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_running_entry_moves_to_the_new_address(
    hass: HomeAssistant, friendly: ScriptedGateway, moved: ScriptedGateway
) -> None:
    """Its key and credential stay; the old connection ends."""
    entry = await add_entry(hass, friendly)
    before = dict(entry.data)
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, url=f"127.0.0.1:{moved.port}"), "reconfigure_successful")
    assert entry.data == before | {"url": moved.url}
    assert entry.state is ConfigEntryState.LOADED
    await friendly.wait_for_no_client()
    assert moved.connections.open == 1
    assert hass.states.get("conversation.main") is not None
    await leave(hass, entry)


async def test_an_entry_that_is_not_set_up_is_set_up(
    hass: HomeAssistant, moved: ScriptedGateway
) -> None:
    """Nobody has to wait until Home Assistant tries again."""
    entry = make_entry(hass, moved)
    move_away(hass, entry)
    with patch("custom_components.openclaw_voice.coordinator.CONNECT_TIMEOUT", 0.1):
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, url=moved.url), "reconfigure_successful")
    assert entry.state is ConfigEntryState.LOADED
    await leave(hass, entry)


async def test_what_is_wrong_is_said_and_corrected(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What was typed stays in the form."""
    entry = await add_entry(hass, friendly)
    form = await fill_in(hass, await ask(hass, entry), url=NOBODY)
    expect_form(form, "reconfigure", base="cannot_connect")
    assert suggested(form) == {"url": NOBODY}
    form = await fill_in(hass, form, url="ftp://127.0.0.1")
    expect_form(form, "reconfigure", url="invalid_address")
    form = await fill_in(hass, form, url=friendly.url)
    expect_abort(form, "reconfigure_successful")


async def test_a_new_secret_takes_the_place_of_the_stored_one(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The address may stay as it is."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("connect", reply=token_mismatch()))
    form = await fill_in(hass, await ask(hass, entry), url=friendly.url, token="wrong")
    expect_form(form, "reconfigure", base="invalid_auth")
    assert suggested(form) == {"url": friendly.url}
    result = await fill_in(hass, form, url=friendly.url, token="new secret")
    expect_abort(result, "reconfigure_successful")
    assert entry.data["token"] == "new secret"


async def test_the_device_token_goes_along(
    hass: HomeAssistant, friendly: ScriptedGateway, moved: ScriptedGateway
) -> None:
    """A paired device is let in without a new approval, with the scopes it was granted."""
    scopes = ["operator.read", "operator.write"]
    entry = make_entry(hass, friendly, device_token=TOKEN, scopes=scopes)
    moved.script(
        *[
            Expect(
                "connect",
                params=lambda p: p["auth"] == {"deviceToken": TOKEN} and p["scopes"] == scopes,
                reply=hello_ok(device_token=TOKEN, scopes=tuple(scopes)),
            )
            for _ in range(2)
        ]
    )
    key = entry.data["private_key"]
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, url=moved.url), "reconfigure_successful")
    assert entry.data == {
        "url": moved.url,
        "private_key": key,
        "device_token": TOKEN,
        "scopes": scopes,
    }
    await leave(hass, entry)


async def test_another_gateway_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway, moved: ScriptedGateway
) -> None:
    """Its agents are other agents: it is added as a gateway of its own."""
    entry = await add_entry(hass, friendly)
    introduce(moved, gateway_id="ef" * 32)
    before = dict(entry.data)
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, url=moved.url), "another_gateway")
    assert entry.data == before
    assert friendly.connections.open == 1


async def test_a_gateway_that_needs_an_approval_now_is_paired(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """From this host to another one: the same page with the command, the same key."""
    entry = make_entry(hass, remote, gateway_id=remote.device_id)
    move_away(hass, entry)
    key = entry.data["private_key"]
    page = await fill_in(hass, await ask(hass, entry), url=remote.url)
    expect_progress(page)
    async with page_change(hass):
        remote.approve()
    expect_abort(await finished(hass, page), "reconfigure_successful")
    assert entry.data.keys() == {"url", "private_key", "device_token", "scopes"}
    assert entry.data["private_key"] == key
    assert entry.state is ConfigEntryState.LOADED


async def test_a_setup_code_brings_address_and_credential(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """An address that does not answer is corrected in the same form."""
    entry = make_entry(hass, remote, gateway_id=remote.device_id)
    code = remote.authorizer.new_setup_code(NOBODY)
    form = await fill_in(hass, await ask(hass, entry), url=code)
    expect_form(form, "address", base="cannot_connect")
    assert suggested(form) == {"url": NOBODY}
    page = await fill_in(hass, form, url=remote.url)
    expect_progress(page)
    async with page_change(hass):
        remote.approve()
    expect_abort(await finished(hass, page), "reconfigure_successful")


@pytest.mark.parametrize(
    ("title", "expected"),
    [("OpenClaw (127.0.0.1)", "OpenClaw (localhost)"), ("My gateway", "My gateway")],
)
async def test_the_title_follows_unless_somebody_has_chosen_it(
    hass: HomeAssistant, friendly: ScriptedGateway, title: str, expected: str
) -> None:
    """The host in the title would be the old one else."""
    entry = await add_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, title=title)
    form = await fill_in(hass, await ask(hass, entry), url=f"localhost:{friendly.port}")
    expect_abort(form, "reconfigure_successful")
    assert entry.title == expected


# certificates


async def test_the_pinned_certificate_is_known_at_the_new_address_too(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """Nobody has to compare the same fingerprint twice."""
    pin = await fetch_certificate_pin(secure.url, get_default_no_verify_context())
    entry = make_entry(hass, secure, certificate_pin=pin)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "wss://127.0.0.1:1"})
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, url=secure.url), "reconfigure_successful")
    assert entry.data["certificate_pin"] == pin
    await leave(hass, entry)


async def test_another_certificate_at_the_new_address_is_asked_about(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """It may be somebody else's."""
    entry = make_entry(hass, secure, certificate_pin=OTHER_PIN)
    form = await fill_in(hass, await ask(hass, entry), url=secure.url)
    expect_form(form, "certificate_changed")
    assert form["description_placeholders"]["known"] == readable_fingerprint(OTHER_PIN)
    assert secure.requests == []
    expect_form(await look(hass, form), "certificate_changed")
    expect_abort(await fill_in(hass, form), "reconfigure_successful")
    assert entry.data["certificate_pin"] != OTHER_PIN
    await leave(hass, entry)


async def test_a_certificate_that_is_verified_is_not_pinned_any_more(
    hass: HomeAssistant, secure: ScriptedGateway, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """A reverse proxy renews its certificate every few months."""
    entry = make_entry(hass, secure, certificate_pin=OTHER_PIN)
    form = await ask(hass, entry)
    with patch(
        "custom_components.openclaw_voice.entry_data.get_default_context", return_value=tls[1]
    ):
        expect_abort(await fill_in(hass, form, url=secure.url), "reconfigure_successful")
    assert "certificate_pin" not in entry.data
    await leave(hass, entry)


async def test_leaving_tls_leaves_the_pin(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Without TLS there is no certificate to compare."""
    entry = make_entry(hass, friendly, certificate_pin=OTHER_PIN, url="wss://127.0.0.1:1")
    form = await ask(hass, entry)
    result = await fill_in(hass, form, url=friendly.url, token=SECRET)
    expect_abort(result, "reconfigure_successful")
    assert "certificate_pin" not in entry.data
