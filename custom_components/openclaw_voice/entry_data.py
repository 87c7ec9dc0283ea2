"""What an entry stores, and the connection settings made of it.

While a gateway is being set up the flow keeps a *draft*: the same fields, and for a setup code its
token, which is never stored.
"""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from homeassistant.util.ssl import get_default_context, get_default_no_verify_context

from .const import (
    CONF_BOOTSTRAP_TOKEN,
    CONF_CERTIFICATE_PIN,
    CONF_DEVICE_TOKEN,
    CONF_PRIVATE_KEY,
    CONF_SCOPES,
    DOMAIN,
)
from .gateway.identity import DeviceIdentity
from .gateway.models import ConnectionSettings, Credentials, HelloOk
from .gateway_url import is_secure

CREDENTIALS: Final = (CONF_TOKEN, CONF_DEVICE_TOKEN, CONF_SCOPES)
"""Fields that let Home Assistant in."""

_LASTING: Final = (CONF_URL, CONF_PRIVATE_KEY, CONF_CERTIFICATE_PIN)


def entry_data(known: Mapping[str, Any], hello: HelloOk) -> dict[str, Any]:
    """Return what an entry stores after the gateway has let Home Assistant in.

    A paired device has a token of its own from now on, and the shared secret is forgotten. On the
    gateway's own host there is no such token, and the secret stays.

    Args:
        known: A draft, or what the entry has stored so far.
        hello: What the gateway said.
    """
    data = {key: known[key] for key in _LASTING if key in known}
    if hello.device_token is None:
        return data | {key: known[key] for key in CREDENTIALS if key in known}
    return data | {CONF_DEVICE_TOKEN: hello.device_token, CONF_SCOPES: list(hello.scopes)}


async def async_connection_settings(
    hass: HomeAssistant, data: Mapping[str, Any]
) -> ConnectionSettings:
    """Return the settings to connect with what an entry stores, or with a draft."""
    integration = await async_get_integration(hass, DOMAIN)
    scopes = data.get(CONF_SCOPES)
    pin = data.get(CONF_CERTIFICATE_PIN)
    ssl_context = None
    if is_secure(data[CONF_URL]):
        ssl_context = get_default_context() if pin is None else get_default_no_verify_context()
    return ConnectionSettings(
        url=data[CONF_URL],
        credentials=Credentials(
            secret=data.get(CONF_TOKEN),
            device_token=data.get(CONF_DEVICE_TOKEN),
            bootstrap_token=data.get(CONF_BOOTSTRAP_TOKEN),
        ),
        identity=DeviceIdentity.from_private_key(data[CONF_PRIVATE_KEY]),
        client_version=str(integration.version),
        ssl_context=ssl_context,
        certificate_pin=pin,
        granted_scopes=None if scopes is None else tuple(scopes),
    )
