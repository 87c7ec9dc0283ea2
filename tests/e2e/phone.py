"""A phone with the app of Home Assistant: gets notifications, and presses their buttons."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
import uuid

from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.client import HomeAssistantClient, JsonObject

PUSHED_LIMIT: Final = 90.0
"""Seconds until a notification must have come."""


@dataclass(slots=True, kw_only=True)
class Phone:
    """A phone that is registered with Home Assistant."""

    client: HomeAssistantClient
    webhook_id: str = ""
    device_id: str = ""
    """Of the device registry."""

    shown: list[JsonObject] = field(default_factory=list)
    """What was pushed, in order."""

    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, is_wanted: Callable[[JsonObject], bool]) -> JsonObject:
        """Return the first notification that is wanted.

        Raises:
            TimeoutError: There is none in time.
        """
        async with asyncio.timeout(PUSHED_LIMIT), self.changed:
            await self.changed.wait_for(lambda: any(map(is_wanted, self.shown)))
        return next(filter(is_wanted, self.shown))

    async def press(self, notification: JsonObject, title: str) -> None:
        """Press the button with this title, as the app tells of it."""
        (action,) = [
            button["action"]
            for button in notification["data"]["actions"]
            if button["title"] == title
        ]
        event = {"event_type": "mobile_app_notification_action", "event_data": {"action": action}}
        await self.client.rest(
            "POST", f"/api/webhook/{self.webhook_id}", {"type": "fire_event", "data": event}
        )

    async def take(self, request: web.Request) -> web.Response:
        """Take what is pushed, as the server of the app's maker does."""
        pushed = await request.json()
        async with self.changed:
            self.shown.append(pushed)
            self.changed.notify_all()
        return web.json_response({}, status=201)


@asynccontextmanager
async def phone(client: HomeAssistantClient) -> AsyncGenerator[Phone]:
    """Return a phone that is registered while the block lasts."""
    found = Phone(client=client)
    app = web.Application()
    app.router.add_post("/push", found.take)
    async with TestServer(app) as server:
        name = f"Phone {uuid.uuid4().hex[:8]}"
        registered = await client.rest(
            "POST",
            "/api/mobile_app/registrations",
            {
                "device_id": uuid.uuid4().hex,
                "app_id": "io.example.app",
                "app_name": "App",
                "app_version": "1",
                "device_name": name,
                "manufacturer": "Example",
                "model": "Phone",
                "os_name": "OS",
                "os_version": "1",
                "supports_encryption": False,
                "app_data": {"push_token": "token", "push_url": str(server.make_url("/push"))},
            },
        )
        found.webhook_id = registered["webhook_id"]
        devices = await client.call("config/device_registry/list")
        (found.device_id,) = [device["id"] for device in devices if device["name"] == name]
        try:
            yield found
        finally:
            (entry,) = [
                entry for entry in await client.entries("mobile_app") if entry["title"] == name
            ]
            await client.rest("DELETE", f"/api/config/config_entries/entry/{entry['entry_id']}")
