"""Which agent answers a realtime satellite."""

from collections.abc import AsyncGenerator
from types import MappingProxyType

from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.openclaw_voice.const import CONF_AGENT_ID, SUBENTRY_AGENT
from tests.fakes.small_gateway import SmallGateway

from .assist_backend.engines import MIND, Ear, FlowingMouth, add_engines, add_pipeline
from .realtime_home import RealtimeHome
from .support import AGENT

NOT_ALLOWED = 1008
TRY_LATER = 1013


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway that has two agents."""
    async with SmallGateway(agents=("main", "cook")) as gateway:
        yield gateway


async def test_the_only_agent_answers(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """Nobody has to name it."""
    await realtime.add(gateway, "main")
    async with realtime.session() as caller:
        assert (caller.ready["agent"], caller.ready["agentName"]) == ("main", "Main")
        assert caller.ready["backend"] == "gateway"
        assert gateway.talk.created[-1]["sessionKey"].startswith("agent:main:homeassistant:")


@pytest.mark.parametrize("name", ["cook", "conversation.cook"])
async def test_a_satellite_names_its_agent(
    realtime: RealtimeHome, gateway: SmallGateway, name: str
) -> None:
    """By the gateway's id, or the entity."""
    await realtime.add(gateway, "main", "cook")
    async with realtime.session(agent=name) as caller:
        assert caller.ready["agent"] == "cook"


