"""What tests of the config flow have in common: they act as the frontend does."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import ssl
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
import pytest

from custom_components.openclaw_voice import pairing
from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.gateway import ScriptedGateway
from tests.fakes.small_gateway import SmallGateway

from .support import SECRET, WAIT_LIMIT, introduce

EXPIRES_AT_MS = 1_795_168_936_873


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the form."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    expect_form(result, "user")
    return result


async def fill_in(
    hass: HomeAssistant, form: ConfigFlowResult, **fields: object
) -> ConfigFlowResult:
    """Fill in a form and submit it; without fields, confirm it."""
    result = await hass.config_entries.flow.async_configure(form["flow_id"], fields)
    await hass.async_block_till_done()
    return result


async def choose(hass: HomeAssistant, menu: ConfigFlowResult, option: str) -> ConfigFlowResult:
    """Choose from a menu."""
    return await fill_in(hass, menu, next_step_id=option)


async def submit(
    hass: HomeAssistant, form: ConfigFlowResult, url: str, token: str = SECRET
) -> ConfigFlowResult:
    """Fill in address and secret; an empty field is not sent."""
    return await fill_in(hass, form, url=url, **({"token": token} if token else {}))


async def look(hass: HomeAssistant, flow: ConfigFlowResult) -> ConfigFlowResult:
    """Load the page of a flow, as the frontend does when it is told to, or when it is opened."""
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    await hass.async_block_till_done()
    return result


def close(hass: HomeAssistant, flow: ConfigFlowResult) -> None:
    """Close the dialog."""
    hass.config_entries.flow.async_abort(flow["flow_id"])


@asynccontextmanager
async def page_change(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Run the block, then wait until the frontend is told to load the page again."""
    told = asyncio.Event()

    @callback
    def tell(_: Event[Any]) -> None:
        told.set()

    stop = hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, tell)
    try:
        yield
        async with asyncio.timeout(WAIT_LIMIT):
            await told.wait()
    finally:
        stop()


async def finished(hass: HomeAssistant, page: ConfigFlowResult) -> ConfigFlowResult:
    """Load the page of a flow until it is no longer the one with the command."""
    while True:
        result = await look(hass, page)
        if result["type"] is not FlowResultType.SHOW_PROGRESS:
            return result
        async with page_change(hass):
            pass


def expect_form(result: ConfigFlowResult, step_id: str, **errors: str) -> None:
    """Check which form is shown, and what it says is wrong."""
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == step_id
    assert (result["errors"] or {}) == errors


def expect_progress(result: ConfigFlowResult) -> str:
    """Check that the page with the command is shown; return the id of the request."""
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert result["step_id"] == result["progress_action"] == "pairing"
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    command, _, request_id = placeholders["command"].rpartition(" ")
    assert command == "openclaw devices approve"
    return str(request_id)


def expect_abort(result: ConfigFlowResult, reason: str) -> None:
    """Check that the flow is over, and why."""
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason


def expect_entry(result: ConfigFlowResult) -> dict[str, Any]:
    """Check that an entry was made; return its data."""
    assert result["type"] is FlowResultType.CREATE_ENTRY
    return dict(result["data"])


def suggested(form: ConfigFlowResult) -> dict[str, Any]:
    """Return what the form is filled in with."""
    schema = form["data_schema"]
    assert schema is not None
    return {
        str(key): key.description["suggested_value"]
        for key in schema.schema
        if key.description and "suggested_value" in key.description
    }


def setup_code(url: str, token: str = "made-up-bootstrap-token") -> str:
    """Return what `openclaw qr --setup-code-only` prints."""
    content = {"url": url, "bootstrapToken": token, "expiresAtMs": EXPIRES_AT_MS}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.fixture
async def remote(socket_enabled: None, home: HomeAssistant) -> AsyncGenerator[SmallGateway]:
    """Return a gateway of another host: its owner has to approve every device.

    The flow asks as fast as it can, so that no test waits for it.
    """
    with patch.object(pairing, "POLL_INTERVAL", 0):
        async with SmallGateway(secret=SECRET, is_remote=True) as gateway:
            yield gateway


@pytest.fixture
async def secure(
    socket_enabled: None, tls: tuple[ssl.SSLContext, ssl.SSLContext], refused_handshakes: None
) -> AsyncGenerator[ScriptedGateway]:
    """Return a gateway that shows a certificate of its own."""
    async with ScriptedGateway(ssl_context=tls[0]) as gateway:
        introduce(gateway)
        yield gateway
