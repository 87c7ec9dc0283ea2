"""What tests with Home Assistant have in common."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant, callback
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.const import (
    CONF_AGENT_ID,
    CONF_PRIVATE_KEY,
    DOMAIN,
    SUBENTRY_AGENT,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from tests.fakes.gateway import Expect, ScriptedGateway

SECRET: Final = "made-up-secret"
GATEWAY_ID: Final = "ab" * 32
AGENT: Final = "conversation.main"
WAIT_LIMIT: Final = 10.0
"""Seconds a test waits for something Home Assistant is about to do."""


def introduce(
    gateway: ScriptedGateway,
    *agents: str,
    gateway_id: str = GATEWAY_ID,
    default: str = "main",
    names: dict[str, str] | None = None,
    details: dict[str, dict[str, Any]] | None = None,
    models: Sequence[dict[str, Any]] = (),
    talk: dict[str, Any] | None = None,
) -> None:
    """Let a gateway tell its id, its agents and models, and that nothing waits for people.

    It does so as often as it is asked. `details` are further fields of agents, by their ids.
    """
    names, details = names or {}, details or {}
    listed: list[dict[str, Any]] = [
        {"id": agent} | ({"name": names[agent]} if agent in names else {}) | details.get(agent, {})
        for agent in agents or ("main",)
    ]
    gateway.anytime(
        Expect(
            "gateway.identity.get",
            reply={"deviceId": gateway_id, "publicKey": "x" * 43},
        ),
        Expect(
            "agents.list",
            reply={
                "defaultId": default,
                "ownership": "explicit",
                "selectionRequired": len(listed) > 1,
                "mainKey": "main",
                "scope": "per-sender",
                "agents": listed,
            },
        ),
        Expect("models.list", reply={"models": [*models]}),
        Expect("talk.catalog", reply=talk or {}),
        Expect("sessions.list", reply={"sessions": []}),
        Expect("usage.cost", reply=usage_cost()),
        Expect("cron.list", reply={"jobs": []}),
        Expect("cron.runs", reply={"entries": [], "total": 0, "hasMore": False}),
        Expect("last-heartbeat", reply={}),
        Expect("exec.approval.list", reply=[]),
        Expect("plugin.approval.list", reply=[]),
        Expect("question.list", reply={"questions": []}),
    )


def usage_cost(
    tokens: int = 0, cost: float = 0.0, *, status: str = "fresh", day: str | None = None
) -> dict[str, Any]:
    """Return what a day has cost, as the gateway answers; without a day, for the one asked for."""
    totals = {"totalTokens": tokens, "totalCost": cost}
    return {
        "updatedAt": 1_795_277_829_202,
        "days": 1,
        "daily": [] if day is None else [{"date": day, **totals}],
        "totals": totals,
        "cacheStatus": {"status": status, "cachedFiles": 1, "pendingFiles": 0, "staleFiles": 0},
    }


def make_entry(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    *agents: str,
    gateway_id: str = GATEWAY_ID,
    options: dict[str, dict[str, Any]] | None = None,
    **data: object,
) -> MockConfigEntry:
    """Return an entry for a gateway as the flow makes it, not set up yet.

    `options` are those of agents, by their ids.
    """
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="OpenClaw (127.0.0.1)",
        unique_id=gateway_id,
        data={
            CONF_URL: gateway.url,
            CONF_TOKEN: SECRET,
            CONF_PRIVATE_KEY: DeviceIdentity.create().private_key,
        }
        | data,
        subentries_data=[
            agent_subentry(agent, **(options or {}).get(agent, {})) for agent in agents or ("main",)
        ],
    )
    entry.add_to_hass(hass)
    return entry


def agent_subentry(agent_id: str, **options: object) -> ConfigSubentryDataWithId:
    """Return the subentry of an agent; options are stored by their names."""
    return ConfigSubentryDataWithId(
        subentry_id=f"subentry-{agent_id}",
        subentry_type=SUBENTRY_AGENT,
        title=agent_id,
        unique_id=agent_id,
        data={CONF_AGENT_ID: agent_id} | options,
    )


async def add_entry(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    *agents: str,
    options: dict[str, dict[str, Any]] | None = None,
    **data: object,
) -> MockConfigEntry:
    """Return an entry that is loaded and connected."""
    entry = make_entry(hass, gateway, *agents, options=options, **data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def ask(
    hass: HomeAssistant,
    text: str = "Hello",
    *,
    agent: str = AGENT,
    language: str = "en",
    conversation_id: str | None = None,
    extra_system_prompt: str | None = None,
    satellite_id: str | None = None,
) -> conversation.ConversationResult:
    """Ask an agent as an action or another integration does, or with a satellite as one does."""
    return await conversation.async_converse(
        hass,
        text,
        conversation_id,
        Context(),
        language,
        agent,
        satellite_id=satellite_id,
        extra_system_prompt=extra_system_prompt,
    )


def speech_of(result: conversation.ConversationResult) -> str | None:
    """Return what a result says, None when it says nothing."""
    speech: str | None = result.response.speech.get("plain", {}).get("speech")
    return speech


@asynccontextmanager
async def state_change(
    hass: HomeAssistant, is_reached: Callable[[HomeAssistant], bool]
) -> AsyncGenerator[None]:
    """Run the block, then wait until states are as wanted."""
    reached = asyncio.Event()

    @callback
    def check(_: Event[Any]) -> None:
        if is_reached(hass):
            reached.set()

    stop = hass.bus.async_listen("state_changed", check)
    try:
        yield
        async with asyncio.timeout(WAIT_LIMIT):
            await reached.wait()
    finally:
        stop()
