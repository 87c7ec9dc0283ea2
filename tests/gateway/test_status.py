"""What the gateway tells about itself on request."""

from datetime import date

import pytest

from custom_components.openclaw_voice.gateway.errors import ProtocolError, RequestTimeoutError
from custom_components.openclaw_voice.gateway.frames import JsonObject
from custom_components.openclaw_voice.gateway.health import SystemInfo
from custom_components.openclaw_voice.gateway.models import AgentInfo, AgentList, ModelInfo
from custom_components.openclaw_voice.gateway.status import Status, WakeMode
from custom_components.openclaw_voice.gateway.usage import Usage


class Answering:
    """Answers every request with one payload, or fails it."""

    def __init__(self, answer: JsonObject | Exception) -> None:
        """Answer with `answer`."""
        self.answer = answer
        self.asked: list[tuple[str, JsonObject | None]] = []

    async def request(
        self, method: str, params: JsonObject | None = None, *, timeout: float = 1.0
    ) -> JsonObject:
        """Note the request and answer it."""
        self.asked.append((method, params))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_the_gateway_tells_its_id() -> None:
    """The id is the gateway's own device id."""
    requester = Answering({"deviceId": "abc", "publicKey": "xyz"})

    assert await Status(requester).gateway_id() == "abc"
    assert requester.asked == [("gateway.identity.get", None)]


@pytest.mark.parametrize("answer", [{}, {"deviceId": ""}, {"deviceId": 1}], ids=str)
async def test_a_gateway_without_an_id_is_a_protocol_error(answer: JsonObject) -> None:
    """An entry without a stable id must not be made."""
    with pytest.raises(ProtocolError):
        await Status(Answering(answer)).gateway_id()


async def test_the_gateway_lists_its_agents() -> None:
    """The list comes as a model."""
    requester = Answering({"defaultId": "main", "agents": [{"id": "main"}]})

    assert await Status(requester).agents() == AgentList(
        default_id="main", agents=(AgentInfo(agent_id="main", name="main"),)
    )
    assert requester.asked == [("agents.list", None)]


async def test_a_failed_request_reaches_the_caller() -> None:
    """Nothing is caught on the way."""
    status = Status(Answering(RequestTimeoutError("late")))

    with pytest.raises(RequestTimeoutError):
        await status.agents()


async def test_the_gateway_lists_the_models_of_an_agent() -> None:
    """A row without provider or id is none."""
    row = {"provider": "demo", "id": "demo-1", "name": "Demo", "available": True}
    requester = Answering({"models": [row, {"id": "demo-2"}, None]})

    assert await Status(requester).models("main") == (
        ModelInfo(reference="demo/demo-1", name="Demo"),
    )
    assert requester.asked == [("models.list", {"agentId": "main"})]


async def test_a_gateway_with_one_agent_lists_its_models() -> None:
    """Then no agent has to be named."""
    requester = Answering({})

    assert await Status(requester).models() == ()
    assert requester.asked == [("models.list", {})]


async def test_the_gateway_tells_what_it_takes_of_its_machine() -> None:
    """The process's memory, not that of the machine."""
    requester = Answering({"processMemory": {"rssBytes": 1_000}})

    assert await Status(requester).system_info() == SystemInfo(memory=1_000)
    assert requester.asked == [("system.info", None)]


@pytest.mark.parametrize(
    ("agent_id", "whose"), [(None, {"agentScope": "all"}), ("main", {"agentId": "main"})]
)
async def test_usage_is_that_of_the_day_as_the_asker_sees_it(
    agent_id: str | None, whose: JsonObject
) -> None:
    """The gateway's own days are those of UTC."""
    requester = Answering({"totals": {"totalTokens": 5, "totalCost": 0.5}})
    today = date(2026, 11, 21)

    usage = await Status(requester).usage(today, "Europe/Berlin", agent_id)

    assert usage == Usage(day=today, tokens=5, cost=0.5)
    when = {"days": 1, "mode": "specific", "timeZone": "Europe/Berlin"}
    assert requester.asked == [("usage.cost", when | whose)]


async def test_the_round_trip_is_that_of_a_small_request() -> None:
    """There and back, whatever it answers."""
    requester = Answering({})

    assert 0 <= await Status(requester).round_trip() < 1
    assert requester.asked == [("gateway.identity.get", None)]


async def test_an_agent_is_woken() -> None:
    """The mode is the gateway's word; what is not given is not sent."""
    requester = Answering({"ok": True})
    status = Status(requester)

    await status.wake("It rings.", WakeMode.NOW)
    await status.wake(
        "It rings.", WakeMode.NEXT_HEARTBEAT, agent_id="main", session_key="agent:main:main"
    )

    assert requester.asked == [
        ("wake", {"mode": "now", "text": "It rings."}),
        (
            "wake",
            {
                "mode": "next-heartbeat",
                "text": "It rings.",
                "agentId": "main",
                "sessionKey": "agent:main:main",
            },
        ),
    ]
