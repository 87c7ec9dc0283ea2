"""The blueprint for a phone, in an automation, with the integration of the Home Assistant app."""

from datetime import timedelta
from pathlib import Path

from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from tests.fakes.gateway import ScriptedGateway

from .blueprints import install, make, running
from .notifications import notification, tell
from .phone import OTHER, Phone, add_app, approval, question
from .support import AGENT, add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

NAME = "phone_notification"


@pytest.fixture
async def entry(hass: HomeAssistant, friendly: ScriptedGateway, tmp_path: Path) -> MockConfigEntry:
    """Return the entry of a gateway."""
    install(hass, tmp_path)
    return await add_entry(hass, friendly)


@pytest.fixture
async def phone(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    aioclient_mock: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
) -> Phone:
    """Return a phone that is registered with Home Assistant."""
    return await add_app(hass, aioclient_mock, device_registry)


async def test_a_message_is_shown_and_a_reply_goes_to_the_agent(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """And what the agent says to that comes back to the phone."""
    asked = async_mock_service(
        hass,
        DOMAIN,
        "ask",
        response={"status": "answered", "answer": "Six."},
        supports_response=SupportsResponse.OPTIONAL,
    )
    await make(hass, NAME, {"phone": phone.device_id, "dashboard": "/garden"})
    tell(hass, entry, notification())
    sent = await phone.gets()
    assert (sent["title"], sent["message"]) == ("Garden", "The **tomatoes** are ripe.")
    assert sent["data"]["tag"] == "openclaw-message:1"
    assert [(each["title"], each.get("uri")) for each in sent["data"]["actions"]] == [
        ("Reply", None),
        ("Open", "/garden"),
    ]
    phone.press("Reply", "How many?")
    await hass.async_block_till_done()
    [call] = asked
    assert (call.data["agent"], call.data["session"]) == (AGENT, "phone")
    assert call.data["message"].startswith("How many?\n")
    assert "The **tomatoes** are ripe." in call.data["message"]
    assert phone.shown[-1]["message"] == "Six."
    assert len(phone.shown) == 2
    assert running(hass) == 0


@pytest.mark.parametrize(("button", "decision"), [("Allow once", "allow-once"), ("Deny", "deny")])
async def test_an_approval_is_decided_on_the_phone(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, button: str, decision: str
) -> None:
    """With what is to be done before the eyes."""
    decided = async_mock_service(hass, DOMAIN, "resolve_approval")
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval(warning="This deletes files."))
    sent = await phone.gets()
    assert sent["title"] == "May I? rm"
    assert sent["message"].split() == ["rm", "-r", "build", "This", "deletes", "files."]
    phone.press(button)
    await hass.async_block_till_done()
    assert [call.data for call in decided] == [{"approval_id": "a-1", "decision": decision}]


