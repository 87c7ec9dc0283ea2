"""Setting a gateway up with a setup code: address and credential in one string."""

from homeassistant.core import HomeAssistant
import pytest

from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import bootstrap_token_invalid, rate_limited
from tests.fakes.small_gateway import SmallGateway

from .flow import (
    begin,
    expect_entry,
    expect_form,
    expect_progress,
    fill_in,
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

NOBODY = "ws://127.0.0.1:1"
"""Nothing listens on this port."""


async def test_a_setup_code_fits_into_the_field_for_the_token_too(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Somebody who has typed the address pastes it where secrets go."""
    page = await submit(hass, await begin(hass), remote.url, token=remote.setup_code())
    expect_progress(page)
    assert list(remote.received("connect")[0].params["auth"]) == ["bootstrapToken"]


async def test_an_address_that_does_not_answer_is_corrected_by_hand(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The gateway writes the address as it sees itself; the token of the code is kept meanwhile."""
    code = remote.authorizer.new_setup_code(NOBODY)
    form = await submit(hass, await begin(hass), code, token="")
    expect_form(form, "address", base="cannot_connect")
    assert suggested(form) == {"url": NOBODY}
    expect_form(await look(hass, form), "address")
    form = await fill_in(hass, form, url="ftp://127.0.0.1")
    expect_form(form, "address", url="invalid_address")
    assert suggested(form) == {"url": "ftp://127.0.0.1"}
    page = await fill_in(hass, form, url=f"127.0.0.1:{remote.port}")
    expect_progress(page)
    async with page_change(hass):
        remote.approve()
    assert expect_entry(await look(hass, page))["url"] == remote.url


async def test_another_code_may_take_the_place_of_the_address(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Whoever has made a new code pastes it into the field there is."""
    form = await submit(hass, await begin(hass), setup_code(NOBODY), token="")
    expect_form(form, "address", base="cannot_connect")
    expect_progress(await fill_in(hass, form, url=remote.setup_code()))


async def test_a_code_that_was_cut_off_is_told_apart_from_an_address(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """It is a secret, so the form does not suggest it."""
    form = await submit(hass, await begin(hass), remote.setup_code()[:-20], token="")
    expect_form(form, "user", url="invalid_setup_code")
    assert suggested(form) == {}
    expect_progress(await submit(hass, form, remote.setup_code(), token=""))


async def test_a_code_for_another_kind_of_address_is_not_accepted(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """What the code says is checked like what people type."""
    form = await submit(hass, await begin(hass), setup_code("ws://user@127.0.0.1"), token="")
    expect_form(form, "user", url="invalid_setup_code")
    assert suggested(form) == {}


async def test_an_expired_code_asks_for_a_new_one(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """The gateway decides: the clocks of the two hosts may differ."""
    code = remote.setup_code()
    remote.authorizer.expire_setup_codes()
    form = await submit(hass, await begin(hass), code, token="")
    expect_form(form, "setup_code", setup_code="setup_code_rejected")
    assert form["description_placeholders"] == {"host": "127.0.0.1"}
    expect_progress(await fill_in(hass, form, setup_code=remote.setup_code()))


async def test_a_typed_token_goes_before_the_one_of_the_code(
    hass: HomeAssistant, remote: SmallGateway
) -> None:
    """Nobody types a secret for nothing."""
    expect_progress(await submit(hass, await begin(hass), remote.setup_code(), token=SECRET))
    assert list(remote.received("connect")[0].params["auth"]) == ["token"]


async def test_what_is_wrong_besides_does_not_cost_the_code(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Submitting the address again uses it again."""
    approved = hello_ok(device_token="made-up-device-token")
    friendly.script(
        Expect("connect", reply=rate_limited(60_000)),
        Expect("connect", params=lambda p: "bootstrapToken" in p["auth"], reply=approved),
        Expect("connect", reply=approved),
    )
    form = await submit(hass, await begin(hass), setup_code(friendly.url), token="")
    expect_form(form, "address", base="rate_limited")
    assert form["description_placeholders"] == {"minutes": "1"}
    expect_entry(await fill_in(hass, form, url=suggested(form)["url"]))


async def test_without_a_token_to_come_back_with_the_secret_is_needed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The code itself is good for ten minutes, and must not be stored."""
    form = await submit(hass, await begin(hass), setup_code(friendly.url), token="")
    expect_form(form, "user", base="no_device_token")
    assert suggested(form) == {"url": friendly.url}
    data = expect_entry(await submit(hass, form, friendly.url))
    assert data["token"] == SECRET
    assert "bootstrap_token" not in data


async def test_a_rejected_code_keeps_the_address(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A code in the field for the token belongs to the address that was typed."""
    approved = hello_ok(device_token="made-up-device-token")
    friendly.script(
        Expect("connect", reply=bootstrap_token_invalid()),
        Expect("connect", reply=approved),
        Expect("connect", reply=approved),
    )
    form = await submit(hass, await begin(hass), friendly.url, token=setup_code(NOBODY))
    expect_form(form, "setup_code", setup_code="setup_code_rejected")
    result = await fill_in(hass, form, setup_code=setup_code(NOBODY, "new"))
    assert expect_entry(result)["url"] == friendly.url
