"""The examples in `docs/notifications.md` do what they say."""

from pathlib import Path
import re
from typing import Any

from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_get_persistent_notifications,
    async_mock_service,
)

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox.notification import (
    EVENT_VERSION,
    NotificationKind,
    event_data,
)
from custom_components.openclaw_voice.trigger import async_get_triggers
from tests.fakes.gateway import ScriptedGateway

from .connection import lose
from .notifications import notification, tell
from .support import AGENT, add_entry

pytestmark = pytest.mark.usefixtures("home")

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
BLOCKS = [
    parse_yaml(block)
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]


@pytest.fixture
async def entry(hass: HomeAssistant, friendly: ScriptedGateway) -> MockConfigEntry:
    """Return the entry of a gateway with one agent."""
    return await add_entry(hass, friendly)


def example(key: str, value: object = None) -> dict[str, Any]:
    """Return the block of the page that has a key, with a value if one is given."""
    for block in BLOCKS:
        if isinstance(block, dict) and key in block and value in (None, block[key]):
            return dict(block)
    raise AssertionError(f"no {key} {value} on the page")


async def automate(hass: HomeAssistant, config: dict[str, Any]) -> None:
    """Set an automation up."""
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    [entity_id] = hass.states.async_entity_ids("automation")
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == "on"


def test_every_kind_and_every_field_is_explained() -> None:
    """What is not there nobody knows of."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert {kind.value for kind in NotificationKind} <= rows.keys()
    fields = re.findall(
        r"^\| ([`\w, ]+) \| [a-z ]+ \| ", PAGE.split("## The bus event")[1], re.MULTILINE
    )
    named = {name for field in fields for name in re.findall(r"`(\w+)`", field)}
    assert named == event_data(notification(), entry_id="x").keys()
    assert rows["version"].endswith(f"| {EVENT_VERSION}")


async def test_every_trigger_is_explained(hass: HomeAssistant) -> None:
    """By its whole name."""
    for name in await async_get_triggers(hass):
        assert f"trigger: {DOMAIN}.{name}" in PAGE


async def test_the_trigger_has_an_agent_asked(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """What the night job wrote, and what the agent makes of it."""
    asked = async_mock_service(
        hass,
        DOMAIN,
        "ask",
        response={"answer": "No."},
        supports_response=SupportsResponse.OPTIONAL,
    )
    sent = async_mock_service(hass, "notify", "send_message")
    await automate(hass, example("alias", "Look at what the night job found"))
    told = notification(NotificationKind.JOB_FINISHED, title="Night", message="An ERROR.")
    tell(hass, entry, told)
    tell(hass, entry, notification(NotificationKind.JOB_FINISHED, message="Fine.", number=2))
    await hass.async_block_till_done()
    assert [(call.data["agent"], call.data["message"]) for call in asked] == [
        (AGENT, "Is this serious? Answer in one sentence. An ERROR.")
    ]
    assert [(call.data["title"], call.data["message"]) for call in sent] == [("Night", "No.")]


async def test_the_filters_of_the_first_example_work(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """And the condition beside it."""
    ran = async_mock_service(hass, "test", "ran")
    filters = next(block for block in BLOCKS if block.keys() == {"triggers"})
    condition = next(block for block in BLOCKS if block.keys() == {"conditions"})
    await automate(hass, filters | condition | {"actions": [{"action": "test.ran"}]})
    tell(
        hass,
        entry,
        notification(NotificationKind.JOB_FINISHED, message="Invoice 7 is due.", number=2),
    )
    tell(hass, entry, notification(message="Invoice 7 is due."))
    await hass.async_block_till_done()
    assert len(ran) == 1


async def test_the_condition_keeps_it_from_running(
    hass: HomeAssistant, entry: MockConfigEntry, friendly: ScriptedGateway
) -> None:
    """While the gateway is away."""
    ran = async_mock_service(hass, "test", "ran")
    condition = next(block for block in BLOCKS if block.keys() == {"conditions"})
    trigger = {"trigger": f"{DOMAIN}.notification_received"}
    await automate(hass, {"triggers": trigger, "actions": {"action": "test.ran"}} | condition)
    await lose(hass, friendly)
    tell(hass, entry, notification())
    await hass.async_block_till_done()
    assert ran == []


async def test_the_event_entity_starts_an_automation(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """For the chosen types, each of several."""
    blinked = async_mock_service(hass, "light", "turn_on")
    await automate(hass, example("alias", "Blink when an agent needs me") | {"mode": "queued"})
    for kind in NotificationKind:
        tell(hass, entry, notification(kind))
    await hass.async_block_till_done()
    assert len(blinked) == 2


async def test_the_bus_event_starts_an_automation(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """With what only this kind has."""
    assert await async_setup_component(hass, "persistent_notification", {})
    await automate(hass, example("alias", "Say that the gateway restarts"))
    told = notification(NotificationKind.GATEWAY_STOPPING, agent_id=None, data={"reason": None})
    tell(hass, entry, told)
    await hass.async_block_till_done()
    [shown] = async_get_persistent_notifications(hass).values()
    assert shown["message"] == "The gateway stops: it did not say why"