async def test_what_cannot_be_seen_whole_cannot_be_allowed(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """Nor what the approval does not offer."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval(is_command_cut=True, decisions=["allow-once"]))
    sent = await phone.gets(is_waited_for=False)
    assert "decide on the gateway" in sent["message"]
    assert [button["title"] for button in sent["data"]["actions"]] == ["Open"]
    await hass.async_block_till_done()
    assert running(hass) == 0


@pytest.mark.parametrize("kind", ["approval", "question"])
async def test_what_is_over_goes_from_the_phone(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, kind: str
) -> None:
    """Whoever decided it."""
    await make(hass, NAME, {"phone": phone.device_id, "kinds": []})
    over = {
        "approval": notification(
            NotificationKind.APPROVAL_RESOLVED, data={"approval_id": "a-1", "decision": "deny"}
        ),
        "question": notification(
            NotificationKind.QUESTION_ANSWERED, data={"question_id": "q-1", "status": "answered"}
        ),
    }
    tell(hass, entry, over[kind])
    await hass.async_block_till_done()
    tag = {"approval": "openclaw-a-1", "question": "openclaw-q-1"}[kind]
    assert [(sent["message"], sent["data"]) for sent in phone.shown] == [
        ("clear_notification", {"tag": tag})
    ]


async def test_nobody_is_waited_for_when_it_has_expired(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """The gateway has denied it by then."""
    decided = async_mock_service(hass, DOMAIN, "resolve_approval")
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    await phone.gets()
    assert running(hass) == 1
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    await hass.async_block_till_done()
    assert running(hass) == 0
    phone.press("Deny")
    await hass.async_block_till_done()
    assert decided == []


@pytest.mark.parametrize(
    ("options", "buttons", "pressed"),
    [
        (["Kitchen", "Office"], ["Kitchen", "Office", "Open"], ["Office"]),
        (["A", "B", "C", "D"], ["A", "B", "C"], ["C"]),
        (["A", "B", "C", OTHER], ["A", "B", "Reply"], ["Reply", "D"]),
        ([], ["Reply", "Open"], ["Reply", "The hall"]),
    ],
)
async def test_a_question_is_answered_on_the_phone(
    entry: MockConfigEntry,
    phone: Phone,
    options: list[str],
    buttons: list[str],
    pressed: list[str],
) -> None:
    """A phone has room for three buttons."""
    hass = phone.hass
    answered = async_mock_service(hass, DOMAIN, "answer_question")
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, question(*options))
    sent = await phone.gets()
    assert (sent["title"], sent["message"]) == ("Room", "Which room?")
    assert [button["title"] for button in sent["data"]["actions"]] == buttons
    phone.press(*pressed)
    await hass.async_block_till_done()
    assert [call.data for call in answered] == [{"question_id": "q-1", "answer": pressed[-1]}]


@pytest.mark.parametrize("reason", ["is_multiple", "is_secret"])
async def test_a_question_that_is_not_for_a_phone_is_only_shown(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, reason: str
) -> None:
    """Nobody is to type a secret, and a button cannot choose several answers."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, question("A", OTHER, **{reason: True}))
    sent = await phone.gets(is_waited_for=False)
    assert [button["title"] for button in sent["data"]["actions"]] == ["Open"]
    await hass.async_block_till_done()
    assert running(hass) == 0


@pytest.mark.parametrize("reply_agent", [None, AGENT])
async def test_who_is_told_a_reply_to_what_is_nobodys(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, reply_agent: str | None
) -> None:
    """The agent that was chosen for it; without one, there is no reply."""
    inputs = {"phone": phone.device_id} | ({"reply_agent": reply_agent} if reply_agent else {})
    await make(hass, NAME, inputs)
    tell(hass, entry, notification(agent_id=None, title=""))
    sent = await phone.gets(is_waited_for=reply_agent is not None)
    titles = [button["title"] for button in sent["data"]["actions"]]
    assert titles == (["Reply", "Open"] if reply_agent else ["Open"])
    assert sent["title"] == ("main" if reply_agent else "OpenClaw")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (
            notification(
                NotificationKind.UPDATE_AVAILABLE,
                title="",
                message="",
                data={"installed": "2026.9.6", "latest": "2026.11.1", "channel": "stable"},
            ),
            ("A new OpenClaw gateway", "2026.11.1 is available, 2026.9.6 is running."),
        ),
        (
            notification(
                NotificationKind.GATEWAY_STOPPING, title="", message="", data={"reason": None}
            ),
            ("The OpenClaw gateway stops", "It did not say why."),
        ),
        (notification(title="42", message='["a", {"b": 1}]'), ("42", '["a", {"b": 1}]')),
        (
            notification(title="{{ 1 + 1 }}", message="{{ states('sun.sun') }}"),
            ("{{ 1 + 1 }}", "{{ states('sun.sun') }}"),
        ),
    ],
)
async def test_it_is_sent_as_it_was_said(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    phone: Phone,
    told: Notification,
    shown: tuple[str, str],
) -> None:
    """What looks like data or a template is text."""
    await make(hass, NAME, {"phone": phone.device_id, "kinds": []})
    tell(hass, entry, told)
    sent = await phone.gets(is_waited_for=told.kind is NotificationKind.MESSAGE)
    assert (sent["title"], sent["message"]) == shown


async def test_several_wait_beside_each_other(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """A button belongs to its own notification."""
    decided: list[ServiceCall] = async_mock_service(hass, DOMAIN, "resolve_approval")
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    await phone.gets()
    tell(hass, entry, approval(approval_id="a-2"))
    await phone.gets(2)
    assert running(hass) == 2
    async with state_change(hass, lambda hass: running(hass) == 1):
        phone.press("Allow once")
    assert [call.data["approval_id"] for call in decided] == ["a-2"]
