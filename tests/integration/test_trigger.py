"""The trigger for automations, in automations of Home Assistant."""

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    trigger as trigger_helper,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
import voluptuous as vol

from custom_components.openclaw_voice.const import DOMAIN, EVENT_NOTIFICATION
from custom_components.openclaw_voice.outbox.notification import NotificationKind
from tests.fakes.gateway import ScriptedGateway

from .notifications import notification, tell
from .support import AGENT, add_entry, introduce, make_entry

pytestmark = pytest.mark.usefixtures("home")

TRIGGER = f"{DOMAIN}.notification_received"
REPORT = {
    "id": "{{ trigger.notification.id }}",
    "title": "{{ trigger.notification.title }}",
    "message": "{{ trigger.notification.message }}",
    "spoken": "{{ trigger.spoken }}",
    "agent": "{{ trigger.agent }}",
    "description": "{{ trigger.description }}",
    "version": "{{ trigger.notification.version }}",
}


@pytest.fixture
async def entry(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return the entry of a gateway with two agents."""
    introduce(gateway, "main", "cook")
    return await add_entry(hass, gateway, "main", "cook")


@pytest.fixture
def reports(hass: HomeAssistant) -> list[ServiceCall]:
    """Return what automations report."""
    return async_mock_service(hass, "test", "report")


async def automate(hass: HomeAssistant, **options: object) -> None:
    """Set an automation up that reports what the trigger gives it."""
    await automate_with(hass, {"trigger": TRIGGER, "options": options})


async def automate_with(hass: HomeAssistant, trigger: dict[str, Any]) -> None:
    """Set an automation up with a trigger as it is written in YAML."""
    config = {
        "alias": "Report",
        "mode": "queued",
        "max": 100,
        "triggers": [trigger],
        "actions": [{"action": "test.report", "data": REPORT}],
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()


def is_available(hass: HomeAssistant) -> bool:
    """Tell whether the automation was accepted."""
    state = hass.states.get("automation.report")
    assert state is not None
    return state.state == "on"


async def reported(hass: HomeAssistant, reports: list[ServiceCall]) -> list[str]:
    """Return the ids of what was reported so far."""
    await hass.async_block_till_done()
    return [call.data["id"] for call in reports]


async def test_it_gives_what_the_bus_event_has_and_what_can_be_said(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """The agent comes as the entity that actions take."""
    await automate_with(hass, {"trigger": TRIGGER})
    tell(hass, entry, notification())
    await hass.async_block_till_done()
    assert [call.data for call in reports] == [
        {
            "id": "message:1",
            "title": "Garden",
            "message": "The **tomatoes** are ripe.",
            "spoken": "The tomatoes are ripe.",
            "agent": AGENT,
            "description": "message on an OpenClaw gateway",
            "version": 1,
        }
    ]


async def test_an_agent_that_was_not_added_has_no_entity(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """The gateway's id of it is there all the same."""
    await automate(hass)
    for agent_id in ("other", None, "cook"):
        tell(hass, entry, notification(agent_id=agent_id))
    await hass.async_block_till_done()
    assert [call.data["agent"] for call in reports] == [None, None, "conversation.cook"]


async def test_kinds_are_chosen(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """One or several."""
    await automate(hass, kind=["heartbeat", "job_finished"])
    for kind in NotificationKind:
        tell(hass, entry, notification(kind))
    assert await reported(hass, reports) == ["job_finished:1", "heartbeat:1"]


async def test_a_text_is_looked_for_in_title_and_message(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Whatever its case."""
    await automate(hass, text="GARDEN*tomatoes")
    tell(hass, entry, notification())
    tell(hass, entry, notification(title="Tomatoes", message="Of the garden.", number=2))
    assert await reported(hass, reports) == ["message:1"]


@pytest.mark.parametrize("named_by", ["entity", "event entity", "device"])
async def test_an_agent_is_chosen_by_its_entities_or_its_device(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    reports: list[ServiceCall],
    entity_registry: er.EntityRegistry,
    named_by: str,
) -> None:
    """Two gateways may have agents of the same name."""
    conversation = entity_registry.async_get("conversation.cook")
    assert conversation is not None
    assert conversation.device_id is not None
    name = {
        "entity": "conversation.cook",
        "event entity": "event.cook_notification",
        "device": conversation.device_id,
    }[named_by]
    await automate(hass, agent=name)
    tell(hass, entry, notification(agent_id="main"))
    tell(hass, entry, notification(agent_id="cook", number=2))
    tell(hass, entry, notification(agent_id=None, number=3))
    assert await reported(hass, reports) == ["message:2"]


@pytest.mark.parametrize("named_by", ["entry", "device"])
async def test_a_gateway_is_chosen_by_its_device_or_its_entry(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    gateway: ScriptedGateway,
    reports: list[ServiceCall],
    named_by: str,
) -> None:
    """What another one tells is left out."""
    await automate(
        hass, gateway=entry.entry_id if named_by == "entry" else [entry.runtime_data.device_id]
    )
    other = make_entry(hass, gateway, gateway_id="cd" * 32)
    tell(hass, entry, notification())
    hass.bus.async_fire(EVENT_NOTIFICATION, {"kind": "message", "entry_id": other.entry_id})
    assert await reported(hass, reports) == ["message:1"]


async def test_empty_choices_of_a_blueprint_take_everything(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Inputs nobody filled in."""
    await automate(hass, gateway="", agent=[], kind=[], text=" ")
    tell(hass, entry, notification(agent_id=None))
    assert await reported(hass, reports) == ["message:1"]


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"gateway": "nowhere"}, "nowhere is not an OpenClaw gateway"),
    ({"agent": ["conversation.nobody"]}, "conversation.nobody is not an OpenClaw agent"),
    ({"agent": ["conversation.home_assistant"]}, "is not an OpenClaw agent"),
    ({"agent": ["event.openclaw_127_0_0_1_notification"]}, "is not an OpenClaw agent"),
    ({"kind": "gossip"}, "kind"),
    ({"text": "*"}, "needs more than"),
    ({"text": ["a"]}, "text"),
    ({"colour": "red"}, "colour"),
)
"""Options that are no filters, and what is said of them."""


