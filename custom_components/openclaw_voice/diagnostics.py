"""What a user can hand over when something does not work: nothing secret, nothing said.

What an entry stores is hidden unless it is known to be harmless, so that nothing new slips out.
"""

from collections import Counter
from dataclasses import asdict
import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_URL, __version__ as home_assistant_version
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.loader import async_get_integration

from .agents import agents_of
from .assist.options import AgentOptions
from .const import CONF_AGENT_ID, CONF_SCOPES, DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .gateway.client import GatewayClient
from .gateway.errors import GatewayError, NotConnectedError
from .gateway.redact import redact
from .gateway.state import ClientSnapshot
from .issues import OLDEST_TESTED
from .outbox.pending import kind_of

_HARMLESS: Final = frozenset({CONF_SCOPES})
"""What of an entry's data is shown."""

_DETAILS: Final = ("code", "detail_code", "missing", "status", "retry_after", "expected", "expired")
"""What of an error is shown: facts. Its text is left out."""


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: OpenClawConfigEntry
) -> dict[str, Any]:
    """Return what is known about an entry, also when it could not be set up."""
    integration = await async_get_integration(hass, DOMAIN)
    coordinator: GatewayCoordinator | None = getattr(entry, "runtime_data", None)
    return {
        "versions": {
            "home_assistant": home_assistant_version,
            "integration": str(integration.version),
            "oldest_tested_gateway": OLDEST_TESTED,
        },
        "entry": {
            "state": entry.state.value,
            "reason": entry.error_reason_translation_key,
            "source": entry.source,
            "version": entry.version,
            "data": async_redact_data(entry.data, entry.data.keys() - _HARMLESS),
            "agents": len(agents_of(entry)),
        },
        "address": _address(entry.data[CONF_URL]),
        "client": None if coordinator is None else _client(coordinator.client),
        "agents": [_agent(subentry, coordinator) for subentry in agents_of(entry)],
        "status": None if coordinator is None else _status(coordinator),
        "memory": None if coordinator is None else coordinator.memory.counts(),
        "notifications": None if coordinator is None else coordinator.notifier.facts(),
        "late_answers": None if coordinator is None else _late_answers(coordinator),
        "realtime": None if coordinator is None else coordinator.realtime_usage.facts(),
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: OpenClawConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return what is known about the gateway's own device, or about one of its agents."""
    return {
        "device": {"model": device.model, "is_disabled": device.disabled},
        **await async_get_config_entry_diagnostics(hass, entry),
    }


def _client(client: GatewayClient) -> dict[str, Any]:
    return {
        "snapshot": _snapshot(client.snapshot),
        "live_runs": client.chat.live_runs,
        "anomalies": dict(_anomalies(client)),
        "journal": [asdict(happening) for happening in client.journal],
    }


def _status(coordinator: GatewayCoordinator) -> dict[str, Any]:
    """Return how the gateway is and what goes on there: numbers, no names of agents or jobs."""
    status, activity = coordinator.board.status, coordinator.client.activity
    health = status.health
    return {
        "problems": None if health is None else [*health.problems],
        "sessions": None if health is None else health.sessions,
        "clients": status.clients,
        "has_update": status.update is not None,
        "has_next_job": status.next_job is not None,
        "waiting_answers": Counter(map(kind_of, coordinator.requests.pending)),
        "usage": None if status.usage is None else asdict(status.usage),
        "active_runs": coordinator.board.active_runs,
        "is_certain_of_runs": activity.is_certain,
        "readings": coordinator.board.readings,
    }


def _agent(subentry: ConfigSubentry, coordinator: GatewayCoordinator | None) -> dict[str, Any]:
    """Return how an agent is used: neither its name nor anything people have written for it."""
    options = AgentOptions.from_data(subentry.data)
    agent = None if coordinator is None else coordinator.agents.get(subentry.subentry_id)
    agent_id = subentry.data[CONF_AGENT_ID]
    return {
        "options": options.as_data()
        | {
            "instructions": len(options.instructions),
            "holding_phrases": len(options.holding_phrases),
            "fallback": [entity_id.partition(".")[0] for entity_id in options.fallback],
            "model": redact(options.model or "") or None,
            "thinking": redact(options.thinking or "") or None,
            "realtime_model": redact(options.realtime_model or "") or None,
            "realtime_voice": redact(options.realtime_voice or "") or None,
        },
        "is_vanished": coordinator is not None and coordinator.directory.is_vanished(agent_id),
        "turns": None if agent is None else agent.turns,
        "open_turns": None if agent is None else len(agent.open_turns),
    }


def _late_answers(coordinator: GatewayCoordinator) -> dict[str, Any]:
    """Return how many there are of each kind, and why some failed."""
    answers = coordinator.outbox.all()
    return {
        "statuses": Counter(answer.status.value for answer in answers),
        "errors": Counter(redact(answer.error) for answer in answers if answer.error is not None),
        "unannounced": sum(not answer.is_announced for answer in answers),
    }


def _anomalies(client: GatewayClient) -> Counter[str]:
    """Return the odd frames so far: the client counts those of the open connection at its end."""
    try:
        return client.anomalies + client.connection.anomalies
    except NotConnectedError:
        return client.anomalies


def _snapshot(snapshot: ClientSnapshot) -> dict[str, Any]:
    return {
        "state": snapshot.state,
        "error": _error(snapshot.error),
        "attempts": snapshot.attempts,
        "retry_at": snapshot.retry_at,
        "connected_since": snapshot.connected_since,
        "reconnects": snapshot.reconnects,
        "is_repeating": snapshot.is_repeating,
        "gateway": _gateway(snapshot),
    }


def _gateway(snapshot: ClientSnapshot) -> dict[str, Any] | None:
    hello = snapshot.hello
    if hello is None:
        return None
    return {
        "version": redact(hello.server_version),
        "protocol": hello.protocol,
        "scopes": [redact(scope) for scope in hello.scopes],
        "policy": asdict(hello.policy),
        "methods": len(hello.methods),
        "gives_device_token": hello.device_token is not None,
        "auth_method": redact(hello.auth_method or "") or None,
        "is_model_configured": hello.is_model_configured,
    }


def _error(error: GatewayError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    details = {name: getattr(error, name, None) for name in _DETAILS}
    return {
        "category": error.category,
        **{
            name: redact(value) if isinstance(value, str) else value
            for name, value in details.items()
            if value is not None
        },
    }


def _address(url: str) -> dict[str, Any]:
    """Return of what kind an address is: neither the host nor the path, which can be a secret."""
    parts = urlsplit(url)
    return {
        "scheme": parts.scheme,
        "host": _kind_of_host(parts.hostname or ""),
        "port": parts.port,
        "has_path": parts.path not in {"", "/"},
    }


def _kind_of_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "name"
    if address.is_loopback:
        return "loopback"
    return "private" if address.is_private else "public"
