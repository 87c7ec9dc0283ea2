"""A gateway found in the local network. Records are handed to the flow: no mDNS is sent."""

from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.ssl import get_default_no_verify_context
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.const import CONF_CERTIFICATE_PIN, DOMAIN
from custom_components.openclaw_voice.discovery import DiscoveredGateway
from custom_components.openclaw_voice.gateway.errors import TlsError
from custom_components.openclaw_voice.gateway.socket import fetch_certificate_pin
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import token_mismatch

from .flow import (
    begin,
    choose,
    expect_abort,
    expect_entry,
    expect_form,
    fill_in,
    secure,
    submit,
    suggested,
)
from .support import GATEWAY_ID, SECRET, add_entry, introduce, make_entry

__all__ = ["secure"]

pytestmark = pytest.mark.usefixtures("home")

DISCOVERY = "custom_components.openclaw_voice.discovery"
PIN = "cd" * 32
NOBODY = "ws://127.0.0.1:1"
"""Nothing listens on this port."""


def record(
    port: int | None,
    *addresses: str,
    name: str = "attic",
    pin: str | None = None,
    **told: str | None,
) -> ZeroconfServiceInfo:
    """Return a record as a gateway sends it that other hosts can reach."""
    ips = [ip_address(address) for address in addresses or ("127.0.0.1",)]
    properties: dict[str, Any] = {
        "role": "gateway",
        "transport": "gateway",
        "gatewayPort": str(port),
        "lanHost": f"{name}.local",
        "displayName": name,
        "gatewayDirectReachable": "1",
    }
    if pin is not None:
        properties |= {"gatewayTls": "1", "gatewayTlsSha256": pin.upper()}
    return ZeroconfServiceInfo(
        ip_address=ips[0],
        ip_addresses=ips,
        port=port,
        hostname=f"{name}.local.",
        type="_openclaw-gw._tcp.local.",
        name=f"{name} (OpenClaw)._openclaw-gw._tcp.local.",
        properties={key: value for key, value in (properties | told).items() if value is not None},
    )


async def discover(hass: HomeAssistant, found: ZeroconfServiceInfo) -> ConfigFlowResult:
    """Hand a record to the flow, as Home Assistant's listener does."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_ZEROCONF}, data=found
    )
    await hass.async_block_till_done()
    return result


async def test_a_new_gateway_is_offered_and_set_up(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The record says where; who it is and whether to trust it is found out as ever."""
    form = await discover(hass, record(friendly.port))
    expect_form(form, "discovery_confirm")
    assert form["description_placeholders"] == {
        "name": "attic",
        "address": f"127.0.0.1:{friendly.port}",
        "away": "",
    }
    assert friendly.connections.total == 0
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {
        "name": "attic",
        "address": f"127.0.0.1:{friendly.port}",
    }
    form = await fill_in(hass, form)
    expect_form(form, "user")
    assert suggested(form) == {"url": friendly.url}
    result = await submit(hass, form, friendly.url)
    assert expect_entry(result)["url"] == friendly.url
    assert result["result"].unique_id == GATEWAY_ID


