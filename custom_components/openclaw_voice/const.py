"""Names this integration stores and registers under."""

import logging
from typing import Final

DOMAIN: Final = "openclaw_voice"
LOGGER: Final = logging.getLogger(__package__)

SUBENTRY_AGENT: Final = "agent"
"""Type of a subentry: one agent of the gateway."""

CONF_AGENT_ID: Final = "agent_id"
CONF_AGENTS: Final = "agents"
CONF_BOOTSTRAP_TOKEN: Final = "bootstrap_token"  # noqa: S105 - the name of a field
CONF_CERTIFICATE_PIN: Final = "certificate_pin"
CONF_DEVICE_TOKEN: Final = "device_token"  # noqa: S105 - the name of a field
CONF_EMOJI: Final = "emoji"
CONF_PRIVATE_KEY: Final = "private_key"
CONF_SCOPES: Final = "scopes"
CONF_SETUP_CODE: Final = "setup_code"

EVENT_NOTIFICATION: Final = f"{DOMAIN}_notification"
"""Type of the bus event that tells what happens on a gateway."""

EVENT_REALTIME_SESSION: Final = f"{DOMAIN}_realtime_session"
"""Type of the bus event that tells of a realtime session that has ended."""