async def test_a_filter_that_cannot_match_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """With a sentence that names it, where the automation is edited."""
    for options, problem in REFUSED:
        with pytest.raises(vol.Invalid, match=problem):
            await trigger_helper.async_validate_trigger_config(
                hass, [{"platform": TRIGGER, "options": options}]
            )


async def test_an_automation_with_such_a_filter_is_unavailable(
    hass: HomeAssistant, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says why."""
    await automate(hass, gateway="nowhere")
    assert not is_available(hass)
    assert "nowhere is not an OpenClaw gateway" in caplog.text


async def test_devices_of_others_and_of_agents_are_no_gateways(
    hass: HomeAssistant, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    """They are refused before the automation runs."""
    foreign = MockConfigEntry(domain="other")
    foreign.add_to_hass(hass)
    device = device_registry.async_get_or_create(
        config_entry_id=foreign.entry_id, identifiers={("other", "1")}
    )
    cook = er.async_get(hass).async_get("conversation.cook")
    assert cook is not None
    for name in (foreign.entry_id, device.id, cook.device_id):
        with pytest.raises(vol.Invalid, match="is not an OpenClaw gateway"):
            await trigger_helper.async_validate_trigger_config(
                hass, [{"platform": TRIGGER, "options": {"gateway": name}}]
            )
    with pytest.raises(vol.Invalid, match="is not an OpenClaw agent"):
        await trigger_helper.async_validate_trigger_config(
            hass, [{"platform": TRIGGER, "options": {"agent": device.id}}]
        )


async def test_it_works_before_the_gateway_is_connected_and_over_reloads(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Automations are set up with what is known, and stay while entries come and go."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    await automate(hass, gateway=entry.entry_id, agent=AGENT)
    assert is_available(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    tell(hass, entry, notification())
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    tell(hass, entry, notification(number=2))
    assert await reported(hass, reports) == ["message:1", "message:2"]


async def test_a_burst_runs_in_order(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Each of them once."""
    await automate(hass)
    told = [notification(number=number) for number in range(50)]
    for each in told:
        tell(hass, entry, each)
    assert await reported(hass, reports) == [each.id for each in told]


async def test_an_agent_that_was_removed_matches_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Least of all everything."""
    await automate(hass, agent="conversation.cook")
    hass.config_entries.async_remove_subentry(entry, "subentry-cook")
    await hass.async_block_till_done()
    tell(hass, entry, notification(agent_id="cook"))
    tell(hass, entry, notification(agent_id="main"))
    assert await reported(hass, reports) == []


async def test_an_odd_event_is_no_error(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """Anybody may fire one."""
    await automate(hass, kind=[], text="x")
    hass.bus.async_fire(EVENT_NOTIFICATION, {"id": "odd", "title": None, "message": 5, "kind": "x"})
    hass.bus.async_fire(EVENT_NOTIFICATION, {"id": "even", "message": "x", "entry_id": 7})
    assert await reported(hass, reports) == ["even"]


async def test_an_automation_that_is_off_hears_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, reports: list[ServiceCall]
) -> None:
    """The listener goes with it."""
    await automate(hass)
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.report"}, blocking=True
    )
    tell(hass, entry, notification())
    assert await reported(hass, reports) == []


async def test_the_name_of_the_event_is_the_notifiers(entry: MockConfigEntry) -> None:
    """They are written in two places, because a room knows no flat files."""
    assert entry.runtime_data.notifier.event_type == EVENT_NOTIFICATION


async def test_home_assistant_can_show_it(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Its fields have selectors that exist."""
    await automate(hass)
    described = await trigger_helper.async_get_all_descriptions(hass)
    found = described[TRIGGER]
    assert found is not None
    assert set(found["fields"]) == {"agent", "gateway", "kind", "text"}
    kinds = found["fields"]["kind"]["selector"]["select"]["options"]
    assert kinds == [kind.value for kind in NotificationKind]