async def test_the_address_of_a_record_can_be_corrected(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The host tells all its addresses, and the gateway may listen on another one."""
    form = await fill_in(hass, await discover(hass, record(1)))
    form = await submit(hass, form, suggested(form)["url"])
    expect_form(form, "user", base="cannot_connect")
    assert suggested(form) == {"url": NOBODY}
    expect_entry(await submit(hass, form, friendly.url))


@pytest.mark.parametrize(
    "told",
    [
        {"gatewayDirectReachable": None},
        {"gatewayDirectReachable": "0"},
    ],
)
async def test_a_gateway_that_listens_on_its_own_host_is_not_offered(
    hass: HomeAssistant, told: dict[str, Any]
) -> None:
    """Its record is true, but leads nowhere."""
    expect_abort(await discover(hass, record(18789, **told)), "not_reachable")


@pytest.mark.parametrize(
    "found",
    [record(None), record(0), record(18789, "fe80::1%eth0")],
    ids=["no port", "port 0", "address with a scope"],
)
async def test_a_record_that_cannot_be_used_is_not_offered(
    hass: HomeAssistant, found: ZeroconfServiceInfo
) -> None:
    """Anybody can send anything."""
    expect_abort(await discover(hass, found), "not_reachable")


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (record(18789, "192.0.2.4"), "ws://192.0.2.4:18789"),
        (record(18789, "192.0.2.4", pin=PIN), "wss://192.0.2.4:18789"),
        (record(1234, "2001:db8::4", "192.0.2.4"), "ws://[2001:db8::4]:1234"),
        (record(18789, "192.0.2.4", gatewayPort="1", gatewayTlsSha256=PIN), "ws://192.0.2.4:18789"),
    ],
)
def test_the_address_is_the_one_of_the_host_not_of_the_text(
    found: ZeroconfServiceInfo, url: str
) -> None:
    """What the record says besides is no more than a hint."""
    gateway = DiscoveredGateway.from_record(found)
    assert gateway is not None
    assert gateway.url == url
    assert gateway.certificate_pin == (PIN if url.startswith("wss") else None)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("attic", "attic"),
        ("Ännes Büro-2", "Ännes Büro-2"),
        ("[free](http://x)<b>", "free http x b"),
        ("()", "OpenClaw"),
        (None, "attic"),
        ("x" * 99, "x" * 64),
    ],
)
def test_a_name_is_shown_without_markup(told: str | None, shown: str) -> None:
    """It comes from anybody in the network, and is shown as Markdown."""
    gateway = DiscoveredGateway.from_record(record(1, displayName=told))
    assert gateway is not None
    assert gateway.name == shown


async def test_the_same_record_is_offered_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Records are repeated all the time, also with another address first."""
    await discover(hass, record(friendly.port))
    again = await discover(hass, record(friendly.port, "192.0.2.4", "127.0.0.1"))
    expect_abort(again, "already_in_progress")


async def test_a_record_that_was_ignored_is_not_offered_again(hass: HomeAssistant) -> None:
    """The name of the record tells, whatever its address."""
    form = await discover(hass, record(18789, "192.0.2.4"))
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": hass_unique_id(hass, form), "title": "attic"},
    )
    expect_abort(await discover(hass, record(18789, "192.0.2.5")), "already_configured")
    expect_form(
        await discover(hass, record(18789, "192.0.2.6", name="cellar")), "discovery_confirm"
    )


def hass_unique_id(hass: HomeAssistant, form: ConfigFlowResult) -> str:
    """Return the unique id a flow has now."""
    [flow] = [
        flow
        for flow in hass.config_entries.flow.async_progress()
        if flow["flow_id"] == form["flow_id"]
    ]
    return str(flow["context"]["unique_id"])


@pytest.mark.parametrize(
    ("stored", "addresses"),
    [
        ("ws://192.0.2.4:18789", ["192.0.2.4"]),
        ("ws://192.0.2.4:18789/path", ["192.0.2.5", "192.0.2.4"]),
        ("wss://192.0.2.4:18789", ["192.0.2.4"]),
        ("ws://localhost:18789", ["127.0.0.1"]),
        ("ws://127.0.0.1:18789", ["10.10.10.10"]),
        ("ws://[2001:db8::4]:18789", ["2001:db8::4"]),
    ],
    ids=["address", "one of several", "with TLS", "by name", "of this host", "IPv6"],
)
async def test_a_gateway_whose_address_is_known_is_not_offered(
    hass: HomeAssistant, stored: str, addresses: list[str]
) -> None:
    """Under whatever name: the addresses are compared."""
    known_entry(hass, stored)
    expect_abort(await discover(hass, record(18789, *addresses)), "already_configured")


@pytest.mark.parametrize(
    "stored",
    ["ws://192.0.2.4:18790", "ws://192.0.2.5:18789", "wss://192.0.2.4", "ws://127.0.0.1:18789"],
)
async def test_another_gateway_is_offered_beside_those_known(
    hass: HomeAssistant, stored: str
) -> None:
    """Another port is another gateway; the one of this host is not the one of another."""
    known_entry(hass, stored)
    with patch("custom_components.openclaw_voice.config_flow.may_have_moved", return_value=False):
        expect_form(await discover(hass, record(18789, "192.0.2.4")), "discovery_confirm")


def known_entry(hass: HomeAssistant, url: str, **data: object) -> MockConfigEntry:
    """Return an entry with an address where nothing answers."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="My gateway",
        unique_id=GATEWAY_ID,
        data={"url": url, "token": SECRET, "private_key": "A" * 43} | data,
    )
    entry.add_to_hass(hass)
    return entry


async def test_what_was_set_up_meanwhile_is_not_set_up_again(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The page of a discovered gateway may have been open for days."""
    form = await discover(hass, record(friendly.port))
    make_entry(hass, friendly)
    expect_abort(await fill_in(hass, form), "already_configured")


