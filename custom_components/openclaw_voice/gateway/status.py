"""The status capability: what the gateway tells about itself on request, and poking an agent."""

import asyncio
from datetime import date
from enum import StrEnum
from typing import Protocol

from .errors import ProtocolError
from .frames import JsonObject, as_list, as_object, as_text
from .health import SystemInfo
from .models import AgentList, ModelInfo
from .usage import Usage


class WakeMode(StrEnum):
    """When an agent that is poked looks up. The values are the gateway's."""

    NOW = "now"
    NEXT_HEARTBEAT = "next-heartbeat"


class Requester(Protocol):
    """Whatever can send a request: a client or a single connection."""

    async def request(
        self, method: str, params: JsonObject | None = None, *, timeout: float = ...
    ) -> JsonObject:
        """Send one request and return the payload of its response."""


class Status:
    """Reads the state of the gateway. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def gateway_id(self) -> str:
        """Return the gateway's own device id: stable, whatever its address.

        Raises:
            ProtocolError: The gateway does not tell.
        """
        device_id = as_text((await self._requester.request("gateway.identity.get")).get("deviceId"))
        if device_id is None:
            raise ProtocolError("the gateway does not tell its id")
        return device_id

    async def agents(self) -> AgentList:
        """Return the agents of the gateway."""
        return AgentList.from_payload(await self._requester.request("agents.list"))

    async def models(self, agent_id: str | None = None) -> tuple[ModelInfo, ...]:
        """Return the models an agent may use.

        A gateway with several agents and no default one wants to know of which.
        """
        params = {} if agent_id is None else {"agentId": agent_id}
        payload = await self._requester.request("models.list", params)
        rows = map(as_object, as_list(payload.get("models")))
        return tuple(model for row in rows if (model := ModelInfo.from_payload(row)) is not None)

    async def system_info(self) -> SystemInfo:
        """Return what the gateway takes of its machine."""
        return SystemInfo.from_payload(await self._requester.request("system.info"))

    async def usage(self, day: date, time_zone: str, agent_id: str | None = None) -> Usage | None:
        """Return what today has cost so far, of one agent or of all; None: not computed yet.

        Args:
            day: Today, as the caller sees it.
            time_zone: Where the day begins (IANA name); the gateway's own days may be others.
            agent_id: Of this agent only.
        """
        whose: JsonObject = {"agentScope": "all"} if agent_id is None else {"agentId": agent_id}
        when: JsonObject = {"days": 1, "mode": "specific", "timeZone": time_zone}
        payload = await self._requester.request("usage.cost", when | whose)
        return Usage.from_payload(payload, today=day)

    async def round_trip(self) -> float:
        """Return the seconds a small request takes, there and back."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._requester.request("gateway.identity.get")
        return loop.time() - began

    async def wake(
        self,
        text: str,
        mode: WakeMode,
        *,
        agent_id: str | None = None,
        session_key: str | None = None,
    ) -> None:
        """Tell an agent something, and have it look up; what it says comes as a heartbeat.

        The gateway only says that it has heard. Without an agent it is the default one.
        """
        whom = {"agentId": agent_id, "sessionKey": session_key}
        params: JsonObject = {"mode": mode.value, "text": text}
        params |= {name: value for name, value in whom.items() if value is not None}
        await self._requester.request("wake", params)
