"""A credential that is not accepted any more is replaced; the device key stays."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.connect_flow import readable_fingerprint
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.state import ClientSnapshot, ClientState
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import device_token_mismatch, token_mismatch
from tests.fakes.small_gateway import SmallGateway

from .flow import (
    begin,
    expect_abort,
    expect_entry,
    expect_form,
    expect_progress,
    fill_in,
    finished,
    look,
    page_change,
    remote,
    secure,
    submit,
    suggested,
)
from .support import GATEWAY_ID, SECRET, WAIT_LIMIT, add_entry, make_entry

__all__ = ["remote", "secure"]

pytestmark = pytest.mark.usefixtures("home")

OTHER_PIN = "ab" * 32


async def ask(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    """Open the dialog that asks for a new credential."""
    form = await entry.start_reauth_flow(hass)
    expect_form(form, "reauth_confirm")
    assert form["description_placeholders"]["host"] == "127.0.0.1"
    assert suggested(form) == {}
    return form


async def test_a_refused_setup_asks_and_the_new_secret_sets_it_up(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Home Assistant opens the flow by itself; its end is a running entry."""
    entry = make_entry(hass, friendly)
    friendly.script(Expect("connect", reply=token_mismatch()))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert flow["step_id"] == "reauth_confirm"
    key = entry.data["private_key"]
    expect_abort(await fill_in(hass, flow, token="new secret"), "reauth_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data == {"url": friendly.url, "token": "new secret", "private_key": key}
    assert not hass.config_entries.flow.async_progress()


async def test_a_running_entry_uses_the_new_secret(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A secret that is changed while the gateway is connected is noticed with the next connect."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("connect", reply=token_mismatch()))
    await friendly.drop(4001, "auth changed")
    await friendly.wait_for_request("connect", number=2)
    expect_abort(
        await fill_in(hass, await entry.start_reauth_flow(hass), token="new"), "reauth_successful"
    )
    await entry.runtime_data.client.wait_ready(10)
    assert friendly.received("connect")[-1].params["auth"] == {"token": "new"}


async def test_a_wrong_secret_can_be_corrected(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """What is stored stays until the gateway has accepted the new one."""
    entry = await add_entry(hass, friendly)
    before = dict(entry.data)
    friendly.script(Expect("connect", reply=token_mismatch()))
    form = await fill_in(hass, await ask(hass, entry), token="wrong")
    expect_form(form, "reauth_confirm", base="invalid_auth")
    assert suggested(form) == {}
    assert entry.data == before
    expect_form(await look(hass, form), "reauth_confirm")
    expect_abort(await fill_in(hass, form, token="right"), "reauth_successful")
    assert entry.data["token"] == "right"


async def test_the_stored_credential_is_not_tried_again(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is the one that was refused; an empty field means a gateway without authentication."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("connect", params=lambda params: "auth" not in params, reply=hello_ok()))
    expect_abort(await fill_in(hass, await ask(hass, entry)), "reauth_successful")
    assert entry.data.keys() == {"url", "private_key"}


async def test_the_same_secret_again_makes_the_entry_try_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The owner may have put the gateway right; nothing has changed in what is stored."""
    entry = make_entry(hass, friendly)
    friendly.script(Expect("connect", reply=token_mismatch()))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    expect_abort(await fill_in(hass, flow, token=SECRET), "reauth_successful")
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("is_code", [False, True], ids=["secret", "setup code"])
async def test_a_removed_device_is_approved_again_with_the_same_key(
    hass: HomeAssistant, remote: SmallGateway, *, is_code: bool
) -> None:
    """The owner sees the device that was there before, and the entry goes on."""
    page = await submit(hass, await begin(hass), remote.url)
    async with page_change(hass):
        remote.approve()
    result = await look(hass, page)
    before = expect_entry(result)
    entry = result["result"]
    [device_id] = {request.params["device"]["id"] for request in remote.received("connect")}
    async with refusal(entry.runtime_data.client):
        await remote.remove(device_id)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    form = await look(hass, flow)
    expect_form(form, "reauth_confirm")
    page = await fill_in(hass, form, token=remote.setup_code() if is_code else SECRET)
    expect_progress(page)
    async with page_change(hass):
        remote.approve()
    expect_abort(await finished(hass, page), "reauth_successful")
    assert entry.data["private_key"] == before["private_key"]
    assert entry.data["device_token"] != before["device_token"]
    assert entry.data.keys() == before.keys()
    await entry.runtime_data.client.wait_ready(10)
    assert list(remote.received("connect")[-1].params["auth"]) == ["deviceToken"]
    assert {r.params["device"]["id"] for r in remote.received("connect")} == {device_id}


@asynccontextmanager
async def refusal(client: GatewayClient) -> AsyncGenerator[None]:
    """Run the block, then wait until the client is refused."""
    refused = asyncio.Event()

    def check(snapshot: ClientSnapshot) -> None:
        if snapshot.state is ClientState.REFUSED:
            refused.set()
        elif snapshot.state is ClientState.RETRY_WAIT:
            asyncio.get_running_loop().call_soon(client.retry_now)

    stop = client.subscribe(check)
    yield
    async with asyncio.timeout(WAIT_LIMIT):
        await refused.wait()
    stop()


async def test_the_key_of_an_entry_is_not_kept_twice(
    hass: HomeAssistant, remote: SmallGateway, hass_storage: dict[str, object]
) -> None:
    """It is stored with the entry already."""
    entry = make_entry(hass, remote)
    page = await fill_in(hass, await ask(hass, entry), token=SECRET)
    expect_progress(page)
    assert "openclaw_voice.pending_keys" not in hass_storage


async def test_another_gateway_at_the_address_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The conversations and agents of the entry belong to the one that was set up."""
    entry = make_entry(hass, friendly, gateway_id="ef" * 32)
    before = dict(entry.data)
    form = await ask(hass, entry)
    expect_abort(await fill_in(hass, form, token="of the other one"), "another_gateway")
    assert entry.data == before


async def test_a_revoked_token_is_replaced_by_the_one_for_the_secret(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A token that was rotated by somebody else is handed out for the shared secret."""
    friendly.script(Expect("connect", reply=device_token_mismatch()))
    entry = make_entry(hass, friendly, device_token="old", scopes=["operator.read"])
    data = {key: value for key, value in entry.data.items() if key != "token"}
    hass.config_entries.async_update_entry(entry, data=data)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    expect_abort(await fill_in(hass, flow, token=SECRET), "reauth_successful")
    assert entry.data["token"] == SECRET
    assert "device_token" not in entry.data


async def test_another_certificate_is_asked_about(
    hass: HomeAssistant, secure: ScriptedGateway
) -> None:
    """The secret is not shown to it before."""
    entry = make_entry(hass, secure, certificate_pin=OTHER_PIN)
    form = await fill_in(hass, await ask(hass, entry), token=SECRET)
    expect_form(form, "certificate_changed")
    assert form["description_placeholders"]["known"] == readable_fingerprint(OTHER_PIN)
    assert secure.requests == []
    expect_abort(await fill_in(hass, form), "reauth_successful")
    assert entry.data["certificate_pin"] != OTHER_PIN
    assert entry.unique_id == GATEWAY_ID
    assert await hass.config_entries.async_unload(entry.entry_id)
