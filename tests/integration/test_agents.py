"""Following the agents of a gateway: names, and agents that are gone."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice.agents import SETTLING
from custom_components.openclaw_voice.assist.options import AgentOptions
from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.frames import event
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal, missing_scope

from .connection import in_state, lose, try_now
from .support import add_entry, ask, introduce, speech_of, state_change

pytestmark = pytest.mark.usefixtures("home")

type Repair = Callable[..., Awaitable[dict[str, Any]]]

MAIN = "subentry-main"
COOK = "subentry-cook"
NO_AGENTS = {
    "defaultId": "main",
    "ownership": "explicit",
    "selectionRequired": False,
    "mainKey": "main",
    "scope": "per-sender",
    "agents": [],
}


def open_issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the issues of agents that are gone, by the ids of their subentries."""
    return {
        str(issue.data["subentry_id"]): issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.translation_key == "agent_vanished" and issue.data
    }


async def told(entry: MockConfigEntry) -> None:
    """Wait until what was asked before is answered: the gateway answers in order."""
    await entry.runtime_data.client.status.gateway_id()


async def load(
    hass: HomeAssistant, gateway: ScriptedGateway, *agents: str, **options: dict[str, Any]
) -> MockConfigEntry:
    """Return an entry that is loaded and has been told the agents."""
    entry = await add_entry(hass, gateway, *agents, **options)
    await told(entry)
    return entry


async def reconnect(hass: HomeAssistant, gateway: ScriptedGateway, entry: MockConfigEntry) -> None:
    """Cut the connection, and wait until the new one has told the agents."""
    async with state_change(hass, in_state("retry_wait")):
        await gateway.drop()
    await try_now(hass, entry, "ready")
    await told(entry)


async def change_configuration(
    hass: HomeAssistant, gateway: ScriptedGateway, entry: MockConfigEntry
) -> None:
    """Let the gateway say that its configuration has changed, and pass the time after that."""
    await gateway.emit(event("config.changed", {"ts": 1}))
    await told(entry)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SETTLING + 1))
    await told(entry)


def titles(entry: MockConfigEntry) -> dict[str, str]:
    """Return the titles of agents, by the ids of their subentries."""
    return {key: subentry.title for key, subentry in entry.subentries.items()}


# Names


async def test_a_name_of_the_gateway_becomes_the_title_and_the_name_of_the_device(
    hass: HomeAssistant, gateway: ScriptedGateway, device_registry: dr.DeviceRegistry
) -> None:
    """Also later, when somebody renames the agent there. Options stay."""
    introduce(gateway, details={"main": {"identity": {"name": "Molty", "emoji": "🦞"}}})
    options = AgentOptions(patience=3.0).as_data()
    entry = await load(hass, gateway, options={"main": options})
    agent = entry.subentries[MAIN]
    assert agent.title == "Molty"
    assert agent.data == {"agent_id": "main", "name": "Molty", "emoji": "🦞"} | options
    introduce(gateway, details={"main": {"identity": {"name": "Clawd"}}})
    await reconnect(hass, gateway, entry)
    assert agent.title == "Clawd"
    assert agent.data == {"agent_id": "main", "name": "Clawd", "emoji": None} | options
    await hass.async_block_till_done()
    device = device_registry.async_get_device_by_identifier((DOMAIN, MAIN), entry.entry_id)
    assert device is not None
    assert device.name == "Clawd"
    entity_id = er.async_get(hass).async_get_entity_id("conversation", DOMAIN, MAIN)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.name == "Clawd"


async def test_a_title_of_the_user_stays(
    hass: HomeAssistant, gateway: ScriptedGateway, device_registry: dr.DeviceRegistry
) -> None:
    """The name of the gateway is stored all the same, and the device is called as the user says."""
    introduce(gateway, names={"main": "Molty"})
    entry = await load(hass, gateway)
    agent = entry.subentries[MAIN]
    hass.config_entries.async_update_subentry(entry, agent, title="Jeeves")
    await hass.async_block_till_done()
    device = device_registry.async_get_device_by_identifier((DOMAIN, MAIN), entry.entry_id)
    assert device is not None
    assert device.name == "Jeeves"
    introduce(gateway, names={"main": "Clawd"})
    await reconnect(hass, gateway, entry)
    assert (agent.title, agent.data["name"]) == ("Jeeves", "Clawd")


