"""A phone with the Home Assistant app, for the tests of blueprints; what an agent asks there."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind

from .notifications import notification
from .support import WAIT_LIMIT

PUSH_URL: Final = "https://push.example/send"
OTHER: Final = "…"
PRESSED: Final = "mobile_app_notification_action"


def approval(**data: object) -> Notification:
    """Return something that an agent wants to do, for half an hour from now."""
    expires = (dt_util.utcnow() + timedelta(minutes=30)).isoformat()
    return notification(
        NotificationKind.APPROVAL_REQUESTED,
        title="rm",
        message="rm -r build",
        data={
            "approval_id": "a-1",
            "command": "rm -r build",
            "is_command_cut": False,
            "warning": None,
            "decisions": ["allow-once", "deny"],
            "expires": expires,
        }
        | data,
    )


def question(*options: str, **more: bool) -> Notification:
    """Return something that an agent wants to know, for half an hour from now."""
    part = {
        "id": "room",
        "header": "Room",
        "question": "Which room?",
        "options": [option for option in options if option != OTHER],
        "takes_other": OTHER in options,
        "is_multiple": False,
    } | more
    expires = (dt_util.utcnow() + timedelta(minutes=30)).isoformat()
    return notification(
        NotificationKind.QUESTION_ASKED,
        title="Room",
        message="Which room?",
        data={"question_id": "q-1", "questions": [part], "expires": expires},
    )


class Phone:
    """A phone with the app: what it is sent, and what is pressed on it."""

    def __init__(self, hass: HomeAssistant, pushes: AiohttpClientMocker, device_id: str) -> None:
        """It is registered already."""
        self.buttons = 6
        """How many buttons a run of the automation listens to."""

        self.device_id = device_id
        self.hass = hass
        self._pushes = pushes

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Everything that was sent to it so far."""
        return [call[2] for call in self._pushes.mock_calls]

    async def gets(self, told: int = 1, *, is_waited_for: bool = True) -> dict[str, Any]:
        """Wait until it was sent so many, and the automation waits for its buttons; return the last."""
        async with asyncio.timeout(WAIT_LIMIT):
            # Nothing tells when a listener is added, so there is no event to wait for.
            while not self._has(told, is_waited_for):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0)
        return self.shown[-1]

    def _has(self, told: int, is_waited_for: bool) -> bool:
        """Tell whether it was sent so many, and so many runs listen to their buttons."""
        listeners = self.hass.bus.async_listeners().get(PRESSED, 0)
        return len(self.shown) >= told and (not is_waited_for or listeners >= self.buttons * told)

    def press(self, title: str, reply: str | None = None) -> None:
        """Press a button of the last notification, as the app tells Home Assistant."""
        [button] = [
            button for button in self.shown[-1]["data"]["actions"] if button["title"] == title
        ]
        data = {"action": button["action"]} | ({"reply_text": reply} if reply else {})
        self.hass.bus.async_fire(PRESSED, data)


async def add_app(
    hass: HomeAssistant, pushes: AiohttpClientMocker, devices: dr.DeviceRegistry
) -> Phone:
    """Return a phone that is registered with Home Assistant."""
    pushes.post(PUSH_URL, status=HTTPStatus.CREATED, json={})
    assert await async_setup_component(hass, "mobile_app", {})
    app = MockConfigEntry(
        domain="mobile_app",
        title="Phone",
        data={
            "app_data": {"push_token": "t", "push_url": PUSH_URL},
            "app_id": "io.homeassistant.app",
            "app_name": "Home Assistant",
            "app_version": "1",
            "device_id": "phone",
            "device_name": "Phone",
            "manufacturer": "Maker",
            "model": "Model",
            "os_name": "Linux",
            "os_version": "1",
            "secret": "0" * 64,
            "supports_encryption": False,
            "user_id": "1",
            "webhook_id": "webhook",
        },
    )
    app.add_to_hass(hass)
    assert await hass.config_entries.async_setup(app.entry_id)
    await hass.async_block_till_done()
    [device] = dr.async_entries_for_config_entry(devices, app.entry_id)
    return Phone(hass, pushes, device.id)
