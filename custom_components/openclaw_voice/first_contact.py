"""Connects to a gateway once, for the flow: to learn who it is, or why it does not let us in."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
import json
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import ClientError
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import CONF_BOOTSTRAP_TOKEN
from .entry_data import CREDENTIALS, async_connection_settings
from .exceptions import ErrorText, describe
from .gateway.connection import Connection
from .gateway.errors import (
    CannotConnectError,
    CredentialsRejectedError,
    GatewayError,
    NotAGatewayError,
    ProxyRefusedError,
    TlsError,
)
from .gateway.models import AgentList, HelloOk
from .gateway.status import Status
from .gateway_url import HEALTH_PATH, is_secure, probe_url

PROBE_TIMEOUT: Final = 3.0
"""Seconds the answer to a probe may take. A gateway answers it before anything else."""

_PROBE_LIMIT: Final = 4096
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a gateway that lets us in tells about itself."""

    gateway_id: str
    agents: AgentList
    hello: HelloOk


async def async_first_contact(hass: HomeAssistant, draft: Mapping[str, Any]) -> Welcome:
    """Shake hands with the gateway and look at its agents.

    Raises:
        GatewayError: Why that is not possible.
    """
    async with Connection(await async_connection_settings(hass, draft)) as connection:
        status = Status(connection)
        return Welcome(
            gateway_id=await status.gateway_id(),
            agents=await status.agents(),
            hello=connection.hello,
        )


def has_credential(draft: Mapping[str, Any]) -> bool:
    """Return whether there is anything to be let in with."""
    return any(key in draft for key in (*CREDENTIALS, CONF_BOOTSTRAP_TOKEN))


async def async_explain(
    hass: HomeAssistant, draft: Mapping[str, Any], error: GatewayError
) -> ErrorText:
    """Return what to tell people about an error while they set a gateway up.

    Where the WebSocket says little, a look at the gateway's health page says more.
    """
    match error:
        case CredentialsRejectedError() if not has_credential(draft):
            return ErrorText(key="token_needed")
        case (
            CannotConnectError(retry_after=float())
            | CannotConnectError(status=HTTPStatus.SERVICE_UNAVAILABLE)
        ):
            return ErrorText(key="gateway_starting")
        case (
            NotAGatewayError() | ProxyRefusedError() | TlsError() | CannotConnectError(status=None)
        ):
            key = await _async_probe(hass, draft[CONF_URL], error)
            return describe(error) if key is None else ErrorText(key=key)
    return describe(error)


async def _async_probe(hass: HomeAssistant, url: str, error: GatewayError) -> str | None:
    """Return the key of a better explanation, if the health page gives one."""
    if not isinstance(error, ProxyRefusedError) and await _is_gateway(
        hass, probe_url(url, is_secure=not is_secure(url))
    ):
        return "use_no_tls" if is_secure(url) else "use_tls"
    if isinstance(error, NotAGatewayError) and await _is_gateway(
        hass, probe_url(url, is_secure=is_secure(url))
    ):
        return "no_websocket"
    return None


async def _is_gateway(hass: HomeAssistant, url: str) -> bool:
    """Return whether a gateway's health page answers. No credential is sent.

    The path may be a secret: it goes only to who the certificate vouches for.
    """
    session = async_get_clientsession(hass, verify_ssl=urlsplit(url).path != HEALTH_PATH)
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT),
            session.get(url, allow_redirects=False) as response,
        ):
            health = json.loads(await response.content.read(_PROBE_LIMIT))
    except ClientError, TimeoutError, ValueError:
        return False
    return isinstance(health, dict) and health.get("status") == "live"