async def test_several_agents_and_none_chosen(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Nobody is guessed; but the satellite is known now, so that people can choose."""
    entry = await realtime.add(gateway, "main", "cook")
    assert await realtime.refused(satelliteId="kitchen-1") == ("no_agent", NOT_ALLOWED)
    satellite = entry.runtime_data.satellites.get("kitchen-1")
    assert satellite is not None
    entity_id = satellite.entity_id(realtime.hass)
    assert entity_id is not None
    entry.runtime_data.memory.choose_agent(entity_id, "subentry-cook")
    async with realtime.session(satelliteId="kitchen-1") as caller:
        assert caller.ready["agent"] == "cook"
        (session,) = realtime.hub.sessions
        assert session.info.device_id == satellite.device_id
    async with realtime.session(satelliteId="kitchen-1", agent="main") as caller:
        assert caller.ready["agent"] == "main"


@pytest.mark.parametrize("is_named", [True, False])
async def test_several_agents_and_a_pipeline_of_one(
    realtime: RealtimeHome, gateway: SmallGateway, is_named: bool
) -> None:
    """It answers, whether the satellite names the pipeline or it was chosen there."""
    entry = await realtime.add(gateway, "main", "cook")
    await add_engines(realtime.hass, Ear(), FlowingMouth())
    pipeline_id = await add_pipeline(realtime.hass, conversation_engine="conversation.cook")
    config = {"satelliteId": "kitchen-1"}
    assert await realtime.refused(**config) == ("no_agent", NOT_ALLOWED)
    assert await realtime.refused(**config, pipeline="nothing") == ("no_agent", NOT_ALLOWED)
    await realtime.hass.async_block_till_done()
    if is_named:
        config["pipeline"] = pipeline_id
    else:
        await realtime.hass.services.async_call(
            "select",
            "select_option",
            {"entity_id": "select.kitchen_1_assistant", "option": "Ours"},
            blocking=True,
        )
    async with realtime.session(**config) as caller:
        assert caller.ready["agent"] == "cook"
    entity_id = entry.runtime_data.satellites.get("kitchen-1").entity_id(realtime.hass)
    entry.runtime_data.memory.choose_agent(entity_id, "subentry-main")
    async with realtime.session(**config) as caller:
        assert caller.ready["agent"] == "main"


async def test_several_agents_and_a_pipeline_of_none_of_them(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Somebody else's, or of one that may not be reached: somebody has to choose."""
    await realtime.add(gateway, "main", "cook", options={"cook": {"reachable_by_realtime": False}})
    await add_engines(realtime.hass, Ear(), FlowingMouth())
    for engine in (MIND, "conversation.cook"):
        pipeline_id = await add_pipeline(realtime.hass, conversation_engine=engine)
        assert await realtime.refused(pipeline=pipeline_id) == ("no_agent", NOT_ALLOWED)


async def test_a_pipeline_of_an_agent_that_is_not_there_yet(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """The satellite tries again."""
    away = await realtime.add(gateway, "main")
    await add_engines(realtime.hass, Ear(), FlowingMouth())
    pipeline_id = await add_pipeline(realtime.hass, conversation_engine=AGENT)
    assert await realtime.hass.config_entries.async_unload(away.entry_id)
    async with SmallGateway(agents=("cook", "baker")) as other:
        entry = await realtime.add(other, "cook", "baker")
        assert await realtime.refused(pipeline=pipeline_id) == ("gateway_lost", TRY_LATER)
        assert await realtime.refused() == ("no_agent", NOT_ALLOWED)
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)


async def test_an_agent_nobody_knows(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """The only one does not answer for it."""
    await realtime.add(gateway, "main")
    assert await realtime.refused(agent="nobody") == ("no_agent", NOT_ALLOWED)


async def test_nothing_is_set_up(realtime: RealtimeHome) -> None:
    """A satellite need not try again before somebody has done something."""
    assert await realtime.refused(satelliteId="kitchen-1") == ("no_agent", NOT_ALLOWED)


@pytest.mark.parametrize("named", [{}, {"agent": "main"}, {"agent": "conversation.main"}])
async def test_a_gateway_that_is_not_set_up_yet(
    realtime: RealtimeHome, gateway: SmallGateway, named: dict[str, str]
) -> None:
    """A satellite tries again; except for a gateway that somebody has switched off."""
    entry = await realtime.add(gateway, "main")
    assert await realtime.hass.config_entries.async_unload(entry.entry_id)
    assert await realtime.refused(**named) == ("gateway_lost", TRY_LATER)
    await realtime.hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    assert await realtime.refused(**named) == ("no_agent", NOT_ALLOWED)


async def test_an_agent_of_no_gateway_that_is_away(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Waiting for it would not help."""
    entry = await realtime.add(gateway, "main")
    assert await realtime.hass.config_entries.async_unload(entry.entry_id)
    assert await realtime.refused(agent="cook") == ("no_agent", NOT_ALLOWED)


async def test_agents_of_the_same_id(realtime: RealtimeHome, gateway: SmallGateway) -> None:
    """The entity id tells them apart, or which gateway knows the satellite."""
    await realtime.add(gateway, "main")
    async with realtime.session(satelliteId="kitchen-1", agent="main"):
        pass
    async with SmallGateway(agents=("cook", "main")) as other:
        entry = await realtime.add(other, "cook")
        subentry = ConfigSubentry(
            data=MappingProxyType({CONF_AGENT_ID: "main"}),
            subentry_type=SUBENTRY_AGENT,
            title="The other",
            unique_id="main",
        )
        realtime.hass.config_entries.async_add_subentry(entry, subentry)
        await realtime.hass.async_block_till_done()
        assert await realtime.refused(agent="main") == ("no_agent", NOT_ALLOWED)
        assert await realtime.refused(satelliteId="attic", agent="main") == (
            "no_agent",
            NOT_ALLOWED,
        )
        async with realtime.session(satelliteId="kitchen-1", agent="main") as caller:
            assert caller.ready["agentName"] == "Main"
        async with realtime.session(agent="conversation.the_other") as caller:
            assert caller.ready["agentName"] == "The other"
        async with realtime.session(satelliteId="attic", agent="cook"):
            assert entry.runtime_data.satellites.get("attic") is not None
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)


async def test_agents_of_two_gateways_are_chosen(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """That of the gateway the satellite belongs to answers."""
    home = await realtime.add(gateway, "main")
    async with realtime.session(satelliteId="kitchen-1"):
        pass
    entity_id = home.runtime_data.satellites.get("kitchen-1").entity_id(realtime.hass)
    async with SmallGateway(agents=("cook",)) as other:
        entry = await realtime.add(other, "cook")
        assert await realtime.refused(satelliteId="kitchen-1") == ("no_agent", NOT_ALLOWED)
        entry.runtime_data.memory.choose_agent(entity_id, "subentry-cook")
        async with realtime.session(satelliteId="kitchen-1") as caller:
            assert caller.ready["agent"] == "cook"
        home.runtime_data.memory.choose_agent(entity_id, "subentry-main")
        async with realtime.session(satelliteId="kitchen-1") as caller:
            assert caller.ready["agent"] == "main"
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)


async def test_an_agent_that_realtime_satellites_may_not_reach(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """Its options say so."""
    await realtime.add(gateway, "main", options={"main": {"reachable_by_realtime": False}})
    assert await realtime.refused() == ("agent_unreachable", NOT_ALLOWED)


@pytest.mark.parametrize(
    "config", [{}, {"satelliteId": "kitchen-1"}, {"satelliteId": "kitchen-1", "mode": "standby"}]
)
async def test_an_agent_whose_entity_is_disabled(
    realtime: RealtimeHome, gateway: SmallGateway, config: dict[str, str]
) -> None:
    """It answers nobody."""
    entry = await realtime.add(gateway, "main")
    er.async_get(realtime.hass).async_update_entity(
        AGENT, disabled_by=er.RegistryEntryDisabler.USER
    )
    assert await realtime.refused(**config) == ("no_agent", NOT_ALLOWED)
    assert entry.runtime_data.satellites.all == ()


async def test_a_satellite_that_two_gateways_know(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """As one of them was switched off for a while: it keeps a device, that of its agent."""
    first = await realtime.add(gateway, "main")
    kitchen = {"satelliteId": "kitchen-1", "mode": "standby"}
    async with realtime.session(**kitchen):
        pass
    entries = realtime.hass.config_entries
    await entries.async_set_disabled_by(first.entry_id, ConfigEntryDisabler.USER)
    async with SmallGateway(agents=("cook",)) as other:
        second = await realtime.add(other, "cook")
        async with realtime.session(**kitchen):
            pass
        await entries.async_set_disabled_by(first.entry_id, None)
        assert first.runtime_data.satellites.get("kitchen-1") is not None
        for config, home in (({}, first), ({"agent": "cook"}, second), ({"agent": "main"}, first)):
            async with realtime.session(**kitchen, **config):
                homes = [
                    each.info.entry_id for each in realtime.hub.sessions if each.summary is None
                ]
                assert homes[-1] == home.entry_id
        assert await entries.async_unload(second.entry_id)


@pytest.mark.parametrize("config", [{}, {"satelliteId": "kitchen-1"}])
async def test_a_user_without_the_right(
    realtime: RealtimeHome,
    gateway: SmallGateway,
    hass_read_only_access_token: str,
    config: dict[str, str],
) -> None:
    """To control the conversation entity; nothing of their satellite is kept."""
    entry = await realtime.add(gateway, "main")
    refused = await realtime.refused(hass_read_only_access_token, **config)
    assert refused == ("agent_unreachable", NOT_ALLOWED)
    assert entry.runtime_data.satellites.all == ()


async def test_a_satellite_of_a_gateway_that_is_not_set_up_yet(
    realtime: RealtimeHome, gateway: SmallGateway
) -> None:
    """It waits for its own, and does not become a satellite of another one meanwhile."""
    home = await realtime.add(gateway, "main")
    async with realtime.session(satelliteId="kitchen-1"):
        pass
    assert await realtime.hass.config_entries.async_unload(home.entry_id)
    async with SmallGateway(agents=("cook",)) as other:
        entry = await realtime.add(other, "cook")
        for mode in ("conversation", "standby"):
            refused = await realtime.refused(satelliteId="kitchen-1", mode=mode)
            assert refused == ("gateway_lost", TRY_LATER)
        assert entry.runtime_data.satellites.all == ()
        async with realtime.session(satelliteId="hall", mode="standby"):
            assert entry.runtime_data.satellites.get("hall") is not None
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("is_away", [True, False])
async def test_a_satellite_without_a_home_cannot_stand_by(
    realtime: RealtimeHome, gateway: SmallGateway, is_away: bool
) -> None:
    """Nobody could tell it anything."""
    if is_away:
        entry = await realtime.add(gateway, "main")
        assert await realtime.hass.config_entries.async_unload(entry.entry_id)
    refused = await realtime.refused(satelliteId="kitchen-1", mode="standby")
    assert refused == (("gateway_lost", TRY_LATER) if is_away else ("no_agent", NOT_ALLOWED))
