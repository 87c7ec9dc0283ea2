"""Automations that exist for one test, made through Home Assistant's API as the frontend makes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
import uuid

from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.client import HomeAssistantClient, JsonObject

RAN: Final = "e2e_automation_ran"
"""The event with which an automation of these tests says that it ran, and with what."""

PATH: Final = "/api/config/automation/config"


class Automations:
    """Automations that exist for one test."""

    def __init__(self, client: HomeAssistantClient) -> None:
        """There are none yet."""
        self._client = client
        self._ids: list[str] = []

    async def tell(
        self, name: str, trigger: JsonObject, *, title: str, message: str, **more: object
    ) -> None:
        """Add one that tells under its name what it was run with.

        Args:
            name: What it tells as its `kind`.
            trigger: When it runs.
            title: A template of the title.
            message: A template of the message.
            more: Conditions, and actions to run instead of telling.
        """
        data = {"kind": name, "title": title, "message": message}
        automation: JsonObject = {
            "mode": "queued",
            "triggers": [trigger],
            "actions": [{"event": RAN, "event_data": data}],
        }
        await self.add(name, automation | more)

    async def use(self, blueprint: Path, **inputs: object) -> None:
        """Import a blueprint, and add an automation that is made from it."""
        path = await import_blueprint(self._client, blueprint)
        await self.add(blueprint.stem, {"use_blueprint": {"path": path, "input": inputs}})

    async def add(self, name: str, config: Mapping[str, object]) -> str:
        """Add one, wait until it is on, and return its id."""
        automation_id = uuid.uuid4().hex
        self._ids.append(automation_id)
        await self._client.rest(
            "POST",
            f"{PATH}/{automation_id}",
            {"alias": f"{name} {automation_id}", **config},
        )
        # What was written is read later unless somebody waits for it.
        await self._client.rest("POST", "/api/services/automation/reload", {})
        await self._wait_until_on(automation_id)
        return automation_id

    async def _wait_until_on(self, automation_id: str) -> None:
        rows = await self._client.call("config/entity_registry/list")
        (entity_id,) = [row["entity_id"] for row in rows if row["unique_id"] == automation_id]
        await self._client.wait_for_state(entity_id, lambda state: state == "on")

    async def remove(self) -> None:
        """Remove them."""
        for automation_id in self._ids:
            await self._client.rest("DELETE", f"{PATH}/{automation_id}")


async def import_blueprint(client: HomeAssistantClient, blueprint: Path) -> str:
    """Have Home Assistant fetch a blueprint from a web site and save it; return its path for automations."""
    site = web.Application()
    site.router.add_static("/", blueprint.parent)
    async with TestServer(site) as server:
        url = str(server.make_url(f"/{blueprint.name}"))
        shown: JsonObject = await client.call("blueprint/import", url=url)
    assert shown["validation_errors"] is None, shown
    path = f"{shown['suggested_filename']}.yaml"
    await client.call(
        "blueprint/save",
        domain=shown["blueprint"]["metadata"]["domain"],
        path=path,
        yaml=shown["raw_data"],
        source_url=url,
        allow_override=True,
    )
    return path
