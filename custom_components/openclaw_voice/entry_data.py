"""What an entry stores, and the connection settings made of it."""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from homeassistant.util.ssl import get_default_context

from .const import CONF_DEVICE_TOKEN, CONF_PRIVATE_KEY, CONF_SCOPES, DOMAIN
from .gateway.identity import DeviceIdentity
from .gateway.models import ConnectionSettings, Credentials, HelloOk
from .gateway_url import is_secure


def entry_data(url: str, secret: str, identity: DeviceIdentity, hello: HelloOk) -> dict[str, Any]:
    """Return what a new entry stores.

    A paired device has a token of its own from now on, and the shared secret is forgotten. On the
    gateway's own host there is no such token, and the secret stays.
    """
    data: dict[str, Any] = {CONF_URL: url, CONF_PRIVATE_KEY: identity.private_key}
    if hello.device_token is None:
        return data | {CONF_TOKEN: secret}
    return data | {CONF_DEVICE_TOKEN: hello.device_token, CONF_SCOPES: list(hello.scopes)}


async def async_connection_settings(
    hass: HomeAssistant, data: Mapping[str, Any]
) -> ConnectionSettings:
    """Return the settings to connect with what an entry stores."""
    integration = await async_get_integration(hass, DOMAIN)
    scopes = data.get(CONF_SCOPES)
    return ConnectionSettings(
        url=data[CONF_URL],
        credentials=Credentials(
            secret=data.get(CONF_TOKEN), device_token=data.get(CONF_DEVICE_TOKEN)
        ),
        identity=DeviceIdentity.from_private_key(data[CONF_PRIVATE_KEY]),
        client_version=str(integration.version),
        ssl_context=get_default_context() if is_secure(data[CONF_URL]) else None,
        granted_scopes=None if scopes is None else tuple(scopes),
    )