async def test_setting_a_gateway_up_by_hand_takes_its_discovery_back(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It would stay among the discovered ones else; others stay."""
    await discover(hass, record(friendly.port))
    other = await discover(hass, record(18789, "192.0.2.4", name="cellar"))
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    expect_entry(await submit(hass, form, friendly.url))
    assert [flow["flow_id"] for flow in hass.config_entries.flow.async_progress()] == [
        other["flow_id"]
    ]


async def test_a_gateway_that_is_known_by_its_id_is_not_added_twice(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An address that is not the one of the entry leads to the same, connected gateway."""
    entry = await add_entry(hass, friendly)
    form = await discover(hass, record(friendly.port, "192.0.2.4"))
    expect_form(form, "discovery_confirm")
    form = await fill_in(hass, form)
    expect_abort(await submit(hass, form, friendly.url), "already_configured")
    assert entry.data["url"] == friendly.url


# a gateway that has moved


async def test_a_pinned_gateway_is_followed_to_its_new_address(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """Only the owner of the certificate can answer there, so nobody is asked."""
    pin = await pin_of(secure)
    entry = known_entry(hass, "wss://127.0.0.1:1", certificate_pin=pin)
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    expect_abort(await discover(hass, record(secure.port, pin=pin)), "already_configured")
    assert entry.data["url"] == secure.url
    assert entry.state is ConfigEntryState.LOADED
    assert await hass.config_entries.async_unload(entry.entry_id)


async def pin_of(gateway: ScriptedGateway) -> str:
    """Return the pin of the certificate a gateway shows."""
    return await fetch_certificate_pin(gateway.url, get_default_no_verify_context())


@pytest.mark.parametrize("answer", [{"return_value": "ef" * 32}, {"side_effect": TlsError("no")}])
async def test_a_record_alone_does_not_change_an_address(
    hass: HomeAssistant, answer: dict[str, Any]
) -> None:
    """Anybody can name the certificate; it has to answer."""
    entry = known_entry(hass, "wss://192.0.2.4:18789", certificate_pin=PIN)
    with patch(f"{DISCOVERY}.fetch_certificate_pin", **answer):
        found = await discover(hass, record(18789, "192.0.2.66", pin=PIN))
    expect_abort(found, "already_configured")
    assert entry.data["url"] == "wss://192.0.2.4:18789"


async def test_a_gateway_that_is_connected_stays_where_it_is(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """A host with several addresses would make the entry jump between them."""
    pin = await pin_of(secure)
    entry = await add_entry(hass, secure, **{CONF_CERTIFICATE_PIN: pin})
    with patch(f"{DISCOVERY}.fetch_certificate_pin", side_effect=AssertionError):
        found = await discover(hass, record(18789, "192.0.2.4", pin=pin))
    expect_abort(found, "already_configured")
    assert entry.data["url"] == secure.url
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_whether_an_unencrypted_gateway_has_moved_is_asked(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nothing proves it before the credential is sent, so a person has to say so."""
    entry = make_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": NOBODY})
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    menu = await discover(hass, record(friendly.port))
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "discovery_confirm"
    assert menu["menu_options"] == ["user", "moved"]
    assert menu["description_placeholders"]["away"] == entry.title
    assert friendly.connections.total == 0
    key = entry.data["private_key"]
    expect_abort(await choose(hass, menu, "moved"), "address_updated")
    assert entry.data == {"url": friendly.url, "token": SECRET, "private_key": key}
    assert entry.state is ConfigEntryState.LOADED


async def test_a_new_gateway_is_set_up_while_another_one_is_away(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The other choice leads to the form as ever; what is stored is not sent."""
    known_entry(hass, NOBODY).mock_state(hass, ConfigEntryState.SETUP_RETRY)
    introduce(friendly, gateway_id="ef" * 32)
    form = await choose(hass, await discover(hass, record(friendly.port)), "user")
    expect_form(form, "user")
    with patch("custom_components.openclaw_voice.coordinator.CONNECT_TIMEOUT", 0.1):
        result = await submit(hass, form, friendly.url, token="another secret")
    assert expect_entry(result)["token"] == "another secret"
    assert {tuple(r.params["auth"].values()) for r in friendly.received("connect")} == {
        ("another secret",)
    }


async def test_a_moved_gateway_that_is_another_one_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The id decides, whatever somebody has said."""
    entry = make_entry(hass, friendly, gateway_id="ef" * 32)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": NOBODY})
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    menu = await discover(hass, record(friendly.port))
    expect_abort(await choose(hass, menu, "moved"), "another_gateway")
    assert entry.data["url"] == NOBODY


async def test_a_moved_gateway_that_wants_another_secret_gets_it(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The form asks for it, and the entry is mended, not added twice."""
    entry = make_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": NOBODY})
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    friendly.script(Expect("connect", reply=token_mismatch()))
    form = await choose(hass, await discover(hass, record(friendly.port)), "moved")
    expect_form(form, "user", base="invalid_auth")
    assert suggested(form) == {"url": friendly.url}
    expect_abort(await submit(hass, form, friendly.url, token="new secret"), "address_updated")
    assert entry.data["token"] == "new secret"
    assert entry.data["url"] == friendly.url


async def test_an_entry_with_a_pinned_certificate_is_not_moved_to_plain_text(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whoever answers there claims the same id, but shows no certificate."""
    entry = known_entry(hass, "wss://127.0.0.1:1", certificate_pin=PIN)
    form = await fill_in(hass, await discover(hass, record(friendly.port)))
    expect_abort(await submit(hass, form, friendly.url), "already_configured")
    assert entry.data["url"] == "wss://127.0.0.1:1"


async def test_a_gateway_that_came_back_meanwhile_has_not_moved(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The menu may have been open for a while: then what was found is another one."""
    entry = make_entry(hass, friendly)
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    menu = await discover(hass, record(18789, "192.0.2.4"))
    assert menu["type"] is FlowResultType.MENU
    assert await hass.config_entries.async_reload(entry.entry_id)
    form = await choose(hass, menu, "moved")
    expect_form(form, "discovery_confirm")
    assert suggested(await fill_in(hass, form)) == {"url": "ws://192.0.2.4:18789"}


async def test_only_the_gateway_that_was_named_is_asked_with_its_credential(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Another one that is away, too, does not take its place while the menu is open."""
    named = known_entry(hass, NOBODY)
    named.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    menu = await discover(hass, record(friendly.port))
    other = MockConfigEntry(
        domain=DOMAIN, data={"url": NOBODY, "token": "secret of another one", "private_key": "B"}
    )
    other.add_to_hass(hass)
    other.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    named.mock_state(hass, ConfigEntryState.SETUP_ERROR)
    menu = await choose(hass, menu, "moved")
    assert menu["type"] is FlowResultType.MENU
    assert menu["description_placeholders"]["away"] == other.title
    assert friendly.connections.total == 0


async def test_an_ignored_gateway_is_no_gateway_that_has_moved(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Such an entry keeps no address at all."""
    ignored = MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=GATEWAY_ID, data={})
    ignored.add_to_hass(hass)
    form = await fill_in(hass, await discover(hass, record(friendly.port)))
    result = await submit(hass, form, friendly.url)
    assert result["type"] in (FlowResultType.ABORT, FlowResultType.CREATE_ENTRY)


async def test_an_entry_that_is_just_starting_keeps_its_address(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """The name servers may not be up yet, so nothing is known of its gateway."""
    pin = await pin_of(secure)
    entry = known_entry(hass, "wss://gateway.invalid:18789/claw", certificate_pin=pin)
    entry.mock_state(hass, ConfigEntryState.SETUP_IN_PROGRESS)
    expect_abort(await discover(hass, record(secure.port, pin=pin)), "already_configured")
    assert entry.data["url"] == "wss://gateway.invalid:18789/claw"


async def test_a_pinned_gateway_that_still_answers_where_it_was_has_not_moved(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """It may have several addresses, and be away for another reason."""
    pin = await pin_of(secure)
    url = f"wss://localhost:{secure.port}/claw"
    entry = known_entry(hass, url, certificate_pin=pin)
    entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    with patch(f"{DISCOVERY}.async_is_at", return_value=False):
        expect_abort(await discover(hass, record(secure.port, pin=pin)), "already_configured")
    assert entry.data["url"] == url


async def test_a_disabled_entry_is_left_alone(hass: HomeAssistant) -> None:
    """Somebody does not want that gateway now."""
    entry = known_entry(hass, NOBODY)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    expect_form(await discover(hass, record(18789, "192.0.2.4")), "discovery_confirm")


async def test_the_flow_of_a_user_does_not_know_of_records(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The form begins empty even when something was discovered."""
    await discover(hass, record(friendly.port))
    assert suggested(await begin(hass)) == {}
