"""A gateway of another host: its owner approves Home Assistant while the flow waits."""

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice import connect_flow, pairing
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.gateway.errors import UntrustedCertificateError
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import (
    PairingRequest,
    Refusal,
    bootstrap_token_invalid,
    pairing_required,
    rate_limited,
    still_starting,
    token_mismatch,
)
from tests.fakes.small_gateway import SmallGateway

from .flow import (
    begin,
    close,
    expect_entry,
    expect_form,
    expect_progress,
    fill_in,
    finished,
    look,
    page_change,
    remote,
    setup_code,
    submit,
    suggested,
)
from .support import SECRET

__all__ = ["remote"]

pytestmark = pytest.mark.usefixtures("home")

TOKEN = "made-up-device-token"
APPROVED = hello_ok(device_token=TOKEN)


@pytest.fixture
def quick() -> Generator[None]:
    """Ask as fast as possible."""
    with patch.object(pairing, "POLL_INTERVAL", 0):
        yield


def asked(number: int = 1) -> Refusal:
    """Return the refusal of a device that is not approved, for its first or a later request."""
    return pairing_required(
        PairingRequest(request_id=f"r-{number}", device_id="d", scopes=("operator.read",))
    )


def has_auth(field: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a connect shows one kind of credential."""
    return lambda params: list(params["auth"]) == [field]


async def test_the_page_shows_the_command_and_goes_on_when_it_was_run(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The entry keeps the device's own token, and the shared secret is forgotten."""
    page = await submit(hass, await begin(hass), remote.url)
    request_id = expect_progress(page)
    assert [request.request_id for request in remote.authorizer.pending.values()] == [request_id]
    assert page["description_placeholders"] == {
        "command": f"openclaw devices approve {request_id}",
        "web": f"http://127.0.0.1:{remote.port}",
    }
    assert expect_progress(await look(hass, page)) == request_id, "opening it again is harmless"
    async with page_change(hass):
        remote.approve()
    data = expect_entry(await look(hass, page))
    assert data.keys() == {"url", "private_key", "device_token", "scopes"}
    assert SECRET not in str(data)
    devices = {request.params["device"]["id"] for request in remote.received("connect")}
    assert len(devices) == 1
    assert list(remote.received("connect")[-1].params["auth"]) == ["deviceToken"]


async def test_agents_are_chosen_after_the_approval(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The page with the command leads to the same form as a gateway of this host."""
    remote.agents = ["main", "cook"]
    page = await submit(hass, await begin(hass), remote.url)
    async with page_change(hass):
        remote.approve()
    form = await look(hass, page)
    expect_form(form, "agents")
    expect_entry(await fill_in(hass, form, agents=["cook"]))


async def test_an_approval_given_while_the_dialog_was_closed_counts(
    hass: HomeAssistant, remote: SmallGateway, hass_storage: dict[str, Any]
) -> None:
    """Whoever comes back asks with the same key, and is at the end at once."""
    page = await submit(hass, await begin(hass), remote.url)
    close(hass, page)
    await hass.async_block_till_done()
    assert remote.url in hass_storage["openclaw_voice.pending_keys"]["data"]
    remote.approve()
    data = expect_entry(await submit(hass, await begin(hass), remote.url))
    assert data["device_token"]
    assert hass_storage["openclaw_voice.pending_keys"]["data"] == {}


async def test_leaving_after_the_approval_keeps_it(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The key is dropped only when an entry has it."""
    remote.agents = ["main", "cook"]
    page = await submit(hass, await begin(hass), remote.url)
    async with page_change(hass):
        remote.approve()
    form = await look(hass, page)
    expect_form(form, "agents")
    close(hass, form)
    form = await submit(hass, await begin(hass), remote.url)
    expect_form(form, "agents")
    expect_entry(await fill_in(hass, form, agents=["main"]))


async def test_coming_back_before_the_approval_asks_the_same_question(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The owner sees one request, not one for every visit."""
    page = await submit(hass, await begin(hass), remote.url)
    request_id = expect_progress(page)
    close(hass, page)
    page = await submit(hass, await begin(hass), remote.url)
    assert expect_progress(page) == request_id


async def test_the_key_is_kept_for_a_day(
    hass: HomeAssistant, remote: SmallGateway, freezer: FrozenDateTimeFactory
) -> None:
    """Later somebody begins anew."""
    page = await submit(hass, await begin(hass), remote.url)
    request_id = expect_progress(page)
    close(hass, page)
    freezer.tick(timedelta(hours=25))
    page = await submit(hass, await begin(hass), remote.url)
    assert expect_progress(page) != request_id
    close(hass, page)


async def test_polling_stops_when_the_dialog_is_closed(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Nobody looks any more, so nobody is asked."""
    page = await submit(hass, await begin(hass), remote.url)
    await remote.wait_for_request("connect", number=3)
    close(hass, page)
    await hass.async_block_till_done()
    await remote.wait_for_no_client()
    asked_so_far = len(remote.received("connect"))
    page = await begin(hass)
    assert len(remote.received("connect")) == asked_so_far


@pytest.mark.usefixtures("quick")
async def test_another_request_id_is_shown_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A request that has gone, as after a restart of the gateway, cannot be approved any more."""
    friendly.script(
        *[Expect("connect", reply=asked(number)) for number in (1, 1, 2, 3)],
        Expect("connect", reply=APPROVED),
        Expect("connect", reply=APPROVED),
    )
    async with page_change(hass):
        page = await submit(hass, await begin(hass), friendly.url)
        assert expect_progress(page) == "r-1"
    await friendly.wait_for_client()
    data = expect_entry(await finished(hass, page))
    assert data["device_token"] == TOKEN


@pytest.mark.usefixtures("quick")
async def test_an_owner_who_says_no_is_not_asked_for_ever(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A gateway files a new request for one that was turned down; a person has to want that."""
    friendly.script(
        *[Expect("connect", reply=asked(number)) for number in (1, 2, 3, 4)],
        Expect("connect", reply=asked(5)),
        Expect("connect", reply=APPROVED),
        Expect("connect", reply=APPROVED),
    )
    page = await submit(hass, await begin(hass), friendly.url)
    form = await finished(hass, page)
    expect_form(form, "pairing_refused")
    assert form["description_placeholders"] == {"host": "127.0.0.1"}
    expect_form(await look(hass, form), "pairing_refused")
    page = await fill_in(hass, form)
    assert expect_progress(page) == "r-5"
    assert expect_entry(await finished(hass, page))["device_token"] == TOKEN


@pytest.mark.usefixtures("quick")
async def test_after_half_an_hour_somebody_is_asked_whether_to_go_on(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Going on shows the command again, and an approval counts as before."""
    with patch.object(connect_flow, "PATIENCE", 0):
        page = await submit(hass, await begin(hass), remote.url)
        form = await finished(hass, page)
    expect_form(form, "pairing_timeout")
    assert form["description_placeholders"] == {"host": "127.0.0.1"}
    expect_form(await look(hass, form), "pairing_timeout")
    page = await fill_in(hass, form)
    expect_progress(page)
    async with page_change(hass):
        remote.approve()
    expect_entry(await look(hass, page))


async def test_an_approval_while_nobody_looked_at_the_question_counts(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Submitting the question finds it out."""
    with patch.object(connect_flow, "PATIENCE", 0):
        form = await finished(hass, await submit(hass, await begin(hass), remote.url))
    remote.approve()
    expect_entry(await fill_in(hass, form))


@pytest.mark.usefixtures("quick")
async def test_a_gateway_that_restarts_is_waited_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is not there for some seconds, and then not ready: neither is a reason to give up."""
    friendly.script(
        Expect("connect", reply=asked()),
        Expect("connect", reply=still_starting()),
        Expect("connect", reply=asked()),
        Expect("connect", reply=APPROVED),
        Expect("connect", reply=APPROVED),
    )
    page = await submit(hass, await begin(hass), friendly.url)
    expect_progress(page)
    await friendly.wait_for_client()
    expect_entry(await finished(hass, page))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("refusal", "error"),
    [(token_mismatch(), "invalid_auth"), (rate_limited(60_000), "rate_limited")],
    ids=["the secret was changed", "locked out"],
)
async def test_what_comes_in_between_is_said_in_the_form(
    hass: HomeAssistant, friendly: ScriptedGateway, refusal: Refusal, error: str
) -> None:
    """The address stays, and the next try goes on with the same key."""
    friendly.script(
        Expect("connect", reply=asked()),
        Expect("connect", reply=refusal),
        Expect("connect", reply=APPROVED),
        Expect("connect", reply=APPROVED),
    )
    page = await submit(hass, await begin(hass), friendly.url)
    form = await finished(hass, page)
    expect_form(form, "user", base=error)
    assert suggested(form) == {"url": friendly.url}
    expect_entry(await submit(hass, form, friendly.url))
    assert len({request.params["device"]["id"] for request in friendly.received("connect")}) == 1


async def test_a_setup_code_leads_to_the_approval(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Address and credential in one string; neither it nor the shared secret is stored."""
    code = remote.setup_code()
    page = await submit(hass, await begin(hass), code, token="")
    expect_progress(page)
    assert list(remote.received("connect")[0].params["auth"]) == ["bootstrapToken"]
    async with page_change(hass):
        remote.approve()
    data = expect_entry(await look(hass, page))
    assert data.keys() == {"url", "private_key", "device_token", "scopes"}
    assert data["url"] == remote.url


@pytest.mark.usefixtures("quick")
async def test_a_setup_code_that_expires_while_waiting_is_replaced(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The approval is for the key, so it counts with the new code."""
    friendly.script(
        Expect("connect", params=has_auth("bootstrapToken"), reply=asked()),
        Expect("connect", reply=bootstrap_token_invalid()),
        Expect("connect", reply=bootstrap_token_invalid()),
        Expect("connect", params=shows_new_code, reply=APPROVED),
        Expect("connect", params=has_auth("deviceToken"), reply=APPROVED),
    )
    page = await submit(hass, await begin(hass), setup_code(friendly.url), token="")
    form = await finished(hass, page)
    expect_form(form, "setup_code", setup_code="setup_code_rejected")
    assert suggested(form) == {}
    expect_form(await look(hass, form), "setup_code")
    form = await fill_in(hass, form, setup_code="not a code")
    expect_form(form, "setup_code", setup_code="invalid_setup_code")
    form = await fill_in(hass, form, setup_code=setup_code("ws://192.0.2.9:1", "old"))
    expect_form(form, "setup_code", setup_code="setup_code_rejected")
    result = await fill_in(hass, form, setup_code=setup_code("ws://192.0.2.9:1", "new"))
    data = expect_entry(result)
    assert data["url"] == friendly.url, "the address that has answered stays"
    assert len({request.params["device"]["id"] for request in friendly.received("connect")}) == 1


def shows_new_code(params: dict[str, Any]) -> bool:
    """Return whether a connect shows the second code."""
    return bool(params["auth"] == {"bootstrapToken": "new"})


async def test_the_secret_and_the_key_are_not_logged(
    hass: HomeAssistant, remote: SmallGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody will post the log of a pairing that does not work."""
    page = await submit(hass, await begin(hass), remote.url)
    async with page_change(hass):
        remote.approve()
    data = expect_entry(await look(hass, page))
    said = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("websockets.server", "pytest_"))
    ]
    assert any("Connected after" in line for line in said), "the log is complete"
    for secret in (SECRET, data["private_key"], data["device_token"]):
        assert not [line for line in said if secret in line]


async def test_two_gateways_are_paired_beside_each_other(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Each address has a key of its own."""
    async with SmallGateway(secret=SECRET, is_remote=True) as other:
        pages = [await submit(hass, await begin(hass), each.url) for each in (remote, other)]
        assert expect_progress(pages[0]) != expect_progress(pages[1])
        for page in pages:
            close(hass, page)
        for gateway in (remote, other):
            gateway.approve()
            data = expect_entry(await submit(hass, await begin(hass), gateway.url))
            assert data["url"] == gateway.url
        keys = [
            {request.params["device"]["id"] for request in gateway.received("connect")}
            for gateway in (remote, other)
        ]
        assert [len(each) for each in keys] == [1, 1]
        assert keys[0] != keys[1]
        for entry in hass.config_entries.async_entries(DOMAIN):
            assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_certificate_that_is_no_longer_vouched_for_is_shown(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """It may run out while the owner is looked for."""
    with (
        patch.object(
            connect_flow,
            "async_wait_for_approval",
            side_effect=UntrustedCertificateError("has expired"),
        ),
        patch.object(connect_flow, "fetch_certificate_pin", return_value="ab" * 32),
    ):
        form = await finished(hass, await submit(hass, await begin(hass), remote.url))
        expect_form(form, "certificate")
