"""What people choose for a voice satellite counts in its sessions, on real sockets."""

from collections.abc import AsyncGenerator
from typing import Any, Final

from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.small_gateway import SmallGateway

from .assist_backend.engines import Ear, FlowingMouth, add_engines, add_pipeline
from .realtime_home import RealtimeHome
from .support import AGENT, state_change

KITCHEN: Final[dict[str, Any]] = {
    "satelliteId": "kitchen-1",
    "satellite": {"name": "Kitchen satellite", "features": ["volume", "mute"]},
}
NAME: Final = "kitchen_satellite"
VOLUME: Final = f"number.{NAME}_volume"
POLICY_VIOLATION: Final = 1008


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway with a speech model and two agents."""
    async with SmallGateway(agents=("main", "cook")) as gateway:
        yield gateway


async def choose(hass: HomeAssistant, select: str, option: str) -> None:
    """Choose an option of one of the selects, as a person does."""
    entity_id = f"select.{NAME}_{select}"
    await hass.services.async_call(
        "select", "select_option", {"entity_id": entity_id, "option": option}, blocking=True
    )


async def test_somebody_changes_the_volume(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Of a satellite that connects for the first time, and only waits for its wake word."""
    hass = realtime.hass
    await realtime.add(gateway, "main")
    async with realtime.session(**KITCHEN, mode="standby") as caller:
        await hass.async_block_till_done()
        for told, shown in ((0.5, "50"), (0.2, "20")):
            async with state_change(hass, lambda hass, to=shown: _is(hass, VOLUME, to)):
                await caller.socket.send_json({"type": "satellite.state", "volume": told})
        await hass.services.async_call(
            "number", "set_value", {"entity_id": VOLUME, "value": 70}, blocking=True
        )
        assert await caller.told("satellite.set") == {"type": "satellite.set", "volume": 0.7}
        async with state_change(hass, lambda hass: _is(hass, VOLUME, "unavailable")):
            await caller.socket.close()


async def test_how_soon_somebody_has_finished(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """The choice goes before the options of the agent, and what the satellite says before it."""
    await realtime.add(gateway, "main", options={"main": {"realtime_silence": 0.8}})
    said = {"turnDetection": {"silenceMs": 300}}
    async with realtime.session(**KITCHEN):
        pass
    await realtime.hass.async_block_till_done()
    await choose(realtime.hass, "finished_speaking_detection", "relaxed")
    async with realtime.session(**KITCHEN):
        pass
    async with realtime.session(**KITCHEN, **said):
        pass
    assert [each["silenceDurationMs"] for each in gateway.talk.created] == [800, 1250, 300]


async def test_which_pipeline_is_used(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Without a choice that of the agent, without a note."""
    hass = realtime.hass
    await realtime.add(gateway, "main")
    await add_engines(hass, Ear(), FlowingMouth())
    await add_pipeline(hass, name="Claw", conversation_engine=AGENT)
    await add_pipeline(hass, name="Other", conversation_engine=conversation.HOME_ASSISTANT_AGENT)
    async with realtime.session(**KITCHEN, backend="assist") as caller:
        assert caller.ready["notes"] == []
    await hass.async_block_till_done()
    for option, notes in (("Other", ["pipeline_agent_answers"]), ("preferred", [])):
        await choose(hass, "assistant", option)
        async with realtime.session(**KITCHEN, backend="assist") as caller:
            assert caller.ready["notes"] == notes


async def test_which_agent_answers(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """A satellite that comes before somebody has chosen is a device by then."""
    hass = realtime.hass
    entry = await realtime.add(gateway, "main", "cook")
    assert await realtime.refused(**KITCHEN) == ("no_agent", POLICY_VIOLATION)
    await hass.async_block_till_done()
    devices = dr.async_get(hass)
    assert devices.async_get_device_by_identifier(
        (DOMAIN, f"{entry.entry_id}_satellite_kitchen-1"), entry.entry_id
    )
    for agent in ("Cook", "Main"):
        await choose(hass, "agent", agent)
        async with realtime.session(**KITCHEN) as caller:
            assert caller.ready["agentName"] == agent


def _is(hass: HomeAssistant, entity_id: str, value: str) -> bool:
    state = hass.states.get(entity_id)
    return state is not None and state.state == value
