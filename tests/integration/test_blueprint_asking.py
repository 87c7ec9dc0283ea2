"""The blueprint that asks on a phone, in an automation, with the integration of the app."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
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
from .phone import OTHER, PRESSED, Phone, add_app, approval, question
from .support import add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

NAME = "approval_on_phone"
CLEARED = ("clear_notification", "openclaw-a-1")


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


@pytest.fixture
def decided(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the decisions that were sent."""
    calls: list[ServiceCall] = async_mock_service(hass, DOMAIN, "resolve_approval")
    return calls


@pytest.fixture
def answered(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the answers that were sent."""
    calls: list[ServiceCall] = async_mock_service(hass, DOMAIN, "answer_question")
    return calls


def last(phone: Phone) -> tuple[str, str]:
    """Return what the phone was sent last: the text, and what it is about."""
    sent = phone.shown[-1]
    return sent["message"], sent["data"]["tag"]


def over(request: str, *, is_approval: bool = True) -> Notification:
    """Return that something is decided."""
    if is_approval:
        return notification(NotificationKind.APPROVAL_RESOLVED, data={"approval_id": request})
    return notification(NotificationKind.QUESTION_ANSWERED, data={"question_id": request})


async def press(phone: Phone, *pressed: str) -> None:
    """Press a button, and wait until the automation is done."""
    async with state_change(phone.hass, lambda hass: running(hass) == 0):
        phone.press(*pressed)
    await phone.hass.async_block_till_done()


@pytest.mark.parametrize(("button", "decision"), [("Allow once", "allow-once"), ("Deny", "deny")])
async def test_an_approval_is_decided(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    phone: Phone,
    decided: list[ServiceCall],
    *,
    button: str,
    decision: str,
) -> None:
    """With what is to be done before the eyes; then it goes from the phone."""
    await make(hass, NAME, {"phone": phone.device_id, "dashboard": "/agents"})
    tell(hass, entry, approval(warning="This deletes files.", cwd="/srv"))
    sent = await phone.gets()
    assert sent["title"] == "May I? rm"
    assert " ".join(sent["message"].split()) == "rm -r build This deletes files. In /srv"
    titles = [each["title"] for each in sent["data"]["actions"]]
    assert titles == ["Allow once", "Deny", "Open"]
    assert sent["data"]["actions"][0]["authenticationRequired"] is True
    assert sent["data"]["push"] == {"interruption-level": "active"}
    await press(phone, button)
    assert [call.data for call in decided] == [{"approval_id": "a-1", "decision": decision}]
    assert last(phone) == CLEARED


async def test_it_may_be_urgent(hass: HomeAssistant, entry: MockConfigEntry, phone: Phone) -> None:
    """For phones that would wait otherwise."""
    await make(hass, NAME, {"phone": phone.device_id, "is_urgent": True})
    tell(hass, entry, approval())
    data = (await phone.gets())["data"]
    assert (data["ttl"], data["priority"]) == (0, "high")
    assert data["push"] == {"interruption-level": "time-sensitive"}


async def test_what_cannot_be_seen_whole_can_only_be_denied(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, decided: list[ServiceCall]
) -> None:
    """The phone says so."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval(is_command_cut=True))
    sent = await phone.gets()
    assert "decide on the gateway" in sent["message"]
    assert [each["title"] for each in sent["data"]["actions"]] == ["Deny", "Open"]
    await press(phone, "Deny")
    assert len(decided) == 1


@pytest.mark.parametrize("is_approval", [True, False])
async def test_what_is_decided_elsewhere_goes(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, *, is_approval: bool
) -> None:
    """Without an answer of ours."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval() if is_approval else question("A"))
    await phone.gets()
    async with state_change(hass, lambda hass: running(hass) == 0):
        tell(hass, entry, over("a-1") if is_approval else over("q-1", is_approval=False))
    await hass.async_block_till_done()
    assert last(phone) == ("clear_notification", f"openclaw-{'a' if is_approval else 'q'}-1")


async def test_what_is_over_beside_it_changes_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, decided: list[ServiceCall]
) -> None:
    """Another approval, and a question with the same id but for its kind."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    await phone.gets()
    tell(hass, entry, over("a-2"))
    tell(hass, entry, over("q-1", is_approval=False))
    await press(phone, "Deny")
    assert len(decided) == 1


async def test_what_nobody_decides_goes_when_it_is_too_late(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, decided: list[ServiceCall]
) -> None:
    """Also when the gateway does not say so any more."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    await phone.gets()
    async with state_change(hass, lambda hass: running(hass) == 0):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    await hass.async_block_till_done()
    assert last(phone) == CLEARED
    assert decided == []


async def test_only_the_phone_that_was_asked_answers(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, decided: list[ServiceCall]
) -> None:
    """Nobody else knows the names of its buttons, and another request has others."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    first = await phone.gets()
    tell(hass, entry, approval(approval_id="a-2"))
    second = await phone.gets(2)
    names = [
        {each["action"] for each in sent["data"]["actions"] if each["action"] != "URI"}
        for sent in (first, second)
    ]
    assert not names[0] & names[1]
    for guess in ("OPENCLAW_ALLOW_", "OPENCLAW_ALLOW", "ALLOW"):
        hass.bus.async_fire(PRESSED, {"action": guess})
    assert running(hass) == 2
    async with state_change(hass, lambda hass: running(hass) == 1):
        phone.press("Allow once")
    assert [call.data["approval_id"] for call in decided] == ["a-2"]


async def test_a_decision_that_comes_too_late_is_taken_off_the_phone(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """The gateway knows nothing of it; that is in the log."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, approval())
    await phone.gets()
    await press(phone, "Deny")
    assert last(phone) == CLEARED


@pytest.mark.parametrize(
    ("options", "more", "buttons", "pressed", "given"),
    [
        (["Kitchen", "Office"], {}, ["Kitchen", "Office", "Open"], ["Office"], ["Office"]),
        (["1", "2", "3", "4"], {}, ["1", "2", "3"], ["3"], ["3"]),
        (["A", "B", "C", OTHER], {}, ["A", "B", "Reply"], ["Reply", "42"], ["42"]),
        ([], {}, ["Reply", "Open"], ["Reply", "['a']"], ["['a']"]),
        (
            ["Mon", "Tue", OTHER],
            {"is_multiple": True},
            ["Mon", "Tue", "Reply"],
            ["Reply", "Mon, Tue"],
            ["Mon", "Tue"],
        ),
    ],
)
async def test_a_question_is_answered(
    entry: MockConfigEntry,
    phone: Phone,
    answered: list[ServiceCall],
    *,
    options: list[str],
    more: dict[str, bool],
    buttons: list[str],
    pressed: list[str],
    given: list[str],
) -> None:
    """With an option or words; several of them after commas."""
    await make(phone.hass, NAME, {"phone": phone.device_id})
    tell(phone.hass, entry, question(*options, **more))
    sent = await phone.gets()
    assert sent["title"] == "Room"
    assert sent["message"].startswith("Which room?")
    assert [each["title"] for each in sent["data"]["actions"]] == buttons
    await press(phone, *pressed)
    assert [call.data for call in answered] == [{"question_id": "q-1", "answers": {"room": given}}]
    assert last(phone) == ("clear_notification", "openclaw-q-1")


async def test_several_parts_are_asked_one_after_the_other(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone, answered: list[ServiceCall]
) -> None:
    """And answered together."""
    asked = question("Kitchen", "Office")
    days: dict[str, Any] = asked.data["questions"][0] | {
        "id": "days",
        "header": "Days",
        "question": "Which days?",
        "options": ["Mon", "Tue"],
    }
    asked.data["questions"].append(days)
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, asked)
    assert (await phone.gets())["message"] == "Which room? (Kitchen, Office)"
    phone.buttons = 3  # There is only one run.
    phone.press("Kitchen")
    await phone.gets(2)
    assert answered == []
    assert last(phone) == ("Which days? (Mon, Tue)", "openclaw-q-1")
    await press(phone, "Tue")
    [call] = answered
    assert call.data["answers"] == {"room": ["Kitchen"], "days": ["Tue"]}


async def test_nobody_types_a_secret(
    hass: HomeAssistant, entry: MockConfigEntry, phone: Phone
) -> None:
    """It would be kept by Home Assistant."""
    await make(hass, NAME, {"phone": phone.device_id})
    tell(hass, entry, question(OTHER, is_secret=True))
    sent = await phone.gets()
    assert "it is a secret" in sent["message"]
    assert [each["title"] for each in sent["data"]["actions"]] == ["Open"]


@pytest.mark.parametrize(
    ("kinds", "is_asked"), [([], True), (["question_asked"], False)], ids=["all", "chosen"]
)
async def test_only_what_was_chosen_is_asked(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    phone: Phone,
    kinds: list[str],
    *,
    is_asked: bool,
) -> None:
    """And nothing that asks nobody."""
    await make(hass, NAME, {"phone": phone.device_id, "kinds": kinds})
    tell(hass, entry, notification())
    tell(hass, entry, approval())
    if is_asked:
        await phone.gets()
    else:
        await hass.async_block_till_done()
    assert len(phone.shown) == running(hass) == is_asked
