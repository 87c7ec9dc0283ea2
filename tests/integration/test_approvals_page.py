"""The automations in `docs/approvals.md` do what they say."""

import asyncio
from pathlib import Path
import re
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.openclaw_voice.assist.session_key import home_of
from custom_components.openclaw_voice.const import EVENT_NOTIFICATION
from tests.fakes.gateway import Expect, ScriptedGateway

from .support import WAIT_LIMIT, add_entry
from .test_requests import approval, event, question

pytestmark = pytest.mark.usefixtures("home")

TAPPED = "mobile_app_notification_action"
PAGE = Path(__file__).parents[2] / "docs" / "approvals.md"


def example(alias: str) -> dict[str, Any]:
    """Return the automation on the page that has this alias."""
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for block in blocks:
        config = parse_yaml(block)
        if isinstance(config, dict) and config.get("alias") == alias:
            return dict(config)
    raise AssertionError(f"no automation {alias} on the page")


async def automate(hass: HomeAssistant, alias: str) -> None:
    """Set an automation of the page up."""
    assert await async_setup_component(hass, "automation", {"automation": [example(alias)]})
    await hass.async_block_till_done()
    assert len(hass.states.async_entity_ids("automation")) == 1


async def test_nobody_at_home_denies(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """With somebody at home nothing is decided."""
    await add_entry(hass, friendly)
    hass.states.async_set("zone.home", "1")
    await automate(hass, "Deny while nobody is at home")
    told = asyncio.Event()
    hass.bus.async_listen_once(EVENT_NOTIFICATION, callback(lambda _: told.set()))
    await friendly.emit(event("exec.approval.requested", approval("asked-at-home")))
    async with asyncio.timeout(WAIT_LIMIT):
        await told.wait()
    await hass.async_block_till_done()
    hass.states.async_set("zone.home", "0")
    friendly.script(
        Expect(
            "exec.approval.resolve",
            params={"id": "e-1", "decision": "deny"},
            reply={"ok": True},
        )
    )
    await friendly.emit(event("exec.approval.requested", approval()))
    await friendly.wait_for_request("exec.approval.resolve")


async def test_a_phone_answers_a_question(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """It is sent the question, and what is written there is the answer."""
    entry = await add_entry(hass, friendly)
    sent: asyncio.Queue[ServiceCall] = asyncio.Queue()

    @callback
    def send(call: ServiceCall) -> None:
        sent.put_nowait(call)

    hass.services.async_register("notify", "mobile_app_phone", send)
    await automate(hass, "An agent asks a question")
    key = f"agent:main:homeassistant:{home_of(entry.runtime_data.instance_id)}:conversation:x"
    answers = {"answers": {"room": ["Bath"]}}
    friendly.script(
        Expect(
            "question.resolve",
            params={"id": "ask_1", "answers": answers},
            reply={"status": "answered", "answers": answers},
        )
    )
    await friendly.emit(event("question.requested", question(key)))
    async with asyncio.timeout(WAIT_LIMIT):
        prompt = await sent.get()
        while TAPPED not in hass.bus.async_listeners():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    hass.bus.async_fire(TAPPED, {"action": "REPLY", "reply_text": "bath"})
    await friendly.wait_for_request("question.resolve")

    assert (prompt.data["title"], prompt.data["message"]) == ("Room", "Which room?")