async def test_nothing_is_stored_when_nothing_has_changed(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """A connection that comes and goes does not write to the disk."""
    introduce(gateway, names={"main": "Molty"})
    entry = await load(hass, gateway)
    before = entry.modified_at
    await reconnect(hass, gateway, entry)
    assert len(gateway.received("agents.list")) == 2
    assert entry.modified_at == before


async def test_a_change_of_the_configuration_is_followed_once_it_has_settled(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Several changes are one question, and other events are none."""
    introduce(gateway)
    entry = await load(hass, gateway)
    introduce(gateway, names={"main": "Molty"})
    await gateway.emit(event("config.changed"), event("config.changed"), event("health"))
    await told(entry)
    assert len(gateway.received("agents.list")) == 1
    await change_configuration(hass, gateway, entry)
    assert len(gateway.received("agents.list")) == 2
    assert entry.subentries[MAIN].title == "Molty"
    introduce(gateway, names={"main": "Clawd"})
    await change_configuration(hass, gateway, entry)
    assert entry.subentries[MAIN].title == "Clawd"


async def test_a_change_while_the_list_is_read_is_not_missed(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """It may be older than the change."""
    introduce(gateway)
    entry = await load(hass, gateway)
    directory = entry.runtime_data.directory
    for _ in range(3):
        directory.async_read()
    await gateway.wait_for_request("agents.list", number=3)
    await told(entry)
    assert len(gateway.received("agents.list")) == 3


async def test_the_time_of_settling_ends_with_the_entry(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The test kit fails on timers that are left over."""
    introduce(gateway)
    entry = await load(hass, gateway)
    await gateway.emit(event("config.changed"))
    await told(entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SETTLING + 1))
    assert len(gateway.received("agents.list")) == 1


@pytest.mark.parametrize(
    "answer",
    [missing_scope("operator.read"), NO_AGENTS],
    ids=["refused", "empty"],
)
async def test_a_gateway_that_does_not_tell_its_agents_changes_nothing(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    caplog: pytest.LogCaptureFixture,
    answer: Any,  # noqa: ANN401  a payload or a refusal
) -> None:
    """Nobody is told that an agent is gone because of that."""
    introduce(gateway, names={"main": "Molty"})
    entry = await load(hass, gateway)
    caplog.set_level(logging.INFO)
    caplog.clear()
    gateway.script(Expect("agents.list", reply=answer))
    entry.runtime_data.directory.async_read()
    await told(entry)
    assert titles(entry) == {MAIN: "Molty"}
    assert open_issues(hass) == {}
    assert caplog.messages == []


# Agents that are gone


async def test_an_agent_that_is_gone_is_told_until_it_is_back(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Each one by itself; the others go on."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")
    issue = open_issues(hass)[COOK]
    assert open_issues(hass).keys() == {COOK}
    assert issue.translation_placeholders == {"gateway": entry.title, "agent": "cook"}
    assert (issue.severity, issue.is_fixable) == (ir.IssueSeverity.WARNING, True)
    assert entry.runtime_data.directory.is_vanished("cook")
    assert not entry.runtime_data.directory.is_vanished("main")
    await lose(hass, gateway)
    assert open_issues(hass).keys() == {COOK}
    introduce(gateway, "main", "cook")
    await gateway.start()
    await try_now(hass, entry, "ready")
    await told(entry)
    assert open_issues(hass) == {}
    assert not entry.runtime_data.directory.is_vanished("cook")


async def test_an_agent_that_vanishes_later_is_told(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The gateway says that its configuration has changed."""
    introduce(gateway, "main", "cook")
    entry = await load(hass, gateway, "main", "cook")
    assert open_issues(hass) == {}
    introduce(gateway, "cook")
    await change_configuration(hass, gateway, entry)
    assert open_issues(hass).keys() == {MAIN}


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The OpenClaw gateway no longer has this agent."),
        ("de", "Diesen Agenten gibt es auf dem OpenClaw-Gateway nicht mehr."),
    ],
)
async def test_a_turn_with_an_agent_that_is_gone_gets_one_sentence(
    hass: HomeAssistant, gateway: ScriptedGateway, language: str, sentence: str
) -> None:
    """In the language of the user."""
    introduce(gateway, "cook")
    await load(hass, gateway)
    gone = Refusal(code="INVALID_REQUEST", message='Agent "main" no longer exists in configuration')
    gateway.script(Expect("agent", reply=gone))
    assert speech_of(await ask(hass, language=language)) == sentence


async def test_an_agent_that_is_found_gone_by_a_turn_is_told(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The gateway's word that its configuration has changed may have been missed."""
    introduce(gateway, "main", "cook")
    entry = await load(hass, gateway, "main", "cook")
    introduce(gateway, "cook")
    gone = Refusal(code="INVALID_REQUEST", message='Agent "main" no longer exists in configuration')
    gateway.script(Expect("agent", reply=gone))
    await ask(hass)
    await told(entry)
    assert open_issues(hass).keys() == {MAIN}


@pytest.mark.parametrize("end", ["remove agent", "unload", "remove entry"])
async def test_the_issue_goes_with_the_agent_or_the_entry(
    hass: HomeAssistant, gateway: ScriptedGateway, end: str
) -> None:
    """Nobody is asked to repair what is no longer there."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")
    assert open_issues(hass).keys() == {COOK}
    match end:
        case "remove agent":
            hass.config_entries.async_remove_subentry(entry, COOK)
            await hass.async_block_till_done()
        case "unload":
            assert await hass.config_entries.async_unload(entry.entry_id)
        case _:
            await hass.config_entries.async_remove(entry.entry_id)
    assert open_issues(hass) == {}


# What people can do about it


@pytest.fixture
def repair(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Repair:
    """Return what opens the dialog of the only issue and chooses from its menu."""

    async def open_and_choose(
        choice: str, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Any]:
        # Only now: a server that runs takes no further addresses, which entries may add.
        assert await async_setup_component(hass, "repairs", {})
        client = await hass_client()
        (issue,) = open_issues(hass).values()
        response = await client.post(
            "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id}
        )
        assert response.status == HTTPStatus.OK
        menu = await response.json()
        assert (menu["type"], menu["menu_options"]) == ("menu", ["remove", "keep"])
        assert menu["description_placeholders"] == issue.translation_placeholders
        if meanwhile is not None:
            await meanwhile()
        answer = await client.post(
            f"/api/repairs/issues/fix/{menu['flow_id']}", json={"next_step_id": choice}
        )
        assert answer.status == HTTPStatus.OK
        await hass.async_block_till_done()
        result: dict[str, Any] = await answer.json()
        return result

    return open_and_choose


async def test_a_vanished_agent_is_removed(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    device_registry: dr.DeviceRegistry,
    repair: Repair,
) -> None:
    """With its device, its entities and the issue."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")
    assert (await repair("remove"))["type"] == "create_entry"
    assert entry.subentries.keys() == {MAIN}
    assert device_registry.async_get_device_by_identifier((DOMAIN, COOK), entry.entry_id) is None
    assert hass.states.get("conversation.cook") is None
    assert open_issues(hass) == {}


async def test_a_vanished_agent_is_kept_until_it_is_back(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    repair: Repair,
) -> None:
    """As long as it is gone, the issue stays."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")
    result = await repair("keep")
    assert (result["type"], result["reason"]) == ("abort", "not_solved")
    assert open_issues(hass).keys() == {COOK}
    introduce(gateway, "main", "cook")
    assert (await repair("keep"))["type"] == "create_entry"
    assert open_issues(hass) == {}
    assert entry.subentries.keys() == {MAIN, COOK}


async def test_looking_again_needs_the_gateway(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    repair: Repair,
) -> None:
    """Neither an agent that is there nor one that is gone is guessed."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")
    await lose(hass, gateway)
    assert (await repair("keep"))["reason"] == "not_solved"

    async def unload() -> None:
        assert await hass.config_entries.async_unload(entry.entry_id)

    assert (await repair("keep", unload))["reason"] == "not_solved"


@pytest.mark.parametrize("choice", ["remove", "keep"])
@pytest.mark.parametrize("gone", ["agent", "entry"])
async def test_nothing_is_left_to_repair_when_agent_or_entry_are_removed_meanwhile(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    repair: Repair,
    choice: str,
    gone: str,
) -> None:
    """Somebody else was faster."""
    introduce(gateway, "main")
    entry = await load(hass, gateway, "main", "cook")

    async def remove() -> None:
        if gone == "agent":
            hass.config_entries.async_remove_subentry(entry, COOK)
        else:
            await hass.config_entries.async_remove(entry.entry_id)

    assert (await repair(choice, remove))["type"] == "create_entry"
    assert open_issues(hass) == {}
