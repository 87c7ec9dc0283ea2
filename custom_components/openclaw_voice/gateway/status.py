"""The status capability: what the gateway tells about itself on request."""

from typing import Protocol

from .errors import ProtocolError
from .frames import JsonObject, as_list, as_object, as_text
from .models import AgentList, ModelInfo


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
